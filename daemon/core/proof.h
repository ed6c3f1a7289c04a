/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rangeset.h"

/* What a replica can show for the claim that its bytes are the lost bytes. */
typedef enum Proof {
        PROOF_SEAL,             /* the rebuilt page hashes to the digest that was stored while it was good */
        PROOF_IDENTITY,         /* same size and mtime */
        PROOF_NEIGHBOURS,       /* every surviving byte of the page and of the window around it is equal on
                                 * medium and replica */
        PROOF_QUORUM,           /* two or more independent replicas agree */
        _PROOF_MAX,
        _PROOF_INVALID = -EINVAL,
} Proof;

/* A set of proofs, bit 1 << Proof each. 0: nothing at all ("none"). */
typedef unsigned ProofSet;
#define PROOF_BIT(p) (1U << (p))

const char *proof_to_string(Proof p);           /* "seal", … */
Proof proof_from_string(const char *s);

#define PROOF_SET_MAX 64        /* longest text of a set, with its NUL */

/* "identity+neighbours" in the order of the enum; "none" for 0; returns buf. */
const char *proof_set_to_string(ProofSet s, char buf[static PROOF_SET_MAX]);

/* The reverse; any order, no name twice. 0, -EINVAL. "none" is a set here, but never an alternative of a
 * policy. */
int proof_set_from_string(const char *s, ProofSet *ret);

/* What is enough: any one of these sets, as a whole. `Proof=seal,identity+neighbours`. */
#define PROOF_ALTERNATIVES_MAX 8
typedef struct ProofPolicy {
        ProofSet any_of[PROOF_ALTERNATIVES_MAX];
        size_t n;
} ProofPolicy;

#define PROOF_POLICY_DEFAULT                                                            \
        ((ProofPolicy) {                                                                \
                .any_of = { PROOF_BIT(PROOF_SEAL),                                      \
                            PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS) },  \
                .n = 2,                                                                 \
        })

/* 0; -EINVAL for an empty list, an unknown or doubled word, or "none"; -E2BIG. */
int proof_policy_parse(const char *s, ProofPolicy *ret);

/* Text that proof_policy_parse() reads back; the caller frees it. NULL: no memory. */
char *proof_policy_format(const ProofPolicy *p);

/* The first alternative that `have` contains, or 0 when none does (an alternative is never empty). */
ProofSet proof_policy_satisfied(const ProofPolicy *p, ProofSet have);

/* Neighbours: how the surviving bytes of a window compare with the replica's. */
typedef enum Witness {
        WITNESS_EQUAL,          /* all equal, and enough of them */
        WITNESS_FEW,            /* all equal, but fewer than NEIGHBOURS_MIN bytes survive: that proves
                                 * nothing */
        WITNESS_DIFFER,         /* a byte that stays as it is differs */
        WITNESS_BUSY,           /* somebody stores to the window right now; all that stays as it is is
                                 * equal */
} Witness;

/* The window: this much before and after the bad page, as far as the file goes. */
#define NEIGHBOURS_WINDOW UINT64_C(65536)

/* At least one surviving sector must bear witness. */
#define NEIGHBOURS_MIN SECTOR_SIZE

/* Sectors of a window that were not the same in two looks at it, as file offsets: another byte, or
 * readable (`sa`, `sb`) in one of them only. `base`, the file offset of both, is that of a sector. 0 or
 * -ENOMEM. */
int proof_moving(const uint8_t *a, const RangeSet *sa, const uint8_t *b, const RangeSet *sb, uint64_t base,
                 size_t size, RangeSet *ret);

/* Compares `size` bytes of medium and replica, both of which begin at file offset `base`, where
 * `surviving` (file offsets) says that the medium could be read; other bytes of `medium` are not looked
 * at, nor are those in `moving`. *ret_at is the file offset of the first difference (WITNESS_DIFFER), or
 * of the first byte that moves (WITNESS_BUSY); *ret_bytes the number of bytes compared, up to and with a
 * difference. Either may be NULL.
 *
 * A sector that moves is no witness, neither for nor against: that it is equal is chance (a lock that is
 * free in the one moment was free in every old copy), and that it differs does not say that the replica is
 * another version elsewhere. But that there is one anywhere in the window speaks against every replica, and
 * cannot be made up for by any number of others that stay as they are. For the claim is that the replica has
 * the lost bytes of *now*, and what a window can show is that nobody has written to this place since the
 * copy was made. Here somebody does. Whether the lost sector was one of those that he writes to, nothing is
 * left to tell:
 *
 * - beside it in the same record: a record is torn where it was lost, and each copy has an older one;
 * - at a distance: counters, locks or page headers stand at regular distances, a cache line, a page or a
 *   block of a database apart. All but the lost one are seen to move, and would be left out; all else is
 *   equal in an old copy, too;
 * - two replicas that agree were made from the same file, and can both be of before.
 *
 * Only a seal is about the lost bytes themselves. Or the window stands still for the time of the looks: then
 * a replica that has followed is equal, and one that has not, differs. */
Witness proof_witness(const uint8_t *medium, const uint8_t *replica, uint64_t base, size_t size,
                      const RangeSet *surviving, const RangeSet *moving, uint64_t *ret_at,
                      uint64_t *ret_bytes);
