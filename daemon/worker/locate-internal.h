/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/holds.h"
#include "worker/site.h"

/* Between the files of the verb `locate` only. */

/* What a file shows when it is opened, asked for one part of it. */
typedef struct Look {
        bool done;
        int error;              /* 0, or of mapper_open(); then there is nothing else */
        int hold;               /* O_PATH; -1 */
        struct stat st;
        bool readable;          /* findings.h */
} Look;

typedef struct Locator {
        const Request *request;
        Site site;
        bool clonable, freezable;       /* findings.h */
        Owners owners;          /* of all that was asked for, in the order of their starts */
        struct { uint64_t *items; size_t n, allocated; } reach; /* the furthest end up to each of them */
        int failure;            /* of the question for them; 0 */
        MapFiles files;         /* all files among them, by inode, with their names */
        struct { uint64_t *items; size_t n, allocated; } guards;        /* inodes of our own */
        uint64_t *rest_usec;    /* evidences_take(): its patience */
        LocateReply *reply;
        Look *looks;            /* one for each of reply->found */
        size_t n_looks;
        Holds *holds;
} Locator;

/* One owner of all of it instead of those in `owners`. 0 or -ENOMEM. */
int owners_single(Owners *owners, OwnerType type, Range range, const char *detail);

/* Which guards there are. 0 or -ENOMEM. */
int locate_guards(Locator *l);

/* The names of all files that are owners, in one search. 0 or -ENOMEM. */
int locate_names(Locator *l);

/* Gives o, a file, its names, and a path: one that a protect file holds, if there is such a one. 0 or
 * -ENOMEM. */
int locate_name(const Locator *l, Owner *o);

/* Looks at the file of the first owner of `f`, which `n` parts from there on have. */
void locate_look(const Locator *l, const Findings *f, size_t n, Look *ret);

/* The same for all that have been found and have one owner. 0 or -ENOMEM. */
int locate_look_at_all(Locator *l);
void locate_looks_done(Locator *l);

/* Everything about the file that owns this part. A file that has gone meanwhile leaves the part with an
 * unknown owner. 0 or a negative errno. */
int locate_file(const Locator *l, Findings *f, Look *look);

/* The same of a device-dax, which is its own owner. */
int locate_device(const Locator *l, Findings *f);
