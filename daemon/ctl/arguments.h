/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Arguments of verbs. Each returns 0, or a negative errno after it has said what is wrong and what would be
 * right. */

/* Digits, as 'bezoarctl list' shows them. */
int argument_id(const char *s);

/* What a person types as a path, as the bus wants it: absolute, without symbolic links as far as they can be
 * followed, escaped. `exists`: it must. The caller frees *ret. */
int argument_path(const char *s, bool exists, char **ret);

/* Any other word, as the bus can carry it: escaped. The caller frees *ret. */
int argument_word(const char *s, char **ret);

/* OFFSET and LENGTH. NULL: 0, and 0 for "one page". */
int argument_range(const char *offset, const char *length, uint64_t *ret_offset, uint64_t *ret_length);

/* STATE[,STATE…], appended to *states. */
int argument_states(const char *s, char ***states);

/* For options that take a number, from 1 to max: --lines=, --pages=. */
int argument_count(const char *option, const char *s, uint64_t max, uint64_t *ret);
