/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A search in the inode tables as in a telephone book. Within a part of a table the files mostly have their
 * data in the order of their inodes; so the place of an inode follows from where its data are, nearly: that
 * block of the table is looked at, and the rest is halved. A range of a file costs two or three reads of one
 * block, where a look at all that is near would read hundreds. What is not in that order is not found, and
 * left to that look.
 *
 * All ranges take their next step together: what is not in memory is asked for all at once. Of many that
 * are probably in one part, two go first: a file may have them all, and where these two are not found, the
 * others are not either. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "map/mapper-ext4.h"
#include "util/parallel.h"
#include "util/vec.h"

#define STEPS 16
#define FEW 32U         /* fewer are not worth a thread */

typedef struct Guess {
        uint64_t block;                 /* that is wanted */
        const Ext4Part *part;           /* of an inode table */
        uint32_t low, high;             /* in [low, high) of the blocks of it */
        uint64_t low_data, high_data;   /* where files have their data there, and behind it */
        uint32_t at;                    /* the one that is looked at next */
        bool seen;                      /* `low` has been */
        bool waits;                     /* `at` is not in memory */
        bool done;
        Range file;                     /* blocks of the file that probably has it; empty: not found */
} Guess;

typedef struct Guesses {
        const Ext4 *e;
        Guess *items;
        size_t n, allocated;
        unsigned step;
        int flags;                              /* preadv2(2) */
        Ext4Inodes found[PARALLEL_MAX];        /* by thread */
} Guesses;

static void guesses_done(Guesses *l) {
        for (size_t i = 0; i < PARALLEL_MAX; i++)
                ext4_inodes_done(&l->found[i]);
        vec_done(l);
}

static Ext4Part block_of(const Ext4 *e, const Guess *g) {
        return (Ext4Part) { .group = g->part->group,
                            .first = g->part->first + g->at * ext4_in_block(e->fs) };
}

/* Turn and turn about: where it would be if all files were alike, and the middle. */
static void choose(Guess *g, unsigned step) {
        const uint64_t n = g->high - g->low, data = g->high_data - g->low_data;
        uint64_t at = n / 2;

        if (step % 2 == 0 && data > 0 && g->block - g->low_data < data)
                at = (uint64_t) ((double) n * (double) (g->block - g->low_data) / (double) data);
        if (at == 0 && g->seen)
                at = 1;
        g->at = g->low + (uint32_t) (at < n ? at : n - 1);
}

static void narrow(Guess *g, uint64_t data) {
        if (data != 0 && data >= g->low_data && data <= g->block) {
                g->low = g->at;
                g->low_data = data;
                g->seen = true;
        } else {
                g->high = g->at;
                if (data > g->block)
                        g->high_data = data;
        }
        g->done = g->high <= g->low || (g->high - g->low == 1 && g->seen);
}

/* The blocks that the file has, if they follow each other. */
static Range blocks_of(const struct ext2_inode_large *raw) {
        const uint64_t first = ext4_first_block(raw);

        return (Range) { first, first + ext2fs_le32_to_cpu(raw->i_blocks) / (EXT4_BLOCK / 512) };
}

static bool has_block(Range blocks, uint64_t block) {
        return blocks.start != 0 && block >= blocks.start && block < blocks.end;
}

static int look_at(Guesses *l, Guess *g, const uint8_t *block, Ext4Inodes *found) {
        const Ext4Part p = block_of(l->e, g);
        const struct ext2_super_block *super = l->e->fs->super;
        const size_t size = EXT2_INODE_SIZE(super);
        const uint32_t number = p.group * super->s_inodes_per_group + p.first + 1;
        uint64_t data = 0;

        for (uint32_t i = 0; i < ext4_in_block(l->e->fs) && p.first + i < super->s_inodes_per_group; i++) {
                const struct ext2_inode_large *raw = (const struct ext2_inode_large *) (block + i * size);
                int r;

                if (number + i < EXT2_FIRST_INO(super))
                        continue;
                if (data == 0)
                        data = ext4_first_block(raw);
                if (!ext4_may_have(l->e, raw))
                        continue;
                r = ext4_inodes_add(found, l->e->fs, number + i, raw);
                if (r < 0)
                        return r;
                if (has_block(blocks_of(raw), g->block))
                        g->file = blocks_of(raw);
        }
        narrow(g, data);
        g->done = g->done || g->file.start != 0;
        return 0;
}

