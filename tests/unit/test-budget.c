/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/budget.h"
#include "random.h"
#include "util/cleanup.h"

#define STEPS 1000

/* The model: the time of every take there ever was. */
typedef struct Model {
        uint64_t times[STEPS];
        size_t n;
} Model;

/* Takes within the window that ends at `now`; the earliest of them in *ret_first. */
static size_t model_count(const Model *m, uint64_t now, uint64_t interval, uint64_t *ret_first) {
        size_t count = 0;

        for (size_t i = m->n; i > 0; i--)
                if (now - m->times[i - 1] < interval) {
                        *ret_first = m->times[i - 1];
                        count++;
                }
        return count;
}

static void run(Random *random, size_t n, uint64_t interval, uint64_t start, size_t round) {
        _cleanup_(budget_done) Budget b = {};
        uint64_t now = start, latest = 0, first = 0, retry = 0;
        Model m = {};

        check(budget_init(&b, n, interval) == 0, round);
        for (int step = 0; step < STEPS; step++) {
                size_t count;
                bool taken;

                if (random_below(random, 8) == 0 && now > 20)
                        now -= random_below(random, 20);        /* a clock that goes back */
                else
                        now += random_below(random, 1 + interval / 2);
                if (now > latest)
                        latest = now;

                count = model_count(&m, latest, interval, &first);
                retry = 42;
                taken = budget_take(&b, now, &retry);
                check(taken == (count < n), round);
                check(retry == (taken ? 42 : first + interval), round);
                if (taken)
                        m.times[m.n++] = latest;

                check(budget_left(&b, now) == n - model_count(&m, latest, interval, &first), round);
                check(budget_left(&b, latest + interval) == n, round);
        }
}

/* Takes, refusals, what is left and when to come again are those of a list of all times, whatever the
 * clock does. */
static void test_model(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < 120; round++) {
                size_t n = 1 + random_below(&random, 10);
                uint64_t interval = 1 + random_below(&random, 100);

                run(&random, n, interval, round % 2 ? UINT64_C(1) << 63 : 0, round);
        }
}

/* No window of the interval's length holds more than n, and the moment that was named as the next is the
 * first that works. */
static void test_retry(void **state) {
        _cleanup_(budget_done) Budget b = {};
        uint64_t retry = 0;

        assert_int_equal(budget_init(&b, 2, 100), 0);
        assert_int_equal(budget_left(&b, 0), 2);
        assert_true(budget_take(&b, 1000, NULL));
        assert_true(budget_take(&b, 1050, NULL));
        assert_false(budget_take(&b, 1060, &retry));
        assert_int_equal(retry, 1100);
        assert_false(budget_take(&b, 1099, NULL));
        assert_true(budget_take(&b, 1100, NULL));
        assert_false(budget_take(&b, 1149, &retry));
        assert_int_equal(retry, 1150);
}

/* An interval without end, and times at the end of the clock, neither wrap nor grant anything. */
static void test_overflow(void **state) {
        _cleanup_(budget_done) Budget forever = {}, late = {};
        uint64_t retry = 0;

        assert_int_equal(budget_init(&forever, 1, UINT64_MAX), 0);
        assert_true(budget_take(&forever, 5, NULL));
        assert_false(budget_take(&forever, UINT64_MAX - 1, &retry));
        assert_int_equal(retry, UINT64_MAX);
        assert_int_equal(budget_left(&forever, UINT64_MAX), 0);

        assert_int_equal(budget_init(&late, 1, 100), 0);
        assert_true(budget_take(&late, UINT64_MAX - 10, NULL));
        assert_false(budget_take(&late, UINT64_MAX, &retry));
        assert_int_equal(retry, UINT64_MAX);
        assert_false(budget_take(&late, 0, NULL));
}

/* Under AddressSanitizer too, what no memory holds is an answer and not the end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "allocator_may_return_null=1";
}

/* A number that no memory holds is an error. */
static void test_no_memory(void **state) {
        Budget b = {};

        assert_int_equal(budget_init(&b, SIZE_MAX / 4, 100), -ENOMEM);
        assert_null(b.taken);
}

/* 5 s, doubled each time, at most an hour, for every number of tries. */
static void test_backoff(void **state) {
        uint64_t seconds = 5;

        for (unsigned attempt = 1; attempt < 100; attempt++) {
                assert_int_equal(backoff(attempt), seconds * 1000000);
                seconds = seconds * 2 < 3600 ? seconds * 2 : 3600;
        }
        assert_int_equal(backoff(UINT32_MAX), UINT64_C(3600) * 1000000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_model),
                cmocka_unit_test(test_retry),
                cmocka_unit_test(test_overflow),
                cmocka_unit_test(test_no_memory),
                cmocka_unit_test(test_backoff),
        };

        return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
