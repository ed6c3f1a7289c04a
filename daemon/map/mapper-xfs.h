/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/fsmap.h>
#include <stddef.h>
#include <stdint.h>

#include "core/owner.h"
#include "core/range.h"
#include "map/xfs-abi.h"
#include "util/cleanup.h"

/* Between the files of the XFS mapper only. */

typedef struct XfsRecords {
        struct fsmap *items;
        size_t n, allocated;
} XfsRecords;

void xfs_records_done(XfsRecords *r);
#define _cleanup_xfs_records_ _cleanup_(xfs_records_done)

/* All records that overlap `range`, in their order, unclipped, added to `records`. 0, MAP_E_UNSUPPORTED,
 * or a negative errno. */
int xfs_query(int mount_fd, Range range, XfsRecords *records);

/* Whose a record is; the caller is done with *ret (owner_done()). 0, MAP_E_GONE, MAP_E_UNSUPPORTED, or a
 * negative errno. */
int xfs_owner(int mount_fd, const struct fsmap *rec, Owner *ret);

static inline XfsHandle xfs_handle(uint64_t inode, uint32_t generation) {
        return (XfsHandle) { .fid_len = XFS_FID_LEN, .generation = generation, .ino = inode };
}

/* MapperOps.path, by parent pointers. */
int xfs_path(int mount_fd, uint64_t inode, uint32_t generation, char **ret);
