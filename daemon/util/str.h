/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A copy of `s`; NULL is copied as NULL. 0 or -ENOMEM. The caller frees *ret. */
static inline int str_copy(const char *s, char **ret) {
        char *copy = NULL;

        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }

        *ret = copy;
        return 0;
}

/* Returns `error`, with a sentence about it in *ret, which the caller frees; NULL: no memory for it. */
__attribute__((format(printf, 3, 4)))
static inline int str_fail(char **ret, int error, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(ret, format, ap);
        va_end(ap);
        if (n < 0)
                *ret = NULL;
        return error;
}

/* For the pairs x_to_string() and x_from_string() over a table of names, indexed by the enum: the name,
 * NULL outside the table; and the index of a name of `n` bytes or of a whole string, -EINVAL for none.
 * Always the exact name. */
static inline const char *str_at(const char *const *table, size_t size, int index) {
        return index >= 0 && (size_t) index < size ? table[index] : NULL;
}

static inline int str_index_n(const char *const *table, size_t size, const char *s, size_t n) {
        for (size_t i = 0; i < size; i++)
                if (table[i] && strlen(table[i]) == n && memcmp(table[i], s, n) == 0)
                        return (int) i;
        return -EINVAL;
}

static inline int str_index(const char *const *table, size_t size, const char *s) {
        return s ? str_index_n(table, size, s, strlen(s)) : -EINVAL;
}
