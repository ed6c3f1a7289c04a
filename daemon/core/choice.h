/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/findings.h"
#include "core/policy.h"
#include "core/reason.h"

/* Which of the replicas' offers is taken, if any. */
typedef struct Choice {
        char *replica;
        ProofSet proofs;        /* the alternative of the policy that it shows */
        Reason reason;          /* why none is; REASON_NONE: one is */
        char *detail;           /* the particulars of the reason; NULL */
} Choice;

void choice_done(Choice *c);
#define _cleanup_choice_ _cleanup_(choice_done)

/* The offer that shows the best of what the policy asks for; none where two that speak for the same bytes
 * contradict each other. There is at least one offer. 0 or -ENOMEM. */
int choice_make(const Protect *protect, const Findings *f, Choice *ret);

/* Does it show what Proof= asks for? */
bool offer_is_enough(const Protect *protect, const Offer *o);

/* The reason why an offer is not good enough. */
Reason offer_reason(const Offer *o);
