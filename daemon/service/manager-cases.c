/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cases of the running daemon. Whatever happens to one goes through tracked_move(): state, ledger,
 * journal and observer cannot fall apart. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "service/case-log.h"
#include "service/manager-internal.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

/* How often the ledger is asked to take how a case ended: hours. */
#define STORE_TRIES 12

Tracked *tracked_free(Tracked *t) {
        if (!t)
                return NULL;
        closep(&t->hold);
        findings_done(&t->found);
        plan_done(&t->plan);
        word_done(&t->word);
        free(t->mended);
        case_free(t->c);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(Tracked *, tracked_free);

/* What the topology knows of the place: volume, physical range, DIMMs. A case keeps what it knew when the
 * device is gone. */
int tracked_describe(Tracked *t) {
        const Topology *topology = &t->manager->topology;
        const TopoNamespace *ns = topology_find_namespace_by_disk(topology, tracked_disk(t));
        const TopoRegion *region = topology_find_region(topology, ns && ns->region ? ns->region
                                                        : tracked_disk(t));
        __attribute__((cleanup(volume_done))) Volume v = {}, disk = {};
        uint64_t physical;
        bool known;
        int r;

        r = volume_of_disk(topology, tracked_disk(t), &disk, &physical, &known);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = volume_at(topology, tracked_disk(t), t->c->range, &v);
        if (r < 0)
                return r;

        volume_done(&t->c->volume);
        t->c->volume = v;
        v = (Volume) {};
        if (known && range_shift_up(t->c->range, physical, &t->c->physical) < 0)
                t->c->physical = (Range) {};

        if (region && !t->c->dimms)
                r = strv_copy(region->dimms, &t->c->dimms);
        return r;
}

static int tracked_add(Manager *m, Case *c, Tracked **ret) {
        _cleanup_(tracked_freep) Tracked *t = NULL;
        int r;

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        *t = (Tracked) { .manager = m, .hold = -1, .retry_at = USEC_INFINITY, .store_at = USEC_INFINITY };

        r = vec_push(&m->cases, t);
        if (r < 0)
                return r;
        t->c = c;
        *ret = TAKE_PTR(t);
        return 0;
}

int tracked_new(Manager *m, const char *disk, Range range, const RangeSet *bad, const char *why,
                Tracked **ret) {
        _cleanup_(case_freep) Case *c = NULL;
        _cleanup_free_ char *node = NULL;
        uint64_t id = ledger_next_id(m->ledger);
        Tracked *t;
        int r;

        r = manager_device_node(m, disk, &node);
        if (r < 0)
                return r;
        r = case_new(id, node, range, bad, now_realtime(), &c);
        if (r >= 0)
                r = tracked_add(m, c, &t);
        if (r < 0)
                return r;
        (void) TAKE_PTR(c);

        t->listed = true;
        t->wants_locate = true;
        r = tracked_describe(t);
        if (r < 0)
                log_warning_errno(r, "Case %" PRIu64 " could not be described in full, ignoring: %m", id);
        if (why)
                log_info("Case %" PRIu64 ": %s", id, why);
        tracked_store(t);
        case_log(t->c, NULL);
        manager_tell(m, case_added, t->c);

        *ret = t;
        return 0;
}

int tracked_adopt(Manager *m, Case *c) {
        Tracked *t;
        int r;

        r = tracked_add(m, c, &t);
        if (r < 0)
                return r;

        r = tracked_describe(t);
        return r == -ENOMEM ? r : 0;
}

void tracked_store(Tracked *t) {
        int r = ledger_store(t->manager->ledger, t->c);

        if (r < 0 && t->store_tries == 0)
                case_log_ledger_failed(t->c, r);
        t->store_tries = r < 0 ? t->store_tries + 1 : 0;
        t->store_at = r < 0 ? now_monotonic() + backoff(t->store_tries) : USEC_INFINITY;
}

/* How a case ended is kept here until the ledger has it; not for ever where it takes nothing. */
static bool waits_for_ledger(const Tracked *t) {
        return t->store_at != USEC_INFINITY && t->store_tries < STORE_TRIES;
}

/* What is tried again and fails again is in the journal, and nobody is called for it twice. */
static void tracked_alert(Tracked *t) {
        int level = case_log_level(t->c);

        if (level > LOG_NOTICE || level == LOG_WARNING ||
            (t->alerted == t->c->state && t->alerted_reason == t->c->reason))
                return;

        t->alerted = t->c->state;
        t->alerted_reason = t->c->reason;
        manager_tell(t->manager, case_alert, t->c);
}

void tracked_move(Tracked *t, CaseState to, Reason reason, const char *detail) {
        Manager *m = t->manager;
        size_t events = t->c->events.n;
        int r;

        r = tracked_describe(t);
        if (r >= 0)
                r = case_transition(t->c, to, reason, detail, now_realtime());
        if (r < 0) {
                log_error_errno(r, "Case %" PRIu64 " could not go from '%s' to '%s': %m", t->c->id,
                                case_state_to_string(t->c->state), case_state_to_string(to));
                return;
        }
        if (t->c->events.n == events)
                return; /* nothing new */

        if (to == CASE_HEALED)
                m->healed++;
        else if (to == CASE_GONE)
                m->gone++;

        tracked_store(t);
        case_log(t->c, &t->found.offers);
        manager_tell(m, case_changed, t->c);
        tracked_alert(t);
        if (case_state_is_closed(to))
                manager_poke(m);
}

void tracked_retry_later(Tracked *t) {
        t->tries++;
        t->retry_at = now_monotonic() + backoff(t->tries);
        manager_poke(t->manager);
}

/* The ledger drops the same ones: those with the lowest ids. */
void manager_keep_closed(Manager *m, Case *c) {
        if (vec_insert(&m->closed, manager_closed_index(m, c->id), c) < 0) {
                case_free(c);
                return;
        }
        if (m->closed.n > LEDGER_HISTORY) {
                case_free(m->closed.items[0]);
                vec_remove(&m->closed, 0, 1);
        }
}

void manager_drop_closed(Manager *m) {
        for (size_t i = 0; i < m->cases.n;) {
                Tracked *t = m->cases.items[i];

                if (t->busy || waits_for_ledger(t) || !case_state_is_closed(t->c->state)) {
                        i++;
                        continue;
                }
                vec_remove(&m->cases, i, 1);
                tracked_release(t);
                manager_keep_closed(m, TAKE_PTR(t->c));
                tracked_free(t);
        }
}
