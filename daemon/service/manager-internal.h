/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "core/budget.h"
#include "core/job.h"
#include "service/engine.h"
#include "service/ledger.h"
#include "service/manager.h"
#include "source/source.h"

/* What the files of the manager share: manager-life.c (life, hints), manager-cases.c (cases), manager-scan.c
 * (what is bad), manager-work.c (requests and answers). */

/* An open case and what only the running daemon knows of it. */
typedef struct Tracked {
        Manager *manager;
        Case *c;
        Findings found;         /* as last located; found.range.end == 0: not yet */
        Plan plan;              /* VERDICT_REPAIR: to be carried out */
        int hold;               /* O_PATH descriptor of the owning file, or -1: its blocks cannot become free
                                 * space while we have it */
        bool listed;            /* the kernel lists some of it */
        bool busy;              /* a request about it is on its way */
        bool wants_locate;
        bool wants_repair;
        bool settled;           /* told of by the settlement that is on its way, or was last */
        unsigned tries;         /* that ended in waiting or failed, in a row */
        uint64_t retry_at;      /* monotonic; USEC_INFINITY: only when something changes */
} Tracked;

typedef struct Device {
        char *disk;             /* "pmem0" */
        bool wants_scan;
        bool wants_settle;      /* there may be intents of an earlier worker */
        bool list_full;         /* was said already */
} Device;

struct Manager {
        sd_event *event;
        const ManagerOptions *options;
        const ManagerObserver *observer;
        void *observer_userdata;

        Policy policy;
        Topology topology;
        Ledger *ledger;
        Engine *engine;
        Budget budget;
        struct { Source **items; size_t n, allocated; } sources;
        struct { Device **items; size_t n, allocated; } devices;
        struct { Tracked **items; size_t n, allocated; } cases;

        sd_event_source *work;          /* deferred: everything that hints and answers ask for */
        sd_event_source *retry;         /* the earliest retry_at */
        bool wants_topology, topology_asked;
        unsigned topology_tries;
        uint64_t topology_retry_at;     /* monotonic; USEC_INFINITY: nothing failed */
        bool stopping;
        uint64_t last_scan;
        size_t healed, gone;
};

/* manager-life.c */
void manager_poke(Manager *m);                                  /* run the work soon */
Device *manager_find_device(const Manager *m, const char *disk);

/* manager-cases.c */
const char *tracked_disk(const Tracked *t);                     /* "pmem0" */
int tracked_new(Manager *m, const char *disk, Range range, const RangeSet *bad, const char *why, Tracked **ret);
int tracked_adopt(Manager *m, Case *c);                         /* from the ledger; takes the case over on
                                                                 * success */
void tracked_move(Tracked *t, CaseState to, Reason reason, const char *detail);        /* transition, ledger, journal, observer */
void tracked_store(Tracked *t);
void tracked_retry_later(Tracked *t);
void tracked_release(Tracked *t);                               /* lets the file go */
void manager_drop_closed(Manager *m);
Tracked *tracked_free(Tracked *t);

/* manager-scan.c */
void manager_scan(Manager *m, Device *d);

/* manager-work.c */
void manager_dispatch(Manager *m);
