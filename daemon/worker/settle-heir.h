/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/range.h"
#include "worker/site.h"

/* Who is left with a block that was cleared and not written, after the file of the intent has been given
 * another one. */

typedef struct Heir {
        uint64_t inode;
        uint32_t generation;
        uint64_t offset;        /* of the page in it */
} Heir;

typedef struct Heirs {
        Heir *items;
        size_t n, allocated;
} Heirs;

void heirs_done(Heirs *h);
#define _cleanup_heirs_ _cleanup_(heirs_done)

/* Files that have this page of the device, as written data; guards are none. 0; -EAGAIN: there may
 * be one that could not be looked at, or the file system moved meanwhile; or another negative errno. */
int heirs_find(const Site *s, Range page, Heirs *ret);

/* "file offset 8192 of '/srv/a' and …", each by a name that it has now, or by its inode. All names of the
 * file system may have to be looked through. 0 or a negative errno; the caller frees *ret. */
int heirs_describe(const Site *s, const Heirs *h, char **ret);