static int step(unsigned thread, size_t i, void *userdata) {
        Guesses *l = userdata;
        Guess *g = l->items + i;
        _Alignas(struct ext2_inode_large) uint8_t block[EXT4_BLOCK];
        struct iovec iov = { .iov_base = block, .iov_len = sizeof(block) };
        Ext4Part p;

        if (g->done || (l->flags == 0 && !g->waits))
                return 0;
        if (!g->waits)
                choose(g, l->step);
        p = block_of(l->e, g);
        if (preadv2(l->e->device_fd, &iov, 1, (off_t) ext4_place(l->e, &p), l->flags) ==
            (ssize_t) sizeof(block)) {
                g->waits = false;
                return look_at(l, g, block, &l->found[thread]);
        }

        g->done = g->waits; /* it cannot be read */
        g->waits = !g->done;
        if (g->waits)
                (void) posix_fadvise(l->e->device_fd, (off_t) ext4_place(l->e, &p), EXT4_BLOCK,
                                     POSIX_FADV_WILLNEED);
        return 0;
}

static int by_number(const void *a, const void *b) {
        const Ext4Inode *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

static int collect(Guesses *l, Ext4Inodes *ret) {
        Ext4Inodes all = {};
        size_t kept = 0;
        int r = 0;

        for (size_t k = 0; k < PARALLEL_MAX; k++)
                for (size_t i = 0; r == 0 && i < l->found[k].n; i++)
                        r = vec_push(&all, l->found[k].items[i]);
        if (r < 0) {
                ext4_inodes_done(&all);
                return r;
        }
        if (all.n > 1)
                qsort(all.items, all.n, sizeof(*all.items), by_number);
        for (size_t i = 0; i < all.n; i++)
                if (i == 0 || all.items[i].number != all.items[kept - 1].number)
                        all.items[kept++] = all.items[i];
        all.n = kept;
        *ret = all;
        return 0;
}

/* One for each range that lies where some part probably has its data. */
static int begin(Guesses *l, Ext4Order *o) {
        const Ext4 *e = l->e;
        _cleanup_free_ Ext4Part **sorted = NULL;
        int r;

        r = ext4_order_sort(o, &sorted);
        for (size_t i = 0; r == 0 && o->parts.n > 0 && i < e->wanted.left.n; i++) {
                const uint64_t block = e->wanted.left.items[i].start / EXT4_BLOCK;
                const size_t k = ext4_order_before(sorted, o->parts.n, block);
                const Ext4Part *p = sorted[k];

                if (p->block > block)
                        continue;
                r = vec_push(l, ((Guess) {
                        .block = block,
                        .part = p,
                        .high = (p->n + ext4_in_block(e->fs) - 1) / ext4_in_block(e->fs),
                        .low_data = p->block,
                        .high_data = k + 1 < o->parts.n ? sorted[k + 1]->block
                                                        : ext2fs_blocks_count(e->fs->super),
                }));
        }
        return r;
}

/* Until all have come to their ends, or nearly. */
static int search(Guesses *l, size_t left) {
        int r = 0;

        for (l->step = 0; r == 0 && l->step < STEPS && left > 0; l->step++) {
                const unsigned threads = left < FEW ? 1 : l->e->threads;

                l->flags = RWF_NOWAIT;
                r = parallel_for(threads, l->n, step, l);
                l->flags = 0;
                if (r == 0)
                        r = parallel_for(threads, l->n, step, l);
                left = 0;
                for (size_t i = 0; i < l->n; i++)
                        left += !l->items[i].done;
        }
        return r;
}

/* [i, end): those in the same part, which are in the order of their blocks. */
static size_t end_of_part(const Guesses *l, size_t i) {
        size_t end = i + 1;

        while (end < l->n && l->items[end].part == l->items[i].part)
                end++;
        return end;
}

/* The first and the last of each part. How many there are. */
static size_t choose_first(Guesses *l) {
        size_t n = 0;

        for (size_t i = 0, end; i < l->n; i = end) {
                end = end_of_part(l, i);
                for (size_t k = i; k < end; k++) {
                        l->items[k].done = k != i && k + 1 != end;
                        n += !l->items[k].done;
                }
        }
        return n;
}

/* The others, where those were found. */
static size_t choose_others(Guesses *l) {
        size_t n = 0;

        for (size_t i = 0, end; i < l->n; i = end) {
                const Range first = l->items[i].file;
                Range last;

                end = end_of_part(l, i);
                last = l->items[end - 1].file;
                for (size_t k = i; k < end; k++) {
                        Guess *g = l->items + k;

                        g->done = k == i || k + 1 == end || (first.start == 0 && last.start == 0) ||
                                  has_block(first, g->block) || has_block(last, g->block);
                        n += !g->done;
                }
        }
        return n;
}

int ext4_guess(const Ext4 *e, Ext4Order *o, Ext4Inodes *ret) {
        _cleanup_(guesses_done) Guesses l = { .e = e };
        int r;

        r = begin(&l, o);
        if (r == 0)
                r = search(&l, choose_first(&l));
        if (r == 0)
                r = search(&l, choose_others(&l));
        return r < 0 ? r : collect(&l, ret);
}
