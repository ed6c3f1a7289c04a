/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The neighbourhood and the replicas are read once, and what the plan says must be shown by those very
 * bytes. */

#include <errno.h>
#include <string.h>

#include "core/choice.h"
#include "util/strv.h"
#include "util/vec.h"
#include "worker/page.h"
#include "worker/repair-internal.h"
#include "worker/shown.h"

static int has_none(Repair *r, const char *what) {
        const Offer *o = &r->evidence->offer;

        return ended(r, o->state == OFFER_UNREACHABLE ? CASE_WAITING : CASE_REFUSED, offer_reason(o),
                     "%s %s%s%s", r->plan->replica, what, o->detail ? ": " : "", o->detail ? o->detail : "");
}

static int judge_by_proof(Repair *r, const Protect *protect) {
        const Offer *o = &r->evidence->offer;

        if (!r->evidence->bytes || (o->proofs & r->plan->proofs) != r->plan->proofs ||
            offer_satisfies(o, &protect->proof) == 0)
                return has_none(r, "no longer shows what the plan asks for");
        r->result.proofs = o->proofs;
        return 0;
}

/* The word holds for what was shown, to the byte. A seal that says otherwise ends before anything is
 * written. */
static int judge_by_word(Repair *r) {
        _cleanup_sealed_ Sealed sealed = SEALED_NULL;
        _cleanup_preview_ Preview p = {};
        char token[SHOWN_TOKEN + 1];
        int q;

        if (!r->evidence->bytes)
                return has_none(r, "cannot give the bytes");
        q = shown_token(r->request, &r->seen, r->evidence, token);
        if (q == 0 && strcmp(token, r->plan->shown) != 0)
                return ended(r, CASE_REFUSED, REASON_NOT_AS_SHOWN, NULL);
        if (q == 0)
                q = shown_compare(&r->seen, r->evidence, 0, &p);
        if (q == 0 && !site_is_dax(&r->site))
                q = shown_contradicts_seal(r->request, &r->before, &r->seen, r->evidence, &sealed);
        if (q > 0)
                q = sealed_end(&sealed);
        r->lost = p.lost;
        r->compared = p.compared;
        r->differ = p.differ;
        return q;
}

/* Has another replica come to speak against the chosen one since the plan was made? One that is away now
 * speaks for nobody. */
static int hear_others(Repair *r, const Protect *protect) {
        Findings asked = {};            /* all is lent, but for the array */
        _cleanup_choice_ Choice c = {};
        int q = 0;

        for (size_t i = 0; q >= 0 && i < r->seen.evidences.n; i++)
                q = vec_push(&asked.offers, r->seen.evidences.items[i].offer);
        if (q >= 0)
                q = choice_make(protect, &asked, &c);
        vec_done(&asked.offers);
        if (q < 0)
                return q;
        return c.reason != REASON_REPLICAS_DISAGREE ? 0 : ended(r, CASE_REFUSED, c.reason, "%s", c.detail);
}

/* Each replica has a share of the time, and those that have not answered when the plan was made may have
 * something to say now. A word is about one replica, whatever others say. */
int repair_prove(Repair *r) {
        const Protect *protect = policy_find_owner(&r->request->policy, r->owner);
        char *chosen[] = { r->plan->replica, NULL };
        uint64_t patience = PATIENCE_USEC;
        int q;

        if (!protect)
                return -EINVAL;

        q = gather(r->request, &r->site, protect, r->owner, r->f, r->fd, &r->before,
                   r->plan->by_word ? chosen : protect->replicas, &patience, &r->seen);
        if (q < 0)
                return q;
        if (r->seen.lost.n == 0)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "every byte can be read again");

        for (size_t i = 0; i < r->seen.evidences.n && !r->evidence; i++)
                if (streq_ptr(r->seen.evidences.items[i].offer.replica, r->plan->replica))
                        r->evidence = r->seen.evidences.items + i;
        if (!r->evidence)
                return -EINVAL;

        q = r->plan->by_word ? judge_by_word(r) : judge_by_proof(r, protect);
        if (q == 0 && !r->plan->by_word)
                q = hear_others(r, protect);
        if (q != 0)
                return q;

        r->result.replica = strdup(r->plan->replica);
        return r->result.replica ? 0 : -ENOMEM;
}
