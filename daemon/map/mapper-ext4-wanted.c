/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What has no owner yet. Nearly all extents of a file system have nothing to do with the question; they are
 * turned away at the price of one bit that stays in the processor's cache. */

#include <assert.h>

#include "map/mapper-ext4.h"
#include "util/vec.h"

int wanted_init(Wanted *w, const RangeSet *ranges, uint64_t size) {
        int r;

        assert(w->left.n == 0);

        r = rangeset_align_out(ranges, EXT4_BLOCK, &w->left);
        if (r < 0)
                return r;

        w->granule = (size / WANTED_BITS / EXT4_BLOCK + 1) * EXT4_BLOCK;
        for (size_t i = 0; i < w->left.n; i++)
                for (uint64_t g = w->left.items[i].start / w->granule;
                     g < WANTED_BITS && g * w->granule < w->left.items[i].end; g++)
                        w->bits[g / 64] |= UINT64_C(1) << (g % 64);
        return 0;
}

bool wanted_overlaps(const Wanted *w, Range r) {
        const uint64_t first = r.start / w->granule, last = (r.end - 1) / w->granule;

        if (first == last && first < WANTED_BITS && !(w->bits[first / 64] & UINT64_C(1) << (first % 64)))
                return false;
        return rangeset_overlaps(&w->left, r);
}

/* The part of o that lies in `piece`. */
static int add_piece(Owners *owners, const Owner *o, Range piece) {
        _cleanup_owner_ Owner copy = {};
        int r;

        r = owner_copy(o, &copy);
        if (r >= 0)
                r = owner_clamp(&copy, piece);
        if (r >= 0)
                r = vec_push(owners, copy);
        if (r < 0)
                return r;

        copy = (Owner) {};
        return 0;
}

int ext4_add(Ext4 *e, const Owner *o) {
        _cleanup_rangeset_ RangeSet pieces = {};
        int r;

        (void) pthread_mutex_lock(&e->lock);
        r = rangeset_clip(&e->wanted.left, o->range, &pieces);
        for (size_t i = 0; r >= 0 && i < pieces.n; i++)
                r = add_piece(&e->found, o, pieces.items[i]);
        if (r >= 0)
                r = rangeset_subtract(&e->wanted.left, o->range);
        (void) pthread_mutex_unlock(&e->lock);
        return r;
}
