/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>

/* Why a case is where it is: the word that the operator reads, in the journal (BEZOAR_REASON=), on the bus
 * and in the ledger. */
typedef enum Reason {
        REASON_NONE,

        /* nothing was lost */
        REASON_UNWRITTEN,               /* allocated, never written: the kernel zeroes it on first write */
        REASON_FREE,                    /* free space, page present: cleared when it is allocated */
        REASON_PARKED,                  /* a guard file owns it, so that nobody is given a block whose page
                                         * may be absent */
        REASON_CLEARED,                 /* no longer listed, and it was not us: somebody wrote or cleared */

        /* whose bytes */
        REASON_METADATA,                /* the file system's own */
        REASON_LOG,                     /* its journal */
        REASON_UNKNOWN_OWNER,
        REASON_FREE_PAGE_MAY_BE_ABSENT, /* whole page bad in free space: if a machine check did it, an armed
                                         * kernel crash */
        REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT, /* the same below a file's unwritten extent: it must not write
                                              * there */
        REASON_UNLISTED,                /* a machine check named it, and the bad-block list does not */
        REASON_UNMOUNTED,
        REASON_READ_ONLY,               /* mounted read-only */
        REASON_CHANGED,                 /* the owner changed between locate and repair: ask again */
        REASON_SHARED_EXTENT,           /* reflink: a write through the file cannot work */
        REASON_PATH_UNKNOWN,            /* the file has no name below a protected path that could be found */

        /* what may be done */
        REASON_OBSERVE,                 /* Mode=observe */
        REASON_NOT_PROTECTED,           /* no protect file holds this path */
        REASON_NO_REPLICA,              /* the protect file names none */
        REASON_WRITER_NOT_ALLOWED,      /* Writer= or Exclusion= allows nothing that would work here */
        REASON_BUDGET,                  /* RepairBudget= is used up */
        REASON_PAGE_BUDGET,             /* PageBudget= is: this page is healed and lost again and again */

        /* replicas */
        REASON_REPLICA_MISSING,
        REASON_REPLICA_SHORT,
        REASON_REPLICA_NOT_REGULAR,
        REASON_REPLICA_ESCAPES,
        REASON_REPLICA_UNREADABLE,
        REASON_REPLICA_UNREACHABLE,
        REASON_REPLICA_SAME_DEVICE,
        REASON_REPLICA_STALE,           /* surviving neighbours differ, or size or mtime do */
        REASON_REPLICAS_DISAGREE,
        REASON_NEIGHBOURS_BUSY,         /* somebody stores to bytes around the lost ones: no copy can be
                                         * shown to be one of now */
        REASON_PROOF_MISSING,           /* it may be right, but cannot show it as policy asks */
        REASON_NOT_AS_SHOWN,            /* an operator gave his word for other bytes than these */

        /* the repair itself */
        REASON_FILE_BUSY,               /* exclusion could not be had as policy asks */
        REASON_PAGE_NOT_PRESENT,        /* it is not in the kernel's map, and could not be brought back */
        REASON_WRITE_FAILED,
        REASON_READ_BACK_FAILED,        /* what was read back is not what was written */
        REASON_STILL_LISTED,            /* written and right, but the kernel still lists the range */
        REASON_IN_DOUBT,                /* a crash in the kernel's window, and bytes that differ from the
                                         * intent in a way that nobody can explain */
        REASON_WORKER_DIED,
        REASON_WORKER_TIMEOUT,
        REASON_INTERNAL,                /* an unexpected error: `detail` has it */

        _REASON_MAX,
        _REASON_INVALID = -EINVAL,
} Reason;

const char *reason_to_string(Reason r);         /* "replica-stale", … ; "" for REASON_NONE */
Reason reason_from_string(const char *s);

/* What happened, in one sentence, for the journal. */
const char *reason_explain(Reason r);

/* What the operator can do now, in one sentence; NULL when there is nothing to do. */
const char *reason_advice(Reason r);
