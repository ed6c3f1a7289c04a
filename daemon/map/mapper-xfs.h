/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/fs.h>
#include <linux/fsmap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/owner.h"
#include "core/range.h"
#include "core/rangeset.h"
#include "map/mapper.h"
#include "map/xfs-abi.h"
#include "map/xfs-inodes.h"
#include "util/cleanup.h"

/* Between the files of the XFS mapper only. */

typedef struct XfsRecords {
        struct fsmap *items;
        size_t n, allocated;
} XfsRecords;

void xfs_records_done(XfsRecords *r);
#define _cleanup_xfs_records_ _cleanup_(xfs_records_done)

/* All records that overlap `range` of the section's device, in their order, unclipped, added to `records`.
 * 0, MAP_E_UNSUPPORTED, or a negative errno. */
int xfs_query(const MapSection *on, Range range, XfsRecords *records);

/* Whose a record is; the caller is done with *ret (owner_done()). 0, MAP_E_GONE, MAP_E_UNSUPPORTED, or a
 * negative errno. */
int xfs_owner(const MapSection *on, const struct fsmap *rec, Owner *ret);

static inline XfsHandle xfs_handle(uint64_t inode, uint32_t generation) {
        return (XfsHandle) { .fid_len = XFS_FID_LEN, .generation = generation, .ino = inode };
}

/* Opens a file or folder; `flags`: O_RDONLY or O_RDWR, with O_NONBLOCK or without. Its times do not change.
 * 0, MAP_E_GONE, or a negative errno. */
int xfs_open_handle(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret);

/* Something to ask the file or folder about itself: the descriptor that the asker holds, or one that is
 * opened here, without waiting for a lease that somebody has on it, and then in *opened as well, to be
 * closed. 0, MAP_E_GONE, or a negative errno. */
int xfs_open_to_ask(int mount_fd, const MapAsker *asker, uint64_t inode, uint32_t generation, int *opened,
                    int *ret);

/* Has this inode the data of its file in the section? All else that an inode has is with the data. */
static inline bool xfs_data_is_on(const MapSection *on, const XfsStat *st) {
        return !!(st->xflags & FS_XFLAG_REALTIME) == (on->part == FS_PART_REALTIME);
}

/* What one look at a file system without a reverse mapping btree has found. */
typedef struct XfsSearch {
        const MapSection *on;   /* lent */
        const MapAsker *asker;
        const RangeSet *asked;  /* lent, until the search has ended */
        pthread_mutex_t lock;   /* of all that follows, while inodes are looked at */
        RangeSet open;          /* has no owner, or is shared */
        RangeSet shared;        /* has owners, and may have more */
        RangeSet allocated;     /* the kernel says: not free */
        Owners owners;          /* of everything but open without shared; in no order */
        atomic_bool done;       /* nothing is open any more */
        atomic_bool complete;   /* if something stayed open: no file has been missed */
} XfsSearch;

void xfs_search_done(XfsSearch *s);
#define _cleanup_xfs_search_ _cleanup_(xfs_search_done)

/* Owners do not reach over two of `ranges`. Each was found at some moment of the search; only who asks twice
 * knows what lasted. 0, MAP_E_UNSUPPORTED, or a negative errno. */
int xfs_search(const MapSection *on, const XfsGeometry *g, const RangeSet *ranges, const MapAsker *asker,
               XfsSearch *ret);

/* Sorts the chunks so that the files that probably lie at `wanted` come first. Only the order depends on it:
 * what cannot be found out here costs time and no more. */
void xfs_chunks_order(const MapSection *on, const XfsGeometry *g, const RangeSet *wanted, XfsBulkstat *room,
                      XfsChunks *chunks);

/* MapperOps.walk for file systems without a reverse mapping btree. */
int xfs_scan(const MapSection *on, const XfsGeometry *g, const RangeSet *ranges, const MapAsker *asker,
             OwnerFn fn, void *userdata);

/* What to ask for, to hear of all of `range`: whole blocks, and one more. Linux before 6.12 reports a gap
 * at the end of a query only up to the start of the query's last block
 * (xfs_getfsmap_datadev_rmapbt_query() took high.rm_startblock for the end), so that free space would be
 * missing. Of a free last block of the file system nothing can be heard there: it stays unknown. */
int xfs_widen(Range range, uint32_t block_size, Range *ret);

/* MapperOps.mendable and MapperOps.mend. */
int xfs_mendable(int mount_fd, Range range, const RangeSet *bad, Mend *ret);
int xfs_mend(int mount_fd, const Mend *m, MendPart part);

/* MapperOps.names, by parent pointers. */
int xfs_names(int mount_fd, MapFile *files, size_t n);
