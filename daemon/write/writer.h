/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/policy.h"
#include "core/rangeset.h"
#include "util/cleanup.h"

typedef struct Writer Writer;

enum {
        _WRITE_E_SUCCESS,

        WRITE_E_ABSENT,         /* poison cleared, nothing written: the page is not present in the kernel's
                                 * map (EFAULT after a machine check) */
        WRITE_E_STORED,         /* revive: stored, durable and right through mappings, but read(2) and
                                 * write(2) still fail */
        WRITE_E_BUSY,           /* revive: the same, because somebody maps these bytes and going on would
                                 * send him SIGBUS */
        WRITE_E_UNLIKE,         /* clone: nothing was changed; the kernel gives no file that has DAX, or has
                                 * not, as those have that share the page */
};

/* A page of a file that has the same block. */
typedef struct CloneTo {
        int fd;                 /* O_RDWR, does not change timestamps on write; lent */
        uint64_t offset;
} CloneTo;

typedef struct CloneTarget {
        int guard_fd;           /* is given the bad block, at its start; has DAX if the target has; -1: the
                                 * guard has that block already */
        int log_fd;             /* the guard: a file that nobody maps, to force the log by */
        const CloneTo *others;  /* besides the target itself */
        size_t n_others;

        /* Right after the guard was given what the target has: is it the bad block? Somebody may have
         * written to the target's page, which has another one then; and given to nobody, the bad one would
         * be free as soon as the others have a new one. 0, or a negative errno: nothing more is done. */
        int (*guarded)(void *userdata);

        /* Right before one of them, or the target itself, is given the new block: has it the bad one still,
         * and is everybody else kept out? 0, or a negative errno: nothing more is done. */
        int (*look)(const CloneTo *to, void *userdata);

        /* An empty file for a new block, without a name, with DAX or without. 0, WRITE_E_UNLIKE, or a
         * negative errno. */
        int (*new_file)(bool dax, int *ret, void *userdata);
        void *userdata;
} CloneTarget;

/* A page of a device-dax. */
typedef struct ClearTarget {
        const char *region;     /* "region1": whose bus is told to clear */
        uint64_t align;         /* the device is mapped in pieces of that size */

        /* Right before a run of bad sectors is cleared: is everything as it was? 0, or a negative errno:
         * nothing more is done. */
        int (*look)(Range run, void *userdata);

        /* Right after it was cleared, and before it is stored to: what stands there now. Not called where
         * that cannot be loaded. */
        void (*cleared)(Range run, const void *left, void *userdata);
        void *userdata;
} ClearTarget;

/* Where a page is to be written. The descriptors belong to the caller. */
typedef struct Target {
        int file_fd;            /* O_RDWR, does not change timestamps on write; of a device-dax itself */
        const char *disk;       /* "pmem0", for its badblocks attribute */
        uint64_t offset;        /* of the page in the file */
        uint64_t file_size;     /* before: a page that the file ends in is written whole, and the file cut
                                 * back */
        Range range;            /* of the page on the device */
        uint64_t physical;      /* of the page; 0: not known */
        const struct timespec *mtime;   /* revive: of the file, before anything was done to it */
        int block_fd;           /* block, punch: O_DIRECT, of the device that `range` is on; for block
                                 * O_RDWR; -1: none */
        const RangeSet *bad;    /* block, clear: what may be written; punch: what cannot be read: device
                                 * addresses */
        bool punched;           /* punch: a crash has left the hole, or a block that was not written */
        const CloneTarget *clone;       /* clone */
        int (*excluded)(void *userdata);        /* clone: is everybody kept out still of the files that have
                                                 * the block? 0 or a negative errno. NULL: nobody need be */
        void *userdata;
        const ClearTarget *clear;       /* clear */
} Target;

typedef struct WriterOps {
        const char *name;               /* "pwrite", "revive", …; filters: "dry", "fault" */
        WriterKind kind;                /* WRITER_AUTO for filters */

        /* Puts the page (REPAIR_UNIT bytes at `page`) in its place and makes it durable. 0, WRITE_E_*, or
         * a negative errno. */
        int (*write)(Writer *w, const Target *t, const void *page);
        void (*close)(Writer *w);       /* optional */
} WriterOps;

/* A writer that wraps another has `next`: dry run and the tests' fault injection are filters of
 * this same type, not flags handed down through every call. */
struct Writer {
        const WriterOps *ops;
        Writer *next;
};

extern const WriterOps *const writer_table[];   /* NULL-terminated; backends only; writers.c */

/* The writer of that kind. 0, -EOPNOTSUPP (no such backend is built in), -ENOMEM. */
int writer_open(WriterKind kind, Writer **ret);

/* Does this file have no page cache? Then fsync(2) of it flushes the processor's caches for every page of it
 * that somebody stored to (dax_writeback_mapping_range()), by the kernel's own addresses and without fixups:
 * for one that is not present that is a kernel oops (CLWB faults; software emulation does not show it). So
 * a DAX file is synced only where its length has to be. */
bool file_is_dax(int fd);

/* The only way in: asserts that the target is one whole, aligned page and calls the outermost filter. */
int writer_write(Writer *w, const Target *t, const void *page);

/* Closes the whole chain. */
Writer *writer_free(Writer *w);
DEFINE_CLEANUP(Writer *, writer_free);

/* Filters; each takes `next` over on success. */
int writer_dry_new(Writer *next, Writer **ret);                         /* writes nothing and says 0 */
int writer_fault_new(Writer *next, const char *spec, Writer **ret);     /* tests: see writer-filters.c */

enum {
        _FAULT_E_SUCCESS,

        FAULT_E_SKIP,           /* the spec says: go on as if it were done */
        FAULT_E_ABSENT,         /* … as if the page were not present */
};

/* Tests: does what `spec` (NULL: nothing) has for this point. 0, FAULT_E_SKIP, the error that it asks
 * for, or -EINVAL for a bad spec. */
int fault_point(const char *spec, const char *point);

/* The same around a write to that disk: "unlist" is possible too. */
int fault_point_on(const char *spec, const char *point, const char *disk);
