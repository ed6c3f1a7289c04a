/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/fs-part.h"
#include "core/owner.h"
#include "core/policy.h"
#include "core/proof.h"
#include "core/rangeset.h"
#include "core/reason.h"

/* The life of one piece of poison: a run of bad pages with the same owner. */

typedef enum CaseState {
        CASE_DETECTED,          /* the kernel lists it; nobody has asked yet whose it is */
        CASE_LOCATED,           /* owners and offers are known */
        CASE_REPAIRING,         /* a worker is about to write, or has written */
        CASE_HEALED,            /* read back, right, and no longer listed; closed */
        CASE_HARMLESS,          /* nothing was lost; watched until the kernel no longer lists it */
        CASE_REFUSED,           /* writing would be wrong; a person must act */
        CASE_WAITING,           /* will be tried again */
        CASE_FAILED,            /* tried and failed; will be tried again after a back-off */
        CASE_IN_DOUBT,          /* a crash left bytes that cannot be explained; a person must look */
        CASE_GONE,              /* no longer listed, and not by our doing; closed */
        _CASE_STATE_MAX,
        _CASE_STATE_INVALID = -EINVAL,
} CaseState;

/* The device whose bytes are counted, the file system that they come under, as far as known, and where the
 * kernel lists what is bad of it. */
typedef struct Volume {
        char *device;           /* "/dev/pmem0": a disk of persistent memory, never what stands on it */
        char *fs;               /* "xfs"; NULL: none mounted */
        char *uuid;             /* of the file system; NULL */
        char *mountpoint;       /* NULL */
        char *fs_device;        /* what the file system has for its device, where that is another one, which
                                 * stands on `device` (and perhaps on more): "/dev/pmem0p2",
                                 * "/dev/mapper/db"; or has nothing but `part` on it; NULL: `device` itself
                                 */
        FsPart part;            /* of the file system, which the bytes are */
        char *part_device;      /* what it has for that part, where this is neither its data nor `device`
                                 * itself, but stands on `device`; NULL */
        char *hindrance;        /* one sentence: why nobody can be asked whose these bytes are; NULL */
        char *region;           /* the bad blocks of `device` are those in `window` of this region's list
                                 * ("region0"); NULL: `device` has a list of its own */
        Range window;           /* offsets in the region */
} Volume;

void volume_done(Volume *v);
int volume_copy(const Volume *v, Volume *ret);
bool volume_equal(const Volume *a, const Volume *b);

typedef struct CaseEvent {
        uint64_t time;          /* microseconds since the epoch */
        CaseState state;
        char *detail;           /* one sentence */
} CaseEvent;

typedef struct Case {
        uint64_t id;            /* 1, 2, …; never used again */
        CaseState state;
        Reason reason;
        Volume volume;
        Range range;            /* on the device, whole pages */
        RangeSet bad;           /* the listed sectors within it */
        Range physical;         /* of range; {0,0}: not known, or not in one piece */
        char **dimms;
        Owners owners;
        char *replica;          /* that the bytes came from; NULL */
        ProofSet proofs;        /* that was shown */
        char *accepted_by;      /* the operator whose word stood in the place of a proof, in words; NULL */
        WriterKind writer;      /* that wrote; WRITER_AUTO: none did */
        uint64_t frozen_usec;   /* how long the file system was frozen for that */
        unsigned attempts;      /* times a worker was told to write; from 0 again where a harmless
                                 * place became something else */
        bool ignored;           /* an operator has said to leave it alone */
        struct { CaseEvent *items; size_t n, allocated; } events;
} Case;

Case *case_free(Case *c);
DEFINE_CLEANUP(Case *, case_free);

typedef struct Cases {
        Case **items;
        size_t n, allocated;
} Cases;

void cases_done(Cases *l);
#define _cleanup_cases_ _cleanup_(cases_done)

/* A new case in CASE_DETECTED, with its first event. 0, -EINVAL (range not in whole pages, or bad not
 * within it), -ENOMEM. */
int case_new(uint64_t id, const char *device, Range range, const RangeSet *bad, uint64_t now, Case **ret);

/* The one way in which a case changes its state; it adds the event. 0; -EPERM when there is no such way,
 * and nothing has changed; -ENOMEM, and nothing has changed. The same state again, with another reason,
 * is a change too; with the same reason it is none and adds no event. `detail` NULL: the explanation of
 * the reason. */
int case_transition(Case *c, CaseState to, Reason reason, const char *detail, uint64_t now);

/* An operator's word about an open case; where it says something new, it is an event. 0, -ENOMEM (and
 * nothing has changed). */
int case_set_ignored(Case *c, bool ignored, const char *detail, uint64_t now);

/* Something that an operator said about an open case, as an event that changes no state. 0, -ENOMEM (and
 * nothing has changed). */
int case_note(Case *c, const char *detail, uint64_t now);

/* Would it be allowed? */
bool case_may(CaseState from, CaseState to);

/* Nothing more will happen to it, whatever the kernel lists. */
bool case_state_is_closed(CaseState s);         /* healed, gone */

/* It waits for a person, not for the daemon. */
bool case_state_wants_operator(CaseState s);    /* refused, in-doubt */

/* The kernel no longer listing the range does not settle this case: cleared is not yet healed (EFAULT
 * after a machine check). */
bool case_outlives_listing(const Case *c);

const char *case_state_to_string(CaseState s);
CaseState case_state_from_string(const char *s);
