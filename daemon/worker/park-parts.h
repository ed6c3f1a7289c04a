/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/guard.h"
#include "worker/page.h"
#include "worker/progress.h"

/* Between park.c (the verb), park-take.c, park-search.c and park-clean.c. */

typedef struct Park {
        const Request *request;
        const Findings *f;
        Site site;
        int intents_fd, lock_fd;
        char boot_id[37];
        Guard guard;
        SpaceMap space;         /* guard_space() */
        Range target;           /* the range; from here on addresses are those of the file system */
        MapGroups groups;
        RangeSet wanted;        /* free pages; whole blocks */
        ProgressFn progress;
        void *userdata;
        Result result;
} Park;

enum {
        _PARK_E_SUCCESS,

        PARK_E_ENDED,           /* the outcome is in result */
};

#define ended(park, ...) (result_set(&(park)->result, __VA_ARGS__), PARK_E_ENDED)

/* Says what is done next. */
__attribute__((format(printf, 2, 3))) void park_tell(const Park *p, const char *format, ...);

/* Tests: fault_point_on() of the environment. */
int park_fault(const Park *p, const char *point);

/* Has the guard own what is wanted, or a part of it: *found. 0 or a negative errno. */
int park_search(const Park *p, RangeSet *found);

/* What is listed of what the guard was given stays with it, wanted or not: it is as free, and as dangerous.
 * Where the list is cut off, those that are wanted will have to do. */
int park_listed_pages(const Park *p, RangeSet *ret);

/* PARK_E_ENDED or a negative errno. */
int park_take(Park *p);
int park_clean(Park *p);
