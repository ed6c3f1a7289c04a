/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rangeset.h"

/* What an operator is shown before his word is taken in the place of a proof. It holds bytes of a file, and
 * goes to whom may resolve cases, to nobody else, and into no log. */

/* A run of bytes of the file that are lost, or that survived and differ; the latter with a few between them
 * that do not. */
typedef struct PreviewPiece {
        uint64_t offset;        /* in the file */
        size_t n;               /* > 0 */
        uint8_t *medium;        /* what survived, and stays as it is; NULL: they are lost */
        uint8_t *replica;       /* what the replica has for them: what is written where they are lost */
} PreviewPiece;

typedef struct PreviewPage {
        Range range;            /* on the device: one page */
        uint64_t offset;        /* in the file */
        RangeSet lost;          /* file offsets within it: what comes from the replica */
} PreviewPage;

typedef struct Preview {
        uint64_t id;            /* of the case */
        char *device;           /* "/dev/pmem0" */
        char *path;             /* of the file */
        char **also;            /* of files that share the bytes; NULL */
        char *replica;
        char *detail;           /* what the replica, and the seal, have to say about it; NULL */
        struct { PreviewPage *items; size_t n, allocated; } pages;
        uint64_t lost;          /* bytes; those of the pages */
        uint64_t compared;      /* bytes that survived, in the pages and around them, and were compared */
        uint64_t differ;        /* … and are not what the replica has */
        struct { PreviewPiece *items; size_t n, allocated; } pieces;   /* by offset */
        bool cut;               /* the pieces are not all that is lost or differs */
        char *shown;            /* the token of all that would be written */
        char *action;           /* what the daemon wants to be told to have it done; NULL in the answer of a
                                 * worker */
} Preview;

void preview_done(Preview *p);
#define _cleanup_preview_ _cleanup_(preview_done)

/* Of lost bytes as well as of those that differ, at most so many are in the pieces, unless all are asked
 * for. */
#define PREVIEW_SHORT UINT64_C(1024)

/* Adds what of `set` (file offsets, within the `size` bytes that both buffers have from `base` on) is lost,
 * or differs and survived; counts all of it; and puts up to `limit` bytes of it into pieces. 0 or
 * -ENOMEM. */
int preview_add_lost(Preview *p, const uint8_t *replica, uint64_t base, const RangeSet *set, uint64_t limit);
int preview_add_survivors(Preview *p, const uint8_t *medium, const uint8_t *replica, uint64_t base,
                          const RangeSet *set, uint64_t limit);

/* Pieces by their offsets, whatever was added first. */
void preview_sort(Preview *p);
