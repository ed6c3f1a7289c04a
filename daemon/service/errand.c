/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "service/errand.h"
#include "util/str.h"
#include "util/vec.h"

Errand *errand_free(Errand *e) {
        if (!e)
                return NULL;
        for (size_t i = 0; i < e->cases.n; i++)
                tracked_end_request(e->cases.items[i]);
        vec_done(&e->cases);
        free(e->disk);
        free(e);
        return NULL;
}

int errand_new(Manager *m, const char *disk, Errand **ret) {
        _cleanup_(errand_freep) Errand *e = calloc(1, sizeof(*e));

        if (!e)
                return -ENOMEM;
        e->manager = m;
        e->disk = strdup(disk);
        if (!e->disk)
                return -ENOMEM;
        *ret = TAKE_PTR(e);
        return 0;
}

int errand_take(Errand *e, Tracked *t) {
        int r = vec_push(&e->cases, t);

        if (r >= 0)
                t->busy = true;
        return r;
}

int manager_request(Manager *m, Verb verb, const char *disk, Request *ret) {
        const TopoNamespace *n = topology_find_namespace_by_disk(&m->topology, disk);
        _cleanup_request_ Request q = { .verb = verb };
        int r;

        q.state_dir = strdup(m->options->state_dir);
        if (!q.state_dir)
                return -ENOMEM;
        r = policy_copy(&m->policy, &q.policy);
        if (r >= 0)
                r = volume_of_disk(&m->topology, disk, &q.volume, &q.physical, &q.physical_known);
        if (r >= 0 && n)
                r = str_copy(n->uuid, &q.namespace);
        if (r < 0)
                return r;

        *ret = q;
        q = (Request) {};
        return 0;
}

int request_set_volume(Request *q, const Volume *v) {
        __attribute__((cleanup(volume_done))) Volume copy = {};
        int r;

        r = volume_copy(v, &copy);
        if (r < 0)
                return r;
        volume_done(&q->volume);
        q->volume = copy;
        copy = (Volume) {};
        return 0;
}

int errand_send(Errand *e, const Request *q, EngineFn fn) {
        return engine_submit(e->manager->engine, q, e->manager->policy.worker_timeout_usec, fn, e);
}

Reason errand_failure(int error) {
        switch (error) {
        case -ECHILD:
                return REASON_WORKER_DIED;
        case -ETIMEDOUT:
        case -EBUSY:
                return REASON_WORKER_TIMEOUT;
        default:
                return REASON_INTERNAL;
        }
}
