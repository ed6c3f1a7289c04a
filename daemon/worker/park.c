/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Parking and unparking: what both need, and who does which. A crash at any moment leaves a guard that
 * guards_tidy() understands. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/intents.h"
#include "worker/park-parts.h"
#include "worker/park.h"
#include "write/writer.h"

static void park_done(Park *p) {
        guard_done(&p->guard);
        site_close(&p->site);
        closep(&p->intents_fd);
        closep(&p->lock_fd);
        spacemap_done(&p->space);
        rangeset_done(&p->wanted);
        result_done(&p->result);
}

__attribute__((format(printf, 2, 3)))
void park_tell(const Park *p, const char *format, ...) {
        Result r = { .id = p->request->id, .progress = true, .state = CASE_REPAIRING,
                    .exclusion = _EXCLUSION_INVALID };
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&r.detail, format, ap) < 0)
                r.detail = NULL;
        va_end(ap);
        p->progress(&r, p->userdata);
        free(r.detail);
}

int park_fault(const Park *p, const char *point) {
        return fault_point_on(getenv("BEZOAR_FAULT"), point, p->site.disk);
}

static int prepare(Park *p) {
        int r;

        if (p->request->policy.mode != MODE_REPAIR)
                return ended(p, CASE_WAITING, REASON_OBSERVE, NULL);

        r = boot_id_read(p->boot_id);
        if (r >= 0)
                r = intents_open(p->request->state_dir, &p->intents_fd);
        if (r >= 0)
                r = intents_lock(p->intents_fd, p->request->volume.device, &p->lock_fd);
        if (r == -EBUSY)
                return ended(p, CASE_WAITING, REASON_FILE_BUSY, "an earlier worker has not ended yet");
        if (r < 0)
                return r;

        r = site_open(&p->request->volume, &p->site);
        if (r > 0)
                return ended(p, CASE_WAITING, REASON_UNMOUNTED, NULL);
        if (r == 0 && p->site.read_only)
                return ended(p, CASE_WAITING, REASON_READ_ONLY, NULL);
        if (r == 0)
                r = guard_space(&p->site, &p->space);
        if (r == 0)
                r = guard_place(&p->space, p->f->range, &p->target);
        if (r == -EOPNOTSUPP)
                return ended(p, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT,
                             "a file system that is on several disks is not parked on");
        return r;
}

/* Pages of the range; to unpark, of one guard, at their places in it. */
static bool steps_fit(const Request *q) {
        const Findings *f = q->ranges.items;
        const Owner *o = f->owners.items;

        if (!range_is_aligned(f->range, REPAIR_UNIT) || f->owners.n == 0)
                return false;
        for (size_t i = 0; i < q->plan.steps.n; i++) {
                const Step *s = q->plan.steps.items + i;

                if (!range_contains(f->range, s->range) || range_size(s->range) != REPAIR_UNIT ||
                    !range_is_aligned(s->range, REPAIR_UNIT))
                        return false;
                if (q->plan.verdict == VERDICT_UNPARK &&
                    (f->owners.n != 1 || o->type != OWNER_FILE || !o->guard ||
                     !range_contains(o->range, s->range) || o->offset > INT64_MAX - range_size(o->range) ||
                     s->offset != o->offset + (s->range.start - o->range.start)))
                        return false;
        }
        return q->plan.steps.n > 0;
}

int park(const Request *request, ProgressFn progress, void *userdata, Result *ret) {
        __attribute__((cleanup(park_done))) Park p = {
                .request = request,
                .site = SITE_NULL,
                .intents_fd = -1,
                .lock_fd = -1,
                .guard = GUARD_NULL,
                .progress = progress,
                .userdata = userdata,
                .result = { .id = request->id, .writer = WRITER_AUTO, .exclusion = _EXCLUSION_INVALID },
        };
        int r;

        assert(progress);

        if (request->ranges.n != 1 || !request->state_dir || !steps_fit(request) ||
            (request->plan.verdict != VERDICT_PARK && request->plan.verdict != VERDICT_UNPARK))
                return -EINVAL;
        p.f = request->ranges.items;

        r = prepare(&p);
        if (r == 0)
                r = request->plan.verdict == VERDICT_PARK ? park_take(&p) : park_clean(&p);
        if (r < 0)
                return r;

        *ret = p.result;
        p.result = (Result) {};
        return 0;
}
