/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/spacemap.h"

/* One disk's share of a striped device: the device is dealt out in chunks, one after another, to `count`
 * disks. Of the `count * rows` chunks of `upper`, this disk has those with a number = index (modulo count),
 * one behind the other from byte `lower` on (drivers/md/dm-stripe.c stripe_map_sector()). A map of it has a
 * segment for each chunk, millions for a large disk: so it is only made for the bytes that are asked for. */
typedef struct Stripe {
        Range upper;            /* of the upper device; a multiple of count * chunk */
        uint64_t lower;         /* of the lower device */
        uint64_t chunk;         /* bytes, > 0 */
        uint32_t count, index;  /* index < count */
} Stripe;

/* The stripe can be computed with: no part of it is empty, or ends above 2^64. */
bool stripe_is_valid(const Stripe *s);

/* Adds to `m` (bytes of the upper device -> bytes of the lower) what lies in `lower` of the lower device. 0,
 * -E2BIG (more than STRIPE_PIECES_MAX chunks: nothing was added), or as spacemap_add(). */
#define STRIPE_PIECES_MAX 4096
int stripe_map(const Stripe *s, Range lower, SpaceMap *m);
