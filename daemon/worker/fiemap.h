/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/fiemap.h>

#include "core/range.h"

/* Bytes that are not where fe_physical says, or have not been given a place yet. */
#define EXTENT_UNPLACED \
        (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED)

/* The part of an extent that was asked for: file offsets, and where it begins on the device (0 for one that
 * is EXTENT_UNPLACED). */
typedef int (*FiemapFn)(Range piece, uint64_t device, uint32_t flags, void *userdata);

/* The extents of the file within `wanted`, in order; holes have none. Nothing is written back for it.
 * Non-zero from fn stops and is returned. 0, or a negative errno (-EUCLEAN: an answer that cannot be). */
int fiemap_walk(int fd, Range wanted, FiemapFn fn, void *userdata);
