/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "worker/outcomes.h"
#include "worker/page.h"

static void add(Outcomes *o, uint64_t id, CaseState state, const char *detail) {
        _cleanup_result_ Result r = { .id = id, .bytes = 512 };

        result_set(&r, state, REASON_NONE, "%s", detail);
        assert_int_equal(outcomes_add(o, &r), 0);
}

/* Whichever of two pages comes first, the worse one is what is told, with its detail and the bytes of
 * both. */
static void test_worst(void **state) {
        static const CaseState order[] = { CASE_GONE, CASE_HEALED, CASE_DETECTED, CASE_WAITING, CASE_FAILED,
                                           CASE_IN_DOUBT };
        (void) state;

        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
                for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
                        _cleanup_outcomes_ Outcomes o = {};
                        const char *worse = i >= k ? "first" : "second";

                        add(&o, 7, order[i], "first");
                        add(&o, 7, order[k], "second");
                        assert_int_equal(o.results.n, 1);
                        assert_int_equal(o.results.items[0].state, order[i > k ? i : k]);
                        assert_string_equal(o.results.items[0].detail, worse);
                        assert_int_equal(o.results.items[0].bytes, 1024);
                }
}

static void count(const Result *r, void *userdata) {
        uint64_t *sum = userdata;

        *sum = *sum * 10 + r->id;
}

static void test_cases_apart(void **state) {
        _cleanup_outcomes_ Outcomes o = {};
        uint64_t told = 0;
        (void) state;

        add(&o, 1, CASE_HEALED, "a");
        add(&o, 2, CASE_IN_DOUBT, "b");
        add(&o, 1, CASE_GONE, "c");
        assert_int_equal(o.results.items[0].state, CASE_HEALED);
        outcomes_tell(&o, count, &told);
        assert_int_equal(told, 12);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_worst),
                cmocka_unit_test(test_cases_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
