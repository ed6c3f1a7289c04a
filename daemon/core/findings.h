/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/fs-part.h"
#include "core/mend.h"
#include "core/offer.h"
#include "core/owner.h"
#include "core/rangeset.h"

/* What a worker found out about one bad range: facts, no decisions. */
typedef struct Findings {
        Range range;            /* on the block device, whole pages */
        RangeSet bad;           /* the bad sectors in it, as the kernel listed them */
        Owners owners;          /* cover the range completely, in order; sharers repeat the same bytes: the
                                 * first is the one that replicas were asked about, a file of a protect if
                                 * there is one */
        Offers offers;          /* from the replicas of the protect that holds the owner's path; for a range
                                 * with one file */
        bool read_only;         /* the file system is mounted read-only */
        uint64_t file_size;     /* of the owner; 0 unless OWNER_FILE */
        char *fs;               /* type of the file system, "xfs"; NULL: none that could be asked */
        FsPart part;            /* of that file system, which the range is */
        bool absent;            /* good sectors of a bad page cannot be read either */
        bool present;           /* what took the pages from the kernel's map was before it was booted, so
                                 * they are there again: known of pages that are parked */
        bool readable;          /* every byte of the range can be read through the file, after all */
        bool coarse;            /* the device cannot be written in single sectors (logical blocks of 4096) */
        bool clonable;          /* its files can share blocks, and guard files can keep them */
        bool freezable;         /* the file system can be frozen: nothing that a repair needs lies on it */
        Mend mend;              /* metadata: what of it the file system can rebuild by itself */
        char *mended;           /* what came of that, which is tried once; NULL: it was not */
        bool held;              /* a descriptor that keeps the owning file's blocks allocated came along */
} Findings;

void findings_done(Findings *f);
int findings_copy(const Findings *f, Findings *ret);    /* 0 or -ENOMEM */
#define _cleanup_findings_ _cleanup_(findings_done)

/* May a page of the range be missing from the kernel's map? A machine check takes out whole pages
 * (set_mce_nospec()), but lists as little as it was told of (1 << LSB bytes, nfit_handle_mce(); 64 on
 * most machines): a page of which good sectors cannot be read either is absent, and of one that is listed
 * as a whole nobody can tell, but where `present` says so. As long as it may be, nothing may set its block
 * free. */
bool findings_page_may_be_absent(const Findings *f);

/* Is there a page all of whose sectors are bad? */
bool findings_has_whole_page(const Findings *f);

/* Cuts findings into parts that can be judged on their own: whole pages each, with the same owners (the
 * same inodes at consecutive offsets, or the same class). Calls `fn` for each part in order; non-zero
 * stops and is returned. The offers go with every part. */
int findings_split(const Findings *f, int (*fn)(const Findings *part, void *userdata), void *userdata);
