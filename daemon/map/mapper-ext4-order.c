/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In which order the inode tables are looked through. Inodes and the blocks of their files are handed out in
 * the same order, mostly: both move on through the file system as files are made. So of each part of the
 * tables one block is looked at, for where the first file in it has its data; and of all parts those come
 * first whose data lie next before something wanted. Such parts are cut smaller, and looked at again. What
 * has not been found then is looked for in wider and wider circles. Only the order depends on this: what is
 * mistaken here costs time and no more. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "map/mapper-ext4.h"
#include "util/vec.h"

#define COARSE_BLOCKS 128U
#define COARSE_MOST 65536U      /* of a file system that has more of them they are larger */
#define PARTS_MOST (1U << 20)
#define SAMPLE 512U             /* bytes; at least an inode, where they are not larger than this */
#define NOT_READ UINT64_MAX
#define ANY UINT32_MAX

/* What is done in each round: parts that are as near as `cut` are cut into pieces of `blocks` blocks, and
 * then those that are as near as `read` are read. */
static const struct {
        uint32_t cut, blocks, read;
} rounds[] = {
        { 0, 16, 0 }, { 1, 16, 1 }, { ANY, 64, 1 }, { ANY, 32, 1 },
        { ANY, 16, 1 }, { ANY, 4, 1 }, { 0, 0, ANY },
};
#define ROUNDS (sizeof(rounds) / sizeof(rounds[0]))

void ext4_parts_done(Ext4Parts *p) {
        vec_done(p);
}

void ext4_order_done(Ext4Order *o) {
        ext4_parts_done(&o->parts);
}

uint64_t ext4_place(const Ext4 *e, const Ext4Part *p) {
        return ext2fs_inode_table_loc(e->fs, p->group) * EXT4_BLOCK +
               (uint64_t) p->first * EXT2_INODE_SIZE(e->fs->super);
}

/* Reads the first `bytes` of the part, at most a block. False: not read. `flags`: RWF_NOWAIT, or 0. *ret:
 * where the first file there has its data; 0: there is none. */
static bool read_sample(const Ext4 *e, const Ext4Part *p, size_t bytes, int flags, uint64_t *ret) {
        const size_t size = EXT2_INODE_SIZE(e->fs->super);
        const uint32_t reserved = p->group == 0 && p->first == 0 ? EXT2_FIRST_INO(e->fs->super) - 1 : 0;
        _Alignas(struct ext2_inode_large) uint8_t block[EXT4_BLOCK];
        struct iovec iov = { .iov_base = block, .iov_len = bytes };
        uint64_t found = 0;

        if (preadv2(e->device_fd, &iov, 1, (off_t) ext4_place(e, p), flags) != (ssize_t) bytes)
                return false;
        for (size_t at = reserved * size; at + size <= bytes && found == 0; at += size)
                found = ext4_first_block((const struct ext2_inode_large *) (block + at));
        *ret = found;
        return true;
}

/* Mostly a file is among the first inodes, and the rest of the block need not be copied. Without a file that
 * tells, data tends to its group. */
static bool take_sample(const Ext4 *e, Ext4Part *p, int flags) {
        uint64_t found;

        if (!read_sample(e, p, SAMPLE, flags, &found) ||
            (found == 0 && !read_sample(e, p, EXT4_BLOCK, flags, &found)))
                return false;
        p->block = found > 0 ? found : (uint64_t) p->group * e->fs->super->s_blocks_per_group;
        return true;
}

static void announce(const Ext4 *e, const Ext4Part *p, size_t size) {
        (void) posix_fadvise(e->device_fd, (off_t) ext4_place(e, p), (off_t) size, POSIX_FADV_WILLNEED);
}

/* Of all from `from` on. What is not in memory is asked for all at once, and then waited for. */
static void take_samples(const Ext4 *e, Ext4Order *o, size_t from) {
        for (size_t i = from; i < o->parts.n; i++) {
                if (o->parts.items[i].block != NOT_READ || take_sample(e, &o->parts.items[i], RWF_NOWAIT))
                        continue;
                o->cold = true;
                announce(e, &o->parts.items[i], EXT4_BLOCK);
        }
        for (size_t i = from; i < o->parts.n; i++)
                if (o->parts.items[i].block == NOT_READ)
                        (void) take_sample(e, &o->parts.items[i], 0);
}

/* Cuts `part` into pieces of `n` inodes. What is known of its beginning is so of the first. */
static int add_parts(Ext4Parts *l, Ext4Part part, uint32_t n) {
        const uint32_t end = part.first + part.n;
        int r = 0;

        for (uint32_t at = part.first; r == 0 && at < end; at += n)
                r = vec_push(l, ((Ext4Part) { .group = part.group, .first = at,
                                             .n = end - at < n ? end - at : n,
                                             .block = at == part.first ? part.block : NOT_READ }));
        return r;
}

int ext4_order_init(const Ext4 *e, Ext4Order *ret) {
        const uint32_t count = e->fs->group_desc_count;
        const uint64_t all = (uint64_t) count * e->fs->super->s_inodes_per_group,
                       least = all / COARSE_MOST / ext4_in_block(e->fs) + 1;
        const uint32_t blocks = least > COARSE_BLOCKS ? (uint32_t) least : COARSE_BLOCKS;
        _cleanup_ext4_order_ Ext4Order o = {};
        int r = 0;

        for (uint32_t g = 0; r == 0 && g < count; g++)
                r = add_parts(&o.parts, ((Ext4Part) { .group = g, .n = ext4_inodes_used(e->fs, g),
                                             .block = NOT_READ }),
                              blocks * ext4_in_block(e->fs));
        if (r < 0)
                return r;
        take_samples(e, &o, 0);

        *ret = o;
        o = (Ext4Order) {};
        return 0;
}

