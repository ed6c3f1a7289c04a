/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Requests to workers and what becomes of their answers. For each device that has no request on its way,
 * in this order: settle what an earlier worker left, locate what has no owner yet, repair what has a
 * plan. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "service/manager-internal.h"
#include "topo/topo.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

#define LOCATE_MAX 64   /* ranges in one request; each may become several findings, each with a descriptor */

/* A request on its way: about one device, and some of its cases. */
typedef struct Errand {
        Manager *manager;
        char *disk;
        struct { Tracked **items; size_t n, allocated; } cases;
        bool untold;            /* settle: there are intents of which no case was named */
} Errand;

static Errand *errand_free(Errand *e) {
        if (!e)
                return NULL;
        for (size_t i = 0; i < e->cases.n; i++)
                e->cases.items[i]->busy = false;
        vec_done(&e->cases);
        free(e->disk);
        free(e);
        return NULL;
}
DEFINE_CLEANUP(Errand *, errand_free);

static int errand_new(Manager *m, const char *disk, Errand **ret) {
        _cleanup_(errand_freep) Errand *e = calloc(1, sizeof(*e));

        if (!e)
                return -ENOMEM;
        e->manager = m;
        e->disk = strdup(disk);
        if (!e->disk)
                return -ENOMEM;
        *ret = TAKE_PTR(e);
        return 0;
}

static int errand_take(Errand *e, Tracked *t) {
        int r = vec_push(&e->cases, t);

        if (r >= 0)
                t->busy = true;
        return r;
}

int manager_request(Manager *m, Verb verb, const char *disk, Request *ret) {
        _cleanup_request_ Request q = { .verb = verb };
        int r;

        q.state_dir = strdup(m->options->state_dir);
        if (!q.state_dir)
                return -ENOMEM;
        r = policy_copy(&m->policy, &q.policy);
        if (r >= 0)
                r = volume_of_disk(&m->topology, disk, &q.volume, &q.physical, &q.physical_known);
        if (r < 0)
                return r;

        *ret = q;
        q = (Request) {};
        return 0;
}

/* Sends it; the errand lives until its last answer. */
static int errand_send(Errand *e, const Request *q, EngineFn fn) {
        return engine_submit(e->manager->engine, q, e->manager->policy.worker_timeout_usec, fn, e);
}

/* ---- what a plan means for a case ---- */

static void judge(Tracked *t) {
        Manager *m = t->manager;
        _cleanup_plan_ Plan plan = {};
        int r;

        t->wants_repair = false;
        if (t->c->ignored)
                return;
        r = plan_make(&m->policy, &t->found, &plan);
        if (r < 0) {
                tracked_retry_later(t);
                return;
        }

        plan_done(&t->plan);
        t->plan = plan;
        plan = (Plan) {};

        /* A file that is kept open keeps its file system from being unmounted: only where it must be. */
        if (t->plan.verdict != VERDICT_REPAIR && !findings_page_may_be_absent(&t->found))
                tracked_release(t);

        switch (t->plan.verdict) {
        case VERDICT_REPAIR:
                /* From refused or harmless there is no way to a repair but the beginning. */
                if (!case_may(t->c->state, CASE_LOCATED))
                        tracked_move(t, CASE_DETECTED, REASON_NONE,
                                     "looked at again, and it can be repaired now");
                tracked_move(t, CASE_LOCATED, REASON_NONE, NULL);
                t->wants_repair = true;
                break;
        case VERDICT_HARMLESS:
                if (!case_may(t->c->state, CASE_HARMLESS))
                        tracked_move(t, CASE_DETECTED, REASON_NONE, NULL);
                tracked_move(t, CASE_HARMLESS, t->plan.reason, t->plan.detail);
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

        if (t->c->reason != REASON_PAGE_NOT_PRESENT)
                return;
        if (t->c->owners.n == 1 && o->type == OWNER_FILE && t->found.readable &&
            t->c->writer != WRITER_REVIVE) {
                /* Nothing of ours was stored there, and no intent was left to settle. */
                tracked_move(t, CASE_IN_DOUBT, REASON_IN_DOUBT,
                             "the page is present again, but the lost bytes were never stored");
                tracked_release(t);
        } else if (t->c->owners.n == 1 && o->type == OWNER_FILE && t->found.readable) {
                tracked_move(t, CASE_HEALED, REASON_NONE, "the page is present again, and can be read");
                tracked_release(t);
        } else if (t->c->owners.n > 0 && o->type == OWNER_FREE)
                tracked_move(t, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT,
                             "the file that owned it was deleted");
        else
                tracked_retry_later(t);
}

/* ---- locate ---- */

static int take_found(Tracked *t, Findings *f, int *hold) {
        Owners owners = {};
        int r;

        r = owners_copy(&f->owners, &owners);
        if (r < 0)
                return r;

        owners_done(&t->c->owners);
        t->c->owners = owners;
        findings_done(&t->found);
        t->found = *f;
        *f = (Findings) {};

        tracked_release(t);
        if (hold) {
                t->hold = *hold;
                *hold = -1;
        }
        t->wants_locate = false;
        return 0;
}

/* The case whose range holds this part. One that turns out to have several owners keeps the first part
 * and gets companions for the rest. */
static int case_for_part(Errand *e, const Findings *part, Tracked **ret) {
        char why[64];

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
                return tracked_new(e->manager, e->disk, part->range, &part->bad, why, ret);
        }
        return -ENOENT;
}

