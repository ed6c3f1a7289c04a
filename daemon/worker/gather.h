/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/evidence.h"

struct stat;

/* Everything that is read of a file's lost bytes: what survives around them, and what replicas have. All of
 * it is read once; what is judged, shown and written later are these very bytes. */
typedef struct Gathered {
        Outlook outlook;        /* from which it was read, and can be looked at again; lends what gather()
                                 * was given */
        Window window;          /* the pages, and NEIGHBOURS_WINDOW before and after them */
        RangeSet lost;          /* file offsets in the pages whose bytes are to come from a replica. Empty:
                                 * all can be read, and no replica was asked */
        Sealed sealed;          /* by an operator's word: none, for it may contradict a seal */
        Evidences evidences;    /* in the order of the replicas */
} Gathered;

#define GATHERED_NULL ((Gathered) { .sealed = SEALED_NULL })
void gathered_done(Gathered *g);
#define _cleanup_gathered_ _cleanup_(gathered_done)

/* For f->range, which is at `offset` of the file `owner`: `fd`, open for reading, is `st` now. `replicas`:
 * which of the protect's are asked (NULL-terminated). `patience`: as for evidences_take(). 0 or a negative
 * errno. */
int gather(const Request *request, const Site *site, const Protect *protect, const Owner *owner,
           const Findings *f, int fd, const struct stat *st, char *const *replicas, uint64_t *patience,
           Gathered *ret);
