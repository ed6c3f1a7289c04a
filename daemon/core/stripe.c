/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>

#include "core/stripe.h"

/* Bytes of the lower device. */
static bool lower_range(const Stripe *s, Range *ret) {
        uint64_t row;

        if (s->chunk == 0 || s->index >= s->count || s->upper.start >= s->upper.end ||
            __builtin_mul_overflow(s->chunk, s->count, &row) || range_size(s->upper) % row != 0)
                return false;
        return range_init(s->lower, range_size(s->upper) / s->count, ret) == 0;
}

bool stripe_is_valid(const Stripe *s) {
        Range lower;

        assert(s);
        return lower_range(s, &lower);
}

int stripe_map(const Stripe *s, Range lower, SpaceMap *m) {
        Range all, part;

        assert(s);
        assert(m);

        if (!lower_range(s, &all) || !range_intersect(all, lower, &part))
                return 0;
        if (range_size(part) / s->chunk > STRIPE_PIECES_MAX)
                return -E2BIG;

        for (uint64_t at = part.start; at < part.end;) {
                uint64_t row = (at - s->lower) / s->chunk, within = (at - s->lower) % s->chunk;
                uint64_t n = s->chunk - within < part.end - at ? s->chunk - within : part.end - at;
                uint64_t upper = s->upper.start + (row * s->count + s->index) * s->chunk + within;
                int r;

                r = spacemap_add(m, (Range) { upper, upper + n }, at);
                if (r < 0)
                        return r;
                at += n;
        }
        return 0;
}
