/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/proof.h"
#include "util/cleanup.h"

/* What one replica answered when it was asked for the lost bytes of one file. */
typedef enum OfferState {
        OFFER_HELD,             /* it has bytes at this place; `proofs` says what they are worth */
        OFFER_MISSING,          /* it holds no such file */
        OFFER_SHORT,            /* the file ends before the range does */
        OFFER_NOT_REGULAR,      /* a folder, a device, a symbolic link */
        OFFER_ESCAPES,          /* the path leads out of the replica's folder */
        OFFER_UNREADABLE,       /* reading it failed: `detail` has the error */
        OFFER_UNREACHABLE,      /* the replica as a whole is not there: not mounted, no answer */
        OFFER_STALE,            /* it says itself that its copy is not the current one */
        OFFER_SAME_DEVICE,      /* it lies on the very device that is poisoned */
        OFFER_NOT_AS_SEALED,    /* with its bytes, a page is not what the current seal of the file has */
        _OFFER_STATE_MAX,
        _OFFER_STATE_INVALID = -EINVAL,
} OfferState;

/* In a rehearsal the medium is good, and can be asked. */
typedef enum Truth {
        TRUTH_UNKNOWN,
        TRUTH_RIGHT,            /* its bytes are those that the medium has in the place of the lost ones */
        TRUTH_WRONG,
        _TRUTH_MAX,
        _TRUTH_INVALID = -EINVAL,
} Truth;

typedef struct Offer {
        char *replica;          /* as configured: "mirror:/srv/mirror/db" */
        OfferState state;
        ProofSet proofs;        /* what could be shown; 0 unless OFFER_HELD */
        Witness witness;        /* how the neighbours compared; WITNESS_FEW when they could not be */
        uint64_t witness_at;    /* WITNESS_DIFFER, WITNESS_BUSY: file offset of the first such byte */
        bool untimed;           /* it keeps no size and time of files: it can never show identity */
        unsigned group;         /* offers of one range with the same number hold the same bytes for the lost
                                 * ones; 0: not read */
        char *same_as;          /* an offer before it whose replica is read from the same place: the two
                                 * count as one; NULL */
        char *detail;           /* one sentence for the operator: what was found, e.g. sizes and times that
                                 * differ; NULL */
        Truth truth;            /* of a rehearsal only; no plan is made by it */
        bool enough;            /* of a forecast only: it shows what Proof= asks for */
} Offer;

typedef struct Offers {
        Offer *items;
        size_t n, allocated;
} Offers;

void offer_done(Offer *o);
void offers_done(Offers *o);
#define _cleanup_offer_ _cleanup_(offer_done)
#define _cleanup_offers_ _cleanup_(offers_done)
int offer_copy(const Offer *o, Offer *ret);

/* A surviving byte differs from what it holds, or somebody stores to bytes around the lost ones right now
 * (proof_witness()), and no seal says that its bytes for the lost ones are right all the same: it is no copy
 * of this file as it is, or that cannot be known, whoever else says the same. */
bool offer_refuted(const Offer *o);

/* The first alternative of the policy that it shows, or 0: none, or it is refuted. */
ProofSet offer_satisfies(const Offer *o, const ProofPolicy *p);

/* Another state, with its sentence; what could be shown before counts for nothing. 0 or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int offer_set(Offer *o, OfferState state, const char *format, ...);

const char *offer_state_to_string(OfferState s);
OfferState offer_state_from_string(const char *s);
const char *truth_to_string(Truth t);                   /* "unknown", "right", "wrong" */
Truth truth_from_string(const char *s);
const char *witness_to_string(Witness w);               /* "equal", "few", "differ", "busy" */
Witness witness_from_string(const char *s);             /* -EINVAL when unknown: compare as int */
