/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Carrying out plans, as far as the budget goes, and what becomes of a worker's result. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/recurrence.h"
#include "service/case-log.h"
#include "service/errand.h"
#include "service/manager-internal.h"
#include "util/log.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

/* Who took it on, and how much that was, in the one event that is looked at years later. */
static char *detail_of(const Tracked *t, const Result *result) {
        char *detail;

        if (result->state != CASE_HEALED || !t->c->accepted_by)
                return result->detail ? strdup(result->detail) : NULL;
        return asprintf(&detail, "accepted by %s, %s: %s", t->c->accepted_by,
                        t->c->replica ? t->c->replica : "", result->detail ? result->detail : "") < 0
                       ? NULL
                       : detail;
}

void tracked_take_result(Tracked *t, const Result *result) {
        _cleanup_free_ char *detail = NULL;

        t->wants_repair = false;
        t->settled = true;
        t->c->writer = result->writer;
        t->c->proofs = result->proofs;
        t->c->frozen_usec += result->frozen_usec;
        if (result->replica && !streq_ptr(t->c->replica, result->replica)) {
                free(t->c->replica);
                t->c->replica = strdup(result->replica);
        }
        detail = detail_of(t, result);

        if (result->state == CASE_DETECTED)
                t->wants_locate = true;
        if (!case_may(t->c->state, result->state))
                tracked_move(t, CASE_DETECTED, REASON_NONE, NULL);
        if (!case_may(t->c->state, result->state)) /* healed by a repair of which only the intent was left */
                tracked_move(t, CASE_WAITING, REASON_NONE, NULL);
        tracked_move(t, result->state, result->reason, detail);
        if (t->store_tries == 0)
                manager_forget_ended(t->manager, t->c->id);

        if (case_state_is_closed(t->c->state)) {
                tracked_release(t);
                t->tries = 0;
        } else if (t->c->state != CASE_REFUSED && t->c->state != CASE_IN_DOUBT &&
                   t->c->reason != REASON_OBSERVE)
                tracked_retry_later(t);         /* also what was parked: it should have another owner now */
}

/* Once is enough: what the file system cannot rebuild now, it cannot rebuild in a minute either. */
static int set_mended(Tracked *t, const char *outcome) {
        char *copy = NULL;

        if (t->plan.verdict != VERDICT_MEND)
                return 0;
        if (asprintf(&copy, "the file system was asked to rebuild it: %s", outcome) < 0)
                return -ENOMEM;
        free(t->mended);
        t->mended = copy;
        return 0;
}

/* Not tried, after all: it may be later. */
static void take_mended(Tracked *t, const Result *result) {
        if (result->reason == REASON_NONE && result->detail)
                (void) set_mended(t, result->detail);
        else {
                free(t->mended);
                t->mended = NULL;
        }
}

static void on_repaired(const EngineAnswer *a, void *userdata) {
        Errand *e = userdata;
        Tracked *t = e->cases.items[0];

        if (a->result && a->result->progress) {
                log_debug("Case %" PRIu64 ": %s", t->c->id, a->result->detail ? a->result->detail : "");
                manager_tell(e->manager, case_progress, t->c, a->result->detail ? a->result->detail : "");
                return;
        }

        if (a->result) {
                take_mended(t, a->result);
                if (t->c->accepted_by && a->result->bytes == 0 && a->result->state != CASE_FAILED &&
                    a->result->state != CASE_IN_DOUBT)
                        tracked_drop_word(t);
                tracked_take_result(t, a->result);
        } else {
                Device *d = manager_find_device(e->manager, e->disk);

                /* What it had begun is in the intent log: settle that before anything else. */
                tracked_move(t, CASE_FAILED, errand_failure(a->error),
                             a->detail ? a->detail : strerror(-a->error));
                tracked_retry_later(t);
                if (d)
                        d->wants_settle = true;
        }

        manager_want_scan(e->manager, e->disk);
        errand_free(e);
}

