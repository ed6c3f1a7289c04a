/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <ext2fs/ext2fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/owner.h"
#include "core/rangeset.h"
#include "map/mapper.h"
#include "util/cleanup.h"

/* Between the files of the ext4 mapper only. */

#define EXT4_BLOCK UINT64_C(4096)       /* the only block size that this mapper knows */

/* What has no owner yet. The bits are a coarse map in front of the set: nearly all extents of a file
 * system have nothing to do with the question, and are to be turned away at the price of one bit. */
#define WANTED_BITS 65536U
typedef struct Wanted {
        RangeSet left;          /* whole blocks */
        uint64_t granule;       /* bytes for one bit, of all that was wanted at first */
        uint64_t bits[WANTED_BITS / 64];
} Wanted;

/* `size`: about that of the file system. 0 or a negative errno. */
int wanted_init(Wanted *w, const RangeSet *ranges, uint64_t size);
bool wanted_overlaps(const Wanted *w, Range r);

/* One look at a file system. By one thread, but for ext4_settle_data(). */
typedef struct Ext4 {
        int mount_fd;
        int device_fd;          /* O_RDONLY, through the block device's page cache: the one in which the
                                 * mounted file system keeps its metadata, so what is read is as of now */
        ext2_filsys fs;
        Wanted wanted;
        Owners found;           /* disjoint, within what was wanted, in no order */
        pthread_mutex_t lock;   /* of wanted and found */
        const MapAsker *asker;
        unsigned threads;
        atomic_bool unreadable; /* some metadata could not be read: an owner may not have been seen */
        atomic_bool leased;     /* a file could not be asked, because somebody has a lease on it */
} Ext4;

/* How libext2fs reads a device: by a descriptor, whose number is the "name" that it opens. */
io_manager ext4_io(void);

/* Opens the device, for that question; and the file system on it, anew at each call. 0; MAP_E_UNSUPPORTED,
 * with a sentence for the operator in *ret_why (a constant); or a negative errno. */
int ext4_open_device(int mount_fd, const RangeSet *ranges, Ext4 *e, const char **ret_why);
int ext4_open_fs(Ext4 *e, const char **ret_why);
void ext4_close(Ext4 *e);
#define _cleanup_ext4_ _cleanup_(ext4_close)
#define EXT4_NULL ((Ext4) { .device_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .threads = 1 })

/* Says whose the bytes of o->range are, as far as they are wanted still. o keeps its strings. 0 or a
 * negative errno. */
int ext4_add(Ext4 *e, const Owner *o);

/* Free space and what has a fixed place. 0, MAP_E_UNSUPPORTED, or a negative errno. */
int ext4_ask_fixed(Ext4 *e);

/* Looks through the inode tables for the rest. 0 or a negative errno. */
int ext4_scan(Ext4 *e);

/* Buffers for ext4_read_table(); zero but for e at first. */
typedef struct Ext4Tables {
        Ext4 *e;
        uint8_t *bitmap, *piece;
        uint32_t group;         /* of the bitmap, if there is one */
} Ext4Tables;

void ext4_tables_done(Ext4Tables *t);
#define _cleanup_ext4_tables_ _cleanup_(ext4_tables_done)

/* `raw`: as on disk, little-endian; only the first 128 bytes are sure to be there. */
typedef int (*InodeFn)(uint32_t number, const struct ext2_inode_large *raw, void *userdata);

/* All inodes of a group that are in use. What cannot be read is left out, and noted in e->unreadable. 0,
 * what fn returned if it was not 0 (that ends it), or -ENOMEM. */
int ext4_read_table(Ext4Tables *t, uint32_t group, InodeFn fn, void *userdata);

/* The same of `n` inodes of the group from `first` on, which begins a block of the table; both within what
 * ext4_inodes_used() says. */
int ext4_read_inodes(Ext4Tables *t, uint32_t group, uint32_t first, uint32_t n, InodeFn fn, void *userdata);

/* How many inodes of the group were ever used; those behind have never been written to. */
uint32_t ext4_inodes_used(ext2_filsys fs, uint32_t group);

/* Where the data of a regular file begins, or the blocks of its map, as far as it stands in the inode; 0. */
uint64_t ext4_first_block(const struct ext2_inode_large *raw);

/* Could it have something that is wanted? False only where the inode itself shows that it has not. */
bool ext4_may_have(const Ext4 *e, const struct ext2_inode_large *raw);

/* Inodes that are of interest, as they were in the table. */
typedef struct Ext4Inode {
        uint32_t number;
        struct ext2_inode_large inode;
} Ext4Inode;

typedef struct Ext4Inodes {
        Ext4Inode *items;
        size_t n, allocated;
} Ext4Inodes;

