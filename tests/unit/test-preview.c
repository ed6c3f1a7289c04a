/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/preview.h"
#include "random.h"
#include "util/cleanup.h"

#define BASE 8192
#define SIZE 4096

/* Proves against a model, over random buffers: each byte that is lost or differs is in exactly one piece,
 * with what both have; the counts are right; the pieces are in order and do not meet. */
static void test_pieces(void **state) {
        Random random = { RANDOM_SEED };

        for (unsigned round = 0; round < 2000; round++) {
                _cleanup_rangeset_ RangeSet lost = {}, alive = {};
                uint8_t medium[SIZE], replica[SIZE];
                _cleanup_preview_ Preview p = {};
                uint64_t differ = 0, at = BASE, seen = 0;

                assert_int_equal(rangeset_add(&alive, (Range) { BASE, BASE + SIZE }), 0);
                for (size_t n = random_below(&random, 4); n > 0; n--) {
                        uint64_t start = BASE + random_below(&random, 8) * 512;

                        assert_int_equal(rangeset_add(&lost, (Range) { start, start + 512 }), 0);
                }
                assert_int_equal(rangeset_subtract_all(&alive, &lost), 0);
                memset(medium, 7, sizeof(medium));
                memset(replica, 7, sizeof(replica));
                for (size_t n = random_below(&random, 60); n > 0; n--)
                        replica[random_below(&random, SIZE)] = (uint8_t) random_below(&random, 256);
                for (size_t i = 0; i < SIZE; i++)
                        differ += medium[i] != replica[i] &&
                                  !rangeset_contains(&lost, (Range) { BASE + i, BASE + i + 1 });

                assert_int_equal(preview_add_lost(&p, replica, BASE, &lost, UINT64_MAX), 0);
                assert_int_equal(preview_add_survivors(&p, medium, replica, BASE, &alive, UINT64_MAX), 0);
                preview_sort(&p);
                assert_int_equal(p.lost, rangeset_size(&lost));
                assert_int_equal(p.compared, rangeset_size(&alive));
                assert_int_equal(p.differ, differ);
                assert_false(p.cut);

                for (size_t i = 0; i < p.pieces.n; i++) {
                        const PreviewPiece *piece = p.pieces.items + i;

                        assert_true(piece->n > 0 && piece->offset >= at);
                        at = piece->offset + piece->n;
                        assert_memory_equal(piece->replica, replica + (piece->offset - BASE), piece->n);
                        assert_int_equal(rangeset_contains(&lost, (Range) { piece->offset, at }),
                                         !piece->medium);
                        if (piece->medium)
                                assert_memory_equal(piece->medium, medium + (piece->offset - BASE),
                                                    piece->n);
                        for (size_t k = 0; k < piece->n; k++)
                                seen += piece->medium && piece->medium[k] != piece->replica[k];
                }
                assert_int_equal(seen, differ);
        }
}

/* Proves that a limit takes bytes from the pieces, and from no count; and says so. */
static void test_limit(void **state) {
        uint8_t medium[SIZE] = {}, replica[SIZE];
        _cleanup_rangeset_ RangeSet lost = {}, alive = {};
        _cleanup_preview_ Preview p = {};

        memset(replica, 1, sizeof(replica));
        assert_int_equal(rangeset_add(&lost, (Range) { BASE, BASE + 512 }), 0);
        assert_int_equal(rangeset_add(&alive, (Range) { BASE + 512, BASE + SIZE }), 0);
        assert_int_equal(preview_add_lost(&p, replica, BASE, &lost, 512), 0);
        assert_false(p.cut);
        assert_int_equal(preview_add_survivors(&p, medium, replica, BASE, &alive, 100), 0);
        assert_true(p.cut);
        assert_int_equal(p.pieces.n, 2);
        assert_int_equal(p.pieces.items[1].n, 100);
        assert_int_equal(p.differ, SIZE - 512);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
