/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Life of the manager, and the one deferred piece of work in which everything happens: hints and answers
 * only leave marks (wants_*), so a thousand hints cost one scan. The work reads the topology, scans,
 * hands out requests, and sets the timer for what is to be tried again. Nothing in it blocks: what could,
 * is a worker's. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "service/errand.h"
#include "service/manager-internal.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

/* ---- marks ---- */

static void remind_all(Manager *m) {
        manager_want_health(m);
        for (size_t i = 0; i < m->cases.n; i++)
                tracked_remind(m->cases.items[i]);
        manager_want_scan(m, NULL);
}

static void on_hint(const SourceOps *from, const Hint *hint, void *userdata) {
        Manager *m = userdata;

        if (hint->physical) {
                log_debug("Hint from %s: physical address 0x%" PRIx64, from->name, hint->physical->start);
                manager_hint_physical(m, *hint->physical);
                return;
        }

        log_debug("Hint from %s: %s", from->name, hint->kind == HINT_TOPOLOGY ? "topology" : hint->device
                  ? hint->device : "all devices");

        if (hint->kind == HINT_DIMM)
                manager_want_health(m);
        else if (hint->kind == HINT_TOPOLOGY) {
                m->wants_topology = true;
                manager_poke(m);
        } else if (!hint->device && strcmp(from->name, "timer") == 0)
                remind_all(m);          /* in case all else failed, and for what only time can mend: a
                                         * replica that was brought up to date */
        else
                manager_want_scan(m, hint->device);

        if (strcmp(from->name, "scrub") == 0)
                for (size_t i = 0; i < m->cases.n; i++)
                        m->cases.items[i]->scrubbed = true;
}

/* ---- work ---- */

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        uint64_t now = now_monotonic();

        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (t->store_at <= now)
                        tracked_store(t);
                if (t->retry_at <= now)
                        tracked_want_again(t);
        }
        manager_judge_suspects(m);
        if (m->topology_retry_at <= now) {
                m->topology_retry_at = USEC_INFINITY;
                m->wants_topology = true;
        }
        if (m->policy_retry_at <= now)
                manager_reload(m);
        manager_poke(m);
        return 0;
}

static void arm_retry(Manager *m) {
        uint64_t next = m->topology_retry_at;

        if (m->policy_retry_at < next)
                next = m->policy_retry_at;
        if (manager_next_suspect(m) < next)
                next = manager_next_suspect(m);
        for (size_t i = 0; i < m->cases.n; i++) {
                const Tracked *t = m->cases.items[i];

                if (t->retry_at < next)
                        next = t->retry_at;
                if (t->store_at < next)
                        next = t->store_at;
        }

        if (next == USEC_INFINITY)
                (void) sd_event_source_set_enabled(m->retry, SD_EVENT_OFF);
        else {
                (void) sd_event_source_set_time(m->retry, next);
                (void) sd_event_source_set_enabled(m->retry, SD_EVENT_ONESHOT);
        }
}

static int on_work(sd_event_source *s, void *userdata) {
        Manager *m = userdata;

        if (m->wants_topology)
                manager_read_topology(m);
        for (size_t i = 0; i < m->devices.n; i++)
                if (m->devices.items[i]->wants_scan)
                        manager_scan_some(m, m->devices.items[i]);
        manager_judge_some(m);
        manager_drop_closed(m);
        manager_dispatch(m);
        manager_ask_health(m);
        manager_ask_scrub(m);
        arm_retry(m);

        manager_tell(m, counts_changed);
        if (m->stopping && engine_is_idle(m->engine) && m->located.n == 0)
                manager_tell(m, stopped);
        return 0;
}

/* What waits for a worker need not wait for its time any more. */
static void on_freed(const char *device, void *userdata) {
        Manager *m = userdata;

        for (size_t i = 0; i < m->cases.n; i++)
                if (m->cases.items[i]->c->reason == REASON_WORKER_TIMEOUT)
                        tracked_want_again(m->cases.items[i]);
        if (m->topology_retry_at != USEC_INFINITY)
                m->topology_retry_at = now_monotonic();
        manager_poke(m);
}

/* ---- life ---- */

static int load_case(Case *c, void *userdata) {
        Manager *m = userdata;

        if (case_state_is_closed(c->state)) {
                *(c->state == CASE_HEALED ? &m->healed : &m->gone) += 1;
                manager_keep_closed(m, c);
                return 0;
        }

        /* Its requests died with the daemon that made them. */
        return tracked_adopt(m, c);
}

static int open_sources(Manager *m) {
        const SourceConfig config = { .event = m->event, .fn = on_hint, .userdata = m,
                                     .rescan_usec = m->policy.rescan_usec };

        for (const SourceOps *const *ops = source_table; *ops; ops++) {
                _cleanup_(source_freep) Source *s = NULL;
                int r;

                /* A saved topology is not this machine: only the timer tells anything of it. */
                if (m->options->topology_file && strcmp((*ops)->name, "timer") != 0 &&
                    strcmp((*ops)->name, "badblocks") != 0 &&
                    (!manager_is_of_machine(m) ||
                     (strcmp((*ops)->name, "trace") != 0 && strcmp((*ops)->name, "health") != 0)))
                        continue;

                r = source_open(*ops, &config, &s);
                if (r < 0)
                        log_warning_errno(r, "Source '%s' cannot be used, ignoring: %m", (*ops)->name);
                if (!s)
                        continue;
                r = vec_push(&m->sources, s);
                if (r < 0)
                        return r;
                (void) TAKE_PTR(s);
        }
        return 0;
}

