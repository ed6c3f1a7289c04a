/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Strict parsers for numbers, sizes, times and switches. A text is first found to be such a value as a
 * whole, and only then that it does not fit, so that -ERANGE always means a well-formed value. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/parse.h"
#include "util/time-util.h"

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

static const Unit size_units[] = {
        { "T", UINT64_C(1) << 40 },
        { "G", UINT64_C(1) << 30 },
        { "M", UINT64_C(1) << 20 },
        { "K", UINT64_C(1) << 10 },
        { "", 1 },
};

#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define USEC_PER_WEEK (7 * USEC_PER_DAY)

/* As systemd.time(7) has them: a month is 30.44 days, a year 365.25. */
#define USEC_PER_MONTH (2630016 * USEC_PER_SEC)
#define USEC_PER_YEAR (31557600 * USEC_PER_SEC)

static const Unit time_units[] = {
        { "years", USEC_PER_YEAR },
        { "year", USEC_PER_YEAR },
        { "y", USEC_PER_YEAR },
        { "months", USEC_PER_MONTH },
        { "month", USEC_PER_MONTH },
        { "M", USEC_PER_MONTH },
        { "weeks", USEC_PER_WEEK },
        { "week", USEC_PER_WEEK },
        { "w", USEC_PER_WEEK },
        { "days", USEC_PER_DAY },
        { "day", USEC_PER_DAY },
        { "d", USEC_PER_DAY },
        { "hours", USEC_PER_HOUR },
        { "hour", USEC_PER_HOUR },
        { "hr", USEC_PER_HOUR },
        { "h", USEC_PER_HOUR },
        { "minutes", USEC_PER_MINUTE },
        { "minute", USEC_PER_MINUTE },
        { "min", USEC_PER_MINUTE },
        { "m", USEC_PER_MINUTE },
        { "seconds", USEC_PER_SEC },
        { "second", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "s", USEC_PER_SEC },
        { "msec", USEC_PER_MSEC },
        { "ms", USEC_PER_MSEC },
        { "usec", 1 },
        { "us", 1 },
        { "µs", 1 },            /* U+00B5, micro sign */
        { "μs", 1 },            /* U+03BC, Greek letter mu */
        { "", USEC_PER_SEC },
};

/* Those that format_usec() uses, largest first. */
static const Unit usec_format_units[] = {
        { "w", USEC_PER_WEEK },
        { "d", USEC_PER_DAY },
        { "h", USEC_PER_HOUR },
        { "min", USEC_PER_MINUTE },
        { "s", USEC_PER_SEC },
        { "ms", USEC_PER_MSEC },
        { "us", 1 },
};

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

/* isdigit() and its kin ask the locale, and must not be given a char. */
static int digit_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return 16;
}

/* Reads the digits at *s and moves *s behind them, also when the number does not fit (-ERANGE). */
static int take_digits(const char **s, int base, uint64_t *ret) {
        bool fits = true;
        uint64_t v = 0;

        if (digit_value(**s) >= base)
                return -EINVAL;

        for (; digit_value(**s) < base; (*s)++)
                fits = fits && !__builtin_mul_overflow(v, (uint64_t) base, &v) &&
                       !__builtin_add_overflow(v, (uint64_t) digit_value(**s), &v);

        if (!fits)
                return -ERANGE;
        *ret = v;
        return 0;
}

static int take_u64(const char **s, uint64_t *ret) {
        if ((*s)[0] != '0' || (*s)[1] != 'x')
                return take_digits(s, 10, ret);

        *s += 2;
        return take_digits(s, 16, ret);
}

static const Unit *find_unit(const Unit *units, size_t n_units, const char *s, size_t n) {
        for (size_t i = 0; i < n_units; i++)
                if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
                        return &units[i];
        return NULL;
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v;
        int r;

        assert(s);
        assert(ret);

        r = take_u64(&s, &v);
        if (r == -EINVAL || *s)
                return -EINVAL;
        if (r < 0)
                return r;

        *ret = v;
        return 0;
}

