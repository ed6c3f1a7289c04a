/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/rangeset.h"
#include "core/spacemap.h"
#include "map/mapper.h"
#include "worker/site.h"

/* Guard files own free blocks that nobody may be given: those whose pages may be absent, which crash the
 * kernel when they are zeroed. They hold such blocks as unwritten extents behind their end, so that no
 * byte of them is ever read or written. They are at
 *
 *      .bezoar/agN/park-START-LENGTH-BOOT
 *
 * below the root of the file system: N the group that the block is in, START and LENGTH what was to be
 * parked (hexadecimal, bytes from the start of the file system), BOOT the boot in which it was. The folder
 * is root's alone (0700), made by us or else not used; so nobody else can put anything below it. The name
 * is all that has to be known after a crash: guards_tidy(). */

#define GUARD_FOLDER ".bezoar"
#define GUARD_NAME_MAX 96

/* All of a guard, also behind its end. */
#define GUARD_ALL ((Range) { 0, INT64_MAX })

/* Where the file system is on the device: device -> file system's device. Guards, and all addresses here but
 * where it is said, are in terms of the latter. 0; -EOPNOTSUPP: not all of it is on this device, and it has
 * no guards; or another negative errno. */
int guard_space(const Site *s, SpaceMap *ret);

/* Addresses of the device -> of the file system: of pages that are to be in one piece there (0 or
 * -EOPNOTSUPP); or of any, as far as they are there at all (0 or -ENOMEM). */
int guard_place(const SpaceMap *space, Range device, Range *ret);
int guard_translate(const SpaceMap *space, const RangeSet *device, RangeSet *ret);

typedef struct Guard {
        int folder_fd;
        int fd;                 /* O_RDWR; O_RDONLY where guards are only looked at */
        char folder[32];        /* "agN" */
        char name[GUARD_NAME_MAX];
        Range target;
        char boot_id[37];
        uint64_t inode;
} Guard;

#define GUARD_NULL ((Guard) { .folder_fd = -1, .fd = -1 })
void guard_done(Guard *g);
#define _cleanup_guard_ _cleanup_(guard_done)

/* The folder. 0; -ENOENT; -EPERM: it is there, and not root's alone; or another negative errno. */
int guards_open(int mount_fd, int *ret_fd);

/* A guard for `target`, in that group where the file system lets it; one that is there already is taken
 * up. 0; -EPERM as above; or another negative errno. */
int guard_make(const Site *s, const MapGroups *groups, Range target, const char *boot_id, Guard *ret);

/* A guard is made a file with DAX, or without, as FICLONERANGE wants it (worker/alike.h). 0, also where it
 * is one; ALIKE_E_NONE; -ENOTEMPTY: it is none, and owns something already; or another negative errno. */
int guard_make_alike(Guard *g, bool dax);

/* Calls `fn` for each guard, in no order; it may remove it. `flags`: O_RDONLY or O_RDWR. Non-zero stops and
 * is returned. 0, also where there are none, or a negative errno. */
int guards_walk(const Site *s, int flags, int (*fn)(Guard *g, void *userdata), void *userdata);

/* The guard that has this inode. 0, -ENOENT, or another negative errno. */
int guard_find(const Site *s, uint64_t inode, int flags, Guard *ret);

/* What it owns. 0 or a negative errno. */
int guard_owned(const Guard *g, RangeSet *ret);

/* Gives back whatever it owns but `keep`. 0 or a negative errno. */
int guard_shrink(const Guard *g, const RangeSet *keep);

/* The same at the end; a guard that owns nothing any more is removed, and folders that are empty then.
 * Durable. 0 or a negative errno. */
int guard_keep(const Site *s, Guard *g, const RangeSet *keep);

/* Is it certain that these pages (of the device), which it owns, are in the kernel's map? They are where
 * good sectors of each can be read; where there are none, because nothing but a machine check in this boot
 * could have taken them, and the guard is older and the kernel has counted no failure of memory.
 * `listed`: the bad sectors. */
bool guard_pages_are_present(const Site *s, const Guard *g, Range pages, const RangeSet *listed,
                             const char *boot_id);

/* The id of this boot. 0 or a negative errno. */
int boot_id_read(char ret[static 37]);

/* After a crash, and after a boot: a guard of this boot keeps what it was made for, and every guard the
 * pages that are listed; all else is given back. 0 or a negative errno. */
int guards_tidy(const Site *s);
