/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/parallel.h"

#define N 5000

typedef struct Seen {
        atomic_uint times[N];
        atomic_uint busy[PARALLEL_MAX];
        atomic_uint most, clashes;
        unsigned threads;
        size_t stop_at;         /* N: never */
} Seen;

static int see(unsigned thread, size_t i, void *userdata) {
        Seen *s = userdata;

        assert_true(i < N);
        if (thread >= s->threads || atomic_fetch_add(&s->busy[thread], 1) != 0)
                (void) atomic_fetch_add(&s->clashes, 1);
        (void) atomic_fetch_add(&s->times[i], 1);
        (void) atomic_fetch_sub(&s->busy[thread], 1);
        return i == s->stop_at ? 17 : 0;
}

/* Each once, and never two at a time under the same number. */
static void test_each_once(void **state) {
        static Seen s;

        for (unsigned threads = 0; threads <= PARALLEL_MAX + 3; threads++) {
                memset(&s, 0, sizeof(s));
                s.threads = threads < 1 ? 1 : threads < PARALLEL_MAX ? threads : PARALLEL_MAX;
                s.stop_at = N;
                assert_int_equal(parallel_for(threads, N, see, &s), 0);
                for (size_t i = 0; i < N; i++)
                        assert_int_equal(s.times[i], 1);
                assert_int_equal(s.clashes, 0);
        }
}

/* The first that says no ends it, with what it said; all before it have been done, and none twice. */
static void test_stops(void **state) {
        static Seen s;

        for (unsigned threads = 1; threads <= PARALLEL_MAX; threads++) {
                memset(&s, 0, sizeof(s));
                s.threads = threads;
                s.stop_at = 100;
                assert_int_equal(parallel_for(threads, N, see, &s), 17);
                for (size_t i = 0; i <= 100; i++)
                        assert_int_equal(s.times[i], 1);
                for (size_t i = 101; i < N; i++)
                        assert_true(s.times[i] <= 1);
                if (threads == 1)
                        assert_int_equal(s.times[101], 0);
        }
}

static void test_nothing_to_do(void **state) {
        assert_int_equal(parallel_for(4, 0, see, NULL), 0);
        assert_in_range(parallel_threads(), 1, PARALLEL_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_once),
                cmocka_unit_test(test_stops),
                cmocka_unit_test(test_nothing_to_do),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
