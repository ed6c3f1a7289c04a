/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "core/budget.h"
#include "core/health.h"
#include "core/job.h"
#include "service/engine.h"
#include "service/ledger.h"
#include "service/manager.h"
#include "source/source.h"

/* What the files of the manager share: manager-life.c (life, hints), manager-config.c (what is allowed),
 * manager-topology.c and manager-health.c (the machine), manager-cases.c (cases), manager-scan.c (what is
 * bad), manager-work.c (requests and answers), manager-query.c, manager-forecast.c, manager-preview.c
 * (who asks from outside) and manager-resolve.c (what an operator decides). */

/* What happened while a request about a case was on its way. */
typedef enum MissedHint {
        MISSED_NOTHING,
        MISSED_REMINDER,        /* it should be looked at again, if nothing is to be done about it anyway */
        MISSED_CHANGE,          /* the answer may be about what does not hold any more */
} MissedHint;

/* An open case and what only the running daemon knows of it. */
typedef struct Tracked {
        Manager *manager;
        Case *c;
        Findings found;         /* as last located; found.range.end == 0: not yet */
        Plan plan;              /* if verdict_acts(): to be carried out */
        Word word;              /* of an operator, for the next try; replica NULL: none */
        char *mended;           /* what came of asking the file system to rebuild it, by this daemon; NULL:
                                 * not asked yet */
        int hold;               /* O_PATH descriptor of the owning file, or -1: its blocks cannot become free
                                 * space while we have it */
        bool hold_stored;       /* a copy of it outlives us: its page may be absent */
        bool listed;            /* the kernel lists some of it */
        bool busy;              /* a request about it is on its way */
        bool missed_change;     /* meanwhile: the list said something else of it */
        MissedHint missed_hint;
        bool wants_locate;
        bool alone;             /* a worker hung or died that was asked about it and others: not with others
                                 * again, whichever it was */
        bool wants_repair;
        bool scrubbed;          /* a scrub has ended since; for REASON_UNLISTED */
        bool settled;           /* told of by the settlement that is on its way, or was last */
        bool moved;             /* its intent is one of another disk now, which has told of it */
        CaseState alerted;      /* observers were last told of this state and reason as an alert */
        Reason alerted_reason;
        unsigned tries;         /* that ended in waiting or failed, in a row */
        uint64_t retry_at;      /* monotonic; USEC_INFINITY: only when something changes */
        unsigned store_tries;   /* of the ledger to take it as it is, that failed, in a row */
        uint64_t store_at;      /* the next; USEC_INFINITY: it is stored */
} Tracked;

typedef struct Device {
        char *disk;             /* "pmem0"; "region0": for what no disk shows of it */
        bool is_region;
        bool wants_scan;
        bool scanned_in_part;   /* the rest is to follow, before anything is begun */
        bool wants_settle;      /* there may be intents of an earlier worker */
        bool list_full;         /* was said already */
} Device;

typedef struct ManagerWatch {
        const ManagerObserver *observer;
        void *userdata;
} ManagerWatch;

/* Lost, by a machine check; the list has some time to show it. */
typedef struct Suspect {
        char *disk;
        Range range;            /* on it, whole pages */
        uint64_t since;         /* realtime */
        uint64_t due;           /* monotonic */
} Suspect;

typedef struct ReplicaAnswer {
        char *replica;          /* as configured */
        const char *answer;     /* a word, static; NULL: not asked */
        uint64_t time;          /* realtime */
        ReplicaScore score;
        bool failing;           /* in the last rehearsal; somebody was told */
} ReplicaAnswer;

typedef struct ReplicaAnswers {
        ReplicaAnswer *items;
        size_t n, allocated;
} ReplicaAnswers;

typedef struct GivenHold {
        uint64_t id;
        int fd;
} GivenHold;

/* How many cases come or change before whoever asks on the bus is answered: each is stored and told. */
#define CASES_AT_ONCE 8

typedef struct Errand Errand;

struct Manager {
        sd_event *event;
        const ManagerOptions *options;
        struct { ManagerWatch *items; size_t n, allocated; } observers;

        Policy policy;
        Topology topology;
        Ledger *ledger;
        Engine *engine;
        Budget budget;
        bool budget_told;       /* that it is used up, and it was not whole since */
        struct { Source **items; size_t n, allocated; } sources;
        struct { Device **items; size_t n, allocated; } devices;
        struct { GivenHold *items; size_t n, allocated; } given_holds;  /* until the start */
        struct { Suspect *items; size_t n, allocated; } suspects;       /* by `due` */
        struct { Tracked **items; size_t n, allocated; } cases;         /* open; by id */
        struct { Case **items; size_t n, allocated; } closed;           /* by id; no more than the ledger
                                                                         * keeps */
        struct { Errand **items; size_t n, allocated; } located;        /* answered, and not all judged */
        Mode configured_mode;
        bool brake;             /* an operator has said to observe; policy.mode follows */
        size_t forecasts;       /* on their way */

        sd_event_source *work;          /* deferred: everything that hints and answers ask for */
        sd_event_source *retry;         /* the earliest retry_at */
        bool wants_topology, topology_asked;
        unsigned topology_tries;
        uint64_t topology_retry_at;     /* monotonic; USEC_INFINITY: nothing failed */
        unsigned policy_tries;
        uint64_t policy_retry_at;       /* the same for the configuration */
        ReplicaAnswers replicas;        /* each configured one, by name */
        DimmHealths health;             /* as last told; of what holds now */
        bool wants_health, health_asked, health_failed;
        bool wants_scrub, scrub_asked;
        bool stopping;
        uint64_t last_scan;
        size_t healed, gone;
};

