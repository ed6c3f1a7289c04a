/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* As much of <cmocka.h> as the tests of core use, so that they can be built for 32 bits on a machine that
 * has the library for 64 only. It stands in front of the real one on the include path. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
        const char *name;
        void (*run)(void **state);
};

#define cmocka_unit_test(f) { #f, f }

#define fail_msg(...)                                                   \
        do {                                                            \
                fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);         \
                fprintf(stderr, __VA_ARGS__);                           \
                fputc('\n', stderr);                                    \
                exit(EXIT_FAILURE);                                     \
        } while (0)
#define fail() fail_msg("failed")

/* As cmocka does, whole numbers are compared as the widest type. */
#define cmocka_check(condition, text) do { if (!(condition)) fail_msg("%s", text); } while (0)
#define assert_true(c) cmocka_check(c, #c)
#define assert_false(c) cmocka_check(!(c), "not " #c)
#define assert_null(p) cmocka_check(!(p), #p " is NULL")
#define assert_non_null(p) cmocka_check(!!(p), #p " is not NULL")
#define assert_ptr_equal(a, b) cmocka_check((const void *) (a) == (const void *) (b), #a " == " #b)
#define assert_memory_equal(a, b, n) cmocka_check(memcmp((a), (b), (n)) == 0, #a " == " #b)
#define assert_int_equal(a, b)                                                                          \
        do {                                                                                            \
                const uint64_t _a = (uint64_t) (a), _b = (uint64_t) (b);                                \
                if (_a != _b)                                                                           \
                        fail_msg("%s == %s: %" PRIu64 " and %" PRIu64, #a, #b, _a, _b);                 \
        } while (0)
#define assert_int_not_equal(a, b) cmocka_check((uint64_t) (a) != (uint64_t) (b), #a " != " #b)
#define assert_in_range(a, low, high) \
        cmocka_check((uint64_t) (a) >= (uint64_t) (low) && (uint64_t) (a) <= (uint64_t) (high), #a)
#define assert_string_equal(a, b)                                                       \
        do {                                                                            \
                const char *_s = (a), *_t = (b);                                        \
                if (strcmp(_s, _t) != 0)                                                \
                        fail_msg("%s == %s: \"%s\" and \"%s\"", #a, #b, _s, _t);        \
        } while (0)

/* The first failure ends the program. */
#define cmocka_run_group_tests(tests, setup, teardown)                                  \
        ({                                                                              \
                for (size_t _i = 0; _i < sizeof(tests) / sizeof(*(tests)); _i++) {      \
                        void *_state = NULL;                                            \
                        printf("%s\n", (tests)[_i].name);                               \
                        (tests)[_i].run(&_state);                                       \
                }                                                                       \
                0;                                                                      \
        })
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
        cmocka_run_group_tests(tests, setup, teardown)
