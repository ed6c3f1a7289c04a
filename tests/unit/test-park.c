/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/park.h"
#include "random.h"

/* A search for one block in a group of a model of a file system: it has gaps of free space, of which it
 * gives the first that is large enough; the wanted block is in one of them. */
#define BLOCK UINT64_C(4096)
#define GAPS 40

typedef struct Model {
        uint64_t gaps[GAPS];    /* blocks left of each */
        unsigned wanted;        /* in the end of this one */
        uint64_t elsewhere;     /* blocks free in other groups */
} Model;

static uint64_t model_free(const Model *m) {
        uint64_t n = m->elsewhere;

        for (unsigned i = 0; i < GAPS; i++)
                n += m->gaps[i];
        return n;
}

/* 1: the wanted one; 0: another one of the group; -1: none there. */
static int model_take(Model *m, uint64_t blocks) {
        for (unsigned i = 0; i < GAPS; i++)
                if (m->gaps[i] >= blocks) {
                        m->gaps[i] -= blocks;
                        return i == m->wanted && m->gaps[i] == 0;
                }
        return -1;
}

/* Proves over many file systems that a search leaves at every moment what must stay free, ends, and finds
 * the block wherever it is, as long as there is enough. */
static void test_search(void **state) {
        Random r = { RANDOM_SEED };
        unsigned found = 0, not_allowed = 0;

        for (uint64_t round = 0; round < 5000; round++) {
                Model m = { .wanted = (unsigned) random_below(&r, GAPS),
                            .elsewhere = random_below(&r, 5000) };
                uint64_t reserve, group = 0, piece;
                int got = 0;
                ParkSearch s;

                for (unsigned i = 0; i < GAPS; i++) {
                        m.gaps[i] = random_below(&r, 4) ? random_below(&r, 8) : random_below(&r, 3000);
                        group += m.gaps[i];
                }
                m.gaps[m.wanted]++;
                reserve = random_below(&r, 3) ? random_below(&r, m.elsewhere + 1) : random_below(&r, 9000);

                park_search_begin(&s, group * 2 * BLOCK, BLOCK);
                while (got != 1 &&
                       (piece = park_search_next(&s, model_free(&m) * BLOCK, reserve * BLOCK)) > 0) {
                        check(piece % BLOCK == 0 && piece / BLOCK + reserve <= model_free(&m), round);
                        got = model_take(&m, piece / BLOCK);
                        if (got < 0)
                                park_search_missed(&s);
                        check(s.pieces <= PARK_PIECES_MAX, round);
                }
                found += got == 1;
                not_allowed += got != 1;
                check(got == 1 || model_free(&m) == reserve || reserve > m.elsewhere, round);
        }
        assert_true(found > 3000 && not_allowed > 100);
}

/* Proves that nothing is taken when nothing may be, and that the count of pieces has an end. */
static void test_bounds(void **state) {
        ParkSearch s;

        park_search_begin(&s, UINT64_C(1) << 40, BLOCK);
        assert_int_equal(park_search_next(&s, BLOCK, BLOCK), 0);
        park_search_begin(&s, UINT64_C(1) << 40, BLOCK);
        assert_int_equal(park_search_next(&s, 0, UINT64_MAX), 0);
        park_search_begin(&s, UINT64_C(1) << 40, BLOCK);
        assert_int_equal(park_search_next(&s, 2 * BLOCK - 1, 0), BLOCK);

        park_search_begin(&s, 1, BLOCK);        /* a group smaller than a block does not happen, nor hang */
        for (unsigned i = 0; i < PARK_PIECES_MAX; i++)
                assert_int_equal(park_search_next(&s, UINT64_MAX, 0), BLOCK);
        assert_int_equal(park_search_next(&s, UINT64_MAX, 0), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_search),
                cmocka_unit_test(test_bounds),
        };

        return cmocka_run_group_tests_name("park", tests, NULL, NULL);
}
