/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cells are kept as safe text, so that what is measured is what is printed. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/text.h"
#include "util/vec.h"

typedef struct Cell {
        char *text;
        Colour colour;
} Cell;

struct Table {
        const char *const *headings;
        size_t columns;
        struct { Cell *items; size_t n, allocated; } cells;
        size_t wrap;            /* width to keep the last column within; 0 */
        bool broken;            /* there was no memory for a cell */
};

Table *table_new(const char *const *headings, size_t columns) {
        Table *t;

        assert(headings);
        assert(columns > 0);

        t = calloc(1, sizeof(*t));
        if (!t)
                return NULL;
        t->headings = headings;
        t->columns = columns;
        return t;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;

        for (size_t i = 0; i < t->cells.n; i++)
                free(t->cells.items[i].text);
        vec_done(&t->cells);
        free(t);
        return NULL;
}

void table_add(Table *t, const char *text, Colour colour) {
        _cleanup_free_ char *safe = NULL;

        assert(t);

        safe = text_clean(text && text[0] ? text : "-");
        if (!safe || vec_push(&t->cells, ((Cell) { .text = safe, .colour = colour })) < 0) {
                t->broken = true;
                return;
        }
        (void) TAKE_PTR(safe);
}

void table_add_path(Table *t, const char *path) {
        _cleanup_free_ char *safe = NULL;

        assert(t);

        safe = text_safe(path ? path : "");
        if (!safe)
                t->broken = true;
        else
                table_add(t, safe, COLOUR_NONE);
}

void table_addf(Table *t, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        assert(t);
        assert(format);

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                t->broken = true;
                return;
        }
        table_add(t, text, COLOUR_NONE);
}

void table_wrap(Table *t, size_t width) {
        assert(t);

        t->wrap = width;
}

size_t table_rows(const Table *t) {
        assert(t);

        return t->cells.n / t->columns;
}

static bool is_right(const Table *t, size_t column) {
        return t->headings[column][0] == '>';
}

static const char *heading(const Table *t, size_t column) {
        return t->headings[column] + is_right(t, column);
}

static size_t column_width(const Table *t, size_t column, bool headings) {
        size_t width = headings ? text_width(heading(t, column)) : 0;

        for (size_t i = column; i < t->cells.n; i += t->columns) {
                size_t w = text_width(t->cells.items[i].text);

                width = w > width ? w : width;
        }
        return width;
}

/* `start`: where the column begins. */
static void print_cell(const Table *t, FILE *f, size_t column, size_t start, size_t width, const char *text,
                       Colour colour, bool colours) {
        size_t w = text_width(text), pad = width > w ? width - w : 0;
        bool right = is_right(t, column), last = column + 1 == t->columns;

        (void) fprintf(f, "%*s%s", right ? (int) pad : 0, "", colour_on(colour, colours));
        text_wrap(text, start, start, last ? t->wrap : 0, f);
        (void) fprintf(f, "%s%*s%s", colour_off(colour, colours), right || last ? 0 : (int) pad, "",
                       last ? "\n" : "  ");
}

int table_print(const Table *t, FILE *f, bool headings, bool colours) {
        _cleanup_free_ size_t *widths = NULL;
        size_t last = 0;        /* where the last column begins: only that one is ever wrapped */

        assert(t);
        assert(f);

        if (t->broken)
                return -ENOMEM;
        assert(t->cells.n % t->columns == 0);

        widths = calloc(t->columns, sizeof(*widths));
        if (!widths)
                return -ENOMEM;
        for (size_t i = 0; i < t->columns; i++)
                widths[i] = column_width(t, i, headings);
        for (size_t i = 0; i + 1 < t->columns; i++)
                last += widths[i] + 2;

        for (size_t i = 0; headings && i < t->columns; i++)
                print_cell(t, f, i, last, widths[i], heading(t, i), COLOUR_HEADING, colours);
        for (size_t i = 0; i < t->cells.n; i++)
                print_cell(t, f, i % t->columns, last, widths[i % t->columns], t->cells.items[i].text,
                           t->cells.items[i].colour, colours);
        return 0;
}
