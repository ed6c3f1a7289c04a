/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an inode shows by itself, as it stands in its table. Nearly all that are seen have nothing to do with
 * the question, and are turned away here without another read. */

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include "map/mapper-ext4.h"
#include "util/vec.h"

void ext4_inodes_done(Ext4Inodes *l) {
        vec_done(l);
}

int ext4_inodes_add(Ext4Inodes *l, ext2_filsys fs, uint32_t number, const struct ext2_inode_large *raw) {
        const size_t size = EXT2_INODE_SIZE(fs->super);
        Ext4Inode i = { .number = number };

        memcpy(&i.inode, raw, size < sizeof(i.inode) ? size : sizeof(i.inode));
#if __BYTE_ORDER == __BIG_ENDIAN
        ext2fs_swap_inode_full(fs, &i.inode, &i.inode, 0, sizeof(i.inode));
#endif
        return vec_push(l, i);
}

uint64_t ext4_first_block(const struct ext2_inode_large *raw) {
        const struct ext3_extent_header *h = (const struct ext3_extent_header *) raw->i_block;
        const struct ext3_extent *x = (const struct ext3_extent *) (h + 1);
        const struct ext3_extent_idx *i = (const struct ext3_extent_idx *) (h + 1);
        const uint32_t flags = ext2fs_le32_to_cpu(raw->i_flags);

        if (!S_ISREG(ext2fs_le16_to_cpu(raw->i_mode)) || (flags & EXT4_INLINE_DATA_FL))
                return 0;
        if (!(flags & EXT4_EXTENTS_FL))
                return ext2fs_le32_to_cpu(raw->i_block[0]);
        if (h->eh_entries == 0)
                return 0;
        if (h->eh_depth != 0)
                return (uint64_t) ext2fs_le16_to_cpu(i->ei_leaf_hi) << 32 | ext2fs_le32_to_cpu(i->ei_leaf);
        return (uint64_t) ext2fs_le16_to_cpu(x->ee_start_hi) << 32 | ext2fs_le32_to_cpu(x->ee_start);
}

static bool wants_block(const Ext4 *e, uint64_t block, uint64_t n) {
        const Range r = { block * EXT4_BLOCK, (block + n) * EXT4_BLOCK };

        return n > 0 && wanted_overlaps(&e->wanted, r);
}

static bool may_have_extents(const Ext4 *e, const struct ext2_inode_large *raw) {
        const struct ext3_extent_header *h = (const struct ext3_extent_header *) raw->i_block;
        const struct ext3_extent *x = (const struct ext3_extent *) (h + 1);
        const size_t most = (sizeof(raw->i_block) - sizeof(*h)) / sizeof(*x),
                     n = ext2fs_le16_to_cpu(h->eh_entries);

        if (h->eh_depth != 0)
                return true;
        for (size_t i = 0; i < n && i < most; i++) {
                const uint64_t start = (uint64_t) ext2fs_le16_to_cpu(x[i].ee_start_hi) << 32 |
                                       ext2fs_le32_to_cpu(x[i].ee_start);
                uint32_t length = ext2fs_le16_to_cpu(x[i].ee_len);

                if (length > EXT_INIT_MAX_LEN)
                        length -= EXT_INIT_MAX_LEN;
                if (wants_block(e, start, length))
                        return true;
        }
        return false;
}

static bool may_have_blocks(const Ext4 *e, const struct ext2_inode_large *raw) {
        for (size_t i = 0; i < EXT2_NDIR_BLOCKS; i++)
                if (wants_block(e, ext2fs_le32_to_cpu(raw->i_block[i]), raw->i_block[i] != 0))
                        return true;
        return raw->i_block[EXT2_IND_BLOCK] || raw->i_block[EXT2_DIND_BLOCK] ||
               raw->i_block[EXT2_TIND_BLOCK];
}

bool ext4_may_have(const Ext4 *e, const struct ext2_inode_large *raw) {
        const uint32_t flags = ext2fs_le32_to_cpu(raw->i_flags);
        uint64_t attributes = ext2fs_le32_to_cpu(raw->i_file_acl);

        if (raw->i_blocks == 0 && raw->osd2.linux2.l_i_blocks_hi == 0)
                return false;
        if (ext2fs_has_feature_64bit(e->fs->super))
                attributes |= (uint64_t) ext2fs_le16_to_cpu(raw->osd2.linux2.l_i_file_acl_high) << 32;
        if (wants_block(e, attributes, attributes != 0))
                return true;
        if (flags & EXT4_INLINE_DATA_FL)
                return false;
        return flags & EXT4_EXTENTS_FL ? may_have_extents(e, raw) : may_have_blocks(e, raw);
}