static int apply_part(Errand *e, const Findings *part, int *hold) {
        _cleanup_findings_ Findings f = {};
        Tracked *t;
        int r;

        r = case_for_part(e, part, &t);
        if (r == -ENOENT)
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

/* Why a request ended without an answer, from the engine's error. */
static Reason failure_reason(int error) {
        switch (error) {
        case -ECHILD:
                return REASON_WORKER_DIED;
        case -ETIMEDOUT:
                return REASON_WORKER_TIMEOUT;
        default:
                return REASON_INTERNAL;
        }
}

static void locate_failed(Errand *e, const EngineAnswer *a) {
        Reason reason = failure_reason(a->error);

        for (size_t i = 0; i < e->cases.n; i++) {
                Tracked *t = e->cases.items[i];

                if (case_may(t->c->state, CASE_WAITING) && !case_outlives_listing(t->c) && !t->c->ignored)
                        tracked_move(t, CASE_WAITING, reason, a->detail ? a->detail : strerror(-a->error));
                t->wants_locate = false;
                tracked_retry_later(t);
        }
}

static void on_located(const EngineAnswer *a, void *userdata) {
        _cleanup_(errand_freep) Errand *e = userdata;
        size_t hold = 0;

        manager_poke(e->manager);
        if (a->error < 0) {
                locate_failed(e, a);
                return;
        }

        for (size_t i = 0; i < a->located->found.n; i++) {
                const Findings *part = a->located->found.items + i;
                int *fd = part->held && hold < a->n_holds ? a->holds + hold++ : NULL;
                int r = apply_part(e, part, fd);

                if (r < 0)
                        log_error_errno(r,
                                        "What was found on %s could not be taken up, trying again later: %m",
                                        e->disk);
        }

        for (size_t i = 0; i < e->cases.n; i++) {
                Tracked *t = e->cases.items[i];

                if (t->wants_locate) { /* no answer for it */
                        t->wants_locate = false;
                        tracked_retry_later(t);
                        continue;
                }
                shrink_to_found(t);
                if (t->listed)
                        judge(t);
                else
                        judge_absent(t);
        }
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

static int start_locate(Manager *m, Device *d) {
        _cleanup_(errand_freep) Errand *e = NULL;
        _cleanup_request_ Request q = {};
        int r;

        r = errand_new(m, d->disk, &e);
        if (r < 0)
                return r;

        for (size_t i = 0; r >= 0 && i < m->cases.n && e->cases.n < LOCATE_MAX; i++) {
                Tracked *t = m->cases.items[i];

                if (!t->wants_locate || t->busy || !can_locate(t) || !streq_ptr(tracked_disk(t), d->disk))
                        continue;
                if (e->cases.n == 0)
                        r = manager_request(m, VERB_LOCATE, d->disk, &q);
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

/* ---- repair and settle ---- */

static void take_result(Tracked *t, const Result *result) {
        t->wants_repair = false;
        t->settled = true;
        t->c->writer = result->writer;
        t->c->proofs = result->proofs;
        if (result->replica && !streq_ptr(t->c->replica, result->replica)) {
                free(t->c->replica);
                t->c->replica = strdup(result->replica);
        }

        if (result->state == CASE_DETECTED)
                t->wants_locate = true;
        if (!case_may(t->c->state, result->state))
                tracked_move(t, CASE_DETECTED, REASON_NONE, NULL);
        if (!case_may(t->c->state, result->state)) /* healed by a repair of which only the intent was left */
                tracked_move(t, CASE_WAITING, REASON_NONE, NULL);
        tracked_move(t, result->state, result->reason, result->detail);

        if (case_state_is_closed(t->c->state)) {
                tracked_release(t);
                t->tries = 0;
        } else if (t->c->state != CASE_REFUSED && t->c->state != CASE_IN_DOUBT &&
                   t->c->reason != REASON_OBSERVE)
                tracked_retry_later(t);
}

static void rescan_disk(Manager *m, const char *disk) {
        Device *d = manager_find_device(m, disk);

        if (d)
                d->wants_scan = true;
        manager_poke(m);
}

static void on_repaired(const EngineAnswer *a, void *userdata) {
        Errand *e = userdata;
        Tracked *t = e->cases.items[0];

        if (a->result && a->result->progress) {
                log_debug("Case %" PRIu64 ": %s", t->c->id, a->result->detail ? a->result->detail : "");
                manager_tell(e->manager, case_progress, t->c, a->result->detail ? a->result->detail : "");
                return;
        }

        if (a->result)
                take_result(t, a->result);
        else {
                Device *d = manager_find_device(e->manager, e->disk);

                /* What it had begun is in the intent log: settle that before anything else. */
                tracked_move(t, CASE_FAILED, failure_reason(a->error),
                             a->detail ? a->detail : strerror(-a->error));
                tracked_retry_later(t);
                if (d)
                        d->wants_settle = true;
        }

        t->busy = false;
        rescan_disk(e->manager, e->disk);
        errand_free(e);
}

static int start_repair(Manager *m, Tracked *t) {
        _cleanup_(errand_freep) Errand *e = NULL;
        _cleanup_request_ Request q = {};
        _cleanup_findings_ Findings f = {};
        int r;

        r = errand_new(m, tracked_disk(t), &e);
        if (r >= 0)
                r = manager_request(m, VERB_REPAIR, e->disk, &q);
        if (r >= 0)
                r = findings_copy(&t->found, &f);
        if (r >= 0)
                r = vec_push(&q.ranges, f);
        if (r < 0)
                return r;
        f = (Findings) {};
        q.id = t->c->id;
        q.plan = t->plan;

        r = errand_take(e, t);
        if (r >= 0) {
                /* On record before the worker can begin. */
                tracked_move(t, CASE_REPAIRING, REASON_NONE, NULL);
                r = errand_send(e, &q, on_repaired);
        }
        q.plan = (Plan) {};     /* was only lent */
        if (r < 0)
                return r;

        t->wants_repair = false;
        t->retry_at = USEC_INFINITY;
        (void) TAKE_PTR(e);
        return 1;
}

/* One page, one unit of the budget; a case is begun when all its pages fit. */
static bool take_budget(Manager *m, Tracked *t) {
        size_t pages = t->plan.steps.n;
        uint64_t retry = 0;

        if (budget_left(&m->budget, now_monotonic()) >= pages ||
            budget_left(&m->budget, now_monotonic()) == m->policy.budget_n) {
                for (size_t i = 0; i < pages; i++)
                        (void) budget_take(&m->budget, now_monotonic(), &retry);
                return true;
        }

        tracked_move(t, CASE_WAITING, REASON_BUDGET, NULL);
        t->wants_repair = false;
        t->retry_at = now_monotonic() + m->policy.budget_usec / m->policy.budget_n * pages;
        return false;
}

static int start_repairs(Manager *m, Device *d) {
        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (t->wants_repair && !t->busy && streq_ptr(tracked_disk(t), d->disk) && take_budget(m, t))
                        return start_repair(m, t);
        }
        return 0;
}

/* All intents have been told. A case whose write may have begun, and that has none, was finished by a
 * worker whose report was lost, or never begun: the list tells which. */
static void end_settlement(Manager *m, const char *disk, bool untold) {
        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (t->busy || t->settled || !case_outlives_listing(t->c) ||
                    !streq_ptr(tracked_disk(t), disk))
                        continue;
                if (t->listed || t->c->reason == REASON_PAGE_NOT_PRESENT)
                        t->wants_locate = true;
                else if (t->c->state == CASE_IN_DOUBT)
                        continue; /* a person must look, whatever has become of the record */
                else if (untold)
                        tracked_move(t, CASE_IN_DOUBT, REASON_IN_DOUBT,
                                     "no longer listed, and a record of the intent log cannot be read");
                else
                        tracked_move(t, CASE_GONE, REASON_CLEARED,
                                     "no longer listed, and nothing is left in the intent log");
        }
}

/* An intent is about one page. Its case is over only when nothing else of it is listed any more. */
static void take_settled(Tracked *t, const Result *result) {
        _cleanup_rangeset_ RangeSet bad = {}, left = {};
        bool truncated;

        if (!case_state_is_closed(result->state) ||
            (topo_badblocks(tracked_disk(t), &bad, &truncated) >= 0 && !truncated &&
             rangeset_clip(&bad, t->c->range, &left) >= 0 && left.n == 0)) {
                take_result(t, result);
                return;
        }

        t->settled = true;
        t->wants_locate = true;
        tracked_move(t, CASE_DETECTED, REASON_NONE, "a page of it was settled, and more of it is listed");
        tracked_retry_later(t);
}

/* Cases that the intents could tell of wait for another settlement. */
static void settle_later(Manager *m, const char *disk) {
        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (!t->busy && case_outlives_listing(t->c) && streq_ptr(tracked_disk(t), disk))
                        tracked_retry_later(t);
        }
}

static void on_settled(const EngineAnswer *a, void *userdata) {
        Errand *e = userdata;
        Manager *m = e->manager;

        if (a->result && a->result->id != 0) {
                Tracked *t = manager_find_tracked(m, a->result->id);

                if (t && !t->busy)
                        take_settled(t, a->result);
                else if (!t)
                        log_line(case_state_is_closed(a->result->state) ? LOG_NOTICE : LOG_ERR,
                                 "An intent of case %" PRIu64 ", which is closed, was settled: %s%s%s",
                                 a->result->id, case_state_to_string(a->result->state),
                                 a->result->detail ? ": " : "", a->result->detail ? a->result->detail : "");
        } else if (a->result && a->result->progress) {
                e->untold = true;
                log_error("%s: %s", e->disk,
                          a->result->detail ? a->result->detail : "an intent without a case");
        }

        if (!a->last)
                return;
        if (a->error < 0) {
                settle_later(m, e->disk);
                log_error("The intents on %s could not be settled, trying again later: %s", e->disk,
                          a->detail ? a->detail : strerror(-a->error));
        } else
                end_settlement(m, e->disk, e->untold);
        rescan_disk(m, e->disk);
        errand_free(e);
}

static int start_settle(Manager *m, Device *d) {
        _cleanup_(errand_freep) Errand *e = NULL;
        _cleanup_request_ Request q = {};
        int r;

        r = errand_new(m, d->disk, &e);
        if (r >= 0)
                r = manager_request(m, VERB_SETTLE, d->disk, &q);
        if (r >= 0)
                r = errand_send(e, &q, on_settled);
        if (r < 0)
                return r;

        d->wants_settle = false;
        for (size_t i = 0; i < m->cases.n; i++)
                if (streq_ptr(tracked_disk(m->cases.items[i]), d->disk))
                        m->cases.items[i]->settled = false;
        (void) TAKE_PTR(e);
        return 1;
}

static void dispatch_device(Manager *m, Device *d) {
        _cleanup_free_ char *node = NULL;
        int r = 0;

        if (asprintf(&node, "/dev/%s", d->disk) < 0 || engine_is_busy(m->engine, node))
                return;

        if (d->wants_settle)
                r = start_settle(m, d);
        if (r == 0)
                r = start_locate(m, d);
        if (r == 0)
                r = start_repairs(m, d);
        if (r < 0)
                log_error_errno(r, "A request about %s could not be made, trying again later: %m", d->disk);
}

void manager_dispatch(Manager *m) {
        if (m->stopping)
                return;
        for (size_t i = 0; i < m->devices.n; i++)
                dispatch_device(m, m->devices.items[i]);
}
