/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/fsmap.h>

#include "core/range.h"

typedef int (*FsmapFn)(const struct fsmap *record, void *userdata);

/* FS_IOC_GETFSMAP: all records that overlap `range` of the device that the file system lies on, in their
 * order, unclipped; those of its other devices are left out. Non-zero from fn ends it and is returned. 0,
 * MAP_E_UNSUPPORTED, or a negative errno. */
int fsmap_query(int mount_fd, Range range, FsmapFn fn, void *userdata);
