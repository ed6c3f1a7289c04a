/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Numbers for property tests: the same ones in every run (xorshift64*), so that a failure can be
 * repeated. */
#define RANDOM_SEED UINT64_C(0x6265666f61720001)

typedef struct Random {
        uint64_t state;
} Random;

static inline uint64_t random_next(Random *r) {
        r->state ^= r->state >> 12;
        r->state ^= r->state << 25;
        r->state ^= r->state >> 27;
        return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 … n - 1 */
static inline uint64_t random_below(Random *r, uint64_t n) {
        return (random_next(r) >> 16) % n;
}

/* An assertion that names seed and round, for use within cmocka tests. */
#define check(condition, round)                                                                     \
        do {                                                                                        \
                if (!(condition))                                                                   \
                        fail_msg("seed %#llx, round %llu: %s", (unsigned long long) RANDOM_SEED,    \
                                 (unsigned long long) (round), #condition);                         \
        } while (0)
