/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* How many of the n bytes, from the first, are valid UTF-8 (RFC 3629: shortest forms only, no surrogates,
 * up to U+10FFFF). NUL is valid. */
size_t utf8_valid_prefix(const char *s, size_t n);
