/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "core/proof.h"
#include "core/rangeset.h"
#include "util/cleanup.h"

/* What a worker is about to write: stored before, removed after the page has been read back. After a
 * crash it tells what the page was to be (core/settle). */
typedef struct Intent {
        uint64_t case_id;
        char *boot_id;          /* of /proc/sys/kernel/random/boot_id */
        char *uuid;             /* of the file system; NULL: it has none */
        char *device;           /* "/dev/pmem0" */
        Range range;            /* of the page on the device */
        uint64_t physical;      /* of the page; 0: not known */
        RangeSet bad;           /* the bad sectors in it: device addresses */
        uint64_t inode;
        uint32_t generation;
        uint64_t offset;        /* of the page in the file */
        char *path;             /* NULL */
        uint64_t file_size;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        char *replica;          /* where the bytes came from */
        ProofSet proofs;
        bool alone;             /* nobody else could store to the file: a lease, or frozen */
        bool in_place;          /* only the bad sectors, below the file system: it does not matter who
                                 * shares the block */
        bool punch;             /* a hole is punched there, and the page gets a block again */
} Intent;

void intent_done(Intent *i);
#define _cleanup_intent_ _cleanup_(intent_done)
