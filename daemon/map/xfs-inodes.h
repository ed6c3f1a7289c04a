/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/range.h"
#include "map/xfs-abi.h"
#include "util/cleanup.h"

/* Where XFS has its inodes, and what they are; between the files of the XFS mapper only. All positions are
 * bytes on the data device. */

/* 0; MAP_E_UNSUPPORTED: not XFS; or a negative errno. */
int xfs_geometry(int mount_fd, XfsGeometry *ret);

/* Start of a block, by its number as superblock and extents have it: allocation group and block in it. */
uint64_t xfs_block_address(const XfsGeometry *g, uint64_t block);

/* Start of the block that an inode lies in. */
uint64_t xfs_inode_address(const XfsGeometry *g, uint64_t inode);

/* Superblock, headers of free space and inodes, and free list, of one allocation group: whole blocks. */
Range xfs_headers(const XfsGeometry *g, uint32_t ag);

/* The log. False: it is on another device. */
bool xfs_log(const XfsGeometry *g, Range *ret);

typedef struct XfsChunk {
        uint64_t first;         /* inode number */
        uint64_t allocated;     /* bit i: inode first + i is in use */
        uint64_t distance;      /* xfs_chunks_order() */
} XfsChunk;

typedef struct XfsChunks {
        XfsChunk *items;
        size_t n, allocated;
} XfsChunks;

void xfs_chunks_done(XfsChunks *c);
#define _cleanup_xfs_chunks_ _cleanup_(xfs_chunks_done)

/* All chunks of inodes, from the inode btrees; in ascending order. 0 or a negative errno. */
int xfs_chunks(int mount_fd, XfsChunks *ret);

/* Non-zero ends the look. */
typedef int (*XfsStatFn)(const XfsStat *st, void *userdata);

/* All inodes of a chunk that the kernel shows. `room` is for the answers. *ret_hidden: mask of those that
 * are in use and not shown: the file system's own, those being deleted, and those that cannot be read. 0,
 * what fn returned, or a negative errno. */
int xfs_chunk_stat(int mount_fd, const XfsChunk *c, XfsBulkstat *room, XfsStatFn fn, void *userdata,
                   uint64_t *ret_hidden);

/* Is this hidden inode one that belongs to the file system for certain: realtime bitmap and summary, and
 * quota while it is on? */
bool xfs_inode_is_internal(int mount_fd, uint64_t inode);
bool xfs_inode_is_quota(int mount_fd, uint64_t inode);

/* An inode by its number. 0; MAP_E_NOT_FOUND: no such inode, or one that is not shown; or a negative
 * errno. */
int xfs_inode_stat(int mount_fd, uint64_t inode, XfsStat *ret);
