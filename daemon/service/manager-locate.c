/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whose it is, and what the plan makes of it: cases that want it are located, as many as go into one
 * request, and what was found is judged. A range that turns out to have several owners becomes several
 * cases. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/errand.h"
#include "service/manager-internal.h"
#include "util/log.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

#define LOCATE_MAX 64   /* ranges in one request; each may become several findings, each with a descriptor */

static void judge(Tracked *t) {
        Manager *m = t->manager;
        _cleanup_plan_ Plan plan = {};
        int r;

        t->wants_repair = false;
        if (t->c->ignored) {
                if (!findings_page_may_be_absent(&t->found))
                        tracked_release(t);
                return;
        }
        r = t->word.replica ? plan_make_by_word(&m->policy, &t->found, &t->word, &plan)
                            : plan_make(&m->policy, &t->found, &plan);
        if (r < 0) {
                tracked_retry_later(t);
                return;
        }
        if (!plan.by_word)
                tracked_drop_word(t);

        plan_done(&t->plan);
        t->plan = plan;
        plan = (Plan) {};

        /* A file that is kept open keeps its file system from being unmounted: only where it must be. */
        if (findings_page_may_be_absent(&t->found))
                tracked_store_hold(t);
        else if (!verdict_acts(t->plan.verdict))
                tracked_release(t);

        switch (t->plan.verdict) {
        case VERDICT_REPAIR:
        case VERDICT_PARK:
        case VERDICT_UNPARK:
        case VERDICT_MEND:
                /* From refused or harmless there is no way to a repair but the beginning. */
                if (!case_may(t->c->state, CASE_LOCATED))
                        tracked_move(t, CASE_DETECTED, REASON_NONE,
                                     "looked at again, and something can be done about it now");
                tracked_move(t, CASE_LOCATED, REASON_NONE, NULL);
                t->wants_repair = true;
                break;
        case VERDICT_HARMLESS:
                if (!case_may(t->c->state, CASE_HARMLESS))
                        tracked_move(t, CASE_DETECTED, REASON_NONE, NULL);
                tracked_move(t, CASE_HARMLESS, t->plan.reason, t->plan.detail);
                t->tries = 0;
                break;
        case VERDICT_REFUSE:
                if (!case_may(t->c->state, CASE_REFUSED))
                        tracked_move(t, CASE_DETECTED, REASON_NONE, NULL);
                tracked_move(t, CASE_REFUSED, t->plan.reason, t->plan.detail);
                break;
        case VERDICT_WAIT:
                if (!case_may(t->c->state, CASE_WAITING))
                        tracked_move(t, CASE_DETECTED, REASON_NONE, NULL);
                tracked_move(t, CASE_WAITING, t->plan.reason, t->plan.detail);
                if (t->plan.reason != REASON_UNMOUNTED && t->plan.reason != REASON_OBSERVE &&
                    t->plan.reason != REASON_READ_ONLY)
                        tracked_retry_later(t);
                break;
        case _VERDICT_MAX:
        case _VERDICT_INVALID:
        default:
                assert(false);
        }
}

/* A page that is not present: its bytes were stored through a mapping, and the kernel no longer lists it. Is
 * it back? */
static void judge_absent(Tracked *t) {
        const Owner *o = t->c->owners.items;
        bool readable = t->c->owners.n == 1 && o->type == OWNER_FILE && t->found.readable;

        if (t->c->reason != REASON_PAGE_NOT_PRESENT)
                return;

        if (readable && t->c->writer == WRITER_REVIVE)
                tracked_move(t, CASE_HEALED, REASON_NONE, "the page is present again, and can be read");
        else if (readable && t->c->attempts == 0)
                tracked_move(t, CASE_GONE, REASON_CLEARED, NULL);       /* never ours; somebody else wrote */
        else if (readable)
                tracked_move(t, CASE_IN_DOUBT, REASON_IN_DOUBT,
                             "the page is present again, but the lost bytes were never stored");
        else if (t->c->owners.n > 0 && o->type == OWNER_FREE)
                tracked_move(t, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT,
                             "the file that owned it was deleted");
        else
                tracked_retry_later(t);

        if (readable)
                tracked_release(t);
}

