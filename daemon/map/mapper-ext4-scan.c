/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The look through the inode tables for who has what is wanted. ext4 gives a file blocks near its inode
 * (ext4_inode_to_goal_block(): in the same flex group), so the tables of the groups nearest to a range are
 * read first. Most inodes are turned away by what stands in them; only those with more extents than an
 * inode holds cost a read. */

#include <errno.h>
#include <stdlib.h>

#include "map/mapper-ext4.h"
#include "util/vec.h"

static bool wants_block(const Ext4 *e, uint64_t block, uint64_t n) {
        const Range r = { block * EXT4_BLOCK, (block + n) * EXT4_BLOCK };

        return n > 0 && wanted_overlaps(&e->wanted, r);
}

/* Could it have something that is wanted? False only where the inode itself shows that it has not. */
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

static bool may_have(const Ext4 *e, const struct ext2_inode_large *raw) {
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

typedef struct Gather {
        const Ext4 *e;
        Claims claims;
} Gather;

static void gather_done(Gather *g) {
        vec_done(&g->claims);
}

static int gather(const Claim *c, void *userdata) {
        Gather *g = userdata;

        return wanted_overlaps(&g->e->wanted, c->range) ? vec_push(&g->claims, *c) : 0;
}

static int ask_inode(Ext4 *e, uint32_t number) {
        _cleanup_(gather_done) Gather g = { .e = e };
        struct ext2_inode_large inode;
        int r;

        r = ext4_read_inode(e->fs, number, &inode);
        if (r == 0)
                r = ext4_claims(e->fs, number, &inode, gather, &g);
        if (r == -EIO)
                e->unreadable = true;
        else if (r < 0)
                return r;
        return g.claims.n > 0 ? ext4_settle(e, number, &inode, &g.claims) : 0;
}

static int look_at_inode(uint32_t number, const struct ext2_inode_large *raw, void *userdata) {
        Ext4 *e = userdata;
        int r;

        if (!may_have(e, raw))
                return 0;
        r = ask_inode(e, number);
        return r < 0 ? r : e->wanted.left.n == 0;
}

/* The journal is a file like any other, but one that is asked for often and has a known inode. */
static int scan_journal(Ext4 *e) {
        struct ext2_super_block *super = e->fs->super;

        if (!ext2fs_has_feature_journal(super) || super->s_journal_inum == 0)
                return 0;
        return ask_inode(e, super->s_journal_inum);
}

int ext4_scan(Ext4 *e) {
        _cleanup_ext4_tables_ Ext4Tables t = { .e = e };
        _cleanup_free_ uint32_t *groups = NULL;
        int r;

        r = ext4_order_groups(e, &groups);
        if (r == 0)
                r = scan_journal(e);
        for (size_t i = 0; r == 0 && i < e->fs->group_desc_count && e->wanted.left.n > 0; i++)
                r = ext4_read_table(&t, groups[i], look_at_inode, e);
        return r < 0 ? r : 0;
}