static int by_block(const void *a, const void *b) {
        const Ext4Part *const *x = a, *const *y = b;

        if ((*x)->block != (*y)->block)
                return (*x)->block < (*y)->block ? -1 : 1;
        return *x < *y ? -1 : *x > *y;
}

static int by_place(const void *a, const void *b) {
        const Ext4Part *x = a, *y = b;

        if (x->group != y->group)
                return x->group < y->group ? -1 : 1;
        return x->first < y->first ? -1 : x->first > y->first;
}

int ext4_order_sort(Ext4Order *o, Ext4Part ***ret) {
        Ext4Part **sorted = calloc(o->parts.n + 1, sizeof(Ext4Part *));

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < o->parts.n; i++)
                sorted[i] = o->parts.items + i;
        if (o->parts.n > 1)
                qsort(sorted, o->parts.n, sizeof(*sorted), by_block);
        *ret = sorted;
        return 0;
}

size_t ext4_order_before(Ext4Part *const *sorted, size_t n, uint64_t block) {
        size_t low = 0, high = n;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (sorted[middle]->block <= block)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low > 0 ? low - 1 : 0;
}

/* How many parts lie between each one and the nearest that probably has something wanted, by the order of
 * their data. And where files went on at another place in the middle of a part, what is before the data of
 * the next part is the end of this one. */
static int measure(const Ext4 *e, Ext4Order *o) {
        _cleanup_free_ Ext4Part **sorted = NULL;
        const Ext4Parts *l = &o->parts;
        int r;

        r = ext4_order_sort(o, &sorted);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l->n; i++)
                l->items[i].distance = UINT32_MAX - 1;

        for (size_t i = 0; l->n > 0 && i < e->wanted.left.n; i++) {
                const uint64_t start = e->wanted.left.items[i].start / EXT4_BLOCK,
                               end = e->wanted.left.items[i].end / EXT4_BLOCK;
                size_t k = ext4_order_before(sorted, l->n, start);

                do
                        sorted[k]->distance = 0;
                while (++k < l->n && sorted[k]->block < end);
        }
        for (size_t i = 1; i < l->n; i++)
                if (sorted[i - 1]->distance < sorted[i]->distance)
                        sorted[i]->distance = sorted[i - 1]->distance + 1;
        for (size_t i = l->n; i-- > 1;)
                if (sorted[i]->distance < sorted[i - 1]->distance)
                        sorted[i - 1]->distance = sorted[i]->distance + 1;

        for (size_t i = 0; l->n > 0 && i < e->wanted.left.n; i++) {
                const uint64_t block = e->wanted.left.items[i].start / EXT4_BLOCK;
                const size_t k = ext4_order_before(sorted, l->n, block) + 1;

                if (k < l->n && sorted[k] > l->items && sorted[k][-1].distance > 1)
                        sorted[k][-1].distance = 1;
        }
        return 0;
}

/* Cuts the probable ones smaller, if they are not yet. *ret: were there any? */
static int refine(const Ext4 *e, Ext4Order *o, bool *ret) {
        const uint32_t inodes = rounds[o->round].blocks * ext4_in_block(e->fs), cut = rounds[o->round].cut;
        const size_t n = o->parts.n;
        size_t kept = 0;

        for (size_t i = 0; inodes > 0 && i < n; i++) {
                const Ext4Part p = o->parts.items[i];
                int r;

                if (p.distance > cut || p.done || p.n <= inodes || o->parts.n + p.n / inodes > PARTS_MOST)
                        continue;
                r = add_parts(&o->parts, p, inodes);
                if (r < 0)
                        return r;
                o->parts.items[i].n = 0;
        }
        *ret = o->parts.n > n;
        if (!*ret)
                return 0;

        take_samples(e, o, n);
        for (size_t i = 0; i < o->parts.n; i++)
                if (o->parts.items[i].n > 0)
                        o->parts.items[kept++] = o->parts.items[i];
        o->parts.n = kept;
        qsort(o->parts.items, kept, sizeof(*o->parts.items), by_place);
        return 0;
}

static int take_near(Ext4Order *o, Ext4Parts *ret) {
        for (size_t i = 0; i < o->parts.n; i++) {
                Ext4Part *p = o->parts.items + i;
                int r;

                if (p->done || p->distance > rounds[o->round].read)
                        continue;
                r = vec_push(ret, *p);
                if (r < 0)
                        return r;
                p->done = true;
        }
        return 0;
}

bool ext4_order_is_last(const Ext4Order *o) {
        return o->round + 1 >= ROUNDS;
}

int ext4_order_next(const Ext4 *e, Ext4Order *o, Ext4Parts *ret) {
        _cleanup_ext4_parts_ Ext4Parts found = {};

        for (; found.n == 0 && o->round < ROUNDS; o->round++) {
                bool refined = true;
                int r;

                r = measure(e, o);
                while (r == 0 && refined) {
                        r = refine(e, o, &refined);
                        if (r == 0 && refined)
                                r = measure(e, o);
                }
                if (r == 0)
                        r = take_near(o, &found);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; o->cold && i < found.n; i++)
                announce(e, &found.items[i], (size_t) found.items[i].n * EXT2_INODE_SIZE(e->fs->super));

        *ret = found;
        found = (Ext4Parts) {};
        return 0;
}
