/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/topology.h"

/* What a Topology says about a disk, as a Volume. *ret_physical is the physical address of byte 0 of the
 * disk, where the disk is one linear piece of persistent memory (*ret_known). 0, -ENOENT (no such disk),
 * -ENOMEM. */
int volume_of_disk(const Topology *t, const char *disk, Volume *ret, uint64_t *ret_physical,
                   bool *ret_known);
