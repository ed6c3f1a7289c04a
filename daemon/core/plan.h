/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/findings.h"
#include "core/means.h"
#include "core/policy.h"
#include "core/reason.h"
#include "core/word.h"

typedef enum Verdict {
        VERDICT_REPAIR,
        VERDICT_PARK,           /* free space that crashes the kernel when somebody is given it: a guard file
                                 * is to own it */
        VERDICT_UNPARK,         /* the page is there again: clean it through its guard file, and let it go */
        VERDICT_MEND,           /* metadata: the file system is to rebuild it from what it has elsewhere */
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

        /* VERDICT_REPAIR, _PARK, _UNPARK and _MEND: pages with bad sectors (to park, to mend: offset 0) */
        struct { Step *items; size_t n, allocated; } steps;

        /* VERDICT_REPAIR only: */
        char *replica;
        ProofSet proofs;        /* the alternative of the policy that must be shown again at the moment of
                                 * writing; 0 only with by_word */
        bool by_word;           /* an operator's word stands in the place of a proof */
        char *shown;            /* … and holds for this alone: the token of what he was shown; NULL: he has
                                 * not been yet, and this plan is to show him */
        Means means;
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
 * outside f->range; a repair only when every byte of f->range is written data of one and the same file, no
 * guard, or of files that share it and that no two protect files hold, or of one device-dax; bytes that are
 * shared are written in place only; the block device is written only in pages that have a sector that could
 * be read through it (else: a kernel oops), in single sectors, and frozen; a device-dax is written by
 * `clear` alone, which writes nothing else, and optimistically; holes are punched only where Writer= says
 * so, under a lease, in what is not shared, and where no page can be absent; each exclusion has a writer
 * that suits it and the other way round; p->proofs is an alternative of the policy and contained in what
 * the chosen offer shows. Parked is only free space of a file system of which it is known that it needs it,
 * unparked only what a guard owns and whose page cannot be absent; mended only metadata of which the file
 * system says that it can rebuild it, whose page cannot be absent, and once. None of these in MODE_OBSERVE
 * or on a file system that is mounted read-only. */
int plan_make(const Policy *policy, const Findings *f, Plan *ret);

/* The same where an operator's word takes the place of the proof: what replicas offer is not asked, and may
 * contradict itself. All else is as above, and promised as above: for a replica that the protect names, it
 * is the plan that a perfect offer of that replica would have. */
int plan_make_by_word(const Policy *policy, const Findings *f, const Word *word, Plan *ret);
