/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an operator is shown before he gives his word: planned as if he had given it, and then, by a worker,
 * everything but the writing. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/errand.h"
#include "service/manager-internal.h"
#include "util/vec.h"

typedef struct Showing {
        Manager *manager;
        uint64_t id;
        PreviewFn fn;
        void *userdata;
} Showing;

static void on_shown(const EngineAnswer *a, void *userdata) {
        _cleanup_free_ Showing *s = userdata;
        Tracked *t = manager_find_tracked(s->manager, s->id);

        s->manager->forecasts--;
        /* What was located may not hold any more. */
        if (a->error == -EREMOTEIO && t && !t->busy && !t->c->ignored)
                tracked_want_again(t);
        manager_poke(s->manager);       /* perhaps this was the last that a stop had to wait for */
        s->fn(a->preview, a->error, a->detail, s->userdata);
}

/* In which mode the daemon is, is not asked: nothing is written. 0, MANAGER_E_REFUSED, -ENOMEM. */
static int plan_for(const Tracked *t, const Word *word, Plan *ret, char **ret_why) {
        Policy policy = t->manager->policy;     /* lent */
        _cleanup_plan_ Plan plan = {};
        int r;

        policy.mode = MODE_REPAIR;
        r = plan_make_by_word(&policy, &t->found, word, &plan);
        if (r < 0)
                return r;
        if (plan.verdict != VERDICT_REPAIR) {
                const char *explain = plan.reason != REASON_NONE ? reason_explain(plan.reason)
                                                                 : "Here is nothing to be restored.";

                if (asprintf(ret_why, "%s%s%s", explain, plan.detail ? " " : "",
                             plan.detail ? plan.detail : "") < 0) {
                        *ret_why = NULL;
                        return -ENOMEM;
                }
                return MANAGER_E_REFUSED;
        }

        *ret = plan;
        plan = (Plan) {};
        return 0;
}

static int make_request(Manager *m, const Tracked *t, const Word *word, uint64_t limit, Request *q,
                        char **ret_why) {
        _cleanup_findings_ Findings f = {};
        int r;

        r = manager_request(m, VERB_PREVIEW, tracked_disk(t), q);
        if (r >= 0)
                r = request_set_volume(q, &t->c->volume);
        if (r >= 0)
                r = findings_copy(&t->found, &f);
        if (r >= 0)
                r = vec_push(&q->ranges, f);
        if (r < 0)
                return r;
        f = (Findings) {};
        q->id = t->c->id;
        q->limit = limit;
        return plan_for(t, word, &q->plan, ret_why);
}

/* May a word be given for this case at all? */
static int check_case(const Manager *m, uint64_t id, const Tracked *t) {
        if (!t)
                return manager_find_case(m, id) ? MANAGER_E_CLOSED : MANAGER_E_NO_SUCH_CASE;
        if (case_state_is_closed(t->c->state))
                return MANAGER_E_CLOSED;
        if (m->stopping)
                return MANAGER_E_STOPPING;
        if (t->busy || m->forecasts >= FORECASTS_MAX)
                return MANAGER_E_BUSY;
        if (!tracked_is_for_operator(t) || !t->listed)
                return MANAGER_E_NOT_APPLICABLE;
        return t->found.range.end == 0 ? MANAGER_E_NOT_LOCATED : 0;
}

int manager_preview(Manager *m, uint64_t id, const Word *word, uint64_t limit, PreviewFn fn, void *userdata,
                    char **ret_why) {
        Tracked *t = manager_find_tracked(m, id);
        _cleanup_free_ Showing *s = NULL;
        _cleanup_request_ Request q = {};
        int r;

        r = check_case(m, id, t);
        if (r == 0)
                r = make_request(m, t, word, limit, &q, ret_why);
        if (r != 0)
                return r;

        s = malloc(sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = (Showing) { .manager = m, .id = id, .fn = fn, .userdata = userdata };
        r = engine_submit(m->engine, &q, m->policy.worker_timeout_usec, on_shown, s);
        if (r < 0)
                return r;
        (void) TAKE_PTR(s);
        m->forecasts++;
        return 0;
}
