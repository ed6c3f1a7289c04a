/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The machine as the manager knows it: read by a worker, or from a saved file, and handed on to the sources
 * and to what waits for a device. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/volume.h"
#include "service/manager-internal.h"
#include "topo/topo.h"
#include "util/log.h"
#include "util/sysfs.h"
#include "util/time-util.h"
#include "util/vec.h"

Device *device_free(Device *d) {
        if (!d)
                return NULL;
        free(d->disk);
        free(d);
        return NULL;
}

static int device_add(Manager *m, const char *disk, bool is_region) {
        _cleanup_(device_freep) Device *d = NULL;
        int r;

        if (manager_find_device(m, disk))
                return 0;
        d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        d->is_region = is_region;
        d->disk = strdup(disk);
        if (!d->disk)
                return -ENOMEM;
        r = vec_push(&m->devices, d);
        if (r >= 0)
                (void) TAKE_PTR(d);
        return r;
}

static bool is_there(const Manager *m, const Device *d) {
        return d->is_region ? topology_find_region(&m->topology, d->disk) != NULL
               : topology_find_disk(&m->topology, d->disk) != NULL;
}

/* Everything of which the kernel lists what is bad. */
static int update_devices(Manager *m) {
        int r = 0;

        for (size_t i = m->devices.n; i > 0; i--)
                if (!is_there(m, m->devices.items[i - 1])) {
                        device_free(m->devices.items[i - 1]);
                        vec_remove(&m->devices, i - 1, 1);
                }

        for (size_t i = 0; r >= 0 && i < m->topology.disks.n; i++) {
                const TopoDisk *d = m->topology.disks.items + i;

                if (volume_is_listed(&m->topology, d))
                        r = device_add(m, d->name, false);
        }
        for (size_t i = 0; r >= 0 && i < m->topology.regions.n; i++) {
                const TopoRegion *g = m->topology.regions.items + i;

                if (range_size(g->physical) > 0)
                        r = device_add(m, g->name, true);
        }
        return r;
}

/* Where the open cases are now: a partition, a table of device mapper or a mount may have come. */
static void describe_case(Manager *m, Tracked *t) {
        __attribute__((cleanup(volume_done))) Volume before = {};

        if (volume_copy(&t->c->volume, &before) < 0 || tracked_describe(t) < 0) {
                t->retry_at = now_monotonic();
                return;
        }
        if (volume_equal(&before, &t->c->volume))
                return;
        tracked_store(t);
        manager_tell(m, case_changed, t->c);
}

static void describe_cases(Manager *m) {
        for (size_t i = 0; i < m->cases.n; i++)
                if (!m->cases.items[i]->busy && !case_state_is_closed(m->cases.items[i]->c->state))
                        describe_case(m, m->cases.items[i]);
}

/* A device that changes says so often without anything being different, and file systems that are none of
 * ours come and go. */
static bool is_news(const Topology *before, const Topology *now) {
        _cleanup_free_ char *a = codec_topology_encode(before), *b = codec_topology_encode(now);

        return !a || !b || strcmp(a, b) != 0;
}

static void apply_topology(Manager *m, Topology *t) {
        bool news = is_news(&m->topology, t);
        int r;

        topology_done(&m->topology);
        m->topology = *t;
        *t = (Topology) {};

        r = update_devices(m);
        if (r < 0)
                log_error_errno(r, "Not all devices can be watched: %m");

        describe_cases(m);

        for (size_t i = 0; i < m->sources.n; i++) {
                r = source_update(m->sources.items[i], &m->topology);
                if (r < 0)
                        log_warning_errno(r, "Source '%s' cannot watch all devices, ignoring: %m",
                                          m->sources.items[i]->ops->name);
        }

        manager_want_scan(m, NULL);
        if (!news) /* else who makes much noise would have nothing done but settling, which comes first */
                return;

        manager_want_health(m);
        for (size_t i = 0; i < m->devices.n; i++)
                m->devices.items[i]->wants_settle = !m->devices.items[i]->is_region;
        for (size_t i = 0; i < m->cases.n; i++)
                if (m->cases.items[i]->c->state == CASE_WAITING)
                        tracked_remind(m->cases.items[i]);
}

static void topology_failed(Manager *m, const char *why) {
        log_error("The topology could not be read, trying again later: %s", why);
        m->topology_retry_at = now_monotonic() + backoff(++m->topology_tries);
}

static void on_topology(const EngineAnswer *a, void *userdata) {
        Manager *m = userdata;

        m->topology_asked = false;
        manager_poke(m);
        if (a->error < 0) {
                topology_failed(m, a->detail ? a->detail : strerror(-a->error));
                return;
        }

        m->topology_tries = 0;
        apply_topology(m, a->topology);
}

/* libndctl, libudev and libmount read a lot, and may block: a worker's work. Changes that come meanwhile
 * lead to another reading. */
static void ask_topology(Manager *m) {
        const Request q = { .verb = VERB_TOPOLOGY };
        int r;

        if (m->topology_asked || m->stopping)
                return;

        m->wants_topology = false;
        r = engine_submit(m->engine, &q, m->policy.worker_timeout_usec, on_topology, m);
        if (r < 0)
                topology_failed(m, strerror(-r));
        else
                m->topology_asked = true;
}

static void load_topology(Manager *m) {
        _cleanup_topology_ Topology t = {};
        _cleanup_free_ char *error = NULL;
        int r;

        m->wants_topology = false;
        r = topo_load(m->options->topology_file, &t, &error);
        if (r < 0)
                topology_failed(m, error ? error : strerror(-r));
        else
                apply_topology(m, &t);
}

bool manager_is_of_machine(const Manager *m) {
        return !m->options->topology_file || strcmp(sysfs_root(), "/sys") != 0;
}

void manager_read_topology(Manager *m) {
        if (m->options->topology_file)
                load_topology(m);
        else
                ask_topology(m);
}
