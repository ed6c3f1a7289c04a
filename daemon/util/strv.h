/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/cleanup.h"

/* NULL-terminated arrays of strings; NULL is the empty one. The array owns its strings. */

char **strv_free(char **l);
DEFINE_CLEANUP(char **, strv_free);
#define _cleanup_strv_ _cleanup_(strv_freep)

size_t strv_length(char *const *l);

/* Appends a copy of s. 0 or -ENOMEM; *l is unchanged on failure. */
int strv_extend(char ***l, const char *s);

/* A deep copy. 0 or -ENOMEM. */
int strv_copy(char *const *l, char ***ret);

/* "a, b" with separator ", "; "" for the empty one. NULL: no memory. */
char *strv_join(char *const *l, const char *separator);

bool strv_contains(char *const *l, const char *s);
bool strv_equal(char *const *a, char *const *b);

/* True for equal strings, and for two NULLs. */
bool streq_ptr(const char *a, const char *b);
