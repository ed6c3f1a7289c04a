/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Inode tables, group by group. Of a table only the part that was ever used is read, in large pieces, and of
 * these only those in which the bitmap has an inode. A block that cannot be read costs its own inodes. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "map/mapper-ext4.h"

#define PIECE_BLOCKS 64U        /* at once: no more than stays in the processor's cache */

void ext4_tables_done(Ext4Tables *t) {
        free(t->bitmap);
        free(t->piece);
}

static int read_blocks(ext2_filsys fs, uint64_t block, uint32_t n, void *buffer) {
        return io_channel_read_blk64(fs->io, block, (int) n, buffer) == 0 ? 0 : -EIO;
}

static int visit(const Ext4Tables *t, uint32_t group, uint32_t first, uint32_t n, InodeFn fn,
                 void *userdata) {
        struct ext2_super_block *super = t->e->fs->super;
        const size_t size = EXT2_INODE_SIZE(super);
        const uint32_t base = group * super->s_inodes_per_group + 1;

        for (uint32_t i = 0; i < n; i++) {
                const void *raw = t->piece + i * size;
                int r;

                if (!ext2fs_test_bit((int) (first + i), t->bitmap))
                        continue;
                r = fn(base + first + i, raw, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* `n` inodes from `first` on. What cannot be read in one piece is read block by block. */
static int read_piece(Ext4Tables *t, uint32_t group, uint32_t first, uint32_t n, InodeFn fn,
                      void *userdata) {
        ext2_filsys fs = t->e->fs;
        const uint32_t in_block = ext4_in_block(fs),
                       blocks = (n + in_block - 1) / in_block;
        const uint64_t block = ext2fs_inode_table_loc(fs, group) + first / in_block;

        if (read_blocks(fs, block, blocks, t->piece) == 0)
                return visit(t, group, first, n, fn, userdata);

        for (uint32_t b = 0; b < blocks; b++) {
                const uint32_t at = b * in_block, left = n - at;
                int r;

                if (read_blocks(fs, block + b, 1, t->piece) < 0) {
                        t->e->unreadable = true;
                        continue;
                }
                r = visit(t, group, first + at, left < in_block ? left : in_block, fn, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

uint32_t ext4_inodes_used(ext2_filsys fs, uint32_t group) {
        const uint32_t all = fs->super->s_inodes_per_group;
        uint32_t unused;

        if (!ext2fs_has_group_desc_csum(fs))
                return all;
        if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT))
                return 0;
        unused = ext2fs_bg_itable_unused(fs, group);
        return unused <= all ? all - unused : all;
}

static bool any_used(const uint8_t *bitmap, uint32_t first, uint32_t n) {
        for (uint32_t i = first; i < first + n; i++)
                if (ext2fs_test_bit((int) i, bitmap))
                        return true;
        return false;
}

static int prepare(Ext4Tables *t, uint32_t group) {
        ext2_filsys fs = t->e->fs;

        if (t->bitmap && t->group == group)
                return 0;
        if (!t->bitmap)
                t->bitmap = malloc(EXT4_BLOCK);
        if (!t->piece)
                t->piece = malloc(PIECE_BLOCKS * EXT4_BLOCK);
        if (!t->bitmap || !t->piece)
                return -ENOMEM;

        if (read_blocks(fs, ext2fs_inode_bitmap_loc(fs, group), 1, t->bitmap) < 0)
                memset(t->bitmap, 0xff, EXT4_BLOCK);
        t->group = group;
        return 0;
}

/* What is going to be read next is fetched meanwhile. */
static void announce(const Ext4Tables *t, uint32_t group, uint32_t first, uint32_t n) {
        const size_t size = EXT2_INODE_SIZE(t->e->fs->super);

        (void) posix_fadvise(t->e->device_fd,
                             (off_t) (ext2fs_inode_table_loc(t->e->fs, group) * EXT4_BLOCK + first * size),
                             (off_t) (n * size), POSIX_FADV_WILLNEED);
}

int ext4_read_inodes(Ext4Tables *t, uint32_t group, uint32_t first, uint32_t n, InodeFn fn, void *userdata) {
        const uint32_t in_block = ext4_in_block(t->e->fs),
                       step = PIECE_BLOCKS * in_block;
        int r;

        assert(first % in_block == 0);

        r = prepare(t, group);
        if (r == 0 && n > step)
                announce(t, group, first, n);
        for (uint32_t at = 0; r == 0 && at < n; at += step) {
                const uint32_t piece = n - at < step ? n - at : step;

                if (any_used(t->bitmap, first + at, piece))
                        r = read_piece(t, group, first + at, piece, fn, userdata);
        }
        return r;
}

int ext4_read_table(Ext4Tables *t, uint32_t group, InodeFn fn, void *userdata) {
        const uint32_t used = ext4_inodes_used(t->e->fs, group);

        return used == 0 ? 0 : ext4_read_inodes(t, group, 0, used, fn, userdata);
}
