/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/offer.h"
#include "core/owner.h"
#include "core/policy.h"
#include "core/rangeset.h"
#include "core/reason.h"

/* What a worker found out about one bad range: facts, no decisions. */
typedef struct Findings {
        Range range;            /* on the block device, whole pages */
        RangeSet bad;           /* the bad sectors in it, as the kernel listed them */
        Owners owners;          /* cover the range completely, in order; sharers repeat the same bytes */
        Offers offers;          /* from the replicas of the protect that holds the owner's path; for a range
                                 * with one file */
        bool read_only;         /* the file system is mounted read-only */
        uint64_t file_size;     /* of the owner; 0 unless OWNER_FILE */
        char *fs;               /* type of the file system, "xfs"; NULL: none that could be asked */
        bool absent;            /* good sectors of a bad page cannot be read either */
        bool present;           /* what took the pages from the kernel's map was before it was booted, so
                                 * they are there again: known of pages that are parked */
        bool readable;          /* every byte of the range can be read through the file, after all */
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

typedef enum Verdict {
        VERDICT_REPAIR,
        VERDICT_PARK,           /* free space that crashes the kernel when somebody is given it: a guard file
                                 * is to own it */
        VERDICT_UNPARK,         /* the page is there again: clean it through its guard file, and let it go */
        VERDICT_HARMLESS,       /* no data is lost, nothing is to be written */
        VERDICT_REFUSE,         /* writing would be wrong: `reason` */
        VERDICT_WAIT,           /* cannot be judged or done now: `reason` says what for */
        _VERDICT_MAX,
        _VERDICT_INVALID = -EINVAL,
} Verdict;

/* One page to be rewritten. */
typedef struct Step {
        Range range;            /* on the block device: exactly one page */
        uint64_t offset;        /* of the page in the file */
        RangeSet bad;           /* device addresses, within range */
} Step;

typedef struct Plan {
        Verdict verdict;
        Reason reason;          /* unless there are steps */
        char *detail;           /* a sentence with the particulars (which replica, what differed); NULL */

        /* VERDICT_REPAIR, VERDICT_PARK and VERDICT_UNPARK: pages with bad sectors (to park: offset 0) */
        struct { Step *items; size_t n, allocated; } steps;

        /* VERDICT_REPAIR only: */
        char *replica;
        ProofSet proofs;        /* the alternative of the policy that must be shown again at the moment of
                                 * writing; never 0 */
        WriterKind writers[2];  /* tried in this order */
        size_t n_writers;
        ExclusionList exclusion;
} Plan;

void plan_done(Plan *p);
#define _cleanup_plan_ _cleanup_(plan_done)

/* There are steps, which a worker is to carry out. */
bool verdict_acts(Verdict v);

const char *verdict_to_string(Verdict v);
Verdict verdict_from_string(const char *s);

/* The decision. Pure: the same arguments give the same plan. 0 or -ENOMEM; every other trouble is a
 * verdict.
 *
 * Promises (tests/unit/test-plan.c): steps cover exactly the pages of f->bad, each once, and nothing
 * outside f->range; a repair only when every byte of f->range is written data of one and the same file, not
 * shared, and no guard; p->proofs is an alternative of the policy and contained in what the chosen offer
 * shows. Parked is only free space of a file system of which it is known that it needs it, unparked only
 * what a guard owns and whose page cannot be absent; neither in MODE_OBSERVE or on a file system that is
 * mounted read-only. */
int plan_make(const Policy *policy, const Findings *f, Plan *ret);

/* The reason why an offer is not good enough. */
Reason offer_reason(const Offer *o);

/* Cuts findings into parts that can be judged on their own: whole pages each, with the same owners (the
 * same inodes at consecutive offsets, or the same class). Calls `fn` for each part in order; non-zero
 * stops and is returned. The offers go with every part. */
int findings_split(const Findings *f, int (*fn)(const Findings *part, void *userdata), void *userdata);
