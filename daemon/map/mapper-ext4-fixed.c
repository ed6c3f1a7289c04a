/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What GETFSMAP knows of ext4: free space, and metadata that has its place since mkfs. Whole groups are
 * asked for: the kernel reports fixed metadata only where it passes a free extent on its way
 * (ext4_getfsmap_datadev_helper()), and a narrow question may have none. */

#include <errno.h>
#include <linux/fsmap.h>

#include "map/fsmap.h"
#include "map/mapper-ext4.h"

/* fs/ext4/fsmap.h; in no header for programs. */
#define FMR_EXT4_FS             FMR_OWNER('X', 1)
#define FMR_EXT4_LOG            FMR_OWNER('X', 2)
#define FMR_EXT4_INODES         FMR_OWNER('X', 5)
#define FMR_EXT4_GDT            FMR_OWNER('f', 1)
#define FMR_EXT4_RESERVED_GDT   FMR_OWNER('f', 2)
#define FMR_EXT4_BLOCK_BITMAP   FMR_OWNER('f', 3)
#define FMR_EXT4_INODE_BITMAP   FMR_OWNER('f', 4)

static int classify(uint64_t owner, Owner *o) {
        o->type = OWNER_METADATA;
        switch (owner) {
        case FMR_OWN_FREE:
                o->type = OWNER_FREE;
                return 0;
        case FMR_EXT4_LOG:
                o->type = OWNER_LOG;
                return 0;
        case FMR_EXT4_FS:
                o->detail = (char *) "superblock";
                return 0;
        case FMR_EXT4_INODES:
                o->detail = (char *) "inode table";
                return 0;
        case FMR_EXT4_GDT:
                o->detail = (char *) "group descriptors";
                return 0;
        case FMR_EXT4_RESERVED_GDT:
                o->detail = (char *) "blocks reserved for group descriptors";
                return 0;
        case FMR_EXT4_BLOCK_BITMAP:
                o->detail = (char *) "block bitmap";
                return 0;
        case FMR_EXT4_INODE_BITMAP:
                o->detail = (char *) "inode bitmap";
                return 0;
        case FMR_OWN_METADATA:
                o->detail = (char *) "metadata";
                return 0;
        default: /* FMR_OWN_UNKNOWN: in use, by whatever */
                return MAP_E_NOT_FOUND;
        }
}

static int take(const struct fsmap *record, void *userdata) {
        Ext4 *e = userdata;
        Owner o = {};

        if (!(record->fmr_flags & FMR_OF_SPECIAL_OWNER) ||
            range_init(record->fmr_physical, record->fmr_length, &o.range) < 0)
                return -EUCLEAN;
        if (!rangeset_overlaps(&e->wanted.left, o.range) || classify(record->fmr_owner, &o) != 0)
                return 0;
        return ext4_add(e, &o);
}

/* All groups that have something wanted. */
static int find_groups(const Ext4 *e, RangeSet *ret) {
        const uint64_t size = (uint64_t) e->fs->super->s_blocks_per_group * EXT4_BLOCK,
                       end = ext2fs_blocks_count(e->fs->super) * EXT4_BLOCK;

        for (size_t i = 0; i < e->wanted.left.n; i++) {
                Range r = e->wanted.left.items[i];
                int k;

                if (r.start >= end)
                        return 0; /* behind the end of the file system */
                if (r.end > end)
                        r.end = end;
                r.start -= r.start % size;
                r.end = (r.end - 1) / size * size + size;
                if (r.end > end)
                        r.end = end;
                k = rangeset_add(ret, r);
                if (k < 0)
                        return k;
        }
        return 0;
}

int ext4_ask_fixed(Ext4 *e) {
        _cleanup_rangeset_ RangeSet groups = {};
        int r;

        r = find_groups(e, &groups);
        for (size_t i = 0; r == 0 && i < groups.n; i++)
                r = fsmap_query(MAP_DATA(e->mount_fd), groups.items[i], take, e);
        return r;
}