/* The file lost the block, or is ours. */
static bool owners_need_no_hold(const Owners *o) {
        return o->n > 0 && (o->items[0].type == OWNER_FREE || o->items[0].guard);
}

static int take_found(Tracked *t, Findings *f, int *hold) {
        Owners owners = {};
        int r;

        r = str_copy(t->mended, &f->mended);
        if (r >= 0)
                r = owners_copy(&f->owners, &owners);
        if (r < 0)
                return r;

        owners_done(&t->c->owners);
        t->c->owners = owners;
        findings_done(&t->found);
        t->found = *f;
        *f = (Findings) {};

        /* A file that was deleted cannot be opened by its handle any more: what holds it is kept then. */
        if (hold)
                tracked_hold(t, TAKE_FD(*hold));
        else if (owners_need_no_hold(&t->c->owners))
                tracked_release(t);
        t->wants_locate = false;
        return 0;
}

/* The case whose range holds this part. One that turns out to have several owners keeps the first part
 * and gets companions for the rest. */
static int case_for_part(Errand *e, const Findings *part, Tracked **ret) {
        char why[64];
        int r;

        for (size_t i = 0; i < e->cases.n; i++) {
                Tracked *t = e->cases.items[i];

                if (!range_contains(t->c->range, part->range))
                        continue;
                /* The first part; the case keeps its whole range until all parts are there. */
                if (t->wants_locate) {
                        *ret = t;
                        return 0;
                }
                (void) snprintf(why, sizeof(why), "another owner than that of case %" PRIu64, t->c->id);
                r = tracked_new(e->manager, e->disk, part->range, &part->bad, why, ret);
                /* In another file system than was asked (a partition was made meanwhile): asked later. */
                return r < 0 || volume_equal(&(*ret)->c->volume, &t->c->volume) ? r : -EXDEV;
        }
        return -ENOENT;
}

static int apply_part(Errand *e, const Findings *part, int *hold) {
        _cleanup_findings_ Findings f = {};
        Tracked *t;
        int r;

        r = case_for_part(e, part, &t);
        if (r == -ENOENT || r == -EXDEV)
                return 0; /* nobody asked for that */
        if (r >= 0)
                r = findings_copy(part, &f);
        if (r >= 0)
                r = take_found(t, &f, hold);
        if (r >= 0 && !t->busy)
                judge(t); /* a companion; those of the errand are judged when all parts are there */
        return r;
}

/* A case keeps the part that it was given. */
static void shrink_to_found(Tracked *t) {
        _cleanup_rangeset_ RangeSet bad = {};

        if (t->found.range.end == 0 || range_equal(t->found.range, t->c->range) ||
            rangeset_copy(&t->found.bad, &bad) < 0)
                return;

        rangeset_done(&t->c->bad);
        t->c->bad = bad;
        bad = (RangeSet) {};
        t->c->range = t->found.range;
        tracked_store(t);
}

static void locate_failed(Errand *e, const EngineAnswer *a) {
        Reason reason = errand_failure(a->error);

        for (size_t i = 0; i < e->cases.n; i++) {
                Tracked *t = e->cases.items[i];

                if (case_may(t->c->state, CASE_WAITING) && !case_outlives_listing(t->c) && !t->c->ignored)
                        tracked_move(t, CASE_WAITING, reason, a->detail ? a->detail : strerror(-a->error));
                t->wants_locate = false;
                t->alone = a->error == -ETIMEDOUT || a->error == -ECHILD;
                tracked_drop_word(t);
                tracked_retry_later(t);
        }
}

static void judge_case(Tracked *t) {
        t->alone = false;
        if (t->wants_locate) { /* no answer for it */
                t->wants_locate = false;
                tracked_retry_later(t);
                return;
        }
        shrink_to_found(t);
        if (t->listed)
                judge(t);
        else
                judge_absent(t);
}

