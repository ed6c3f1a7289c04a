/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The life of a case is a table of the ways from one state to another, and one function that takes them.
 * A way that is not in the table is a mistake of the caller, found by -EPERM and not by a strange ledger
 * later. Healed and gone are ends: the same poison coming back is another case. */

#include <assert.h>
#include <string.h>

#include "core/case.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

#define TO(s) (1U << (s))

static const unsigned ways[_CASE_STATE_MAX] = {
        [CASE_DETECTED] = TO(CASE_LOCATED) | TO(CASE_WAITING) | TO(CASE_REFUSED) | TO(CASE_FAILED) |
                          TO(CASE_HARMLESS) | TO(CASE_GONE) | TO(CASE_IN_DOUBT),
        [CASE_LOCATED] = TO(CASE_REPAIRING) | TO(CASE_HARMLESS) | TO(CASE_REFUSED) | TO(CASE_WAITING) |
                         TO(CASE_FAILED) | TO(CASE_GONE) | TO(CASE_DETECTED),
        [CASE_REPAIRING] = TO(CASE_HEALED) | TO(CASE_FAILED) | TO(CASE_WAITING) | TO(CASE_REFUSED) |
                           TO(CASE_IN_DOUBT) | TO(CASE_GONE) | TO(CASE_DETECTED) | TO(CASE_HARMLESS),
        [CASE_WAITING] = TO(CASE_DETECTED) | TO(CASE_GONE) | TO(CASE_REFUSED) | TO(CASE_HEALED) |
                         TO(CASE_IN_DOUBT) | TO(CASE_REPAIRING) | TO(CASE_FAILED) | TO(CASE_HARMLESS),
        [CASE_REFUSED] = TO(CASE_DETECTED) | TO(CASE_GONE) | TO(CASE_HEALED),
        [CASE_FAILED] = TO(CASE_DETECTED) | TO(CASE_WAITING) | TO(CASE_GONE) | TO(CASE_REFUSED) |
                        TO(CASE_IN_DOUBT) | TO(CASE_HEALED),
        [CASE_IN_DOUBT] = TO(CASE_DETECTED) | TO(CASE_GONE) | TO(CASE_HEALED),
        [CASE_HARMLESS] = TO(CASE_DETECTED) | TO(CASE_GONE),
        [CASE_HEALED] = 0,
        [CASE_GONE] = 0,
};

/* The word, and the sentence for an event that comes with neither a detail nor a reason. */
static const struct { const char *word, *explain; } states[_CASE_STATE_MAX] = {
        [CASE_DETECTED] = { "detected", "Poison was reported here." },
        [CASE_LOCATED] = { "located", "It is known whose the bytes are, and what the replicas offer." },
        [CASE_REPAIRING] = { "repairing", "A worker writes the lost bytes back." },
        [CASE_HEALED] = { "healed",
                "The bytes were written back and read back, and the kernel no longer lists poison here." },
        [CASE_HARMLESS] = { "harmless", "No data is lost." },
        [CASE_REFUSED] = { "refused", "Writing here would be wrong." },
        [CASE_WAITING] = { "waiting", "It will be tried again." },
        [CASE_FAILED] = { "failed", "It was tried in vain, and will be tried again." },
        [CASE_IN_DOUBT] = { "in-doubt", "What the page holds after a crash cannot be explained." },
        [CASE_GONE] = { "gone",
                "The kernel no longer lists poison here, and it was not cleared by this daemon." },
};

void volume_done(Volume *v) {
        assert(v);

        free(v->device);
        free(v->fs);
        free(v->uuid);
        free(v->mountpoint);
        free(v->fs_device);
        free(v->part_device);
        free(v->hindrance);
        free(v->region);
        *v = (Volume) {};
}

int volume_copy(const Volume *v, Volume *ret) {
        _cleanup_(volume_done) Volume copy = {};
        int r;

        assert(v);
        assert(ret);

        r = str_copy(v->device, &copy.device);
        if (r == 0)
                r = str_copy(v->fs, &copy.fs);
        if (r == 0)
                r = str_copy(v->uuid, &copy.uuid);
        if (r == 0)
                r = str_copy(v->mountpoint, &copy.mountpoint);
        if (r == 0)
                r = str_copy(v->fs_device, &copy.fs_device);
        if (r == 0)
                r = str_copy(v->part_device, &copy.part_device);
        if (r == 0)
                r = str_copy(v->hindrance, &copy.hindrance);
        if (r == 0)
                r = str_copy(v->region, &copy.region);
        if (r < 0)
                return r;
        copy.window = v->window;
        copy.part = v->part;

        *ret = copy;
        copy = (Volume) {};
        return 0;
}

bool volume_equal(const Volume *a, const Volume *b) {
        assert(a);
        assert(b);

        return streq_ptr(a->device, b->device) && streq_ptr(a->fs, b->fs) && streq_ptr(a->uuid, b->uuid) &&
               streq_ptr(a->mountpoint, b->mountpoint) && streq_ptr(a->fs_device, b->fs_device) &&
               streq_ptr(a->hindrance, b->hindrance) && streq_ptr(a->region, b->region) &&
               range_equal(a->window, b->window) && a->part == b->part &&
               streq_ptr(a->part_device, b->part_device);
}

