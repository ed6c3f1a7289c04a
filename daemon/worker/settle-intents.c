/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* After a crash: collect the facts about each intent (settle-look.c), let core/settle decide, do it. An
 * intent that ends (healed, gone, detected) is removed; one that cannot be settled stays. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "util/strv.h"
#include "worker/clearing.h"
#include "worker/freeze.h"
#include "worker/guard.h"
#include "worker/intents.h"
#include "worker/outcomes.h"
#include "worker/page.h"
#include "worker/settle-ended.h"
#include "worker/settle-intents.h"
#include "worker/settle-look.h"
#include "worker/settle-places.h"

typedef struct Settler {
        const Request *request;
        SettlePlaces places;
        Site *site;             /* of the intent in hand, as site_state */
        int site_state;
        int intents_fd;
        char boot_id[37];
        Outcomes outcomes;
        SettledFn fn;
        void *userdata;
} Settler;

static int finish(const Settler *s, const Pending *p, CaseState state, Reason reason, Result *result) {
        result_set(result, state, reason, NULL);
        return state == CASE_HEALED || state == CASE_WAITING
                       ? intents_end(s->intents_fd, p->intent, (IntentEnd) { state, result->writer })
                       : intents_remove(s->intents_fd, p->intent);
}

static Target target_of(const Settler *s, const Pending *p) {
        return (Target) {
                .file_fd = p->fd,
                .disk = s->site->disk,
                .offset = p->intent->offset,
                .file_size = p->intent->file_size,
                .range = p->intent->range,
                /* not the intent's: another boot may have put the device elsewhere */
                .physical = s->request->physical_known ? s->request->physical + p->intent->range.start : 0,
                .mtime = &p->st.st_mtim,
                .block_fd = -1,
                .bad = &p->intent->bad,
        };
}

