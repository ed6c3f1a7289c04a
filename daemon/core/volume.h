/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/topology.h"

/* What a Topology says about a disk, as a Volume: with the file system that lies directly on it. A region is
 * a disk here, too: of its bytes those count that no namespace shows. *ret_physical is the physical address
 * of byte 0, where it is one linear piece of persistent memory (*ret_known). 0, -ENOENT (no such disk),
 * -ENOMEM. */
int volume_of_disk(const Topology *t, const char *disk, Volume *ret, uint64_t *ret_physical,
                   bool *ret_known);

/* Whose file system bytes of a disk come under: `part` (whole pages) is cut where that changes, and `fn`
 * gets each piece with its Volume, in order. It may lie on the disk, or on what stands on the disk. A page
 * that is no page there (a partition that does not begin at a multiple of a page), that two mounted devices
 * show, or that nobody shows, has a `hindrance`. `fn` returns non-zero to stop; that is returned. Otherwise
 * 0, -ENOENT, -ELOOP, -ENOMEM. */
typedef int (*VolumePieceFn)(Range piece, const Volume *v, void *userdata);
int volume_split(const Topology *t, const char *disk, Range part, VolumePieceFn fn, void *userdata);

/* The Volume of the first page of `part`. As volume_split(). */
int volume_at(const Topology *t, const char *disk, Range part, Volume *ret);

/* Sets the file system of `v` to the one that is mounted from `on`, which is its device or stands on it. 0,
 * -ENOMEM. */
int volume_set_mount(Volume *v, const TopoDisk *on, const TopoMount *mount);

/* The same for a part of one that is mounted from elsewhere: `on`, which is the volume's device or stands on
 * it, has nothing but that part. */
int volume_set_part(Volume *v, const TopoDisk *on, const TopoPart *part);

/* May the page be translated by this map: in one piece, and to a whole page? */
bool volume_page_fits(const SpaceMap *m, Range page, uint64_t *ret_to);

/* Where the kernel lists what is bad of `disk`: true when it does so anywhere. */
bool volume_is_listed(const Topology *t, const TopoDisk *disk);
