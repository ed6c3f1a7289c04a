/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What crosses between the daemon and a worker, as values; core/codec has their text form. */

#include <assert.h>

#include "core/job.h"
#include "util/str.h"
#include "util/vec.h"

static const char *const verb_table[_VERB_MAX] = {
        [VERB_LOCATE] = "locate",
        [VERB_REPAIR] = "repair",
        [VERB_SETTLE] = "settle",
        [VERB_TOPOLOGY] = "topology",
        [VERB_PLAN] = "plan",
        [VERB_HEALTH] = "health",
        [VERB_PARK] = "park",
        [VERB_MEND] = "mend",
        [VERB_SCRUB] = "scrub",
        [VERB_PREVIEW] = "preview",
};

void request_done(Request *r) {
        assert(r);

        volume_done(&r->volume);
        for (size_t i = 0; i < r->others.n; i++)
                volume_done(r->others.items + i);
        vec_done(&r->others);
        free(r->namespace);
        free(r->state_dir);
        policy_done(&r->policy);
        for (size_t i = 0; i < r->ranges.n; i++)
                findings_done(&r->ranges.items[i]);
        vec_done(&r->ranges);
        plan_done(&r->plan);
        free(r->path);
        *r = (Request) {};
}

void result_done(Result *r) {
        assert(r);

        free(r->detail);
        free(r->replica);
        *r = (Result) {};
}

void locate_reply_done(LocateReply *r) {
        assert(r);

        for (size_t i = 0; i < r->found.n; i++)
                findings_done(&r->found.items[i]);
        vec_done(&r->found);
}

Verb verb_for_verdict(Verdict v) {
        return v == VERDICT_REPAIR ? VERB_REPAIR : v == VERDICT_MEND ? VERB_MEND : VERB_PARK;
}

bool verb_is_of_machine(Verb v) {
        return v == VERB_TOPOLOGY || v == VERB_HEALTH || v == VERB_SCRUB;
}

const char *verb_to_string(Verb v) {
        return str_at(verb_table, _VERB_MAX, v);
}

Verb verb_from_string(const char *s) {
        return str_index(verb_table, _VERB_MAX, s);
}
