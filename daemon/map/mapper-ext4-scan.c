/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The look through the inode tables for who has what is wanted, the likely parts first. Most inodes are
 * turned away by what stands in them; only those with more extents than an inode holds cost a read. */

#include <errno.h>
#include <stdlib.h>

#include "map/mapper-ext4.h"
#include "util/parallel.h"
#include "util/vec.h"

#define PARTS 256U             /* read before it is seen whether all has been found */
#define FEW_PARTS 8U            /* fewer are not worth a thread */

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

static int add_candidate(Candidates *l, uint32_t number, const struct ext2_inode_large *inode) {
        Candidate c = { .number = number, .inode = *inode };
        Gather g = { .e = l->e, .claims = &c.claims };
        int r;

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

static int add_inodes(Candidates *l, const Ext4Inodes *inodes) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < inodes->n; i++)
                r = add_candidate(l, inodes->items[i].number, &inodes->items[i].inode);
        return r;
}

static int add_number(Candidates *l, uint32_t number) {
        struct ext2_inode_large inode;

        if (ext4_read_inode(l->e->fs, number, &inode) == 0)
                return add_candidate(l, number, &inode);
        l->e->unreadable = true;
        return 0;
}

/* The journal is a file like any other, but one that is asked for often and has a known inode. */
static int scan_journal(Candidates *l) {
        struct ext2_super_block *super = l->e->fs->super;
        int r;

        if (!ext2fs_has_feature_journal(super) || super->s_journal_inum == 0)
                return 0;
        r = add_number(l, super->s_journal_inum);
        return r < 0 ? r : settle(l);
}

/* The inodes of the file system itself. One of them has a map of a thousand blocks, all in fixed places, and
 * hardly ever anything that is wanted: they are left out where it is about the likely. */
static int scan_reserved(Candidates *l) {
        const uint32_t end = EXT2_FIRST_INO(l->e->fs->super);
        int r = 0;

        for (uint32_t i = 1; r == 0 && i < end; i++)
                r = add_number(l, i);
        return r < 0 ? r : settle(l);
}

/* The tables, read by several threads. None of them calls the library, or changes what is wanted. */
typedef struct Readers {
        Ext4 *e;
        const Ext4Part *parts;
        Ext4Tables tables[PARALLEL_MAX];
        Ext4Inodes found[PARALLEL_MAX];         /* that may have something wanted */
} Readers;

static void readers_done(Readers *l) {
        for (size_t i = 0; i < PARALLEL_MAX; i++) {
                ext4_tables_done(&l->tables[i]);
                ext4_inodes_done(&l->found[i]);
        }
}
#define _cleanup_readers_ _cleanup_(readers_done)

typedef struct Reader {
        const Ext4 *e;
        Ext4Inodes *found;
} Reader;

static int look_at_inode(uint32_t number, const struct ext2_inode_large *raw, void *userdata) {
        Reader *r = userdata;

        if (number < EXT2_FIRST_INO(r->e->fs->super) || !ext4_may_have(r->e, raw))
                return 0;
        return ext4_inodes_add(r->found, r->e->fs, number, raw);
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
                if (r == 0)
                        r = add_inodes(ret, &l->found[k]);
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

/* A search for each of the ranges, in the part that probably has it. */
static int scan_guessed(Candidates *l, Ext4Order *order) {
        _cleanup_ext4_inodes_ Ext4Inodes inodes = {};
        int r;

        r = ext4_guess(l->e, order, &inodes);
        if (r == 0)
                r = add_inodes(l, &inodes);
        return r < 0 ? r : settle(l);
}

int ext4_scan(Ext4 *e) {
        _cleanup_ext4_order_ Ext4Order order = {};
        _cleanup_readers_ Readers readers = { .e = e };
        _cleanup_candidates_ Candidates l = { .e = e };
        bool reserved = false;
        int r;

        r = scan_journal(&l);
        if (r == 0 && e->wanted.left.n > 0)
                r = ext4_order_init(e, &order);
        if (r == 0 && e->wanted.left.n > 0)
                r = scan_guessed(&l, &order);
        while (r == 0 && e->wanted.left.n > 0) {
                _cleanup_ext4_parts_ Ext4Parts parts = {};

                if (ext4_order_is_last(&order) && !reserved) {
                        reserved = true;
                        r = scan_reserved(&l);
                }
                if (r == 0)
                        r = ext4_order_next(e, &order, &parts);
                if (r == 0 && parts.n == 0)
                        break;
                if (r == 0)
                        r = scan_parts(&readers, &parts, &l);
        }
        /* Of a small file system all parts may have been read before the last round. */
        if (r == 0 && e->wanted.left.n > 0 && !reserved)
                r = scan_reserved(&l);
        return r;
}
