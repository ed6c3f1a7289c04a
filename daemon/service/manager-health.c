/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Alarms of memory modules. They mend nothing and change no case: somebody is told, once when an alarm
 * begins, and once when it is over. Asking can wait until no worker has anything else to do. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/manager-internal.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

static bool has_dimms(const Topology *t) {
        for (size_t i = 0; i < t->regions.n; i++)
                if (strv_length(t->regions.items[i].dimms) > 0)
                        return true;
        return false;
}

/* What stands on the module. */
static void add_devices(const Manager *m, const char *dimm, LogEntry *e) {
        for (size_t i = 0; i < m->topology.namespaces.n; i++) {
                const TopoNamespace *n = m->topology.namespaces.items + i;
                const TopoRegion *g = n->region ? topology_find_region(&m->topology, n->region) : NULL;

                if (g && n->disk && strv_contains(g->dimms, dimm))
                        log_entry_addf(e, "BEZOAR_DEVICE", "/dev/%s", n->disk);
        }
}

static void tell_begun(const Manager *m, const char *dimm, DimmAlarmSet new) {
        char text[DIMM_ALARM_SET_MAX];
        LogEntry *e = log_entry_new();

        log_entry_add(e, "BEZOAR_DIMM", dimm);
        log_entry_add(e, "BEZOAR_ALARM", dimm_alarm_set_to_string(new, text));
        add_devices(m, dimm, e);
        log_entry_commit(e, dimm_alarms_are_urgent(new) ? LOG_CRIT : LOG_WARNING, LOG_ID_DIMM_HEALTH,
                         "Memory module %s raises an alarm: %s", dimm, text);
}

static void tell_over(const char *dimm, DimmAlarmSet over) {
        char text[DIMM_ALARM_SET_MAX];
        LogEntry *e = log_entry_new();

        log_entry_add(e, "BEZOAR_DIMM", dimm);
        log_entry_commit(e, LOG_NOTICE, NULL, "Memory module %s no longer has the alarm: %s", dimm,
                         dimm_alarm_set_to_string(over, text));
}

static void take_health(Manager *m, const DimmHealth *h) {
        const DimmHealth *old = dimm_healths_find(&m->health, h->dimm);
        DimmAlarmSet before = old ? old->alarms : 0, now = dimm_alarms_now(h, before);

        if (h->failed && !(old && old->failed))
                log_warning("Memory module %s did not answer the question for its health.", h->dimm);
        if (now & ~before)
                tell_begun(m, h->dimm, now & ~before);
        if (before & ~now)
                tell_over(h->dimm, before & ~now);
}

/* Modules do not come and go while the machine is up, but a list may be new. */
static int keep_health(Manager *m, const DimmHealths *l) {
        _cleanup_dimm_healths_ DimmHealths kept = {};

        for (size_t i = 0; i < l->n; i++) {
                const DimmHealth *old = dimm_healths_find(&m->health, l->items[i].dimm);
                DimmHealth h = l->items[i];
                int r;

                h.alarms = dimm_alarms_now(&h, old ? old->alarms : 0);
                r = str_copy(h.dimm, &h.dimm);
                if (r < 0)
                        return r;
                r = vec_push(&kept, h);
                if (r < 0) {
                        dimm_health_done(&h);
                        return r;
                }
        }

        dimm_healths_done(&m->health);
        m->health = kept;
        kept = (DimmHealths) {};
        return 0;
}

static void on_health(const EngineAnswer *a, void *userdata) {
        Manager *m = userdata;
        int r = a->error;

        manager_poke(m);
        m->health_asked = false;
        if (r >= 0) {
                for (size_t i = 0; i < a->health->n; i++)
                        take_health(m, a->health->items + i);
                r = keep_health(m, a->health);
        }
        if (r < 0 && !m->health_failed)
                log_warning("The health of the memory modules could not be asked for, "
                            "trying again later: %s",
                            a->detail ? a->detail : strerror(-r));
        m->health_failed = r < 0;
}

void manager_ask_health(Manager *m) {
        const Request q = { .verb = VERB_HEALTH };

        if (!m->wants_health || m->health_asked || m->stopping || !engine_is_idle(m->engine))
                return;

        m->wants_health = false;
        if (manager_is_of_machine(m) && has_dimms(&m->topology))
                m->health_asked = engine_submit(m->engine, &q, m->policy.worker_timeout_usec, on_health,
                                                m) >= 0;
}

const DimmHealths *manager_health(const Manager *m) {
        return &m->health;
}

void manager_want_health(Manager *m) {
        m->wants_health = true;
        manager_poke(m);
}
