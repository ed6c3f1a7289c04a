/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "core/range.h"
#include "util/cleanup.h"

/* A piecewise-linear translation between two address spaces (physical, namespace, partition, device
 * mapper, file): segment i sends [from.start, from.end) to [to, to + size). Segments are sorted by
 * `from`, disjoint in `from` and disjoint in `to`, so that the translation can be turned round. Bytes
 * outside every segment have no counterpart. Zero-initialised is the empty map.
 *
 * A question is answered by a map: the restriction of the map to the bytes asked for. What is missing in
 * it has no counterpart. */
typedef struct SpaceSegment {
        Range from;
        uint64_t to;
} SpaceSegment;

typedef struct SpaceMap {
        SpaceSegment *items;
        size_t n, allocated;
} SpaceMap;

void spacemap_done(SpaceMap *m);
#define _cleanup_spacemap_ _cleanup_(spacemap_done)

static inline Range space_segment_to(SpaceSegment s) {
        return (Range) { s.to, s.to + range_size(s.from) };
}

/* 0, -EEXIST when it overlaps a segment in either space, -EOVERFLOW when to + size does not fit, -ENOMEM.
 * Neighbours that continue each other in both spaces become one. */
int spacemap_add(SpaceMap *m, Range from, uint64_t to);

/* In all of these *ret is an empty map before. 0, -ENOMEM. Restricted to some bytes of the first space
 * (forward) or of the second (reverse); from the second space to the first (invert); from a to c, where both
 * maps have a counterpart (compose). */
int spacemap_copy(const SpaceMap *m, SpaceMap *ret);
int spacemap_forward(const SpaceMap *m, Range from, SpaceMap *ret);
int spacemap_reverse(const SpaceMap *m, Range to, SpaceMap *ret);
int spacemap_invert(const SpaceMap *m, SpaceMap *ret);
int spacemap_compose(const SpaceMap *ab, const SpaceMap *bc, SpaceMap *ret);

/* The one byte: true and *ret, or false when it has no counterpart. */
bool spacemap_translate(const SpaceMap *m, uint64_t from, uint64_t *ret);
