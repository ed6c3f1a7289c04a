/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "util/strv.h"
#include "util/vec.h"

typedef struct Ints {
        int *items;
        size_t n, allocated;
} Ints;

/* Pushing, inserting and removing anywhere are what they are on a fixed array. */
static void test_model(void **state) {
        enum { MAX = 300 };
        Random random = { RANDOM_SEED };
        int model[MAX];
        size_t n = 0;
        Ints v = {};

        for (size_t round = 0; round < 20000; round++) {
                int value = (int) random_below(&random, 1000);
                size_t at = random_below(&random, n + 1), count = random_below(&random, n - at + 1);

                if (n < MAX && random_below(&random, 8) != 0) {
                        if (random_below(&random, 2) == 0)
                                at = n;
                        check((at == n ? vec_push(&v, value) : vec_insert(&v, at, value)) == 0, round);
                        memmove(model + at + 1, model + at, (n - at) * sizeof(*model));
                        model[at] = value;
                        n++;
                } else if (n > 0) {
                        vec_remove(&v, at, count);
                        memmove(model + at, model + at + count, (n - at - count) * sizeof(*model));
                        n -= count;
                }

                check(v.n == n && v.n <= v.allocated, round);
                check(n == 0 || memcmp(v.items, model, n * sizeof(*model)) == 0, round);
        }

        vec_done(&v);
        assert_true(v.items == NULL && v.n == 0 && v.allocated == 0);
}

/* Under AddressSanitizer too, what no memory holds is an answer and not the end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "allocator_may_return_null=1";
}

/* What no memory holds is refused, and the array is as it was. */
static void test_no_memory(void **state) {
        Ints v = {};
        int *items, r;

        assert_int_equal(vec_push(&v, 5), 0);
        items = v.items;
        r = vec_reserve((void **) &v.items, &v.allocated, SIZE_MAX / 8, sizeof(*v.items));
        assert_int_equal(r, -ENOMEM);
        assert_true(v.items == items && v.n == 1 && v.items[0] == 5);
        vec_done(&v);
}

/* Arrays of strings own copies; NULL is the empty one; equal means equal in order. */
static void test_strv(void **state) {
        _cleanup_strv_ char **l = NULL, **copy = NULL;
        char text[] = "b";

        assert_int_equal(strv_length(l), 0);
        assert_int_equal(strv_copy(NULL, &copy), 0);
        assert_null(copy);
        assert_true(strv_equal(l, copy));

        assert_int_equal(strv_extend(&l, "a"), 0);
        assert_int_equal(strv_extend(&l, text), 0);
        text[0] = 'c';
        assert_int_equal(strv_length(l), 2);
        assert_true(strv_contains(l, "b"));
        assert_false(strv_contains(l, "c"));
        assert_false(strv_equal(l, copy));
        assert_int_equal(strv_copy(l, &copy), 0);
        assert_true(strv_equal(l, copy));
        assert_true(copy[0] != l[0]);
        assert_int_equal(strv_extend(&copy, ""), 0);
        assert_false(strv_equal(l, copy));

        assert_true(streq_ptr(NULL, NULL));
        assert_false(streq_ptr(NULL, ""));
        assert_false(streq_ptr("a", NULL));
        assert_true(streq_ptr("a", "a"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_model),
                cmocka_unit_test(test_no_memory),
                cmocka_unit_test(test_strv),
        };

        return cmocka_run_group_tests_name("vec", tests, NULL, NULL);
}