Case *case_free(Case *c) {
        if (!c)
                return NULL;

        volume_done(&c->volume);
        rangeset_done(&c->bad);
        strv_free(c->dimms);
        owners_done(&c->owners);
        free(c->replica);
        free(c->accepted_by);
        for (size_t i = 0; i < c->events.n; i++)
                free(c->events.items[i].detail);
        vec_done(&c->events);
        free(c);
        return NULL;
}

void cases_done(Cases *l) {
        assert(l);

        for (size_t i = 0; i < l->n; i++)
                case_free(l->items[i]);
        vec_done(l);
}

static int case_add_event(Case *c, CaseState state, Reason reason, const char *detail, uint64_t now) {
        _cleanup_free_ char *copy = NULL;
        int r;

        if (!detail)
                detail = reason == REASON_NONE ? states[state].explain : reason_explain(reason);
        copy = strdup(detail);
        if (!copy)
                return -ENOMEM;

        r = vec_push(&c->events, ((CaseEvent) { .time = now, .state = state, .detail = copy }));
        if (r < 0)
                return r;
        (void) TAKE_PTR(copy);
        return 0;
}

int case_new(uint64_t id, const char *device, Range range, const RangeSet *bad, uint64_t now, Case **ret) {
        _cleanup_(case_freep) Case *c = NULL;
        int r;

        assert(device);
        assert(bad);
        assert(ret);

        if (range.start >= range.end || !range_is_aligned(range, REPAIR_UNIT))
                return -EINVAL;
        for (size_t i = 0; i < bad->n; i++)
                if (!range_contains(range, bad->items[i]))
                        return -EINVAL;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (Case) { .id = id, .state = CASE_DETECTED, .range = range, .writer = WRITER_AUTO };

        c->volume.device = strdup(device);
        if (!c->volume.device)
                return -ENOMEM;
        r = rangeset_copy(bad, &c->bad);
        if (r < 0)
                return r;
        r = case_add_event(c, CASE_DETECTED, REASON_NONE, NULL, now);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

bool case_may(CaseState from, CaseState to) {
        assert(from >= 0 && from < _CASE_STATE_MAX);
        assert(to >= 0 && to < _CASE_STATE_MAX);

        if (from == to)
                return !case_state_is_closed(from);
        return ways[from] & TO(to);
}

int case_transition(Case *c, CaseState to, Reason reason, const char *detail, uint64_t now) {
        int r;

        assert(c);
        assert(reason >= 0 && reason < _REASON_MAX);

        if (!case_may(c->state, to))
                return -EPERM;
        if (c->state == to && c->reason == reason)
                return 0;

        r = case_add_event(c, to, reason, detail, now);
        if (r < 0)
                return r;

        if (to == CASE_REPAIRING && c->state != CASE_REPAIRING)
                c->attempts++;
        if (to == CASE_DETECTED && c->state == CASE_HARMLESS)
                c->attempts = 0;        /* something new happened to a place where nothing was wanted */
        c->state = to;
        c->reason = reason;
        return 0;
}

int case_set_ignored(Case *c, bool ignored, const char *detail, uint64_t now) {
        int r;

        assert(c);
        assert(detail);

        if (c->ignored == ignored)
                return 0;
        r = case_add_event(c, c->state, c->reason, detail, now);
        if (r >= 0)
                c->ignored = ignored;
        return r;
}

int case_note(Case *c, const char *detail, uint64_t now) {
        assert(c);
        assert(detail);

        return case_add_event(c, c->state, c->reason, detail, now);
}

bool case_state_is_closed(CaseState s) {
        return s == CASE_HEALED || s == CASE_GONE;
}

bool case_state_wants_operator(CaseState s) {
        return s == CASE_REFUSED || s == CASE_IN_DOUBT;
}

/* A write clears the poison before the bytes arrive, and they may never arrive (pmem_recovery_write():
 * clear, then copy; EFAULT when the page is not present). So where a worker was ever told to write, only
 * a worker that reads back can say how the case stands. */
static bool reason_after_write(Reason r) {
        return r == REASON_PAGE_NOT_PRESENT || r == REASON_WRITE_FAILED || r == REASON_READ_BACK_FAILED ||
               r == REASON_STILL_LISTED || r == REASON_IN_DOUBT || r == REASON_WORKER_DIED ||
               r == REASON_WORKER_TIMEOUT;
}

bool case_outlives_listing(const Case *c) {
        assert(c);

        switch (c->state) {

        case CASE_REPAIRING:
        case CASE_IN_DOUBT:
                return true;

        case CASE_WAITING:
        case CASE_FAILED:
                return c->attempts > 0 || reason_after_write(c->reason);

        case CASE_DETECTED:
        case CASE_LOCATED:
                return c->attempts > 0;         /* on its way to be tried again */

        case CASE_REFUSED:
        case CASE_HARMLESS:
        case CASE_HEALED:
        case CASE_GONE:
        case _CASE_STATE_MAX:
        case _CASE_STATE_INVALID:
        default:
                return false;
        }
}

const char *case_state_to_string(CaseState s) {
        return s >= 0 && s < _CASE_STATE_MAX ? states[s].word : NULL;
}

CaseState case_state_from_string(const char *s) {
        for (CaseState i = 0; s && i < _CASE_STATE_MAX; i++)
                if (strcmp(states[i].word, s) == 0)
                        return i;
        return _CASE_STATE_INVALID;
}
