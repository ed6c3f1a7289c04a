/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/word.h"

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Proves what an action names, with a token and without; and that it is written as it was read. */
static void test_parse(void **state) {
        static const struct { const char *action, *replica, *shown; } cases[] = {
                { "accept:mirror:/m", "mirror:/m", NULL },
                { "accept:" TOKEN ":mirror:/m", "mirror:/m", TOKEN },
                { "accept:exec:/bin/x a b", "exec:/bin/x a b", NULL },
                { "accept:https://h/p", "https://h/p", NULL },
                { "zero", "zero:", NULL },
                { "zero:" TOKEN, "zero:", TOKEN },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                _cleanup_free_ char *text = NULL;
                _cleanup_word_ Word w = {};

                assert_int_equal(word_parse(cases[i].action, &w), 0);
                assert_string_equal(w.replica, cases[i].replica);
                assert_int_equal(word_is_zeroes(&w), strcmp(cases[i].replica, "zero:") == 0);
                if (cases[i].shown)
                        assert_string_equal(w.shown, cases[i].shown);
                else
                        assert_null(w.shown);
                text = word_format(&w);
                assert_string_equal(text, cases[i].action);
        }
}

/* Proves that the replica is in the form in which it is configured. */
static void test_form(void **state) {
        _cleanup_word_ Word w = {};

        assert_int_equal(word_parse("accept:mirror:/m/x/", &w), 0);
        assert_string_equal(w.replica, "mirror:/m/x");
}

/* Proves that nothing else is a word: no other verb, no replica that could not be configured, and above all
 * no zeroes as if they were one. */
static void test_wrong(void **state) {
        static const char *const cases[] = {
                "", "accept", "accept:", "accept:/m", "accept:mirror:", "accept:mirror:m", "accept:zero:",
                "accept:" TOKEN ":", "accept:" TOKEN ":zero:", "accept:" TOKEN, "Accept:mirror:/m",
                "accept:" TOKEN "0:mirror:/m", "zero:", "zero:abc", "zero:" TOKEN "0", "zero:" TOKEN ":",
                "zeroes", "zero " TOKEN, "ignore", "retry",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                Word w = {};

                if (word_parse(cases[i], &w) != -EINVAL)
                        fail_msg("%s", cases[i]);
                assert_null(w.replica);
                assert_null(w.shown);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_wrong),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
