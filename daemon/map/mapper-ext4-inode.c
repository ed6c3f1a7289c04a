/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one inode claims: its blocks by extent tree or by indirect blocks, the blocks of that map itself, and
 * its block of extended attributes. What may be corrupt, or half-way changed by the kernel, ends the look
 * at this inode and nothing else. */

#include <errno.h>
#include <string.h>

#include "map/mapper-ext4.h"

/* A claim of `blocks` blocks from `block` on, if there can be such blocks. */
static int claim(ext2_filsys fs, ClaimKind kind, uint64_t block, uint64_t blocks, uint64_t at, ClaimFn fn,
                 void *userdata) {
        const uint64_t count = ext2fs_blocks_count(fs->super);
        Claim c = { .kind = kind, .offset = at * EXT4_BLOCK };

        if (blocks == 0 || block == 0 || block >= count || blocks > count - block)
                return 0;
        c.range = (Range) { block * EXT4_BLOCK, (block + blocks) * EXT4_BLOCK };
        return fn(&c, userdata);
}

static void extents_free(ext2_extent_handle_t *h) {
        if (*h)
                ext2fs_extent_free(*h);
}

/* No tree of `inode` has more entries than it has blocks; each is passed twice at most. This ends a walk in
 * a tree that leads back into itself. */
static uint64_t most_steps(ext2_filsys fs, struct ext2_inode_large *inode) {
        return 4 * ext2fs_inode_i_blocks(fs, (struct ext2_inode *) inode) + 64;
}

static int claim_extents(ext2_filsys fs, uint32_t number, struct ext2_inode_large *inode, ClaimFn fn,
                         void *userdata) {
        _cleanup_(extents_free) ext2_extent_handle_t h = NULL;
        int how = EXT2_EXTENT_ROOT, result = 0, r;
        struct ext2fs_extent x;

        if (ext2fs_extent_open2(fs, number, (struct ext2_inode *) inode, &h) != 0)
                return -EIO;

        for (uint64_t steps = most_steps(fs, inode); steps > 0; steps--) {
                const errcode_t error = ext2fs_extent_get(h, how, &x);

                if (error == EXT2_ET_EXTENT_NO_NEXT)
                        return result;
                if (error == EXT2_ET_NO_MEMORY)
                        return -ENOMEM;
                if (error != 0 && how == EXT2_EXTENT_NEXT) {
                        /* The block of the tree that it came to last cannot be read: on with the next. */
                        result = -EIO;
                        how = EXT2_EXTENT_NEXT_SIB;
                        continue;
                }
                if (error != 0)
                        return -EIO;

                how = EXT2_EXTENT_NEXT;
                if (x.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT)
                        continue;
                if (x.e_flags & EXT2_EXTENT_FLAGS_LEAF)
                        r = claim(fs, CLAIM_DATA, x.e_pblk, x.e_len, x.e_lblk, fn, userdata);
                else
                        r = claim(fs, CLAIM_MAP, x.e_pblk, 1, 0, fn, userdata);
                if (r != 0)
                        return r;
        }
        return -EIO;
}

typedef struct Indirect {
        ClaimFn fn;
        void *userdata;
        int result;
} Indirect;

static int indirect_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t at, blk64_t ref_block, int ref_offset,
                          void *userdata) {
        Indirect *i = userdata;

        i->result = claim(fs, at < 0 ? CLAIM_MAP : CLAIM_DATA, *block, 1, at < 0 ? 0 : (uint64_t) at, i->fn,
                          i->userdata);
        return i->result != 0 ? BLOCK_ABORT : 0;
}

static int claim_indirect(ext2_filsys fs, uint32_t number, ClaimFn fn, void *userdata) {
        Indirect i = { .fn = fn, .userdata = userdata };
        errcode_t error;

        (void) ext2fs_flush_icache(fs);         /* it reads the inode by itself */
        error = ext2fs_block_iterate3(fs, number, BLOCK_FLAG_READ_ONLY, NULL, indirect_block, &i);
        if (i.result != 0)
                return i.result;
        return error == EXT2_ET_NO_MEMORY ? -ENOMEM : error != 0 ? -EIO : 0;
}

/* The data of a short symbolic link stands where the map of others is, and so does that of a small file. */
static bool has_map(ext2_filsys fs, uint32_t number, struct ext2_inode_large *inode) {
        if (number == EXT2_BAD_INO) /* has no type */
                return true;
        return !(inode->i_flags & EXT4_INLINE_DATA_FL) &&
               ext2fs_inode_has_valid_blocks2(fs, (struct ext2_inode *) inode);
}

int ext4_claims(ext2_filsys fs, uint32_t number, const struct ext2_inode_large *inode, ClaimFn fn,
                void *userdata) {
        struct ext2_inode_large copy = *inode;
        int r;

        r = claim(fs, CLAIM_ATTRIBUTES, ext2fs_file_acl_block(fs, (struct ext2_inode *) &copy), 1, 0, fn,
                  userdata);
        if (r != 0 || !has_map(fs, number, &copy))
                return r;
        return copy.i_flags & EXT4_EXTENTS_FL ? claim_extents(fs, number, &copy, fn, userdata)
                                              : claim_indirect(fs, number, fn, userdata);
}

int ext4_read_inode(ext2_filsys fs, uint32_t number, struct ext2_inode_large *ret) {
        struct ext2_inode_large inode = {};

        (void) ext2fs_flush_icache(fs);
        if (ext2fs_read_inode_full(fs, number, (struct ext2_inode *) &inode, sizeof(inode)) != 0)
                return -EIO;
        *ret = inode;
        return 0;
}
