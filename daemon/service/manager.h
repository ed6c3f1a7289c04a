/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/policy.h"
#include "core/topology.h"
#include "util/cleanup.h"

/* Owns policy, topology and cases; turns hints into requests to workers, and their answers into the
 * states of cases. Knows no bus: who wants to know registers an observer. */

typedef struct sd_event sd_event;
typedef struct Manager Manager;

typedef struct ManagerOptions {
        const char *config_dir;         /* "/etc/bezoar" */
        const char *state_dir;          /* "/var/lib/bezoar"; exists */
        const char *worker_path;
        const char *topology_file;      /* NULL: the running system */
} ManagerOptions;

typedef struct ManagerObserver {
        void (*case_changed)(const Case *c, void *userdata);    /* new, another state, closed (then it is
                                                                 * gone afterwards) */
        void (*counts_changed)(void *userdata);                 /* cases or devices came or went, or a scan
                                                                 * was done */
        void (*stopped)(void *userdata);                        /* after manager_stop(): nothing is on its
                                                                 * way any more */
} ManagerObserver;

/* The options must outlive the manager. 0 or a negative errno. */
int manager_new(sd_event *event, const ManagerOptions *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free);

void manager_set_observer(Manager *m, const ManagerObserver *observer, void *userdata);

/* Loads the configuration and the ledger, reads the machine, starts the sources and the first scan. 0 or
 * a negative errno. */
int manager_start(Manager *m);

/* Reads the configuration again, and judges every open case again by it. Errors in it are logged; the
 * rest is applied. */
void manager_reload(Manager *m);

/* Looks at everything again: topology, bad-block lists, and every open case. */
void manager_rescan(Manager *m);

/* Begins nothing more; observer->stopped is called when what has begun has ended. */
void manager_stop(Manager *m);

typedef struct ManagerCounts {
        size_t devices;                 /* disks that are watched */
        size_t by_state[_CASE_STATE_MAX];       /* open cases now; healed and gone: since the ledger began */
        uint64_t last_scan;             /* microseconds since the epoch; 0: none yet */
} ManagerCounts;

void manager_count(const Manager *m, ManagerCounts *ret);
