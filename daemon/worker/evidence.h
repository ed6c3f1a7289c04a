/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/offer.h"
#include "replica/replica.h"
#include "util/time-util.h"
#include "worker/sealed.h"
#include "worker/window.h"

/* What a replica has to show for the lost bytes of a window. */
typedef struct Evidence {
        Offer offer;
        uint8_t *bytes;         /* the replica's bytes for window.range; NULL: it has none */
        RangeSet should;        /* file offsets of what it should have of the window (replica_extent()) */
        RangeSet has;           /* and of those that it really has; the rest are zeroes */
        ReplicaSource source;
} Evidence;

void evidence_done(Evidence *e);
#define _cleanup_evidence_ _cleanup_(evidence_done)

typedef struct Evidences {
        Evidence *items;
        size_t n, allocated;
} Evidences;

void evidences_done(Evidences *l);
#define _cleanup_evidences_ _cleanup_(evidences_done)

/* How long in all the worker may wait to see whether what differs from a replica is being stored to: for
 * what is said about it only. */
#define PATIENCE_USEC (USEC_PER_SEC / 2)

/* Asks each of the replicas (NULL-terminated): opens it, reads its part of the window `w` once; looks at the
 * window again through `o`, once more after a moment if something differs and there is *patience left (in
 * microseconds; less by what it took); and compares. `lost`: the file offsets that are to come from one of
 * them. Those that hold the same lost bytes are of one group, and PROOF_QUORUM is shown by two that do, are
 * not read from the same place, and are not refuted (offer_refuted()). PROOF_SEAL is shown by bytes that are
 * what the seal has; where there is a current seal, bytes that are not prove nothing else either. The
 * outcomes are in the offers; only lack of memory and the like is an error. */
int evidences_take(char *const *replicas, const Subject *subject, const Sealed *sealed, const Outlook *o,
                   const Window *w, const RangeSet *lost, uint64_t *patience, Evidences *ret);

/* The bytes that are lost in a part of the file: what of `pages` (file offsets, clipped to the file) did
 * not survive. */
int lost_bytes(const Window *w, Range pages, uint64_t file_size, RangeSet *ret);
