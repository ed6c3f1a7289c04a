/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/topology.h"

/* Seals the regular files at and below a path, on file systems that stand on persistent memory. */

typedef enum SealOutcome {
        SEAL_SEALED,
        SEAL_UNCHANGED,         /* has a current seal */
        SEAL_EMPTY,             /* no bytes: nothing to seal */
        SEAL_BUSY,              /* somebody has it open for writing */
        SEAL_CHANGED,           /* it was changed while it was read */
        SEAL_UNREADABLE,        /* bytes of it are lost */
        SEAL_FUTURE,            /* its ctime lies in the future: the clock was set back */
        SEAL_ELSEWHERE,         /* no file system on persistent memory, or one without UUID */
        SEAL_FAILED,            /* an error: `error` */
        _SEAL_OUTCOME_MAX,
} SealOutcome;

typedef struct SealReport {
        const char *path;       /* NULL: bytes only */
        SealOutcome outcome;
        int error;              /* negative errno; 0 */
        uint64_t size;          /* of the file */
        uint64_t bytes;         /* hashed since the last report */
} SealReport;

/* One call at a time, but from several threads. */
typedef void (*SealReportFn)(const SealReport *r, void *userdata);

typedef struct SealOptions {
        const char *state_dir;
        const Topology *topology;
        bool force;             /* also what has a current seal */
        unsigned threads;
} SealOptions;

/* Each path in turn (NULL-terminated). Seals of files that are no more are removed from the store. 0, -EBUSY
 * (another sealing is running), or another negative errno of the whole; what is wrong with one file is in
 * its report. */
int seal_files(const SealOptions *o, char *const *paths, SealReportFn fn, void *userdata);

/* A sentence's end: "sealed", "somebody has it open for writing" … */
const char *seal_outcome_explain(SealOutcome o);

/* Is that how it should be? */
static inline bool seal_outcome_is_fine(SealOutcome o) {
        return o == SEAL_SEALED || o == SEAL_UNCHANGED || o == SEAL_EMPTY;
}
