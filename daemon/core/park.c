/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>

#include "core/park.h"

/* A group is looked through in eight pieces at least, so that the first of them does not take all of it. */
#define PIECES_IN_GROUP 8

void park_search_begin(ParkSearch *s, uint64_t group_size, uint64_t block) {
        assert(s);
        assert(block > 0);

        *s = (ParkSearch) { .block = block, .piece = block };
        while (s->piece <= group_size / PIECES_IN_GROUP / 2)
                s->piece *= 2;
}

uint64_t park_search_next(ParkSearch *s, uint64_t free, uint64_t reserve) {
        uint64_t left = free > reserve ? free - reserve : 0;

        assert(s);

        while (s->piece > left)
                park_search_missed(s);
        if (s->pieces >= PARK_PIECES_MAX)
                s->piece = 0;
        s->pieces++;
        return s->piece;
}

void park_search_missed(ParkSearch *s) {
        assert(s);

        s->piece = s->piece > s->block ? s->piece / 2 : 0;
}