/* manager-marks.c */
void manager_poke(Manager *m);                                  /* run the work soon */
Device *manager_find_device(const Manager *m, const char *disk);

Tracked *manager_find_tracked(const Manager *m, uint64_t id);
const char *tracked_disk(const Tracked *t);                     /* "pmem0" */
int manager_device_node(const Manager *m, const char *disk, char **ret);        /* "/dev/pmem0" of "pmem0" */
size_t manager_closed_index(const Manager *m, uint64_t id);     /* where that closed case is, or would be */
void manager_want_scan(Manager *m, const char *disk);           /* NULL: all */
void tracked_want_again(Tracked *t);                            /* look again, as if it were new */
void tracked_remind(Tracked *t);                                /* the same, unless it has a plan */
void tracked_end_request(Tracked *t);                           /* no longer busy: what it missed is due */

#define manager_tell(m, what, ...)                                                      \
        do {                                                                            \
                for (size_t _i = 0; _i < (m)->observers.n; _i++) {                      \
                        const ManagerWatch *_w = (m)->observers.items + _i;             \
                        if (_w->observer->what)                                         \
                                _w->observer->what(__VA_ARGS__ __VA_OPT__(,) _w->userdata); \
                }                                                                       \
        } while (false)

/* manager-config.c: 0 or a negative errno, which was logged; then the policy is as before. */
int manager_load_policy(Manager *m);

/* manager-topology.c */
bool manager_is_of_machine(const Manager *m);   /* no saved topology, or a made-up /sys that goes with it */
void manager_read_topology(Manager *m);         /* by a worker, later; or at once, from the saved file */
Device *device_free(Device *d);
DEFINE_CLEANUP(Device *, device_free);

/* manager-cases.c */
int tracked_new(Manager *m, const char *disk, Range range, const RangeSet *bad, const char *why,
                Tracked **ret);
int tracked_adopt(Manager *m, Case *c);                         /* from the ledger; takes the case over on
                                                                 * success */

/* The one way to another state: transition, ledger, journal, observer. */
void tracked_move(Tracked *t, CaseState to, Reason reason, const char *detail);
void tracked_store(Tracked *t);
int tracked_describe(Tracked *t);                               /* again, by the topology; 0, -ENOMEM */
void tracked_retry_later(Tracked *t);
void manager_keep_closed(Manager *m, Case *c);                  /* takes it over */
void manager_drop_closed(Manager *m);
Tracked *tracked_free(Tracked *t);

/* manager-resolve.c */
bool tracked_is_for_operator(const Tracked *t); /* in a state in which he may decide */
void tracked_drop_word(Tracked *t);             /* nothing has been written by it, and nothing will be */

/* manager-physical.c: machine checks that the list may not show */
uint64_t manager_next_suspect(const Manager *m);                /* monotonic; USEC_INFINITY: none */
void manager_judge_suspects(Manager *m);
void manager_drop_suspects(Manager *m);
void manager_hint_physical(Manager *m, Range physical);         /* something was lost at these addresses */

/* manager-holds.c */
void tracked_hold(Tracked *t, int fd);                          /* takes fd over, for what it had before */
void tracked_store_hold(Tracked *t);                            /* it is to outlive us */
void tracked_release(Tracked *t);                               /* lets the file go */
void manager_adopt_holds(Manager *m);

/* manager-scan.c: the list against the cases. Some of it (scanned_in_part tells), or all */
void manager_scan_some(Manager *m, Device *d);
void manager_scan(Manager *m, Device *d);
int manager_read_list(const Manager *m, const char *disk, RangeSet *ret, bool *ret_truncated);  /* as
                                                                                        * topo_badblocks() */

/* manager-ended.c: what workers keep until it is recorded: of a case that now is; of all that are not
 * open */
void manager_forget_ended(Manager *m, uint64_t id);
void manager_tidy_ended(Manager *m);

/* manager-locate.c, manager-repair.c, manager-settle.c: begin what the device wants of it. > 0 a request
 * is on its way, 0 nothing to do, < 0 */
int manager_start_locate(Manager *m, Device *d, bool only_new); /* not what has failed before */
void manager_judge_some(Manager *m);            /* what was located */
bool manager_is_judging(const Manager *m, const Device *d);
int manager_start_repairs(Manager *m, Device *d);
int manager_start_settle(Manager *m, Device *d);
void tracked_take_result(Tracked *t, const Result *result);

/* manager-work.c */
void manager_dispatch(Manager *m);

/* manager-health.c */
void manager_want_health(Manager *m);           /* ask the modules, when there is nothing else to do */
void manager_ask_health(Manager *m);

/* manager-scrub.c */
void manager_want_scrub(Manager *m, const char *disk);
void manager_ask_scrub(Manager *m);

/* manager-replicas.c */
void manager_set_replicas(Manager *m, const Policy *p);         /* those of this policy; NULL: none */
void manager_take_offers(Manager *m, const LocateReply *reply); /* what they answered */
void manager_take_rehearsal(Manager *m, const LocateReply *reply);      /* … and whether it was true */

#define FORECASTS_MAX 16        /* rehearsals and previews; one worker makes each kind, one after another */

/* manager-query.c */
void manager_load_brake(Manager *m);
