/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Rehearsals: what would be done if some good bytes were lost. A worker of its own looks, so that a replica
 * that hangs holds up other rehearsals and no repair. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "service/errand.h"
#include "service/manager-internal.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

typedef struct Rehearsal {
        Manager *manager;
        char *target, *device;
        char *realtime;         /* instead of `device`, if it turns out to be a realtime file; NULL: not */
        ForecastFn fn;
        void *userdata;
} Rehearsal;

static Rehearsal *rehearsal_free(Rehearsal *h) {
        if (!h)
                return NULL;
        free(h->target);
        free(h->device);
        free(h->realtime);
        free(h);
        return NULL;
}
DEFINE_CLEANUP(Rehearsal *, rehearsal_free);

static const char *device_of(const Rehearsal *h, const LocateReply *reply) {
        const bool realtime = reply->found.n > 0 && reply->found.items[0].part == FS_PART_REALTIME;

        return realtime && h->realtime ? h->realtime : h->device;
}

static void on_rehearsed(const EngineAnswer *a, void *userdata) {
        _cleanup_(rehearsal_freep) Rehearsal *h = userdata;
        _cleanup_forecast_ Forecast f = {};
        int r = a->error;

        h->manager->forecasts--;
        manager_poke(h->manager);       /* perhaps this was the last that a stop had to wait for */
        if (r >= 0)
                manager_take_offers(h->manager, a->located);
        if (r >= 0)
                manager_take_rehearsal(h->manager, a->located);
        if (r >= 0)
                r = forecast_make(h->target, device_of(h, a->located), &h->manager->policy, a->located, &f);
        h->fn(r >= 0 ? &f : NULL, r, a->detail, h->userdata);
}

typedef struct Nearest {
        const char *path, *mountpoint, *disk;
} Nearest;

static void look_nearer(Nearest *n, const char *mountpoint, const char *disk) {
        const Protect as_folder = { .path = (char *) mountpoint };

        if (protect_relative(&as_folder, n->path) &&
            (!n->mountpoint || strlen(mountpoint) > strlen(n->mountpoint))) {
                n->mountpoint = mountpoint;
                n->disk = disk;
        }
}

/* The disk that has files of the file system which holds this path, by the longest mount point; the worker
 * looks whether that is true. NULL: none. */
static const char *disk_of_path(const Topology *t, const char *path) {
        Nearest n = { .path = path };

        for (size_t i = 0; i < t->mounts.n; i++)
                look_nearer(&n, t->mounts.items[i].mountpoint, t->mounts.items[i].disk);
        for (size_t i = 0; i < t->parts.n; i++)
                if (t->parts.items[i].part == FS_PART_REALTIME)
                        look_nearer(&n, t->parts.items[i].mountpoint, t->parts.items[i].disk);
        return n.disk;
}

static const TopoDisk *disk_of_node(const Topology *t, const char *node) {
        for (size_t i = 0; i < t->disks.n; i++)
                if (streq_ptr(t->disks.items[i].node, node))
                        return t->disks.items + i;
        return NULL;
}

/* 0, MANAGER_E_RANGE, -ENOMEM. */
static int ask_of_device(const Topology *t, Request *q, const TopoDisk *disk, Range range) {
        __attribute__((cleanup(volume_done))) Volume v = {};
        _cleanup_findings_ Findings f = {};
        Range sectors;
        int r;

        if (range_align_out(range, REPAIR_UNIT, &f.range) < 0 ||
            range_align_out(range, SECTOR_SIZE, &sectors) < 0 || f.range.end > disk->size)
                return MANAGER_E_RANGE;

        r = volume_at(t, disk->name, f.range, &v);
        if (r >= 0)
                r = request_set_volume(q, &v);
        if (r >= 0)
                r = rangeset_add(&f.bad, sectors);
        if (r >= 0)
                r = vec_push(&q->ranges, f);
        if (r >= 0)
                f = (Findings) {};
        return r;
}

/* What has the realtime files of the same file system. */
static int add_realtime(const Topology *t, Request *q) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < t->parts.n; i++) {
                const TopoPart *p = t->parts.items + i;
                __attribute__((cleanup(volume_done))) Volume v = {};
                uint64_t physical;
                bool known;

                if (p->part != FS_PART_REALTIME || !streq_ptr(p->mountpoint, q->volume.mountpoint) ||
                    !streq_ptr(p->uuid, q->volume.uuid))
                        continue;
                r = volume_of_disk(t, p->disk, &v, &physical, &known);
                if (r >= 0)
                        r = vec_push(&q->others, v);
                if (r >= 0)
                        v = (Volume) {};
        }
        return r;
}

/* 0, MANAGER_E_RANGE, -ENOMEM. */
static int ask_of_file(const Topology *t, Request *q, const char *path, Range range) {
        int r;

        if (range.end > INT64_MAX - REPAIR_UNIT)
                return MANAGER_E_RANGE;

        q->in_file = range;
        r = str_copy(path, &q->path);
        return r < 0 ? r : add_realtime(t, q);
}

static int check_range(uint64_t offset, uint64_t length, Range *ret) {
        if (length == 0)
                length = FORECAST_DEFAULT;
        return length > FORECAST_MAX || range_init(offset, length, ret) < 0 ? MANAGER_E_RANGE : 0;
}

static int rehearsal_new(Manager *m, const char *target, const Request *q, Rehearsal **ret) {
        _cleanup_(rehearsal_freep) Rehearsal *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;
        h->manager = m;
        r = str_copy(target, &h->target);
        if (r >= 0)
                r = str_copy(q->volume.device, &h->device);
        if (r >= 0 && q->others.n > 0)
                r = str_copy(q->others.items[0].device, &h->realtime);
        if (r >= 0)
                *ret = TAKE_PTR(h);
        return r;
}

int manager_forecast(Manager *m, const char *target, uint64_t offset, uint64_t length, ForecastFn fn,
                     void *userdata) {
        const TopoDisk *disk = disk_of_node(&m->topology, target);
        const char *name = disk ? disk->name : disk_of_path(&m->topology, target);
        _cleanup_(rehearsal_freep) Rehearsal *h = NULL;
        _cleanup_request_ Request q = {};
        Range range;
        int r;

        if (m->stopping)
                return MANAGER_E_STOPPING;
        if (!name)
                return MANAGER_E_NO_SUCH_VOLUME;
        r = check_range(offset, length, &range);
        if (r != 0)
                return r;
        if (m->forecasts >= FORECASTS_MAX)
                return MANAGER_E_BUSY;

        r = manager_request(m, VERB_PLAN, name, &q);
        if (r >= 0)
                r = disk ? ask_of_device(&m->topology, &q, disk, range)
                    : ask_of_file(&m->topology, &q, target, range);
        if (r != 0)
                return r;
        r = rehearsal_new(m, target, &q, &h);
        if (r < 0)
                return r;
        h->fn = fn;
        h->userdata = userdata;

        r = engine_submit(m->engine, &q, m->policy.worker_timeout_usec, on_rehearsed, h);
        if (r < 0)
                return r;
        (void) TAKE_PTR(h);
        m->forecasts++;
        return 0;
}
