/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/choice.h"
#include "util/str.h"

void choice_done(Choice *c) {
        free(c->replica);
        free(c->detail);
        *c = (Choice) {};
}

bool offer_is_enough(const Protect *protect, const Offer *o) {
        return offer_satisfies(o, &protect->proof) != 0;
}

Reason offer_reason(const Offer *o) {
        assert(o);

        switch (o->state) {
        case OFFER_MISSING:
                return REASON_REPLICA_MISSING;
        case OFFER_SHORT:
                return REASON_REPLICA_SHORT;
        case OFFER_NOT_REGULAR:
                return REASON_REPLICA_NOT_REGULAR;
        case OFFER_ESCAPES:
                return REASON_REPLICA_ESCAPES;
        case OFFER_UNREADABLE:
                return REASON_REPLICA_UNREADABLE;
        case OFFER_UNREACHABLE:
                return REASON_REPLICA_UNREACHABLE;
        case OFFER_SAME_DEVICE:
                return REASON_REPLICA_SAME_DEVICE;
        case OFFER_STALE:
        case OFFER_NOT_AS_SEALED:
                return REASON_REPLICA_STALE;
        case OFFER_HELD:
                if (o->witness == WITNESS_BUSY)
                        return REASON_NEIGHBOURS_BUSY;
                if (o->witness == WITNESS_DIFFER ||
                    (!o->untimed && !(o->proofs & PROOF_BIT(PROOF_IDENTITY))))
                        return REASON_REPLICA_STALE;
                return REASON_PROOF_MISSING;
        case _OFFER_STATE_MAX:
        case _OFFER_STATE_INVALID:
        default:
                return REASON_PROOF_MISSING;
        }
}

static void put_shortcoming(FILE *out, const Offer *o) {
        const char *between = "";

        if (o->witness == WITNESS_DIFFER || o->witness == WITNESS_BUSY) {
                fprintf(out, "%s at file offset %llu",
                        o->witness == WITNESS_DIFFER ? "a surviving neighbour differs"
                                                     : "somebody stores to the neighbour",
                        (unsigned long long) o->witness_at);
                between = ", ";
        }
        if (o->same_as) {
                fprintf(out, "%sit is read from where %s is, and counts with it as one", between,
                        o->same_as);
                between = ", ";
        }
        if (o->detail)
                fprintf(out, "%s%s", between, o->detail);
        else if (!*between)
                fputs(offer_state_to_string(o->state), out);
}

/* No offer is good enough: the verdict comes from the one that came nearest, the sentence from all of
 * them. */
static int choose_none(const Findings *f, Choice *c) {
        _cleanup_free_ char *all = NULL;
        const Offer *nearest = NULL;
        bool unreachable = false;
        size_t size;
        FILE *out;

        out = open_memstream(&all, &size);
        if (!out)
                return -ENOMEM;

        for (size_t i = 0; i < f->offers.n; i++) {
                const Offer *o = f->offers.items + i;

                if (!nearest || (o->state == OFFER_HELD && nearest->state != OFFER_HELD))
                        nearest = o;
                unreachable = unreachable || o->state == OFFER_UNREACHABLE;
                fprintf(out, "%s%s: ", i > 0 ? "; " : "", o->replica);
                put_shortcoming(out, o);
        }

        if (fclose(out) != 0)
                return -ENOMEM;

        /* A replica that is away may come back and be better than those that are here. */
        c->reason = unreachable ? REASON_REPLICA_UNREACHABLE : offer_reason(nearest);
        c->detail = TAKE_PTR(all);
        return 0;
}

/* Two replicas speak for the same bytes when nothing shows either of them to be stale; then they must say
 * the same. Where one is as sealed, what others say has been decided. */
static bool offer_speaks(const Offer *o, bool sealed) {
        if (o->state != OFFER_HELD || o->proofs == 0)
                return false;
        return o->proofs & PROOF_BIT(PROOF_SEAL) || (!sealed && !offer_refuted(o));
}

static bool is_any_sealed(const Findings *f) {
        for (size_t i = 0; i < f->offers.n; i++)
                if (f->offers.items[i].state == OFFER_HELD &&
                    f->offers.items[i].proofs & PROOF_BIT(PROOF_SEAL))
                        return true;
        return false;
}

static int choose_neither(const Offer *a, const Offer *b, Choice *ret) {
        char *detail;

        if (asprintf(&detail, "%s and %s hold different bytes for the lost ones", a->replica,
                     b->replica) < 0)
                return -ENOMEM;
        *ret = (Choice) { .reason = REASON_REPLICAS_DISAGREE, .detail = detail };
        return 0;
}

int choice_make(const Protect *protect, const Findings *f, Choice *ret) {
        _cleanup_choice_ Choice c = {};
        const Offer *best = NULL, *speaker = NULL;
        bool sealed = is_any_sealed(f);
        size_t best_rank = SIZE_MAX;
        int r;

        for (size_t i = 0; i < f->offers.n; i++) {
                const Offer *o = f->offers.items + i;
                ProofSet enough = offer_satisfies(o, &protect->proof);

                if (offer_speaks(o, sealed)) {
                        if (speaker && speaker->group != o->group)
                                return choose_neither(speaker, o, ret);
                        speaker = o;
                }

                for (size_t k = 0; enough != 0 && k < protect->proof.n && k < best_rank; k++)
                        if (protect->proof.any_of[k] == enough) {
                                best = o;
                                best_rank = k;
                                c.proofs = enough;
                        }
        }

        r = best ? str_copy(best->replica, &c.replica) : choose_none(f, &c);
        if (r < 0)
                return r;
        *ret = c;
        c = (Choice) {};
        return 0;
}
