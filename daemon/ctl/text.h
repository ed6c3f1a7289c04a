/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Text for the eyes of a person. */

/* `s`, whatever bytes it has, as text that can do a terminal no harm and deceive nobody. text_safe() is for
 * bytes such as a path: it escapes as codec_path_escape() does, and besides what is invisible or changes the
 * direction of writing, and everything but ASCII where the locale is not UTF-8. text_clean() is for text in
 * which paths have been escaped already, as everything is that comes over the bus: it leaves the backslash
 * as it is, and escapes the same else. The caller frees it; NULL: no memory. */
char *text_safe(const char *s);
char *text_clean(const char *s);

/* How many columns of a terminal such text takes. */
size_t text_width(const char *s);

/* Prints clean text that begins in column `column`, broken between words where it would reach over `width`;
 * what comes after a break is indented to `indent`. width 0, or too little room for that: one line. Ends
 * without a line feed. */
void text_wrap(const char *text, size_t column, size_t indent, size_t width, FILE *f);

#define TEXT_TIME_MAX 64

/* "Fri 2026-11-20 23:01:02 UTC"; "-" for 0. Microseconds since the epoch. Returns buf. */
const char *text_time(uint64_t usec, char buf[static TEXT_TIME_MAX]);

/* "4min ago"; "-" for 0. Returns buf. */
const char *text_ago(uint64_t usec, uint64_t now, char buf[static TEXT_TIME_MAX]);
