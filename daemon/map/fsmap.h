/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/fsmap.h>

#include "core/range.h"
#include "map/mapper.h"

typedef int (*FsmapFn)(const struct fsmap *record, void *userdata);

/* FS_IOC_GETFSMAP: all records that overlap `range` of the section's device, in their order, unclipped;
 * those of the file system's other devices are left out. Non-zero from fn ends it and is returned. 0,
 * MAP_E_UNSUPPORTED (also: it has no such device), or a negative errno. */
int fsmap_query(const MapSection *on, Range range, FsmapFn fn, void *userdata);
