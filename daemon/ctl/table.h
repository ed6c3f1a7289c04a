/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/terminal.h"
#include "util/cleanup.h"

/* A table for a terminal: columns as wide as their widest cell. It is filled cell by cell, row by row;
 * lack of memory on the way is remembered and told at the end. Cells may hold anything: they are made safe
 * (text_clean()). */

typedef struct Table Table;

/* `headings` must outlive the table. NULL: no memory. One that begins with '>' heads a column that is
 * aligned to the right. */
Table *table_new(const char *const *headings, size_t columns);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free);
#define _cleanup_table_ _cleanup_(table_freep)

/* NULL and "" are shown as "-". table_add_path() is for bytes that have not been escaped yet. */
void table_add(Table *t, const char *text, Colour colour);
void table_add_path(Table *t, const char *path);
__attribute__((format(printf, 2, 3))) void table_addf(Table *t, const char *format, ...);

/* The last column holds sentences: break them so that lines keep within `width`. 0: do not. */
void table_wrap(Table *t, size_t width);

size_t table_rows(const Table *t);

/* The last row must be complete. 0 or -ENOMEM, and then nothing was printed. */
int table_print(const Table *t, FILE *f, bool headings, bool colours);
