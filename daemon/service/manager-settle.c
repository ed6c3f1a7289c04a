/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What earlier workers left in the intent log, and the cases that it belongs to. */

#include <errno.h>
#include <string.h>

#include "core/volume.h"
#include "service/case-log.h"
#include "service/errand.h"
#include "service/manager-internal.h"
#include "topo/topo.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/vec.h"

/* All intents have been told. A case whose write may have begun, and that has none, was finished by a
 * worker whose report was lost, or never begun: the list tells which. */
static void end_settlement(Manager *m, const char *disk, bool untold) {
        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (t->busy || t->settled || !case_outlives_listing(t->c) ||
                    !streq_ptr(tracked_disk(t), disk))
                        continue;
                if (t->moved && t->c->state != CASE_IN_DOUBT) {
                        t->moved = false;       /* the other disk has settled it, and is about to say so */
                        tracked_retry_later(t);
                        continue;
                }
                if (t->listed || t->c->reason == REASON_PAGE_NOT_PRESENT)
                        t->wants_locate = true;
                else if (t->c->state == CASE_IN_DOUBT)
                        continue; /* a person must look, whatever has become of the record */
                else if (untold)
                        tracked_move(t, CASE_IN_DOUBT, REASON_IN_DOUBT,
                                     "no longer listed, and a record of the intent log cannot be read");
                else
                        tracked_move(t, CASE_GONE, REASON_CLEARED,
                                     "no longer listed, and nothing is left in the intent log");
        }
}

/* The bytes are in another block now: what is listed is nobody's data, and gets a case of its own. */
static bool moves_bytes(WriterKind w) {
        return w == WRITER_CLONE || w == WRITER_PUNCH;
}

/* An intent is about one page. Its case is over only when nothing else of it is listed any more. */
static void take_settled(Tracked *t, const char *disk, const Result *result) {
        const bool here = streq_ptr(tracked_disk(t), disk);
        _cleanup_rangeset_ RangeSet bad = {}, left = {};
        bool truncated;

        /* That nobody can look now, or here, is no news. */
        t->moved = t->moved || !here;
        if (result->state == CASE_WAITING && (t->c->state == CASE_IN_DOUBT || (here && t->moved))) {
                t->settled = true;
                return;
        }
        if (!case_state_is_closed(result->state) || moves_bytes(result->writer) ||
            (manager_read_list(t->manager, disk, &bad, &truncated) >= 0 && !truncated &&
             rangeset_clip(&bad, t->c->range, &left) >= 0 && left.n == 0)) {
                tracked_take_result(t, result);
                return;
        }

        t->settled = true;
        t->wants_locate = true;
        tracked_move(t, CASE_DETECTED, REASON_NONE, "a page of it was settled, and more of it is listed");
        manager_forget_ended(t->manager, t->c->id);
        tracked_retry_later(t);
}

/* Cases that the intents could tell of wait for another settlement. */
static void settle_later(Manager *m, const char *disk) {
        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (!t->busy && case_outlives_listing(t->c) &&
                    (t->moved || streq_ptr(tracked_disk(t), disk)))
                        tracked_retry_later(t);
        }
}

static void on_settled(const EngineAnswer *a, void *userdata) {
        Errand *e = userdata;
        Manager *m = e->manager;

        if (a->result && a->result->id != 0) {
                Tracked *t = manager_find_tracked(m, a->result->id);

                if (t && !t->busy)
                        take_settled(t, e->disk, a->result);
                else if (!t)
                        case_log_settled(manager_find_case(m, a->result->id), a->result->id, e->disk,
                                         a->result);
        } else if (a->result && a->result->progress) {
                e->untold = true;
                log_error("%s: %s", e->disk, a->result->detail ? a->result->detail
                          : "an intent without a case");
        }

        if (!a->last)
                return;
        if (a->error < 0) {
                settle_later(m, e->disk);
                log_error("The intents on %s could not be settled, trying again later: %s", e->disk,
                          a->detail ? a->detail : strerror(-a->error));
        } else
                end_settlement(m, e->disk, e->untold);
        manager_want_scan(m, e->disk);
        errand_free(e);
}

/* The intents on a disk may be of any file system above it. Of `mount` and `part`, one is NULL. */
static int add_above(Request *q, const TopoDisk *upper, const TopoMount *mount, const TopoPart *part) {
        __attribute__((cleanup(volume_done))) Volume v = {};
        int r;

        r = volume_copy(&q->volume, &v);
        if (r >= 0)
                r = mount ? volume_set_mount(&v, upper, mount) : volume_set_part(&v, upper, part);
        if (r >= 0)
                r = vec_push(&q->others, v);
        if (r >= 0)
                v = (Volume) {};
        return r;
}

static int request_add_above(Request *q, const Topology *t, const char *disk) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < t->disks.n; i++) {
                const TopoDisk *upper = t->disks.items + i;
                const TopoMount *mount = topology_find_mount(t, upper->name);
                const TopoPart *part = topology_find_part(t, upper->name);

                if ((mount || part) && topology_stands_on(t, upper->name, disk))
                        r = add_above(q, upper, mount, part);
        }
        return r;
}

int manager_start_settle(Manager *m, Device *d) {
        _cleanup_(errand_freep) Errand *e = NULL;
        _cleanup_request_ Request q = {};
        int r;

        r = errand_new(m, d->disk, &e);
        if (r >= 0)
                r = manager_request(m, VERB_SETTLE, d->disk, &q);
        if (r >= 0)
                r = request_add_above(&q, &m->topology, d->disk);
        if (r >= 0)
                r = errand_send(e, &q, on_settled);
        if (r < 0)
                return r;

        d->wants_settle = false;
        for (size_t i = 0; i < m->cases.n; i++)
                if (streq_ptr(tracked_disk(m->cases.items[i]), d->disk))
                        m->cases.items[i]->settled = false;
        (void) TAKE_PTR(e);
        return 1;
}
