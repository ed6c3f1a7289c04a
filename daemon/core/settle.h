/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>

/* What is to be done with an intent that a crash left behind (a repair was about to write, or was writing, a
 * page). */

typedef enum SettleRead {
        SETTLE_READ_OK,
        SETTLE_READ_POISON,     /* EIO */
        SETTLE_READ_ABSENT,     /* EFAULT: poison cleared, nothing written: the page is not present since a
                                 * machine check */
        _SETTLE_READ_MAX,
        _SETTLE_READ_INVALID = -EINVAL,
} SettleRead;

typedef struct SettleFacts {
        bool owned;             /* that inode and generation own that place on the device, at that offset; a
                                 * device-dax owns itself */
        bool listed;            /* the kernel lists poison in the page */
        bool same_boot;
        SettleRead read;        /* of the page through the file */
        bool good_equal;        /* bytes outside the bad sectors are as the intent has them, or there are
                                 * none */
        bool bad_equal;         /* bytes of the bad sectors are as the intent has them. Both: through the
                                 * file; of an absent page through a mapping, which works; false when not
                                 * compared */
        bool left;              /* in the bad sectors stands what was noted of them right after they had been
                                 * cleared, and before they were stored to: only noted of a device-dax */
        bool alone;             /* nobody else had the file open when the page was written */
        bool shared;            /* the block is also another file's now */
        bool punch;             /* a hole was to be punched there: the file may have no block, or another */
        bool heir;              /* the block is not this file's any more, or not there in it, but a file's,
                                 * and has the good bytes of the intent, of which there are some, and not
                                 * its bad ones */
        bool blank;             /* all of the page is zero */
        bool modified;          /* size or mtime of the file are not those that the intent has */
} SettleFacts;

typedef enum Settle {
        SETTLE_FORGET,          /* the write was done, or the bytes are no longer this file's: drop it */
        SETTLE_REPAIR,          /* still poisoned: forget it and start over */
        SETTLE_REVIVE,          /* the page must be brought back with the bytes of the intent */
        SETTLE_WRITE,           /* cleared, but the bytes never arrived: write the page of the intent */
        SETTLE_SUPERSEDED,      /* somebody wrote newer data: theirs stays */
        SETTLE_IN_DOUBT,        /* cannot be told apart: alert, write nothing, keep the intent */
        _SETTLE_MAX,
        _SETTLE_INVALID = -EINVAL,
} Settle;

Settle settle_decide(const SettleFacts *f);

const char *settle_to_string(Settle s);
