/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strict parsers: the whole string must be the value; no leading space or sign. Each returns 0, -EINVAL
 * for what is no such value, or -ERANGE when it does not fit; `ret` is untouched on failure. */

/* Decimal, or hexadecimal with 0x. */
int parse_u64(const char *s, uint64_t *ret);

/* Bytes: a number as above with an optional suffix K M G T (powers of 1024). */
int parse_size(const char *s, uint64_t *ret);

/* A time span as systemd.time(7) has it, "15min", "1h 30s", "500ms"; a bare number counts seconds.
 * Microseconds. "infinity" is USEC_INFINITY, which no sum of numbers gives. */
int parse_usec(const char *s, uint64_t *ret);

/* 1 yes true on, 0 no false off; case does not matter. */
int parse_bool(const char *s, bool *ret);

/* The longest text that format_usec() and format_size() write, with its NUL. */
#define FORMAT_MAX 32

/* The exact text that parse_usec() reads back, as one number in the largest unit that allows it: "15min",
 * "90s"; returns buf. */
const char *format_usec(uint64_t usec, char buf[static FORMAT_MAX]);

/* The same for parse_size(), e.g. "4K"; returns buf. */
const char *format_size(uint64_t bytes, char buf[static FORMAT_MAX]);
