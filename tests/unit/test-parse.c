/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "util/parse.h"
#include "util/time-util.h"

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define UNTOUCHED 77

typedef struct Sample {
        const char *text;
        int r;
        uint64_t value;
} Sample;

static void check_samples(const Sample *samples, size_t n, int (*parse)(const char *, uint64_t *)) {
        for (size_t i = 0; i < n; i++) {
                uint64_t v = UNTOUCHED;
                int r = parse(samples[i].text, &v);

                if (r != samples[i].r || v != (r < 0 ? UNTOUCHED : samples[i].value))
                        fail_msg("'%s': %d, %" PRIu64, samples[i].text, r, v);
        }
}

/* A number is digits and nothing else, and what does not fit is told apart from what is no number. */
static void test_u64(void **state) {
        static const Sample samples[] = {
                { "0", 0, 0 },
                { "1", 0, 1 },
                { "007", 0, 7 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE },
                { "99999999999999999999999999", -ERANGE },
                { "99999999999999999999999999x", -EINVAL },
                { "0x0", 0, 0 },
                { "0xffffffffffffffff", 0, UINT64_MAX },
                { "0xDeadBeef", 0, 0xdeadbeef },
                { "0x10000000000000000", -ERANGE },
                { "0x", -EINVAL },
                { "0xg", -EINVAL },
                { "0x 1", -EINVAL },
                { "0X10", -EINVAL },
                { "x10", -EINVAL },
                { "ff", -EINVAL },
                { "1f", -EINVAL },
                { "", -EINVAL },
                { " 1", -EINVAL },
                { "1 ", -EINVAL },
                { "+1", -EINVAL },
                { "-1", -EINVAL },
                { "-0", -EINVAL },
                { "1.0", -EINVAL },
                { "1K", -EINVAL },
                { "\xd9\xa1", -EINVAL },        /* an Arabic one */
        };

        check_samples(samples, N_ITEMS(samples), parse_u64);
}

/* Sizes have one suffix at most, and multiply without wrapping. */
static void test_size(void **state) {
        static const Sample samples[] = {
                { "0", 0, 0 },
                { "512", 0, 512 },
                { "4K", 0, 4096 },
                { "2M", 0, UINT64_C(2) << 20 },
                { "3G", 0, UINT64_C(3) << 30 },
                { "16777215T", 0, UINT64_C(16777215) << 40 },
                { "16777216T", -ERANGE },
                { "18446744073709551616K", -ERANGE },
                { "0x10K", 0, 16384 },
                { "0K", 0, 0 },
                { "K", -EINVAL },
                { "4k", -EINVAL },
                { "4KB", -EINVAL },
                { "4KK", -EINVAL },
                { "4 K", -EINVAL },
                { "1.5K", -EINVAL },
                { "4K ", -EINVAL },
                { "-4K", -EINVAL },
                { "18446744073709551616X", -EINVAL },
                { "", -EINVAL },
        };

        check_samples(samples, N_ITEMS(samples), parse_size);
}

/* Time spans are those of systemd.time(7): units, sums, fractions; not those of other tools. */
static void test_usec(void **state) {
        static const Sample samples[] = {
                { "0", 0, 0 },
                { "5", 0, 5 * USEC_PER_SEC },
                { "15min", 0, 15 * USEC_PER_MINUTE },
                { "1h 30s", 0, USEC_PER_HOUR + 30 * USEC_PER_SEC },
                { "1h30s", 0, USEC_PER_HOUR + 30 * USEC_PER_SEC },
                { "2 h", 0, 2 * USEC_PER_HOUR },
                { "500ms", 0, 500 * USEC_PER_MSEC },
                { "7us", 0, 7 },
                { "7µs", 0, 7 },
                { "1d", 0, 24 * USEC_PER_HOUR },
                { "1w", 0, 168 * USEC_PER_HOUR },
                { "1month", 0, 2630016 * USEC_PER_SEC },
                { "1M", 0, 2630016 * USEC_PER_SEC },
                { "1m", 0, USEC_PER_MINUTE },
                { "2years", 0, 63115200 * USEC_PER_SEC },
                { "1.5s", 0, 1500 * USEC_PER_MSEC },
                { "0.5", 0, 500 * USEC_PER_MSEC },
                { "1.25h", 0, 75 * USEC_PER_MINUTE },
                { "0.0000019s", 0, 1 },
                { "0.99999999999999999999us", 0, 0 },
                { "infinity", 0, USEC_INFINITY },
                { "18446744073709551614us", 0, UINT64_MAX - 1 },
                { "18446744073709551615us", -ERANGE },
                { "18446744073709551614us 1us", -ERANGE },
                { "18446744073709551614us 2us", -ERANGE },
                { "18446744073709551615.9s", -ERANGE },
                { "584555years", -ERANGE },
                { "99999999999999999999", -ERANGE },
                { "99999999999999999999 x", -EINVAL },
                { "99999999999999999999s 1x", -EINVAL },
                { "", -EINVAL },
                { " ", -EINVAL },
                { " 5s", -EINVAL },
                { "5s ", -EINVAL },
                { "5 ", -EINVAL },
                { "s", -EINVAL },
                { ".5s", -EINVAL },
                { "5.s", -EINVAL },
                { "1.2.3s", -EINVAL },
                { "-5s", -EINVAL },
                { "5S", -EINVAL },
                { "5 parsecs", -EINVAL },
                { "0x5s", -EINVAL },
                { "infinity s", -EINVAL },
                { "Infinity", -EINVAL },
                { "1h,30s", -EINVAL },
                { "5\ts", -EINVAL },
        };

        check_samples(samples, N_ITEMS(samples), parse_usec);
}

