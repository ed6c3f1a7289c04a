/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <assert.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "util/cleanup.h"
#include "util/time-util.h"

static void safe_and_wide(const char *in, const char *expected, size_t width) {
        _cleanup_free_ char *text = text_safe(in), *back = NULL;

        assert_non_null(text);
        assert_string_equal(text, expected);
        assert_int_equal(text_width(text), width);
        assert_int_equal(codec_path_unescape(text, &back), 0);
        assert_string_equal(back, in);
}

/* Proves that what could move the cursor, break a line or disguise a name is escaped, that the rest stays as
 * it is, that the escape can be read back, and how many columns each takes. */
static void test_safe(void **state) {
        static const struct {
                const char *in, *expected;
                size_t width;
        } table[] = {
                { "", "", 0 },
                { "/srv/a b", "/srv/a b", 8 },
                { "a\nb", "a\\x0ab", 6 },
                { "\033[2J", "\\x1b[2J", 7 },
                { "\\x41", "\\x5cx41", 7 },
                { "\xc3\xa4", "\xc3\xa4", 1 },                          /* a umlaut */
                { "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", 4 },  /* two wide characters */
                { "e\xcc\x81", "e\xcc\x81", 1 },                        /* e and a combining acute */
                { "\xff", "\\xff", 4 },
                { "\xc2\x9b", "\\xc2\\x9b", 8 },                        /* CSI in one character */
                { "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xae" "b", 14 },    /* right-to-left override */
                { "\xe2\x80\x8b", "\\xe2\\x80\\x8b", 12 },              /* zero width space */
                { "\xe2\x80\xa8", "\\xe2\\x80\\xa8", 12 },              /* line separator */
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                safe_and_wide(table[i].in, table[i].expected, table[i].width);
}

/* Proves that where the locale is not UTF-8 nothing but ASCII gets through. */
static void test_safe_ascii(void **state) {
        assert_non_null(setlocale(LC_CTYPE, "C"));
        safe_and_wide("\xc3\xa4", "\\xc3\\xa4", 8);
        safe_and_wide("\xe6\x97\xa5" "a", "\\xe6\\x97\\xa5" "a", 13);
        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

/* Proves that text with escapes in it is not escaped twice, and is safe all the same. */
static void test_clean(void **state) {
        _cleanup_free_ char *text = text_clean("a\\x0ab\n\xff\033");

        assert_non_null(text);
        assert_string_equal(text, "a\\x0ab\\x0a\\xff\\x1b");
}

static void prints(const Table *t, bool headings, bool colours, const char *expected) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        assert_int_equal(table_print(t, f, headings, colours), 0);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(text, expected);
}

/* Proves that columns align by what the terminal shows, right-hand columns on their right, the last one
 * without blanks at the end; with and without headings; that colours do not count; that what is not there is
 * a dash. */
static void test_table(void **state) {
        static const char *const headings[] = { ">ID", "STATE", "WHERE" };
        _cleanup_table_ Table *t = table_new(headings, 3);

        assert_non_null(t);
        prints(t, true, false, "ID  STATE  WHERE\n");
        prints(t, false, false, "");

        table_addf(t, "%d", 7);
        table_add(t, "refused", COLOUR_BAD);
        table_add(t, "/srv/\xe6\x97\xa5", COLOUR_NONE);
        table_addf(t, "%d", 1234);
        table_add(t, "\xc3\xa4", COLOUR_NONE);
        table_add(t, NULL, COLOUR_NONE);
        assert_int_equal(table_rows(t), 2);

        prints(t, true, false,
               "  ID  STATE    WHERE\n"
               "   7  refused  /srv/\xe6\x97\xa5\n"
               "1234  \xc3\xa4        -\n");
        prints(t, false, true,
               "   7  \033[1;31mrefused\033[0m  /srv/\xe6\x97\xa5\n"
               "1234  \xc3\xa4        -\n");
}

static void wraps(const char *text, size_t column, size_t indent, size_t width, const char *expected) {
        _cleanup_free_ char *out = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&out, &n);

        assert_non_null(f);
        text_wrap(text, column, indent, width, f);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(out, expected);
}

/* Proves that sentences are broken between words only, at the width and not before, that words which are too
 * long stay whole, that blanks within a line are kept, and that nothing is broken where there is no room. */
static void test_wrap(void **state) {
        const char *const twenty = "12345678 10 13 16 20";

        wraps("", 0, 0, 40, "");
        wraps(twenty, 0, 0, 0, twenty);
        wraps(twenty, 0, 0, 20, twenty);
        wraps("12345678 10 13 16 201", 0, 0, 20, "12345678 10 13 16\n201");
        wraps(twenty, 4, 4, 24, twenty);
        wraps("12345678 10 13 16 201", 4, 4, 24, "12345678 10 13 16\n    201");
        wraps("12345678 10 13 16 201", 5, 5, 24, "12345678 10 13 16 201");      /* less than 20 columns */
        wraps("  a   123456789012345", 0, 2, 22, "  a   123456789012345");
        wraps("  a   1234567890123456 b", 0, 2, 22, "  a   1234567890123456\n  b");
        wraps("a 1234567890123456789012345 b", 0, 0, 20, "a\n1234567890123456789012345\nb");
        wraps("123456789012345 \xe6\x97\xa5\xe6\x9c\xac b", 0, 0, 20,
              "123456789012345 \xe6\x97\xa5\xe6\x9c\xac\nb");
}

/* Proves the words for points in time. */
static void test_time(void **state) {
        static const struct {
                uint64_t then, now;
                const char *expected;
        } table[] = {
                { 0, 5, "-" },
                { 5, 5, "now" },
                { 6, 5, "now" },                                        /* a clock that was set back */
                { 1, USEC_PER_SEC, "now" },
                { 1, USEC_PER_SEC + 1, "1s ago" },
                { 1, USEC_PER_MINUTE, "59s ago" },
                { 1, 4 * USEC_PER_MINUTE + 1, "4min ago" },
                { 1, USEC_PER_HOUR + 1, "1h ago" },
                { 1, 49 * USEC_PER_HOUR, "2d ago" },
        };
        char buf[TEXT_TIME_MAX];

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                assert_string_equal(text_ago(table[i].then, table[i].now, buf), table[i].expected);

        (void) setenv("TZ", "UTC", true);
        assert_string_equal(text_time(UINT64_C(1795215662) * USEC_PER_SEC, buf), "Fri 2026-11-20 23:01:02 "
                                                                                 "UTC");
        assert_string_equal(text_time(0, buf), "-");
        assert_true(strlen(text_time(UINT64_MAX - 1, buf)) > 0);
}

/* Proves that NO_COLOR and pipes have no colours. */
static void test_colours(void **state) {
        (void) setenv("TERM", "xterm", true);
        assert_false(terminal_wants_colours(-1));
        assert_string_equal(colour_on(COLOUR_BAD, false), "");
        assert_string_equal(colour_off(COLOUR_BAD, false), "");
        for (CaseState s = 0; s < _CASE_STATE_MAX; s++)
                assert_int_not_equal(colour_of_state(s), COLOUR_NONE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_safe),
                cmocka_unit_test(test_safe_ascii),
                cmocka_unit_test(test_clean),
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_wrap),
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_colours),
        };

        return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
