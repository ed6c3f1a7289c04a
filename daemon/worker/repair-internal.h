/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/stat.h>

#include "core/job.h"
#include "worker/freeze.h"
#include "worker/gather.h"
#include "worker/lease.h"
#include "worker/progress.h"
#include "worker/site.h"

/* Another file that has the same bytes (reflink). */
typedef struct Sharer {
        const Owner *owner;             /* within the findings */
        int fd;
        Lease lease;
} Sharer;

/* A repair under way: one file (or device-dax), opened and under exclusion, and the bytes that were read and
 * proved. */
typedef struct Repair {
        const Request *request;
        const Findings *f;
        const Owner *owner;
        const Plan *plan;
        Site site;
        int fd;
        int intents_fd, lock_fd;
        WriterKind writers[MEANS_WRITERS_MAX];   /* of the plan, those that suit the exclusion */
        size_t n_writers;
        Lease lease;
        struct { Sharer *items; size_t n, allocated; } sharers; /* those whose extents may be replaced */
        const Owner *busy;              /* why there is no lease; NULL: there is, or none was wanted */
        bool lease_lost;                /* there was one, and before anything was written somebody wanted the
                                         * file */
        bool only_freeze;               /* no other exclusion: that has happened before */
        int block_fd;                   /* EXCLUSION_FREEZE: for writing */
        Freeze freeze;
        struct stat before;             /* under exclusion */
        struct timespec mtime;          /* as we left it */
        Gathered seen;
        const Evidence *evidence;       /* of the plan's replica; within seen */
        uint64_t lost, compared, differ;        /* by an operator's word: bytes, as in core/preview.h */
        char boot_id[37];
        uint8_t *page, *again;          /* one page each, aligned */
        ProgressFn progress;
        void *userdata;
        Result result;
} Repair;

enum {
        _REPAIR_E_SUCCESS,

        REPAIR_E_ENDED,         /* the outcome is in result */
        REPAIR_E_AGAIN,         /* something moved between looking and writing: look again */
};

#define ended(repair, ...) (result_set(&(repair)->result, __VA_ARGS__), REPAIR_E_ENDED)

/* Says what is done next. */
__attribute__((format(printf, 2, 3))) void repair_tell(const Repair *r, const char *format, ...);

/* One page of the plan. 0: written and read back, or cleared by somebody else; REPAIR_E_ENDED; or a
 * negative errno. */
int repair_step(Repair *r, const Step *s);

/* Opens the file, and all whose extents a writer of the plan may replace, and keeps everybody else from
 * them by the first exclusion of the plan that can be had (repair-exclude.c). 0, REPAIR_E_ENDED, or a
 * negative errno. */
int repair_exclude(Repair *r);

/* Is everybody kept out still? 0 or REPAIR_E_ENDED. */
int repair_excluded(Repair *r);

/* Closes what repair_exclude() has opened. */
void repair_let_go(Repair *r);

/* Reads the neighbourhood and all replicas, and lets them show what the plan asks for (repair-prove.c). 0,
 * REPAIR_E_ENDED, or a negative errno. */
int repair_prove(Repair *r);

/* Right before the write: still this file's, still the same sectors bad, still the same good bytes (`got`,
 * device addresses; unless they are not written) and the same around them (repair-look.c). 0,
 * REPAIR_E_AGAIN, REPAIR_E_ENDED, or a negative errno. */
int repair_look_again(Repair *r, const Step *s, const RangeSet *listed, const RangeSet *got);

/* The first of these questions alone. */
int repair_look_at_owner(Repair *r, const Step *s);

/* Can the page at this file offset be read? 0 or a negative errno. */
int repair_read_page(const Repair *r, uint64_t offset);

/* Is the page of a device-dax listed, so that it must not be read? > 0 yes, 0 no, or it is no device-dax; or
 * a negative errno. */
int repair_listed_on_device(const Repair *r, uint64_t at);

/* Is it frozen for each page? Then only the bad sectors are written, below the file system. */
static inline bool repair_in_place(const Repair *r) {
        return r->result.exclusion == EXCLUSION_FREEZE;
}

/* Is a hole punched first? Then there is no other writer. */
static inline bool repair_punches(const Repair *r) {
        return r->n_writers == 1 && r->writers[0] == WRITER_PUNCH;
}

/* Thaws; fine when it is not frozen. 0 or REPAIR_E_ENDED. */
int repair_thaw(Repair *r);

/* Storing through a mapping and cutting a file back move its mtime: as it was, under a lease. */
void repair_restore_times(Repair *r);

static inline bool repair_same_time(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What only memory has of the files (there is no DAX, then) must not be taken for lost, nor be replaced by
 * something older: it is written back, and where that clears a page, the list will say so. 0 or a negative
 * errno. */
int repair_write_back(const Repair *r);