static int tell_written(const Settler *s, const Pending *p, int r, Result *result) {
        if (r == PAGE_E_STORED)
                return finish(s, p, CASE_WAITING, REASON_PAGE_NOT_PRESENT, result);
        if (r == PAGE_E_ABSENT || r == PAGE_E_DANGER) {
                result_set(result, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
                return 0;
        }
        if (r != 0) {
                result_set(result, CASE_FAILED, REASON_WRITE_FAILED, "%s", r < 0 ? strerror(-r)
                           : r == PAGE_E_UNLIKE ? "no file for another block can be had yet"
                           : "what was read back is not right");
                return 0;
        }

        result->bytes = rangeset_size(&p->bad);
        return finish(s, p, CASE_HEALED, REASON_NONE, result);
}

static int put_again(const Settler *s, const Pending *p, const Target *t, const WriterKind *writers,
                     size_t n, const RangeSet *must, Result *result) {
        int r;

        r = page_put(s->site, writers, n, t, p->page, &result->writer);
        return r == 0 ? page_check(s->site, t, p->page, must, t->punched) : r;
}

/* Writes the page of the intent: it was proved before it was logged. */
static int write_again(const Settler *s, Pending *p, const WriterKind *writers, size_t n,
                       Result *result) {
        _cleanup_rangeset_ RangeSet all = {};
        Target t = target_of(s, p);
        int r;

        t.punched = n == 1 && writers[0] == WRITER_PUNCH;
        if (!lease_holds(&p->lease)) {
                result_set(result, CASE_WAITING, REASON_FILE_BUSY,
                           "a write that a crash cut short is to be finished");
                return 0;
        }

        r = rangeset_add(&all, (Range) { t.offset, t.offset + REPAIR_UNIT });
        if (r < 0)
                return r;
        r = put_again(s, p, &t, writers, n, &all, result);
        pending_restore_times(p); /* also after a try in vain, which may have stored through a mapping */
        return tell_written(s, p, r, result);
}

/* The bad sectors of an intent of the writer `block`, in the way in which it was about to write them. */
static int write_in_place(const Settler *s, Pending *p, Result *result) {
        static const WriterKind block[] = { WRITER_BLOCK };
        _cleanup_close_ int block_fd = -1;
        Target t = target_of(s, p);
        Freeze freeze = FREEZE_NULL;
        bool written;
        int r;

        r = s->site->coarse || !freeze_possible(s->site, s->request->state_dir) ? -EBUSY
                : site_open_device(s->site, &block_fd);
        if (r >= 0)
                r = freeze_begin(s->site, s->intents_fd, &freeze);
        if (r < 0) {
                result_set(result, CASE_WAITING, REASON_FILE_BUSY,
                           "a write that a crash cut short is to be finished, and the file system cannot be "
                           "frozen: %s", strerror(-r));
                return 0;
        }

        /* What was seen before may have changed until it was frozen. */
        t.block_fd = block_fd;
        r = pending_look_at_bytes(s->site, p);
        if (r == 0)
                r = settle_decide(&p->facts) == SETTLE_WRITE
                            ? put_again(s, p, &t, block, 1, &p->bad, result)
                            : -ESTALE;
        (void) freeze_end(&freeze, &result->frozen_usec);
        written = r == 0;
        r = tell_written(s, p, r, result);
        if (written && p->others)
                page_drop_cached(s->site, &t);
        return r;
}

typedef struct ClearAgain {
        const Settler *settler;
        Pending *pending;
} ClearAgain;

/* What was seen before may have changed until now. */
static int may_clear(Range run, void *userdata) {
        ClearAgain *c = userdata;
        int r;

        r = pending_look_at_bytes(c->settler->site, c->pending);
        if (r < 0)
                return r;
        return rangeset_contains(&c->pending->unwritten, run) &&
                               settle_decide(&c->pending->facts) == SETTLE_WRITE
                       ? 0
                       : -ESTALE;
}

/* The bad sectors of a device-dax, to which nobody has stored since they were cleared. */
static int write_device(const Settler *s, Pending *p, Result *result) {
        static const WriterKind clear[] = { WRITER_CLEAR };
        _cleanup_rangeset_ RangeSet bad = {};
        ClearAgain again = { s, p };
        Clearing clearing = { .site = s->site, .intents_fd = s->intents_fd, .intent = p->intent,
                              .page = p->page, .may = may_clear, .userdata = &again };
        Target t = target_of(s, p);
        int r;

        r = rangeset_copy(&p->unwritten, &bad);
        if (r < 0)
                return r;
        memcpy(clearing.left, p->left, REPAIR_UNIT);
        clearing_begin(&clearing);
        t.physical = clearing_physical(s->site, s->request->physical, s->request->physical_known, t.range);
        t.bad = &bad;
        t.clear = &clearing.target;
        r = put_again(s, p, &t, clear, 1, &bad, result);
        if (r == 0 && p->rest) {        /* the others are a repair of their own */
                result->bytes = rangeset_size(&bad);
                return finish(s, p, CASE_DETECTED, REASON_NONE, result);
        }
        return tell_written(s, p, r, result);
}

/* Has the file these very bytes, in another block? The writer `clone` was at its end, then. */
static bool elsewhere(const Pending *p) {
        uint8_t found[REPAIR_UNIT];

        return p->fd >= 0 && p->intent->inode != 0 && (uint64_t) p->st.st_size >= p->intent->file_size &&
               pread_full(p->fd, found, pending_size(p), p->intent->offset) >= 0 &&
               memcmp(found, p->page, pending_size(p)) == 0;
}

static int tell_doubt(const Settler *s, const Pending *p, Result *result) {
        const char *path = p->intent->path ? p->intent->path : "?";
        _cleanup_free_ char *heirs = NULL;
        int r;

        if (p->facts.heir) {
                r = heirs_describe(s->site, &p->heirs, &heirs);
                if (r < 0)
                        return r;
                result_set(result, CASE_IN_DOUBT, REASON_IN_DOUBT,
                           "file offset %" PRIu64 " of '%s'; it has another block now, and the one that was "
                           "cleared and not written is that at %s", p->intent->offset, path, heirs);
        } else
                result_set(result, CASE_IN_DOUBT, REASON_IN_DOUBT, "file offset %" PRIu64 " of '%s'",
                           p->intent->offset, path);
        return 0;
}

static int act(const Settler *s, Pending *p, Result *result) {
        static const WriterKind pwrite_then_revive[] = { WRITER_PWRITE, WRITER_REVIVE },
                revive[] = { WRITER_REVIVE }, punch[] = { WRITER_PUNCH };

        switch (settle_decide(&p->facts)) {
        case SETTLE_FORGET:
                if (!p->facts.owned && !elsewhere(p))
                        return finish(s, p, CASE_GONE, REASON_CHANGED, result);
                if (!p->facts.owned)
                        result->writer = p->intent->punch ? WRITER_PUNCH : WRITER_CLONE;
                result->bytes = rangeset_size(&p->bad);
                return finish(s, p, CASE_HEALED, REASON_NONE, result);
        case SETTLE_REPAIR:
                return finish(s, p, CASE_DETECTED, REASON_NONE, result);
        case SETTLE_REVIVE:
                return write_again(s, p, revive, 1, result);
        case SETTLE_WRITE:
                if (site_is_dax(s->site))
                        return write_device(s, p, result);
                if (p->facts.punch)
                        return write_again(s, p, punch, 1, result);
                if (p->intent->in_place && (p->others || !lease_holds(&p->lease)))
                        return write_in_place(s, p, result);
                return write_again(s, p, pwrite_then_revive, 2, result);
        case SETTLE_SUPERSEDED:
                return finish(s, p, CASE_GONE, REASON_CLEARED, result);
        case SETTLE_IN_DOUBT:
        case _SETTLE_MAX:
        case _SETTLE_INVALID:
        default:
                return tell_doubt(s, p, result);
        }
}

/* Of a record that is damaged, only the name says where it belongs. */
static bool ours_by_name(const Settler *s, const char *name) {
        const char *slash = strrchr(s->request->volume.device, '/');
        const char *disk = slash ? slash + 1 : s->request->volume.device;
        size_t n = strlen(disk);

        return strncmp(name, disk, n) == 0 && name[n] == '-';
}

static int settle_one(const Settler *s, const Intent *i, const void *page, Result *result) {
        __attribute__((cleanup(pending_done))) Pending p = { .intent = i, .page = page, .fd = -1 };
        uint8_t left[REPAIR_UNIT];
        int r;

        /* Not even the length of a file is put right: what an intent says is kept for the day when it may
         * be done. */
        if (s->request->policy.mode != MODE_REPAIR) {
                result_set(result, CASE_WAITING, REASON_OBSERVE, NULL);
                return 0;
        }
        if (s->site_state != 0 || !(s->site->ops || site_is_dax(s->site))) {
                result_set(result, CASE_WAITING, REASON_UNMOUNTED, NULL);
                return 0;
        }
        if (!range_is_aligned(i->range, REPAIR_UNIT) || range_size(i->range) != REPAIR_UNIT ||
            i->offset >= i->file_size)
                return -EBADMSG;

        r = intents_left(s->intents_fd, i, page, left);
        p.left = r > 0 ? left : NULL;
        if (r >= 0)
                r = pending_open(s->site, &p);
        if (r >= 0)
                r = pending_look(s->site, s->boot_id, &p);
        if (r == -EBUSY || r == -EROFS || r == -ETXTBSY) {
                result_set(result, CASE_WAITING, r == -EROFS ? REASON_READ_ONLY : REASON_FILE_BUSY, NULL);
                return 0;
        }
        if (r == -EAGAIN) {
                result_set(result, CASE_WAITING, REASON_UNKNOWN_OWNER,
                           "a crash may have cut a write short, and whose the block is now cannot be told "
                           "yet");
                return 0;
        }
        return r < 0 ? r : act(s, &p, result);
}

/* A result without a case would say that all has been told: it becomes a sentence. */
static void name_case(Result *result) {
        char *sentence;

        if (asprintf(&sentence, "a repair that no case asked for: %s%s%s",
                     case_state_to_string(result->state),
                     result->detail ? ": " : "", result->detail ? result->detail : "") < 0)
                sentence = NULL;
        free(result->detail);
        result->detail = sentence;
        result->progress = true;
}

/* Its device had the name that this one has now: whoever knows the case by that is to wait for the one that
 * is the same memory. */
static int tell_elsewhere(Settler *s, const char *name, const Intent *i) {
        _cleanup_result_ Result result = { .id = i->case_id, .writer = WRITER_AUTO,
                                           .exclusion = _EXCLUSION_INVALID };

        if (i->case_id == 0 || settle_memory(&s->places, i) == INTENT_MEMORY_SAME ||
            !streq_ptr(i->device, s->request->volume.device))
                return 0;
        result_set(&result, CASE_WAITING, REASON_UNMOUNTED,
                   "a crash may have cut a write short to what was %s then, and is not now; if that memory "
                   "is gone for good, remove the record '%s' of the intent log", i->device, name);
        return outcomes_add(&s->outcomes, &result);
}

static int visit(const char *name, const Intent *i, const void *page, void *userdata) {
        Settler *s = userdata;
        _cleanup_result_ Result result = { .writer = WRITER_AUTO, .exclusion = _EXCLUSION_INVALID };
        SettlePlace *place;
        int r;

        if (!i && !ours_by_name(s, name))
                return 0;
        if (!i) {
                result.progress = true; /* it belongs to no case that could be named */
                result_set(&result, CASE_IN_DOUBT, REASON_IN_DOUBT, "the intent record '%s' is damaged",
                           name);
                s->fn(&result, s->userdata);
                return 0;
        }
        place = settle_place_of(&s->places, i);
        if (!place)
                return tell_elsewhere(s, name, i);
        s->site = &place->site;
        s->site_state = place->state;

        result.id = i->case_id;
        result.proofs = i->proofs;
        if (i->replica)
                result.replica = strdup(i->replica);
        r = settle_one(s, i, page, &result);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                result_set(&result, CASE_WAITING, REASON_INTERNAL,
                           "the intent of an earlier repair cannot be settled: %s", strerror(-r));
        if (result.id != 0)
                return outcomes_add(&s->outcomes, &result);
        name_case(&result);
        s->fn(&result, s->userdata);
        return 0;
}

static void settler_done(Settler *s) {
        settle_places_done(&s->places);
        outcomes_done(&s->outcomes);
}

static bool is_ours(const Intent *i, void *userdata) {
        const Settler *s = userdata;

        return settle_place_of(&s->places, i) != NULL;
}

static const char *disk_of(const char *device) {
        const char *slash = strrchr(device, '/');

        return slash ? slash + 1 : device;
}

int settle_intents(const Request *request, const MapProgress *progress, SettledFn fn, void *userdata) {
        _cleanup_close_ int intents_fd = -1, lock_fd = -1;
        _cleanup_(settler_done) Settler s = { .request = request, .fn = fn, .userdata = userdata };
        int r;

        assert(fn);

        if (!request->state_dir)
                return -EINVAL;
        r = intents_open(request->state_dir, &intents_fd);
        if (r >= 0)
                r = intents_lock(intents_fd, request->volume.device, &lock_fd);
        if (r >= 0)
                r = freeze_end_left(intents_fd, disk_of(request->volume.device));
        if (r >= 0)
                r = boot_id_read(s.boot_id);
        if (r >= 0)
                r = settle_places_open(request, s.boot_id, progress, &s.places);
        if (r < 0)
                return r;

        s.intents_fd = intents_fd;
        r = intents_tidy(intents_fd, request->volume.device);
        if (r >= 0)
                r = intents_walk(intents_fd, visit, &s);
        if (r >= 0)
                r = settle_ended(intents_fd, is_ours, &s, &s.outcomes);
        outcomes_tell(&s.outcomes, fn, userdata);
        for (size_t i = 0; r >= 0 && i < s.places.n && request->policy.mode == MODE_REPAIR; i++) {
                const SettlePlace *p = s.places.items + i;

                if (p->state == 0 && !p->site.read_only && !site_is_dax(&p->site))
                        r = guards_tidy(&p->site);
        }
        return r;
}
