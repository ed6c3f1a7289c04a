/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/plan.h"

/* What crosses between the daemon and a worker, both ways, one JSON value a line (core/codec). A worker
 * serves requests from its standard input one after another until that ends. It answers `locate` with one
 * LocateReply; `repair`, `park` (a plan to park or to unpark), `mend` and `settle` with any number of
 * progress lines and then one result line for each page run or intent; `topology` and `health`, requests
 * of that word alone, with the Topology and what the memory modules say of themselves; `plan`, a rehearsal,
 * as locate, but without descriptors, and also for the bytes of a file by its path; `preview`, for a repair
 * by an operator's word, with what he is to be shown (core/preview.h). */

typedef enum Verb {
        VERB_LOCATE,
        VERB_REPAIR,
        VERB_SETTLE,
        VERB_TOPOLOGY,
        VERB_PLAN,
        VERB_HEALTH,
        VERB_PARK,
        VERB_MEND,
        VERB_SCRUB,
        VERB_PREVIEW,
        _VERB_MAX,
        _VERB_INVALID = -EINVAL,
} Verb;

/* One device, its bad ranges, and whom to ask. */
typedef struct Request {
        Verb verb;
        uint64_t id;            /* of the case (repair); echoed in answers */
        Volume volume;
        struct { Volume *items; size_t n, allocated; } others;  /* settle: the file systems on what stands on
                                                                 * the device; plan of a file: what else its
                                                                 * file system has files on */
        uint64_t physical;      /* address of byte 0 of the device, for a device that is one linear piece
                                 * (repair: revive needs it) */
        bool physical_known;
        char *namespace;        /* UUID of the namespace that the device is; NULL: not known */
        char *state_dir;        /* where the intents are; "/var/lib/bezoar" */
        Policy policy;          /* locate: which replicas to ask; settle: whether it may write */
        struct { Findings *items; size_t n, allocated; } ranges; /* locate: range and bad only; repair: one,
                                                                  * as located */
        bool no_path;           /* locate: owners without their names, and so without offers */
        Plan plan;              /* repair, preview */
        uint64_t limit;         /* preview: so many bytes may be shown; see PREVIEW_SHORT */
        uint64_t deadline_usec; /* CLOCK_MONOTONIC; set by the worker that received it, not in JSON; by then
                                 * replicas must have answered; 0: no deadline */
        char *path;             /* plan: instead of ranges, these bytes of this file */
        Range in_file;
} Request;

void request_done(Request *r);
#define _cleanup_request_ _cleanup_(request_done)

/* How a repair or a settlement ended, or (progress) how it goes. */
typedef struct Result {
        uint64_t id;            /* case */
        bool progress;          /* only a step on the way: `detail` */
        CaseState state;        /* healed, failed, waiting, refused, in-doubt, gone, or detected: ask
                                 * again */
        Reason reason;
        char *detail;
        char *replica;          /* NULL: none was used */
        ProofSet proofs;        /* shown at the moment of writing */
        WriterKind writer;      /* that did it */
        Exclusion exclusion;    /* that was held; _EXCLUSION_INVALID: none */
        uint64_t bytes;         /* restored: taken from the replica */
        uint64_t frozen_usec;   /* how long the file system was frozen for it, all pages together */
} Result;

void result_done(Result *r);
#define _cleanup_result_ _cleanup_(result_done)

/* locate: the same ranges with owners, offers and facts. Where standard output is a Unix socket, O_PATH
 * descriptors of the owning files (first file owner) come along with the line (SCM_RIGHTS), in the order
 * of `found`, one for each that has `held` set: whoever keeps them keeps the blocks of these files from
 * becoming free space, even when the files are deleted. */
typedef struct LocateReply {
        struct { Findings *items; size_t n, allocated; } found;
} LocateReply;

void locate_reply_done(LocateReply *r);
#define _cleanup_locate_reply_ _cleanup_(locate_reply_done)

/* What carries out plans with such a verdict, one that acts. */
Verb verb_for_verdict(Verdict v);

/* Asks of the machine, and of no volume. */
bool verb_is_of_machine(Verb v);

const char *verb_to_string(Verb v);
Verb verb_from_string(const char *s);
