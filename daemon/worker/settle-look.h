/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/stat.h>

#include "core/intent.h"
#include "core/settle.h"
#include "worker/lease.h"
#include "worker/settle-heir.h"
#include "worker/site.h"

/* One intent with its file. */
typedef struct Pending {
        Site *site;             /* that holds the file; NULL: none does */
        const Intent *intent;
        const uint8_t *page;
        int fd;                 /* -1: the file is gone */
        Lease lease;
        struct stat st;
        SettleFacts facts;
        bool others;            /* share the block */
        Heirs heirs;            /* facts.heir: whose the block is now */
        RangeSet bad;           /* file offsets */
        RangeSet unwritten;     /* device-dax: bad sectors that were cleared, and do not hold the bytes of
                                 * the intent: device addresses */
        bool rest;              /* device-dax: and others are listed still */
        const uint8_t *left;    /* what clearing had left in the bad sectors, as it was noted; NULL: it was
                                 * not */
} Pending;

void pending_done(Pending *p);

/* Bytes of the page that are the file's. */
uint64_t pending_size(const Pending *p);

/* Opens the file, if it is still there, and takes a lease on it, if nobody else has it open. 0 or a negative
 * errno. */
int pending_open(Site *s, Pending *p);

/* Fills in the facts. A crash may have left the file a part of a page too long: it is cut back. 0 or a
 * negative errno; -EBUSY: not while somebody else has it open. */
int pending_look(const Site *s, const char *boot_id, Pending *p);

/* Only what the list and the file have of the page now. 0 or a negative errno. */
int pending_look_at_bytes(const Site *s, Pending *p);

/* What was done to the file moved no time, as far as nobody else can have done anything. */
void pending_restore_times(Pending *p);
