/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/recurrence.h"
#include "util/strv.h"

#define DAY (UINT64_C(24) * 3600 * 1000000)
#define NOW (100 * DAY)

static Case *make_case(uint64_t time, const char *a, const char *b) {
        _cleanup_rangeset_ RangeSet bad = {};
        Case *c = NULL;

        assert_int_equal(rangeset_add(&bad, (Range) { 4096, 4096 + 512 }), 0);
        assert_int_equal(case_new(1, "/dev/pmem0", (Range) { 4096, 8192 }, &bad, time, &c), 0);
        if (a)
                assert_int_equal(strv_extend(&c->dimms, a), 0);
        if (b)
                assert_int_equal(strv_extend(&c->dimms, b), 0);
        return c;
}

/* The same module, earlier, not at once, and not too long ago; all of that, or it is no recurrence. */
static void test_recurrence(void **state) {
        static const struct {
                uint64_t now, then;
                const char *mine[2], *theirs[2];
                bool expected;
        } table[] = {
                { NOW, NOW - DAY, { "nmem0" }, { "nmem0" }, true },
                { NOW, NOW - DAY, { "nmem0" }, { "nmem1" }, false },
                { NOW, NOW - DAY, { "nmem0", "nmem1" }, { "nmem1", "nmem2" }, true },
                { NOW, NOW - DAY, { NULL }, { "nmem0" }, false },
                { NOW, NOW - DAY, { "nmem0" }, { NULL }, false },
                { NOW, NOW - DAY, { NULL }, { NULL }, false },
                { NOW, NOW, { "nmem0" }, { "nmem0" }, false },
                { NOW, NOW + DAY, { "nmem0" }, { "nmem0" }, false },
                { NOW, NOW - RECURRENCE_TOGETHER_USEC, { "nmem0" }, { "nmem0" }, false },
                { NOW, NOW - RECURRENCE_TOGETHER_USEC - 1, { "nmem0" }, { "nmem0" }, true },
                { NOW, NOW - RECURRENCE_WINDOW_USEC, { "nmem0" }, { "nmem0" }, true },
                { NOW, NOW - RECURRENCE_WINDOW_USEC - 1, { "nmem0" }, { "nmem0" }, false },
                { NOW, 0, { "nmem0" }, { "nmem0" }, false },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_(case_freep) Case *c = make_case(table[i].now, table[i].mine[0], table[i].mine[1]);
                _cleanup_(case_freep) Case *e = make_case(table[i].then, table[i].theirs[0],
                                                          table[i].theirs[1]);

                if (case_is_recurrence(c, e) != table[i].expected)
                        fail_msg("row %zu", i);
        }
}

/* What happened to a case later does not change when it was detected. */
static void test_detected_at(void **state) {
        _cleanup_(case_freep) Case *c = make_case(NOW, "nmem0", NULL);

        assert_int_equal(case_transition(c, CASE_GONE, REASON_CLEARED, NULL, NOW + DAY), 0);
        assert_int_equal(case_detected_at(c), NOW);
}

/* The same place of the same device counts, as long as it was healed within the window, however it was cut
 * then. */
static void test_healed_here(void **state) {
        static const struct {
                const char *device;
                Range range;
                CaseState state;
                uint64_t now, expected;
        } table[] = {
                { "/dev/pmem0", { 4096, 8192 }, CASE_HEALED, NOW + 10, NOW },
                { "/dev/pmem0", { 0, 65536 }, CASE_HEALED, NOW + 99, NOW },
                { "/dev/pmem0", { 4096, 8192 }, CASE_HEALED, NOW + 100, 0 },
                { "/dev/pmem0", { 4096, 8192 }, CASE_HEALED, NOW - 1, 0 },      /* the clock went back */
                { "/dev/pmem0", { 8192, 12288 }, CASE_HEALED, NOW + 10, 0 },
                { "/dev/pmem1", { 4096, 8192 }, CASE_HEALED, NOW + 10, 0 },
                { "/dev/pmem0", { 4096, 8192 }, CASE_GONE, NOW + 10, 0 },
        };
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_(case_freep) Case *c = NULL;

        assert_int_equal(rangeset_add(&bad, (Range) { 4096, 4608 }), 0);
        assert_int_equal(case_new(1, "/dev/pmem0", (Range) { 4096, 8192 }, &bad, NOW, &c), 0);
        assert_int_equal(case_healed_here(c, c, NOW, 100), 0);

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_rangeset_ RangeSet was = {};
                _cleanup_(case_freep) Case *e = NULL;

                assert_int_equal(rangeset_add(&was, table[i].range), 0);
                assert_int_equal(case_new(2, table[i].device, table[i].range, &was, NOW - 1000, &e), 0);
                if (table[i].state == CASE_HEALED) {
                        assert_int_equal(case_transition(e, CASE_LOCATED, REASON_NONE, NULL, NOW - 9), 0);
                        assert_int_equal(case_transition(e, CASE_REPAIRING, REASON_NONE, NULL, NOW - 8), 0);
                        assert_int_equal(case_transition(e, CASE_HEALED, REASON_NONE, NULL, NOW), 0);
                } else
                        assert_int_equal(case_transition(e, CASE_GONE, REASON_CLEARED, NULL, NOW), 0);
                if (case_healed_here(c, e, table[i].now, 100) != table[i].expected)
                        fail_msg("row %zu", i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_recurrence),
                cmocka_unit_test(test_detected_at),
                cmocka_unit_test(test_healed_here),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
