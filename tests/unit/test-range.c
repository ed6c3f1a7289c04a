/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/range.h"

#define MAX UINT64_MAX
#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

static const Range untouched = { 77, 99 };

static void check_result(int r, Range got, int expected, Range range) {
        assert_int_equal(r, expected);
        assert_true(range_equal(got, expected < 0 ? untouched : range));
}

/* A range is made of what fits and is not empty, and of nothing else. */
static void test_init(void **state) {
        static const struct {
                uint64_t start, size;
                int r;
                Range range;
        } table[] = {
                { 0, 1, 0, { 0, 1 } },
                { 0, 0, -EINVAL },
                { MAX, 0, -EINVAL },
                { MAX - 1, 1, 0, { MAX - 1, MAX } },
                { MAX, 1, -EOVERFLOW },
                { MAX - 1, 2, -EOVERFLOW },
                { 0, MAX, 0, { 0, MAX } },
                { 1, MAX, -EOVERFLOW },
                { 4096, 512, 0, { 4096, 4608 } },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                Range range = untouched;
                int r = range_init(table[i].start, table[i].size, &range);

                check_result(r, range, table[i].r, table[i].range);
        }
}

/* Sectors become bytes, or do not fit: a multiplication that wraps would name other bytes. */
static void test_init_sectors(void **state) {
        const uint64_t top = MAX / SECTOR_SIZE;         /* the last sector: its end does not fit */
        const struct {
                uint64_t start, sectors;
                int r;
                Range range;
        } table[] = {
                { 0, 1, 0, { 0, 512 } },
                { 8, 8, 0, { 4096, 8192 } },
                { 3, 0, -EINVAL },
                { MAX, 0, -EINVAL },
                { top - 1, 1, 0, { MAX - 1023, MAX - 511 } },
                { top, 1, -EOVERFLOW },
                { top + 1, 1, -EOVERFLOW },
                { 0, top + 1, -EOVERFLOW },
                { 1, top, -EOVERFLOW },
                { 0, top, 0, { 0, MAX - 511 } },
                { UINT64_C(1) << 55, 1, -EOVERFLOW },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                Range range = untouched;
                int r = range_init_sectors(table[i].start, table[i].sectors, &range);

                check_result(r, range, table[i].r, table[i].range);
        }
}

/* The overlap is what both have; ranges that only touch have none. */
static void test_intersect(void **state) {
        static const struct {
                Range a, b;
                bool overlap;
                Range range;
        } table[] = {
                { { 0, 10 }, { 10, 20 }, false },
                { { 0, 10 }, { 9, 20 }, true, { 9, 10 } },
                { { 0, 10 }, { 2, 5 }, true, { 2, 5 } },
                { { 2, 5 }, { 2, 5 }, true, { 2, 5 } },
                { { MAX - 1, MAX }, { 0, MAX }, true, { MAX - 1, MAX } },
                { { 0, 1 }, { MAX - 1, MAX }, false },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                Range x = untouched, y = untouched;

                assert_int_equal(range_intersect(table[i].a, table[i].b, &x), table[i].overlap);
                assert_int_equal(range_intersect(table[i].b, table[i].a, &y), table[i].overlap);
                assert_true(range_equal(x, table[i].overlap ? table[i].range : untouched));
                assert_true(range_equal(x, y));
        }
}

/* Aligning out gives whole units that cover the range, never a byte less, and fails where the last unit
 * has no end. */
static void test_align_out(void **state) {
        static const struct {
                Range r;
                uint64_t unit;
                int result;
                Range range;
        } table[] = {
                { { 0, 1 }, 4096, 0, { 0, 4096 } },
                { { 4095, 4097 }, 4096, 0, { 0, 8192 } },
                { { 4096, 8192 }, 4096, 0, { 4096, 8192 } },
                { { 5, 6 }, 1, 0, { 5, 6 } },
                { { 0, MAX }, 1, 0, { 0, MAX } },
                { { 0, MAX }, 2, -EOVERFLOW },
                { { 0, MAX - 4095 }, 4096, 0, { 0, MAX - 4095 } },
                { { 0, MAX - 4094 }, 4096, -EOVERFLOW },
                { { 1, 2 }, UINT64_C(1) << 63, 0, { 0, UINT64_C(1) << 63 } },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                Range range = untouched;
                int r = range_align_out(table[i].r, table[i].unit, &range);

                check_result(r, range, table[i].result, table[i].range);
                if (r == 0)
                        assert_true(range_contains(range, table[i].r) &&
                                    range_is_aligned(range, table[i].unit));
        }
}

/* Moving keeps the size, and fails rather than wraps at either end. */
static void test_shift(void **state) {
        static const struct {
                Range r;
                uint64_t by;
                int up;
                Range upped;
                int down;
                Range downed;
        } table[] = {
                { { 10, 20 }, 0, 0, { 10, 20 }, 0, { 10, 20 } },
                { { 10, 20 }, 10, 0, { 20, 30 }, 0, { 0, 10 } },
                { { 10, 20 }, 11, 0, { 21, 31 }, -EOVERFLOW, {} },
                { { 10, 20 }, MAX - 20, 0, { MAX - 10, MAX }, -EOVERFLOW, {} },
                { { 10, 20 }, MAX - 19, -EOVERFLOW, {}, -EOVERFLOW, {} },
                { { MAX - 1, MAX }, MAX - 1, -EOVERFLOW, {}, 0, { 0, 1 } },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                Range range = untouched;
                int r = range_shift_up(table[i].r, table[i].by, &range);

                check_result(r, range, table[i].up, table[i].upped);
                range = untouched;
                r = range_shift_down(table[i].r, table[i].by, &range);
                check_result(r, range, table[i].down, table[i].downed);
        }
}

/* Containing, equality and alignment, at their edges. */
static void test_predicates(void **state) {
        assert_true(range_contains((Range) { 0, 10 }, (Range) { 0, 10 }));
        assert_false(range_contains((Range) { 0, 10 }, (Range) { 0, 11 }));
        assert_false(range_contains((Range) { 1, 10 }, (Range) { 0, 10 }));
        assert_false(range_equal((Range) { 0, 10 }, (Range) { 0, 11 }));
        assert_true(range_is_aligned((Range) { 4096, 8192 }, 4096));
        assert_false(range_is_aligned((Range) { 4096, 8193 }, 4096));
        assert_false(range_is_aligned((Range) { 4097, 8192 }, 4096));
        assert_int_equal(range_size((Range) { 0, MAX }), MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_init),
                cmocka_unit_test(test_init_sectors),
                cmocka_unit_test(test_intersect),
                cmocka_unit_test(test_align_out),
                cmocka_unit_test(test_shift),
                cmocka_unit_test(test_predicates),
        };

        return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
