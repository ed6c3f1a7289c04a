/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where to begin the search. Inodes and the data of their files are handed out in the same order, mostly:
 * both move on through an allocation group as files are made. How far apart the two are differs from file
 * system to file system, and from one part of it to another. So a few files are looked at, spread over all
 * inodes; and what lies between two of these is expected where they are. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "map/mapper-xfs.h"
#include "map/xfs-extents.h"

#define SAMPLE_EVERY 32         /* chunks: 2048 inodes */
#define LIKELY 256U             /* chunks that are looked at in the order of their distance */

typedef struct Sample {
        const MapSection *on;
        uint64_t address;       /* of the first file in the chunk that has data */
} Sample;

static int sample_extent(const XfsExtent *e, void *userdata) {
        Sample *s = userdata;

        s->address = e->range.start;
        return 1;
}

static int sample_inode(const XfsStat *st, void *userdata) {
        Sample *s = userdata;
        _cleanup_close_ int fd = -1;

        if (!S_ISREG(st->mode) || st->blocks == 0 || !xfs_data_is_on(s->on, st))
                return 0;
        if (xfs_open_handle(s->on->mount_fd, st->ino, st->generation, O_RDONLY | O_NONBLOCK, &fd) != 0)
                return 0;
        return xfs_extents(fd, false, 0, UINT64_MAX, sample_extent, s) == 1;
}

/* Of the bytes at `at` from those that are wanted; in another allocation group they are far. */
static uint64_t distance_of(const XfsGeometry *g, const RangeSet *wanted, uint64_t at) {
        const uint64_t ag_size = (uint64_t) g->ag_blocks * g->block_size;
        uint64_t best = UINT64_MAX;
        size_t low = 0, high = wanted->n;

        while (low < high) { /* the first range that ends behind it */
                const size_t middle = low + (high - low) / 2;

                if (wanted->items[middle].end > at)
                        high = middle;
                else
                        low = middle + 1;
        }
        for (size_t i = low > 0 ? low - 1 : 0; i < wanted->n && i <= low; i++) {
                const Range r = wanted->items[i];
                uint64_t d = r.start > at ? r.start - at : at >= r.end ? at - r.end : 0;

                if (r.start / ag_size != at / ag_size)
                        d += ag_size;
                if (d < best)
                        best = d;
        }
        return best;
}

static int nearer(const void *a, const void *b) {
        const XfsChunk *x = a, *y = b;

        if (x->distance != y->distance)
                return x->distance < y->distance ? -1 : 1;
        return x->first < y->first ? -1 : x->first > y->first;
}

static void closer(XfsChunk *c, uint64_t distance) {
        if (distance < c->distance)
                c->distance = distance;
}

/* Chunks near the i-th, up to the next ones that are looked at, are as far as that one. */
static void spread(XfsChunks *chunks, size_t i, uint64_t distance) {
        const size_t first = i >= SAMPLE_EVERY ? i - SAMPLE_EVERY + 1 : 0;

        for (size_t k = first; k < chunks->n && k < i + SAMPLE_EVERY; k++)
                closer(&chunks->items[k], distance);
}

/* Threads that look at the same allocation group wait for each other (its inodes are found under the lock of
 * its header). Behind the likely chunks the groups come in turn. */
static void deal(const XfsGeometry *g, XfsChunks *chunks) {
        _cleanup_free_ uint64_t *dealt = calloc(g->ag_count, sizeof(*dealt));

        if (!dealt || chunks->n <= LIKELY)
                return;
        for (size_t i = LIKELY; i < chunks->n; i++) {
                const uint64_t ag = xfs_inode_address(g, chunks->items[i].first) /
                                    ((uint64_t) g->ag_blocks * g->block_size);

                chunks->items[i].distance = ag < g->ag_count ? dealt[ag]++ : 0;
        }
        qsort(chunks->items + LIKELY, chunks->n - LIKELY, sizeof(chunks->items[0]), nearer);
}

void xfs_chunks_order(const MapSection *on, const XfsGeometry *g, const RangeSet *wanted, XfsBulkstat *room,
                      XfsChunks *chunks) {
        for (size_t i = 0; i < chunks->n; i++)
                chunks->items[i].distance = UINT64_MAX;

        for (size_t i = 0; chunks->n > 2 * SAMPLE_EVERY && i < chunks->n; i += SAMPLE_EVERY) {
                Sample s = { .on = on };
                uint64_t hidden;

                if (xfs_chunk_stat(on->mount_fd, &chunks->items[i], room, sample_inode, &s, &hidden) == 1)
                        spread(chunks, i, distance_of(g, wanted, s.address));
        }
        for (size_t i = 0; i < chunks->n && on->part == FS_PART_DATA; i++) /* data tends to the inode */
                if (chunks->items[i].distance == UINT64_MAX)
                        chunks->items[i].distance =
                                distance_of(g, wanted, xfs_inode_address(g, chunks->items[i].first));

        if (chunks->n > 0)
                qsort(chunks->items, chunks->n, sizeof(chunks->items[0]), nearer);
        deal(g, chunks);
}
