/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ext4 has no reverse map. FS_IOC_GETFSMAP tells what is free and what has a fixed place; of the rest it
 * knows only that it is in use (fs/ext4/fsmap.c). Whose it is stands in the inodes, so the inode tables
 * are read, the nearest first, until each range has its owner. All ranges share one look.
 *
 * The tables are read below the running file system, through the page cache of the block device, where the
 * kernel keeps its own metadata (it changes an inode there whenever it changes it in memory,
 * ext4_mark_iloc_dirty()). Nothing holds it still, though, so what was read is only a claim: a file is
 * opened by its handle, with its generation, and asked itself (FIEMAP); of metadata the inode is looked at
 * a second time. What no inode claims may have moved behind our back: then we look again, and at last say
 * so, and not more.
 *
 * The first who stands by a claim has the bytes: of blocks that two files claim, as in a file system that
 * e2fsck has to put right, the other one is not found. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map/mapper-backends.h"
#include "map/mapper-ext4.h"
#include "util/parallel.h"

#define LOOKS 3         /* at a file system that changes */

static int look(Ext4 *e, const char **ret_why) {
        int r;

        r = ext4_open_fs(e, ret_why);
        if (r == 0)
                r = ext4_ask_fixed(e);
        if (r == 0 && e->wanted.left.n > 0)
                r = ext4_scan(e);
        return r;
}

static int by_start(const void *a, const void *b) {
        const Owner *x = a, *y = b;

        return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

/* The answer to `range`: `found` is in order and disjoint, and what it leaves out is unknown. */
static int hand_out(const Owners *found, Range range, const char *why, OwnerFn fn, void *userdata) {
        uint64_t next = range.start;
        size_t low = 0, high = found->n;
        int r = 0;

        while (low < high) { /* the first that ends behind the start */
                const size_t middle = low + (high - low) / 2;

                if (found->items[middle].range.end > range.start)
                        high = middle;
                else
                        low = middle + 1;
        }

        while (r == 0 && next < range.end) {
                Owner o = { .type = OWNER_UNKNOWN, .range = { next, range.end }, .detail = (char *) why };

                if (low < found->n && found->items[low].range.start <= next) {
                        o = found->items[low++];        /* its strings are lent */
                        if (owner_clamp(&o, range) <= 0)
                                return -EUCLEAN;
                } else if (low < found->n && found->items[low].range.start < range.end)
                        o.range.end = found->items[low].range.start;
                next = o.range.end;
                r = fn(&o, userdata);
        }
        return r;
}

static const char *why_unknown(const Ext4 *e) {
        if (e->unreadable)
                return "no inode that can be read has it, and some metadata cannot be read";
        if (e->leased)
                return "the file that may have it is under a lease: ask again";
        return "no inode has it: the file system is changing, or has set it aside; ask again";
}

static int ext4_walk(const MapSection *on, const RangeSet *ranges, const MapAsker *asker, OwnerFn fn,
                     void *userdata) {
        _cleanup_ext4_ Ext4 e = EXT4_NULL;
        const char *why = NULL;
        int r;

        e.asker = asker;
        e.threads = parallel_threads();
        r = ext4_open_device(on->mount_fd, ranges, &e, &why);
        for (int i = 0; i < LOOKS && r == 0 && e.wanted.left.n > 0; i++)
                r = look(&e, &why);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                why = strerror(-r);
        else if (!why)
                why = r == 0 ? why_unknown(&e) : "this kernel has no GETFSMAP for the file system";

        if (e.found.n > 0)
                qsort(e.found.items, e.found.n, sizeof(*e.found.items), by_start);
        for (size_t i = 0; i < ranges->n; i++) {
                r = hand_out(&e.found, ranges->items[i], why, fn, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

static const char *const ext4_types[] = { "ext4", "ext3", NULL };

const MapperOps mapper_ext4 = {
        .name = "ext4",
        .fs_types = ext4_types,
        .walk = ext4_walk,
        .open = ext4_open,
        .owns = ext4_owns,
        .names = ext4_names,
};