static void close_sources(Manager *m) {
        for (size_t i = 0; i < m->sources.n; i++)
                source_free(m->sources.items[i]);
        vec_done(&m->sources);
}

int manager_new(sd_event *event, const ManagerOptions *options, Manager **ret) {
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->event = sd_event_ref(event);
        m->options = options;
        m->topology_retry_at = m->policy_retry_at = USEC_INFINITY;
        policy_init(&m->policy);

        r = sd_event_add_defer(event, &m->work, on_work, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->work, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &m->retry, CLOCK_MONOTONIC, USEC_INFINITY, 0, on_retry, m);
        if (r >= 0)
                r = engine_new(event, options->worker_path, on_freed, m, &m->engine);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(m->work, "manager-work");
        (void) sd_event_source_set_description(m->retry, "manager-retry");
        /* After what sources and workers have to say. */
        (void) sd_event_source_set_priority(m->work, SD_EVENT_PRIORITY_NORMAL + 10);

        *ret = TAKE_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        engine_free(m->engine);         /* first: its answers point at cases */
        close_sources(m);
        for (size_t i = 0; i < m->located.n; i++)
                errand_free(m->located.items[i]);
        vec_done(&m->located);
        for (size_t i = 0; i < m->cases.n; i++)
                tracked_free(m->cases.items[i]);
        vec_done(&m->cases);
        manager_drop_suspects(m);
        for (size_t i = 0; i < m->given_holds.n; i++)
                closep(&m->given_holds.items[i].fd);
        vec_done(&m->given_holds);
        for (size_t i = 0; i < m->closed.n; i++)
                case_free(m->closed.items[i]);
        vec_done(&m->closed);
        vec_done(&m->observers);
        for (size_t i = 0; i < m->devices.n; i++)
                device_free(m->devices.items[i]);
        vec_done(&m->devices);
        ledger_free(m->ledger);
        budget_done(&m->budget);
        dimm_healths_done(&m->health);
        manager_set_replicas(m, NULL);
        policy_done(&m->policy);
        topology_done(&m->topology);
        sd_event_source_disable_unref(m->work);
        sd_event_source_disable_unref(m->retry);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

int manager_add_observer(Manager *m, const ManagerObserver *observer, void *userdata) {
        return vec_push(&m->observers, ((ManagerWatch) { observer, userdata }));
}

static void case_set_aside(const char *path, const char *why, void *userdata) {
        log_error("'%s' holds no case, and was set aside: %s", path, why);
}

/* Without a place for its records the daemon still heals: it says so, and keeps the cases in memory. */
static int open_ledger(Manager *m) {
        int r;

        /* What fails once may have been the moment; without a ledger no case outlives the daemon. */
        for (unsigned i = 0; i < 2; i++) {
                r = ledger_open(m->options->state_dir, LEDGER_HISTORY, &m->ledger);
                if (r >= 0)
                        return r;
        }
        if (r == -ENOMEM)
                return log_error_errno(r, "The ledger in '%s' could not be opened: %m",
                                       m->options->state_dir);

        log_error_errno(r,
                        "The ledger in '%s' cannot be used, cases will be forgotten at the next restart: %m",
                        m->options->state_dir);
        return ledger_open(NULL, LEDGER_HISTORY, &m->ledger);
}

int manager_start(Manager *m) {
        static const LedgerVisitor visitor = { .found = load_case, .set_aside = case_set_aside };
        int r;

        manager_load_brake(m);
        r = manager_load_policy(m);
        if (r < 0)
                return r;
        r = open_ledger(m);
        if (r < 0)
                return r;
        r = ledger_load(m->ledger, &visitor, m);
        if (r < 0)
                return log_error_errno(r, "The ledger in '%s' could not be read: %m", m->options->state_dir);
        manager_adopt_holds(m);
        manager_tidy_ended(m);
        r = open_sources(m);
        if (r < 0)
                return log_error_errno(r, "The sources could not be opened: %m");

        m->wants_topology = true;
        engine_warm(m->engine);
        manager_poke(m);
        return 0;
}

void manager_reload(Manager *m) {
        if (manager_load_policy(m) < 0)
                return;

        close_sources(m);       /* the timer has a new interval */
        (void) open_sources(m);
        m->wants_topology = true;
        for (size_t i = 0; i < m->cases.n; i++) {
                m->cases.items[i]->tries = 0;
                tracked_want_again(m->cases.items[i]);  /* what was planned was planned by other rules */
        }
        remind_all(m);
}

void manager_rescan(Manager *m) {
        m->wants_topology = true;
        remind_all(m);
}

void manager_stop(Manager *m) {
        m->stopping = true;
        engine_cancel(m->engine, VERB_PLAN);
        engine_cancel(m->engine, VERB_PREVIEW);
        manager_poke(m);
}

void manager_count(const Manager *m, ManagerCounts *ret) {
        *ret = (ManagerCounts) { .last_scan = m->last_scan };
        for (size_t i = 0; i < m->devices.n; i++)
                ret->devices += !m->devices.items[i]->is_region;
        ret->by_state[CASE_HEALED] = m->healed;
        ret->by_state[CASE_GONE] = m->gone;
        for (size_t i = 0; i < m->cases.n; i++) {
                const Case *c = m->cases.items[i]->c;

                if (case_state_is_closed(c->state))
                        continue;
                if (c->ignored)
                        ret->ignored++;
                else
                        ret->by_state[c->state]++;
        }
}
