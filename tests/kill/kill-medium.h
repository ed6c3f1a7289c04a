/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "kill-points.h"

/* Persistent memory that has lost bytes, played with a loop device: what a kernel would answer to a call is
 * put in the place of what this one answers. The list of bad sectors is an ordinary file, so it outlives
 * whoever is killed; the programs find it by BEZOAR_SYSFS. As measured (tests/vm: kernel-ars-one-sector,
 * kernel-mce-unmapped):
 *
 * - what overlaps a bad sector cannot be read: through the device, the sector; through a file, the page;
 * - a write through a file clears whole pages, and fails with EFAULT for a part of a bad one; through the
 *   device it clears sectors. Clearing and copying are one call, and a killed process does not come in
 *   between;
 * - `absent`, a file with the word "taken": the page has been taken out of the kernel's map. The device can
 *   then not be read there at all; a write through a file clears, copies nothing, and says EFAULT, as
 *   reading does from then on; mappings work. Once hard_offline_page has been written ("offline"), and the
 *   sectors are listed again, a write puts it right.
 *
 * What programs do that are not traced is not the medium's affair. */
typedef struct Medium {
        const char *list;       /* the list of bad blocks; NULL: the medium is left alone */
        const char *absent;     /* NULL: no page can be */
        dev_t device;           /* of the file system and of the block device */
} Medium;

typedef enum Doing {
        DOING_NOTHING,
        DOING_READ,             /* of a file: pages that could not have been read must not be remembered */
        DOING_WRITE,            /* clears [start, end) of the device when it succeeds */
        DOING_INSTEAD,          /* is not done: `result` is what it says */
        DOING_REDIRECTED,       /* opens /dev/null: `text` was overwritten */
} Doing;

/* What becomes of one call, between its begin and its end. */
typedef struct Played {
        Doing doing;
        long result;
        uint64_t start, end;
        char text[128];         /* what stood at the address of the path */
        int special;            /* redirected: which attribute */
} Played;

/* At the begin. DOING_INSTEAD: the caller has to keep it from being done. */
void medium_begin(const Medium *m, const Call *c, Played *ret);

/* At the end; *result is what the kernel says, and then what the program is told. */
void medium_end(const Medium *m, const Call *c, Played *p, long *result);
