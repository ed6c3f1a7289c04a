/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/preview.h"
#include "util/cleanup.h"
#include "util/strv.h"
#include "util/vec.h"

/* Differences that are nearer to each other than this become one piece: one line of a dump. */
#define PREVIEW_GAP 16

static void piece_done(PreviewPiece *p) {
        free(p->medium);
        free(p->replica);
        *p = (PreviewPiece) {};
}

void preview_done(Preview *p) {
        free(p->device);
        free(p->path);
        strv_free(p->also);
        free(p->replica);
        free(p->detail);
        for (size_t i = 0; i < p->pages.n; i++)
                rangeset_done(&p->pages.items[i].lost);
        vec_done(&p->pages);
        for (size_t i = 0; i < p->pieces.n; i++)
                piece_done(p->pieces.items + i);
        vec_done(&p->pieces);
        free(p->shown);
        free(p->action);
        *p = (Preview) {};
}

static int copy_bytes(const uint8_t *from, size_t n, uint8_t **ret) {
        uint8_t *copy = malloc(n);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, from, n);
        *ret = copy;
        return 0;
}

/* As much of it as *left allows. `medium` NULL: it is lost. Both begin with the first byte of `r`. */
static int add_piece(Preview *p, const uint8_t *medium, const uint8_t *replica, Range r, uint64_t *left) {
        __attribute__((cleanup(piece_done))) PreviewPiece piece = { .offset = r.start };
        int q;

        piece.n = range_size(r) < *left ? range_size(r) : *left;
        if (piece.n < range_size(r))
                p->cut = true;
        if (piece.n == 0)
                return 0;
        *left -= piece.n;

        q = copy_bytes(replica, piece.n, &piece.replica);
        if (q >= 0 && medium)
                q = copy_bytes(medium, piece.n, &piece.medium);
        if (q >= 0)
                q = vec_push(&p->pieces, piece);
        if (q >= 0)
                piece = (PreviewPiece) {};
        return q;
}

int preview_add_lost(Preview *p, const uint8_t *replica, uint64_t base, const RangeSet *set,
                     uint64_t limit) {
        int q = 0;

        for (size_t i = 0; q >= 0 && i < set->n; i++) {
                p->lost += range_size(set->items[i]);
                q = add_piece(p, NULL, replica + (set->items[i].start - base), set->items[i], &limit);
        }
        return q;
}

/* The first byte at or behind `at` in which they differ; n: none. */
static size_t next_difference(const uint8_t *a, const uint8_t *b, size_t at, size_t n) {
        while (at < n && a[at] == b[at])
                at++;
        return at;
}

static int add_differing(Preview *p, const uint8_t *medium, const uint8_t *replica, Range r,
                         uint64_t *left) {
        size_t n = range_size(r), at = next_difference(medium, replica, 0, n);
        int q = 0;

        p->compared += n;
        while (q >= 0 && at < n) {
                size_t start = at, end;

                do {
                        p->differ++;
                        end = at + 1;
                        at = next_difference(medium, replica, end, n);
                } while (at < n && at - end < PREVIEW_GAP);
                q = add_piece(p, medium + start, replica + start, (Range) { r.start + start, r.start + end },
                              left);
        }
        return q;
}

int preview_add_survivors(Preview *p, const uint8_t *medium, const uint8_t *replica, uint64_t base,
                          const RangeSet *set, uint64_t limit) {
        int q = 0;

        for (size_t i = 0; q >= 0 && i < set->n; i++)
                q = add_differing(p, medium + (set->items[i].start - base),
                                  replica + (set->items[i].start - base), set->items[i], &limit);
        return q;
}

static int by_offset(const void *a, const void *b) {
        const PreviewPiece *x = a, *y = b;

        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void preview_sort(Preview *p) {
        if (p->pieces.n > 0)
                qsort(p->pieces.items, p->pieces.n, sizeof(*p->pieces.items), by_offset);
}