/* The eight words in any case, and nothing near them. */
static void test_bool(void **state) {
        static const char *const yes[] = { "1", "yes", "true", "on", "YES", "True", "oN" };
        static const char *const no[] = { "0", "no", "false", "off", "NO", "False", "oFF" };
        static const char *const neither[] = { "",   "2",  "y",  "n",  "yes ",
                                               " yes", "10", "01", "-1", "enabled" };

        for (size_t i = 0; i < N_ITEMS(yes); i++) {
                bool b = false;

                assert_int_equal(parse_bool(yes[i], &b), 0);
                assert_true(b);
        }
        for (size_t i = 0; i < N_ITEMS(no); i++) {
                bool b = true;

                assert_int_equal(parse_bool(no[i], &b), 0);
                assert_false(b);
        }
        for (size_t i = 0; i < N_ITEMS(neither); i++) {
                bool b = true, c = false;

                assert_int_equal(parse_bool(neither[i], &b), -EINVAL);
                assert_int_equal(parse_bool(neither[i], &c), -EINVAL);
                assert_true(b && !c);
        }
}

/* The texts that people see: one number, in the largest unit that is exact. */
static void test_format(void **state) {
        char buf[FORMAT_MAX];

        assert_string_equal(format_usec(0, buf), "0");
        assert_string_equal(format_usec(15 * USEC_PER_MINUTE, buf), "15min");
        assert_string_equal(format_usec(90 * USEC_PER_SEC, buf), "90s");
        assert_string_equal(format_usec(USEC_PER_HOUR, buf), "1h");
        assert_string_equal(format_usec(48 * USEC_PER_HOUR, buf), "2d");
        assert_string_equal(format_usec(1500 * USEC_PER_MSEC, buf), "1500ms");
        assert_string_equal(format_usec(UINT64_MAX - 1, buf), "18446744073709551614us");
        assert_string_equal(format_usec(USEC_INFINITY, buf), "infinity");

        assert_string_equal(format_size(0, buf), "0");
        assert_string_equal(format_size(512, buf), "512");
        assert_string_equal(format_size(4096, buf), "4K");
        assert_string_equal(format_size(4097, buf), "4097");
        assert_string_equal(format_size(UINT64_C(1536) << 20, buf), "1536M");
        assert_string_equal(format_size(UINT64_C(1) << 63, buf), "8388608T");
        assert_string_equal(format_size(UINT64_MAX, buf), "18446744073709551615");
}

/* Every value is read back as it was written: times, sizes, and numbers in both forms. */
static void test_round_trip(void **state) {
        static const uint64_t factors[] = { 1, 512, 1024, USEC_PER_SEC, USEC_PER_HOUR, UINT64_C(1) << 40 };
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < 20000; round++) {
                uint64_t v = random_next(&random) >> random_below(&random, 64), back = 0;
                char buf[FORMAT_MAX];

                v *= factors[round % N_ITEMS(factors)];         /* may wrap: any value will do */
                check(parse_usec(format_usec(v, buf), &back) == 0 && back == v, round);
                check(parse_size(format_size(v, buf), &back) == 0 && back == v, round);
                (void) snprintf(buf, sizeof(buf), "%" PRIu64, v);
                check(parse_u64(buf, &back) == 0 && back == v, round);
                (void) snprintf(buf, sizeof(buf), "%#" PRIx64, v);
                check(parse_u64(buf, &back) == 0 && back == v, round);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_u64),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_usec),
                cmocka_unit_test(test_bool),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_round_trip),
        };

        return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
