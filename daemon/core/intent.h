/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "core/case.h"
#include "core/policy.h"
#include "core/proof.h"
#include "core/rangeset.h"
#include "util/cleanup.h"

/* What a worker is about to write: stored before, removed after the page has been read back. After a
 * crash it tells what the page was to be (core/settle). */
typedef struct Intent {
        uint64_t case_id;
        char *boot_id;          /* of /proc/sys/kernel/random/boot_id */
        char *uuid;             /* of the file system; NULL: it has none */
        char *device;           /* "/dev/pmem0"; in another boot another may have that name */
        char *namespace;        /* UUID of the namespace of persistent memory that it is; NULL: not known */
        FsPart part;            /* of the file system, that it has on the device */
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

/* Is what `then` is about the same piece of memory as what `now` is about, at the same addresses of their
 * devices? Compares `namespace`, which is the same wherever that is; in one boot the names of the devices,
 * which do not change; else `physical`, which is the same unless memory was added, and the names. */
typedef enum IntentMemory {
        INTENT_MEMORY_SAME,
        INTENT_MEMORY_OTHER,
        INTENT_MEMORY_UNTOLD,
} IntentMemory;

IntentMemory intent_memory(const Intent *then, const Intent *now);

/* When the write of a page is over, its record is not removed but renamed, until the daemon has recorded
 * the outcome: a crash in between would lose it. From then on it is nothing but that outcome, and is never
 * carried out. ".ended-CASE-STATE-WRITER-NAME", NAME that of the record; STATE: healed, or waiting (the
 * bytes are stored, and the page is not present); WRITER: auto where it is not known. */
#define INTENT_FOLDER "intent"
#define INTENT_NAME_MAX 96
#define INTENT_ENDED_MAX (INTENT_NAME_MAX + 64)

typedef struct IntentEnd {
        CaseState state;
        WriterKind writer;
} IntentEnd;

/* `buf` of INTENT_ENDED_MAX bytes. */
void intent_ended_name(uint64_t case_id, IntentEnd end, const char *name, char *buf);

/* False: it is no such name. */
bool intent_ended_parse(const char *name, uint64_t *ret_case_id, IntentEnd *ret);
#define _cleanup_intent_ _cleanup_(intent_done)