/* False: there is none left. */
static bool judge_next(Errand *e) {
        if (e->judged < e->cases.n)
                judge_case(e->cases.items[e->judged++]);
        return e->judged < e->cases.n;
}

void manager_judge_some(Manager *m) {
        for (size_t i = 0; i < CASES_AT_ONCE && m->located.n > 0; i++) {
                Errand *e = m->located.items[0];

                if (judge_next(e))
                        continue;
                vec_remove(&m->located, 0, 1);
                errand_free(e);
        }
        if (m->located.n > 0)
                manager_poke(m);
}

bool manager_is_judging(const Manager *m, const Device *d) {
        for (size_t i = 0; i < m->located.n; i++)
                if (streq_ptr(m->located.items[i]->disk, d->disk))
                        return true;
        return false;
}

static void on_located(const EngineAnswer *a, void *userdata) {
        _cleanup_(errand_freep) Errand *e = userdata;
        size_t hold = 0;

        manager_poke(e->manager);
        if (a->error < 0) {
                locate_failed(e, a);
                return;
        }

        manager_take_offers(e->manager, a->located);
        for (size_t i = 0; i < a->located->found.n; i++) {
                const Findings *part = a->located->found.items + i;
                int *fd = part->held && hold < a->n_holds ? a->holds + hold++ : NULL;
                int r = apply_part(e, part, fd);

                if (r < 0)
                        log_error_errno(r,
                                        "What was found on %s could not be taken up, trying again later: %m",
                                        e->disk);
        }

        if (vec_push(&e->manager->located, e) >= 0)
                (void) TAKE_PTR(e);
        else
                while (judge_next(e))
                        ;
}

static int request_add_range(Request *q, const Tracked *t) {
        _cleanup_findings_ Findings f = { .range = t->c->range };
        int r;

        r = rangeset_copy(&t->c->bad, &f.bad);
        if (r >= 0)
                r = vec_push(&q->ranges, f);
        if (r >= 0)
                f = (Findings) {};
        return r;
}

/* What is not listed has nothing to be located, but for a page that waits to be present again. */
static bool can_locate(const Tracked *t) {
        return t->listed || t->c->reason == REASON_PAGE_NOT_PRESENT;
}

/* Which to ask about next, besides those that the request has: what failed least often comes first, so that
 * what fails each time, and takes long to, does not cost all others their time; then the oldest. NULL: no
 * other, or none that goes with these (another file system: the next request). */
static Tracked *next_locate(const Manager *m, const Device *d, bool only_new, const Request *q) {
        Tracked *next = NULL;

        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (!t->wants_locate || t->busy || !can_locate(t) || !streq_ptr(tracked_disk(t), d->disk) ||
                    (only_new && t->tries > 0))
                        continue;
                if (q->ranges.n > 0 && (t->alone || !volume_equal(&q->volume, &t->c->volume)))
                        continue;
                if (!next || t->tries < next->tries)
                        next = t;
        }
        return next;
}

int manager_start_locate(Manager *m, Device *d, bool only_new) {
        _cleanup_(errand_freep) Errand *e = NULL;
        _cleanup_request_ Request q = {};
        bool alone = false;
        int r;

        r = errand_new(m, d->disk, &e);
        if (r < 0)
                return r;

        while (r >= 0 && !alone && e->cases.n < LOCATE_MAX) {
                Tracked *t = next_locate(m, d, only_new, &q);

                if (!t)
                        break;
                alone = t->alone;
                if (e->cases.n == 0)
                        r = manager_request(m, VERB_LOCATE, d->disk, &q);
                if (r >= 0 && e->cases.n == 0)
                        r = request_set_volume(&q, &t->c->volume);
                if (r >= 0)
                        r = request_add_range(&q, t);
                if (r >= 0)
                        r = errand_take(e, t);
                t->retry_at = USEC_INFINITY;
        }
        if (r >= 0 && e->cases.n == 0)
                return 0;
        if (r >= 0)
                r = errand_send(e, &q, on_located);
        if (r < 0)
                return r;

        (void) TAKE_PTR(e);
        return 1;
}