int parse_size(const char *s, uint64_t *ret) {
        const Unit *unit;
        uint64_t v;
        int r;

        assert(s);
        assert(ret);

        r = take_u64(&s, &v);
        if (r == -EINVAL)
                return r;
        unit = find_unit(size_units, N_ITEMS(size_units), s, strlen(s));
        if (!unit)
                return -EINVAL;
        if (r < 0)
                return r;
        if (__builtin_mul_overflow(v, unit->factor, &v))
                return -ERANGE;

        *ret = v;
        return 0;
}

/* The digits after a decimal point, as a part of `factor`; what is less than a microsecond is dropped, as
 * systemd does. */
static uint64_t fraction_value(const char *digits, size_t n, uint64_t factor) {
        uint64_t v = 0;

        for (size_t i = 0; i < n && factor > 0; i++) {
                v += (uint64_t) digit_value(digits[i]) * factor / 10;
                factor /= 10;
        }
        return v;
}

/* One "NUMBER[.DIGITS] [UNIT]" at *s, which is moved behind it. */
static int take_span(const char **s, uint64_t *ret) {
        const char *fraction = NULL;
        size_t n_fraction = 0, n_unit;
        const Unit *unit;
        uint64_t v = 0;
        int r;

        r = take_digits(s, 10, &v);
        if (r == -EINVAL)
                return r;

        if (**s == '.') {
                fraction = *s + 1;
                n_fraction = strspn(fraction, "0123456789");
                if (n_fraction == 0)
                        return -EINVAL;
                *s = fraction + n_fraction;
        }

        *s += strspn(*s, " ");
        n_unit = strcspn(*s, " .0123456789");
        unit = find_unit(time_units, N_ITEMS(time_units), *s, n_unit);
        if (!unit)
                return -EINVAL;
        *s += n_unit;
        *s += strspn(*s, " ");

        if (r < 0 || __builtin_mul_overflow(v, unit->factor, &v) ||
            __builtin_add_overflow(v, fraction_value(fraction, n_fraction, unit->factor), &v))
                return -ERANGE;
        *ret = v;
        return 0;
}

int parse_usec(const char *s, uint64_t *ret) {
        uint64_t sum = 0, v;
        bool fits = true;

        assert(s);
        assert(ret);

        if (strcmp(s, "infinity") == 0) {
                *ret = USEC_INFINITY;
                return 0;
        }

        if (*s == '\0' || s[strlen(s) - 1] == ' ')
                return -EINVAL;

        while (*s) {
                int r = take_span(&s, &v);

                if (r == -EINVAL)
                        return r;
                fits = fits && r == 0 && !__builtin_add_overflow(sum, v, &sum);
        }

        if (!fits || sum == USEC_INFINITY)
                return -ERANGE;
        *ret = sum;
        return 0;
}

int parse_bool(const char *s, bool *ret) {
        static const char *const words[][2] = {
                { "0", "1" },
                { "no", "yes" },
                { "false", "true" },
                { "off", "on" },
        };

        assert(s);
        assert(ret);

        for (size_t i = 0; i < N_ITEMS(words); i++)
                for (int value = 0; value < 2; value++)
                        if (strcasecmp(s, words[i][value]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

/* `v` as one number, in the largest of the units (largest first, the last is 1) that divides it. */
static const char *format_units(uint64_t v, const Unit *units, char buf[static FORMAT_MAX]) {
        if (v == 0)
                return strcpy(buf, "0");

        while (v % units->factor != 0)
                units++;
        (void) snprintf(buf, FORMAT_MAX, "%" PRIu64 "%s", v / units->factor, units->name);
        return buf;
}

const char *format_usec(uint64_t usec, char buf[static FORMAT_MAX]) {
        if (usec == USEC_INFINITY)
                return strcpy(buf, "infinity");
        return format_units(usec, usec_format_units, buf);
}

const char *format_size(uint64_t bytes, char buf[static FORMAT_MAX]) {
        return format_units(bytes, size_units, buf);
}
