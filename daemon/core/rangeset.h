/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "core/range.h"
#include "util/cleanup.h"

/* A set of bytes as ranges: sorted, disjoint, and coalesced (ranges that touch are one), so that equal
 * sets have equal items. Zero-initialised is the empty set. The items may be read directly; they are
 * changed by these functions only. */
typedef struct RangeSet {
        Range *items;
        size_t n, allocated;
} RangeSet;

/* A set of one range, for a caller that has no other; it lives as long as the block that it stands in. */
#define RANGESET_ONE(...) (&(const RangeSet) { .items = (Range[]) { __VA_ARGS__ }, .n = 1 })

void rangeset_done(RangeSet *s);
#define _cleanup_rangeset_ _cleanup_(rangeset_done)

/* Each returns 0 or -ENOMEM; the set is unchanged on failure. */
int rangeset_add(RangeSet *s, Range r);
int rangeset_subtract(RangeSet *s, Range r);
int rangeset_add_all(RangeSet *s, const RangeSet *other);
int rangeset_subtract_all(RangeSet *s, const RangeSet *other);

/* *ret, an empty set before, becomes a new set: a copy; the part of s inside `window`; s with each range
 * aligned out to `unit`. 0, -ENOMEM, or -EOVERFLOW (align_out only). */
int rangeset_copy(const RangeSet *s, RangeSet *ret);
int rangeset_clip(const RangeSet *s, Range window, RangeSet *ret);
int rangeset_align_out(const RangeSet *s, uint64_t unit, RangeSet *ret);

/* Is every byte / any byte of r in the set? */
bool rangeset_contains(const RangeSet *s, Range r);
bool rangeset_overlaps(const RangeSet *s, Range r);

bool rangeset_equal(const RangeSet *a, const RangeSet *b);
uint64_t rangeset_size(const RangeSet *s);      /* bytes */
