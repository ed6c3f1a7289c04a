/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/range.h"

/* The extent map of one file or folder of XFS; between the files of the XFS mapper only. */

typedef struct XfsExtent {
        Range range;            /* on the device that the fork is on */
        uint64_t offset;        /* in the fork, bytes */
        bool unwritten;
        bool shared;            /* all of it: the kernel cuts extents where sharing begins and ends */
} XfsExtent;

/* Non-zero ends the look. */
typedef int (*XfsExtentFn)(const XfsExtent *e, void *userdata);

/* Everything that the data fork, or the fork of extended attributes, has on the device from `offset` on, for
 * `length` bytes (UINT64_MAX: to the end, also behind the end of the file). Nothing is written back: what
 * has no place on the device yet is left out. 0, what fn returned, or a negative errno. */
int xfs_extents(int fd, bool attributes, uint64_t offset, uint64_t length, XfsExtentFn fn, void *userdata);

/* How many bytes of `range` the data fork has at `offset`, and how many of those are unwritten, and shared.
 * `range` is of the realtime device, or of the data device: a file that has its data on the other one has
 * nothing there. */
typedef struct XfsMapped {
        uint64_t here, unwritten, shared;
} XfsMapped;

/* 0 or a negative errno. */
int xfs_mapped(int fd, bool realtime, Range range, uint64_t offset, XfsMapped *ret);