void ext4_inodes_done(Ext4Inodes *l);
#define _cleanup_ext4_inodes_ _cleanup_(ext4_inodes_done)

/* 0 or -ENOMEM. */
int ext4_inodes_add(Ext4Inodes *l, ext2_filsys fs, uint32_t number, const struct ext2_inode_large *raw);

static inline uint32_t ext4_in_block(ext2_filsys fs) {          /* inodes, of a table */
        return (uint32_t) (EXT4_BLOCK / EXT2_INODE_SIZE(fs->super));
}

/* A part of an inode table. */
typedef struct Ext4Part {
        uint32_t group, first, n;       /* as in ext4_read_inodes() */
        uint32_t distance;              /* from what is wanted, in parts; 0: it is probably here */
        uint64_t block;                 /* where the first file in it seems to have its data */
        bool done;
} Ext4Part;

typedef struct Ext4Parts {
        Ext4Part *items;
        size_t n, allocated;
} Ext4Parts;

void ext4_parts_done(Ext4Parts *p);
#define _cleanup_ext4_parts_ _cleanup_(ext4_parts_done)

/* In which order to look through the tables, so that owners are found early. */
typedef struct Ext4Order {
        Ext4Parts parts;        /* in the order of their places */
        size_t round;
        bool cold;              /* not all is in memory */
} Ext4Order;

void ext4_order_done(Ext4Order *o);
#define _cleanup_ext4_order_ _cleanup_(ext4_order_done)

/* 0 or -ENOMEM. */
int ext4_order_init(const Ext4 *e, Ext4Order *ret);

/* The parts to be looked through next, judged by what is wanted still; an empty list: it has been all. 0 or
 * -ENOMEM. */
int ext4_order_next(const Ext4 *e, Ext4Order *o, Ext4Parts *ret);

/* Has all been looked through that is likely? */
bool ext4_order_is_last(const Ext4Order *o);

/* Where it stands on the device, in bytes. */
uint64_t ext4_place(const Ext4 *e, const Ext4Part *p);

/* All parts, in the order of their data; the caller frees *ret. 0 or -ENOMEM. And the last of `sorted` whose
 * data begin at `block` or before; the first, if there is none. */
int ext4_order_sort(Ext4Order *o, Ext4Part ***ret);
size_t ext4_order_before(Ext4Part *const *sorted, size_t n, uint64_t block);

/* Inodes that may well have what is wanted, found by few reads for each range; in order, each once. Some
 * ranges, or all, may go without. 0 or -ENOMEM. */
int ext4_guess(const Ext4 *e, Ext4Order *o, Ext4Inodes *ret);

/* Something that an inode says is its own. */
typedef enum ClaimKind {
        CLAIM_DATA,
        CLAIM_MAP,              /* a block of its extent tree, or an indirect block */
        CLAIM_ATTRIBUTES,       /* its block of extended attributes */
} ClaimKind;

typedef struct Claim {
        ClaimKind kind;
        Range range;            /* on the device */
        uint64_t offset;        /* CLAIM_DATA: in the file */
} Claim;

typedef struct Claims {
        Claim *items;
        size_t n, allocated;
} Claims;

typedef int (*ClaimFn)(const Claim *claim, void *userdata);

/* All that the inode claims. Non-zero from fn ends it and is returned. 0; -EIO: a part of its map cannot be
 * read, the rest was reported; or -ENOMEM. */
int ext4_claims(ext2_filsys fs, uint32_t number, const struct ext2_inode_large *inode, ClaimFn fn,
                void *userdata);

/* Reads the inode as it is now. 0 or -EIO. */
int ext4_read_inode(ext2_filsys fs, uint32_t number, struct ext2_inode_large *ret);

/* Makes owners of claims that are of something wanted, those that stand a second look: of data, by asking
 * the file (any number of threads at a time); and of metadata. Claims that do not remain wanted. 0 or a
 * negative errno. */
int ext4_settle_data(Ext4 *e, uint32_t number, const struct ext2_inode_large *inode, const Claims *claims);
int ext4_settle_metadata(Ext4 *e, uint32_t number, const struct ext2_inode_large *inode,
                         const Claims *claims);

/* Where the file of fd has its bytes now, by FIEMAP: for each piece of `range` of the device that it has at
 * `offset` and on, fn is called with an owner of type OWNER_FILE (without inode). 0, what fn returned, or
 * a negative errno. */
int ext4_ask_file(int fd, Range range, uint64_t offset, OwnerFn fn, void *userdata);

/* MapperOps. */
int ext4_open(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret);
int ext4_owns(const MapSection *on, int fd, Range range, uint64_t offset, MapOwns *ret);
int ext4_names(int mount_fd, MapFile *files, size_t n);
