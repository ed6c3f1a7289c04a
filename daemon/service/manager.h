/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/forecast.h"
#include "core/health.h"
#include "core/policy.h"
#include "core/preview.h"
#include "core/topology.h"
#include "service/operator.h"
#include "service/resolution.h"
#include "util/cleanup.h"

/* Owns policy, topology and cases; turns hints into requests to workers, and their answers into the
 * states of cases. Knows no bus: who wants to know registers an observer. Nothing here waits for a
 * worker. */

typedef struct sd_event sd_event;
typedef struct Manager Manager;

/* Where descriptors are kept that must outlive the daemon, by the id of a case: whoever starts us again
 * gives them back (manager_give_hold()). */
typedef struct HoldStore {
        void (*keep)(uint64_t id, int fd, void *userdata);      /* a copy of it */
        void (*drop)(uint64_t id, void *userdata);              /* all of that id */
        void *userdata;
} HoldStore;

typedef struct ManagerOptions {
        const char *config_dir;         /* "/etc/bezoar" */
        const char *state_dir;          /* "/var/lib/bezoar"; exists */
        const char *worker_path;
        const char *topology_file;      /* NULL: the running system */
        const HoldStore *holds;         /* NULL: they end with the daemon */
} ManagerOptions;

/* Each may be NULL. */
typedef struct ManagerObserver {
        void (*case_added)(const Case *c, void *userdata);
        void (*case_changed)(const Case *c, void *userdata);    /* another state, reason or range; closed,
                                                                 * and then never again */
        void (*case_alert)(const Case *c, void *userdata);      /* an operator should know now how it stands:
                                                                 * it is over, or wants him, or goes wrong;
                                                                 * not for the same again */
        void (*case_progress)(const Case *c, const char *detail, void *userdata);
        void (*counts_changed)(void *userdata);                 /* cases or devices came or went, or a scan
                                                                 * was done */
        void (*stopped)(void *userdata);                        /* after manager_stop(): nothing is on its
                                                                 * way any more */
} ManagerObserver;

/* The options must outlive the manager. 0 or a negative errno. */
int manager_new(sd_event *event, const ManagerOptions *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free);

/* Both must outlive the manager. 0 or -ENOMEM. */
int manager_add_observer(Manager *m, const ManagerObserver *observer, void *userdata);

/* Before the start: a descriptor that an earlier daemon has had kept; taken over on success. 0 or
 * -ENOMEM. */
int manager_give_hold(Manager *m, uint64_t id, int fd);

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
        size_t by_state[_CASE_STATE_MAX];       /* open cases now, without those that are ignored; healed and
                                                 * gone: as far back as the ledger goes */
        size_t ignored;
        uint64_t last_scan;             /* microseconds since the epoch; 0: none yet */
} ManagerCounts;

void manager_count(const Manager *m, ManagerCounts *ret);

/* ---- for who asks from outside; what is returned is the manager's, and good until the loop runs again
 * ---- */

enum {
        _MANAGER_E_SUCCESS,

        MANAGER_E_NO_SUCH_CASE,
        MANAGER_E_CLOSED,               /* the case is over */
        MANAGER_E_NOT_APPLICABLE,       /* not in this state */
        MANAGER_E_BUSY,                 /* a worker has the case; or there are too many rehearsals */
        MANAGER_E_CONFIGURED,           /* the configuration says otherwise */
        MANAGER_E_NO_SUCH_VOLUME,
        MANAGER_E_RANGE,
        MANAGER_E_STOPPING,
        MANAGER_E_OBSERVING,            /* nothing is written in MODE_OBSERVE */
        MANAGER_E_NOT_LOCATED,          /* nobody knows yet whose the bytes are; soon */
        MANAGER_E_NOT_SHOWN,            /* a word for what was not shown */
        MANAGER_E_REFUSED,              /* by the plan, whatever the word */
};

/* Open, or closed and still kept; NULL. */
const Case *manager_find_case(const Manager *m, uint64_t id);

/* By their ids; with the closed ones that are kept, or without. Non-zero from fn stops and is returned. */
int manager_each_case(const Manager *m, bool closed, int (*fn)(const Case *c, void *userdata),
                      void *userdata);

/* What was last found about an open case; NULL: nothing yet. When it is tried again by itself,
 * microseconds since the epoch; 0: not by itself. */
const Findings *manager_find_findings(const Manager *m, uint64_t id);
uint64_t manager_next_try(const Manager *m, uint64_t id);

const Topology *manager_topology(const Manager *m);
const Policy *manager_policy(const Manager *m);         /* as in force */
Mode manager_configured_mode(const Manager *m);

/* How a replica did in rehearsals since the daemon was started: pages asked for; of these, those that it
 * would have restored (it can show what Proof= asks for, and has the right bytes); and those that it would
 * have been believed, wrongly. */
typedef struct ReplicaScore {
        uint64_t pages, good, wrong;
} ReplicaScore;

/* Each configured replica, once, by its name, with what it answered when it was last asked (a word of
 * offer_state_to_string(), "stale", or "unasked") and when, in microseconds since the epoch. Non-zero from
 * fn stops and is returned. */
typedef int (*ReplicaFn)(const char *replica, const char *answer, uint64_t time, const ReplicaScore *score,
                         void *userdata);
int manager_each_replica(const Manager *m, ReplicaFn fn, void *userdata);

const DimmHealths *manager_health(const Manager *m);    /* of the modules, as they last said */

/* Sets the brake (MODE_OBSERVE), which is stored and outlives a restart, or takes it off. 0,
 * MANAGER_E_CONFIGURED, or a negative errno: the mode is in force, but could not be stored. */
int manager_set_mode(Manager *m, Mode mode);

/* What `op` has decided, on record before anything follows from it. A word must have been shown; it holds
 * for one try. 0, MANAGER_E_*, or a negative errno. */
int manager_resolve(Manager *m, uint64_t id, const Resolution *resolution, const Operator *op);

/* p NULL: it did not work, `error` (as in engine.h) and `detail` (NULL: none) say why. */
typedef void (*PreviewFn)(Preview *p, int error, const char *detail, void *userdata);

/* What would be written into the bytes of a case by an operator's word, and what he should compare; up to
 * `limit` bytes each. fn is called once, later, unless the manager is freed first; it may take what is in
 * *p. 0; MANAGER_E_* or a negative errno, and fn is not called; with MANAGER_E_REFUSED *ret_why (the caller
 * frees it) is why. */
int manager_preview(Manager *m, uint64_t id, const Word *word, uint64_t limit, PreviewFn fn, void *userdata,
                    char **ret_why);

#define FORECAST_DEFAULT REPAIR_UNIT
#define FORECAST_MAX (UINT64_C(16) * 1024 * 1024)

/* f NULL: it did not work, `error` (as in engine.h) and `detail` (NULL: none) say why. */
typedef void (*ForecastFn)(const Forecast *f, int error, const char *detail, void *userdata);

/* What would be done if these bytes of a file (its path) or a device (its node) were lost; length 0 is
 * FORECAST_DEFAULT. fn is called once, later, unless the manager is freed first. 0; MANAGER_E_* or a
 * negative errno, and fn is not called. */
int manager_forecast(Manager *m, const char *target, uint64_t offset, uint64_t length, ForecastFn fn,
                     void *userdata);