/* One sentence; NULL where the state says it all. Of lost metadata it names what it is. */
static int what_begins(const Plan *p, char **ret) {
        const char *text = p->verdict == VERDICT_PARK
                                   ? "a guard file is to own the block, so that nobody is given it"
                           : p->verdict == VERDICT_UNPARK
                                   ? "the page is present again: it is cleaned, and given back"
                           : p->verdict == VERDICT_MEND
                                   ? "the file system is asked to rebuild what was lost of it" : NULL;

        if (p->verdict != VERDICT_MEND || !p->detail)
                return str_copy(text, ret);
        if (asprintf(ret, "%s: %s", text, p->detail) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

static int start_repair(Manager *m, Tracked *t) {
        _cleanup_(errand_freep) Errand *e = NULL;
        _cleanup_request_ Request q = {};
        _cleanup_findings_ Findings f = {};
        _cleanup_free_ char *begins = NULL;
        int r;

        r = errand_new(m, tracked_disk(t), &e);
        if (r >= 0)
                r = what_begins(&t->plan, &begins);
        if (r >= 0)
                r = manager_request(m, verb_for_verdict(t->plan.verdict), e->disk, &q);
        if (r >= 0)
                r = request_set_volume(&q, &t->c->volume);
        if (r >= 0)
                r = findings_copy(&t->found, &f);
        if (r >= 0)
                r = vec_push(&q.ranges, f);
        if (r < 0)
                return r;
        f = (Findings) {};
        q.id = t->c->id;
        q.plan = t->plan;

        r = set_mended(t, "what came of it is not known");
        if (r >= 0)
                r = errand_take(e, t);
        if (r >= 0) {
                /* On record before the worker can begin. */
                tracked_move(t, CASE_REPAIRING, REASON_NONE, begins);
                r = errand_send(e, &q, on_repaired);
        }
        q.plan = (Plan) {};     /* was only lent */
        if (r < 0)
                return r;

        word_done(&t->word);    /* it was for this try */
        t->wants_repair = false;
        t->retry_at = USEC_INFINITY;
        (void) TAKE_PTR(e);
        return 1;
}

/* One page, one unit of the budget; a case is begun when all its pages fit. */
static bool take_budget(Manager *m, Tracked *t) {
        size_t pages = t->plan.steps.n, left = budget_left(&m->budget, now_monotonic());
        uint64_t retry = 0;

        if (t->plan.by_word)
                return true;            /* it is for storms, and an operator is none */
        if (left == m->policy.budget_n)
                m->budget_told = false;
        if (left >= pages || left == m->policy.budget_n) {
                for (size_t i = 0; i < pages; i++)
                        (void) budget_take(&m->budget, now_monotonic(), &retry);
                return true;
        }

        tracked_move(t, CASE_WAITING, REASON_BUDGET, NULL);
        if (!m->budget_told) {
                case_log_budget(t->c, m->policy.budget_n, m->policy.budget_usec);
                manager_tell(m, case_alert, t->c);
                m->budget_told = true;
        }
        t->wants_repair = false;
        t->retry_at = m->policy.budget_usec == USEC_INFINITY
                              ? USEC_INFINITY
                              : now_monotonic() + m->policy.budget_usec / m->policy.budget_n * pages;
        return false;
}

typedef struct Healed {
        const Case *c;
        uint64_t now, window;
        uint64_t first;         /* the earliest time within the window */
        size_t n;
} Healed;

static int count_healed(const Case *earlier, void *userdata) {
        Healed *h = userdata;
        uint64_t then = case_healed_here(h->c, earlier, h->now, h->window);

        if (then > 0) {
                h->n++;
                if (h->first == 0 || then < h->first)
                        h->first = then;
        }
        return 0;
}

/* A page that loses again what was just written to it is not helped by writing it once more, and whoever
 * believes that it is healed is worse off. */
static bool take_page_budget(Manager *m, Tracked *t) {
        Healed h = { .c = t->c, .now = now_realtime(), .window = m->policy.page_budget_usec };
        _cleanup_free_ char *detail = NULL, *dimms = NULL;

        if (t->plan.verdict != VERDICT_REPAIR || t->plan.by_word)
                return true;
        (void) manager_each_case(m, true, count_healed, &h);
        if (h.n < m->policy.page_budget_n)
                return true;

        dimms = strv_join(t->c->dimms, ", ");
        if (asprintf(&detail,
                     "healed %zu times in the last %" PRIu64 " s; memory module %s", h.n,
                     (h.now - h.first) / USEC_PER_SEC, dimms && *dimms ? dimms : "not known") < 0)
                detail = NULL;
        tracked_move(t, CASE_WAITING, REASON_PAGE_BUDGET, detail);
        t->wants_repair = false;
        t->retry_at = now_monotonic() + (h.first + h.window - h.now);
        return false;
}

/* What arms the kernel comes before what is merely lost; then what has failed least often, so that one whose
 * replica hangs each time does not keep all that come after it. NULL: none. */
static Tracked *next_repair(const Manager *m, const Device *d) {
        Tracked *next = NULL;

        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];
                bool urgent = t->plan.verdict == VERDICT_PARK;

                if (!t->wants_repair || t->busy || !streq_ptr(tracked_disk(t), d->disk))
                        continue;
                if (!next || urgent > (next->plan.verdict == VERDICT_PARK) ||
                    (urgent == (next->plan.verdict == VERDICT_PARK) && t->tries < next->tries))
                        next = t;
        }
        return next;
}

int manager_start_repairs(Manager *m, Device *d) {
        Tracked *t;

        while ((t = next_repair(m, d)))
                if (take_page_budget(m, t) && take_budget(m, t))
                        return start_repair(m, t);
        return 0;
}
