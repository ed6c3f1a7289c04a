/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Offers are plain values, as owners are: what one replica answered, without the replica. The planner
 * compares them; nothing is read twice to make a plan. */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/offer.h"
#include "util/str.h"
#include "util/vec.h"

static const char *const offer_state_table[_OFFER_STATE_MAX] = {
        [OFFER_HELD] = "held",
        [OFFER_MISSING] = "missing",
        [OFFER_SHORT] = "short",
        [OFFER_NOT_REGULAR] = "not-regular",
        [OFFER_ESCAPES] = "escapes",
        [OFFER_UNREADABLE] = "unreadable",
        [OFFER_UNREACHABLE] = "unreachable",
        [OFFER_STALE] = "stale",
        [OFFER_SAME_DEVICE] = "same-device",
        [OFFER_NOT_AS_SEALED] = "not-as-sealed",
};

static const char *const truth_table[_TRUTH_MAX] = {
        [TRUTH_UNKNOWN] = "unknown",
        [TRUTH_RIGHT] = "right",
        [TRUTH_WRONG] = "wrong",
};

static const char *const witness_table[] = {
        [WITNESS_EQUAL] = "equal",
        [WITNESS_FEW] = "few",
        [WITNESS_DIFFER] = "differ",
        [WITNESS_BUSY] = "busy",
};
#define WITNESSES (sizeof(witness_table) / sizeof(witness_table[0]))

void offer_done(Offer *o) {
        assert(o);

        free(o->replica);
        free(o->same_as);
        free(o->detail);
        o->replica = o->same_as = o->detail = NULL;
}

void offers_done(Offers *o) {
        assert(o);

        for (size_t i = 0; i < o->n; i++)
                offer_done(&o->items[i]);
        vec_done(o);
}

int offer_copy(const Offer *o, Offer *ret) {
        _cleanup_offer_ Offer c = {};
        int r;

        assert(o);
        assert(ret);

        r = str_copy(o->replica, &c.replica);
        if (r < 0)
                return r;
        r = str_copy(o->same_as, &c.same_as);
        if (r >= 0)
                r = str_copy(o->detail, &c.detail);
        if (r < 0)
                return r;

        *ret = *o;
        ret->replica = TAKE_PTR(c.replica);
        ret->same_as = TAKE_PTR(c.same_as);
        ret->detail = TAKE_PTR(c.detail);
        return 0;
}

const char *offer_state_to_string(OfferState s) {
        return str_at(offer_state_table, _OFFER_STATE_MAX, (int) s);
}

OfferState offer_state_from_string(const char *s) {
        return (OfferState) str_index(offer_state_table, _OFFER_STATE_MAX, s);
}

const char *truth_to_string(Truth t) {
        return str_at(truth_table, _TRUTH_MAX, (int) t);
}

Truth truth_from_string(const char *s) {
        return (Truth) str_index(truth_table, _TRUTH_MAX, s);
}

const char *witness_to_string(Witness w) {
        return str_at(witness_table, WITNESSES, (int) w);
}

Witness witness_from_string(const char *s) {
        return (Witness) str_index(witness_table, WITNESSES, s);
}

bool offer_refuted(const Offer *o) {
        assert(o);

        return (o->witness == WITNESS_DIFFER || o->witness == WITNESS_BUSY) &&
               !(o->proofs & PROOF_BIT(PROOF_SEAL));
}

ProofSet offer_satisfies(const Offer *o, const ProofPolicy *p) {
        assert(o);

        if (o->state != OFFER_HELD || offer_refuted(o))
                return 0;
        return proof_policy_satisfied(p, o->proofs);
}

int offer_set(Offer *o, OfferState state, const char *format, ...) {
        va_list ap;
        char *s;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;

        free(o->detail);
        o->detail = s;
        o->state = state;
        o->proofs = 0;
        return 0;
}
