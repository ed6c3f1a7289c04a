/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Finding things, and the marks (wants_*) that hints and answers leave on them for the deferred work. */

#include <stdio.h>
#include <string.h>

#include "service/manager-internal.h"
#include "util/strv.h"
#include "util/time-util.h"

void manager_poke(Manager *m) {
        (void) sd_event_source_set_enabled(m->work, SD_EVENT_ONESHOT);
}

Device *manager_find_device(const Manager *m, const char *disk) {
        for (size_t i = 0; i < m->devices.n; i++)
                if (streq_ptr(m->devices.items[i]->disk, disk))
                        return m->devices.items[i];
        return NULL;
}

const char *tracked_disk(const Tracked *t) {
        const char *slash = strrchr(t->c->volume.device, '/');

        return slash ? slash + 1 : t->c->volume.device;
}

/* A region has no node. */
int manager_device_node(const Manager *m, const char *disk, char **ret) {
        bool region = topology_find_region(&m->topology, disk) && !topology_find_disk(&m->topology, disk);

        return asprintf(ret, "%s%s", region ? "" : "/dev/", disk) < 0 ? -ENOMEM : 0;
}

Tracked *manager_find_tracked(const Manager *m, uint64_t id) {
        size_t low = 0, high = m->cases.n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (m->cases.items[middle]->c->id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < m->cases.n && m->cases.items[low]->c->id == id ? m->cases.items[low] : NULL;
}

size_t manager_closed_index(const Manager *m, uint64_t id) {
        size_t low = 0, high = m->closed.n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (m->closed.items[middle]->id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

void manager_want_scan(Manager *m, const char *disk) {
        for (size_t i = 0; i < m->devices.n; i++)
                if (!disk || streq_ptr(m->devices.items[i]->disk, disk))
                        m->devices.items[i]->wants_scan = true;
        manager_poke(m);
}

/* Where its intent may be. */
static void want_settle(Tracked *t) {
        for (size_t i = 0; i < t->manager->devices.n; i++) {
                Device *d = t->manager->devices.items[i];

                if (streq_ptr(d->disk, tracked_disk(t)) || (t->moved && !d->is_region))
                        d->wants_settle = true;
        }
}

/* Look again at an open case: at what a write may have left, or at whose it is. While a request is on its
 * way, its answer may be about what was before: then once more after it. */
void tracked_want_again(Tracked *t) {
        t->retry_at = USEC_INFINITY;
        if (t->busy) {
                t->missed_hint = MISSED_CHANGE;
                return;
        }
        t->wants_repair = false;
        if (case_outlives_listing(t->c))
                want_settle(t);
        if (t->listed || t->c->reason == REASON_PAGE_NOT_PRESENT)
                t->wants_locate = true;
}

/* What has a plan is not looked at once more before it is carried out, else nothing would ever be where
 * looking takes longer than from one reminder to the next; the repair looks again by itself. */
void tracked_remind(Tracked *t) {
        if (t->busy && t->missed_hint == MISSED_NOTHING)
                t->missed_hint = MISSED_REMINDER;
        else if (!t->busy && !t->wants_repair)
                tracked_want_again(t);
}

void tracked_end_request(Tracked *t) {
        MissedHint missed = t->missed_hint;

        t->busy = false;
        t->missed_hint = MISSED_NOTHING;
        if (t->missed_change)
                manager_want_scan(t->manager, tracked_disk(t));
        t->missed_change = false;
        if (missed == MISSED_NOTHING || case_state_is_closed(t->c->state))
                return;
        if (missed == MISSED_CHANGE)
                tracked_want_again(t);
        else
                tracked_remind(t);
        manager_poke(t->manager);
}
