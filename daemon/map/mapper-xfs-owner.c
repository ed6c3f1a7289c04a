/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a record of the reverse mapping btree to an owner. The record has no generation and does not say
 * what kind of file its inode is: bulkstat does, by inode number and without opening anything. */

#include <errno.h>
#include <inttypes.h>
#include <linux/fsmap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "map/mapper-xfs.h"
#include "map/mapper.h"
#include "map/xfs-inodes.h"

/* Is a record still as it was? */
static int record_stands(const MapSection *on, const struct fsmap *rec) {
        _cleanup_xfs_records_ XfsRecords now = {};
        Range first;
        int r;

        r = range_init(rec->fmr_physical, SECTOR_SIZE, &first);
        if (r < 0)
                return r;
        r = xfs_query(on, first, &now);
        if (r != 0)
                return r < 0 ? r : -EUCLEAN;

        for (size_t i = 0; i < now.n; i++) {
                const struct fsmap *n = &now.items[i];

                if (n->fmr_physical == rec->fmr_physical && n->fmr_owner == rec->fmr_owner &&
                    n->fmr_offset == rec->fmr_offset)
                        return true;
        }
        return false;
}

/* Bulkstat does not show the inode of a record. It may be one of the file system's own, or it was deleted:
 * then its blocks are freed in the background (inodegc, Linux 5.14), and it is gone when they are. */
static int classify_hidden(const MapSection *on, const struct fsmap *rec, Owner *o, const char **detail) {
        int r;

        if (xfs_inode_is_quota(on->mount_fd, rec->fmr_owner)) {
                o->type = OWNER_METADATA;
                *detail = "quota file";
                return 0;
        }
        r = record_stands(on, rec);
        if (r <= 0)
                return r < 0 ? r : MAP_E_GONE;

        o->type = OWNER_UNKNOWN;
        *detail = "a file that is being deleted, or an internal one";
        return 0;
}

static void classify_special(uint64_t owner, Owner *o, const char **detail) {
        o->type = OWNER_METADATA;
        switch (owner) {
        case FMR_OWN_FREE:
                o->type = OWNER_FREE;
                break;
        case XFS_OWNER_LOG:
                o->type = OWNER_LOG;
                break;
        case XFS_OWNER_FS:
                *detail = "superblock and allocation group headers";
                break;
        case XFS_OWNER_AG:
                *detail = "free space btrees or free list";
                break;
        case XFS_OWNER_INOBT:
                *detail = "inode btree";
                break;
        case XFS_OWNER_INODES:
                *detail = "inodes";
                break;
        case XFS_OWNER_REFCOUNT:
                *detail = "reference count btree";
                break;
        case XFS_OWNER_COW:
                *detail = "copy-on-write staging";
                break;
        case FMR_OWN_METADATA:
                *detail = "metadata";
                break;
        case XFS_OWNER_DEFECTIVE:
                o->type = OWNER_UNKNOWN;
                *detail = "defective blocks";
                break;
        default: /* FMR_OWN_UNKNOWN, and what later kernels may say */
                o->type = OWNER_UNKNOWN;
        }
}

/* A data fork, by what its inode is. Data of directories and symbolic links is metadata: the kernel alone
 * writes it. */
static void classify_data(const XfsStat *st, const struct fsmap *rec, Owner *o, const char **detail) {
        o->type = OWNER_METADATA;
        o->generation = st->generation;
        if (S_ISREG(st->mode)) {
                o->type = OWNER_FILE;
                o->offset = rec->fmr_offset;
                o->unwritten = rec->fmr_flags & FMR_OF_PREALLOC;
                o->shared = rec->fmr_flags & FMR_OF_SHARED;
        } else if (S_ISDIR(st->mode))
                *detail = "directory";
        else if (S_ISLNK(st->mode))
                *detail = "symbolic link";
        else
                *detail = "special file";
}

/* An owner for a record that belongs to an inode. 0, MAP_E_*, or a negative errno. */
static int classify_inode(const MapSection *on, const struct fsmap *rec, Owner *o, const char **detail) {
        XfsStat st = {};
        int r;

        o->inode = rec->fmr_owner;
        r = xfs_inode_stat(on->mount_fd, rec->fmr_owner, &st);
        if (r == -EIO || r == -EUCLEAN || r == -EBADMSG) {
                /* Its inode is lost too, or corrupt: one more thing that is broken, and no reason to know
                 * nothing of all the others. */
                o->type = OWNER_UNKNOWN;
                *detail = "the inode cannot be read";
                return 0;
        }
        if (r == -EINVAL) /* an id-mapped mount: no bulkstat there (xfs_bulkstat()) */
                return MAP_E_UNSUPPORTED;
        if (r < 0)
                return r;

        if (r == MAP_E_NOT_FOUND)
                return classify_hidden(on, rec, o, detail);

        if (rec->fmr_flags & (FMR_OF_ATTR_FORK | FMR_OF_EXTENT_MAP)) {
                o->type = OWNER_METADATA;
                o->generation = st.generation;
                *detail = rec->fmr_flags & FMR_OF_EXTENT_MAP ? "extent map of inode"
                                                             : "extended attributes of inode";
                return 0;
        }
        classify_data(&st, rec, o, detail);
        return 0;
}

/* A group's own structures are named with their group, which is what a person looks for in the output of
 * xfs_repair and xfs_db. */
static int name_structure(const MapSection *on, const struct fsmap *rec, Owner *o, const char *detail) {
        bool of_group = on->part == FS_PART_DATA && (rec->fmr_flags & FMR_OF_SPECIAL_OWNER) &&
                        o->type == OWNER_METADATA;
        XfsGeometry g = {};
        uint64_t group;

        if (!of_group || xfs_geometry(on->mount_fd, &g) != 0 || g.ag_blocks == 0) {
                o->detail = strdup(detail);
                return o->detail ? 0 : -ENOMEM;
        }

        group = rec->fmr_physical / g.block_size / g.ag_blocks;
        if (rec->fmr_owner == XFS_OWNER_FS)
                detail = group == 0 ? "superblock and headers" : "superblock copy and headers";
        if (asprintf(&o->detail, "%s of allocation group %" PRIu64, detail, group) < 0) {
                o->detail = NULL;
                return -ENOMEM;
        }
        return 0;
}

int xfs_owner(const MapSection *on, const struct fsmap *rec, Owner *ret) {
        _cleanup_owner_ Owner o = {};
        const char *detail = NULL;
        int r;

        r = range_init(rec->fmr_physical, rec->fmr_length, &o.range);
        if (r < 0)
                return -EUCLEAN;
        if (rec->fmr_flags & FMR_OF_SPECIAL_OWNER)
                classify_special(rec->fmr_owner, &o, &detail);
        else {
                r = classify_inode(on, rec, &o, &detail);
                if (r != 0)
                        return r;
        }
        if (detail) {
                r = name_structure(on, rec, &o, detail);
                if (r < 0)
                        return r;
        }

        *ret = o;
        o = (Owner) {};
        return 0;
}
