/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The look through the inode tables for who has what is wanted, the likely parts first. Most inodes are
 * turned away by what stands in them; only those with more extents than an inode holds cost a read. */

#include <errno.h>
#include <stdlib.h>

#include "map/mapper-ext4.h"
#include "util/parallel.h"
#include "util/vec.h"

#define PARTS 1024U             /* read before it is seen whether all has been found */
#define FEW_PARTS 8U            /* fewer are not worth a thread */

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
        Claims *claims;
} Gather;

static int gather(const Claim *c, void *userdata) {
        Gather *g = userdata;

        return wanted_overlaps(&g->e->wanted, c->range) ? vec_push(g->claims, *c) : 0;
}

/* An inode that claims something wanted. */
typedef struct Candidate {
        uint32_t number;
        struct ext2_inode_large inode;
        Claims claims;
} Candidate;

typedef struct Candidates {
        Ext4 *e;
        Candidate *items;
        size_t n, allocated;
} Candidates;

static void candidates_clear(Candidates *c) {
        for (size_t i = 0; i < c->n; i++)
                vec_done(&c->items[i].claims);
        c->n = 0;
}

static void candidates_done(Candidates *c) {
        candidates_clear(c);
        vec_done(c);
}
#define _cleanup_candidates_ _cleanup_(candidates_done)

static int add_candidate(Candidates *l, uint32_t number) {
        Candidate c = { .number = number };
        Gather g = { .e = l->e, .claims = &c.claims };
        int r;

        r = ext4_read_inode(l->e->fs, number, &c.inode);
        if (r == 0)
                r = ext4_claims(l->e->fs, number, &c.inode, gather, &g);
        if (r == -EIO) {
                l->e->unreadable = true;
                r = 0;
        }
        if (r == 0 && c.claims.n > 0) {
                r = vec_push(l, c);
                if (r == 0)
                        return 0;
        }
        vec_done(&c.claims);
        return r;
}

static int settle_data(unsigned thread, size_t i, void *userdata) {
        Candidates *l = userdata;
        Candidate *c = l->items + i;

        return ext4_settle_data(l->e, c->number, &c->inode, &c->claims);
}

/* Files are asked by several threads; of metadata the library looks at the inode again, which can do one
 * thing at a time. */
static int settle(Candidates *l) {
        int r;

        r = parallel_for(l->e->threads, l->n, settle_data, l);
        for (size_t i = 0; r == 0 && i < l->n; i++)
                r = ext4_settle_metadata(l->e, l->items[i].number, &l->items[i].inode,
                                         &l->items[i].claims);
        candidates_clear(l);
        return r;
}

/* The journal is a file like any other, but one that is asked for often and has a known inode. */
static int scan_journal(Candidates *l) {
        struct ext2_super_block *super = l->e->fs->super;
        int r;

        if (!ext2fs_has_feature_journal(super) || super->s_journal_inum == 0)
                return 0;
        r = add_candidate(l, super->s_journal_inum);
        return r < 0 ? r : settle(l);
}

typedef struct Numbers {
        uint32_t *items;
        size_t n, allocated;
} Numbers;

/* The tables, read by several threads. None of them calls the library, or changes what is wanted. */
typedef struct Readers {
        Ext4 *e;
        const Ext4Part *parts;
        Ext4Tables tables[PARALLEL_MAX];
        Numbers found[PARALLEL_MAX];    /* inodes that may have something wanted */
} Readers;

static void readers_done(Readers *l) {
        for (size_t i = 0; i < PARALLEL_MAX; i++) {
                ext4_tables_done(&l->tables[i]);
                vec_done(&l->found[i]);
        }
}
#define _cleanup_readers_ _cleanup_(readers_done)

typedef struct Reader {
        const Ext4 *e;
        Numbers *found;
} Reader;

static int look_at_inode(uint32_t number, const struct ext2_inode_large *raw, void *userdata) {
        Reader *r = userdata;

        return may_have(r->e, raw) ? vec_push(r->found, number) : 0;
}

static int read_part(unsigned thread, size_t i, void *userdata) {
        Readers *l = userdata;
        const Ext4Part *p = &l->parts[i];
        Reader r = { .e = l->e, .found = &l->found[thread] };

        l->tables[thread].e = l->e;
        return ext4_read_inodes(&l->tables[thread], p->group, p->first, p->n, look_at_inode, &r);
}

static int read_parts(Readers *l, const Ext4Part *parts, size_t n, Candidates *ret) {
        int r;

        l->parts = parts;
        r = parallel_for(n < FEW_PARTS ? 1 : l->e->threads, n, read_part, l);
        for (size_t k = 0; k < PARALLEL_MAX; k++) {
                for (size_t i = 0; r == 0 && i < l->found[k].n; i++)
                        r = add_candidate(ret, l->found[k].items[i]);
                l->found[k].n = 0;
        }
        return r;
}

/* One round. Where it has many parts, it is stopped as soon as all has been found. */
static int scan_parts(Readers *l, const Ext4Parts *parts, Candidates *candidates) {
        Ext4 *e = l->e;
        int r = 0;

        for (size_t i = 0; r == 0 && i < parts->n && e->wanted.left.n > 0; i += PARTS) {
                r = read_parts(l, parts->items + i, parts->n - i < PARTS ? parts->n - i : PARTS, candidates);
                if (r == 0)
                        r = settle(candidates);
                map_asker_tell(e->asker);
        }
        return r;
}

int ext4_scan(Ext4 *e) {
        _cleanup_ext4_order_ Ext4Order order = {};
        _cleanup_readers_ Readers readers = { .e = e };
        _cleanup_candidates_ Candidates l = { .e = e };
        int r;

        r = scan_journal(&l);
        if (r == 0 && e->wanted.left.n > 0)
                r = ext4_order_init(e, &order);
        while (r == 0 && e->wanted.left.n > 0) {
                _cleanup_ext4_parts_ Ext4Parts parts = {};

                r = ext4_order_next(e, &order, &parts);
                if (r == 0 && parts.n == 0)
                        break;
                if (r == 0)
                        r = scan_parts(&readers, &parts, &l);
        }
        return r;
}
