/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One file's bad pages, or a device-dax'. Before anything is written: it is opened by its handle, exclusion
 * is taken, and it is compared with what was located (repair-exclude.c); the neighbourhood and the replica
 * are read once, and the proof that the plan names must be shown by those very bytes (repair-prove.c). Then
 * page after page (repair-step.c), each looked at again right before it is written (repair-look.c); at the
 * end all of the range must be readable and off the list. The file's mtime stays as it was, under a lease
 * also where a page had to be brought back. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/strv.h"
#include "worker/guard.h"
#include "worker/intents.h"
#include "worker/page.h"
#include "worker/repair-internal.h"
#include "worker/repair.h"

static void repair_done(Repair *r) {
        uint64_t usec;

        (void) freeze_end(&r->freeze, &usec);
        repair_let_go(r);
        site_close(&r->site);
        closep(&r->block_fd);
        closep(&r->intents_fd);
        closep(&r->lock_fd);
        gathered_done(&r->seen);
        free(r->page);
        free(r->again);
        result_done(&r->result);
}

/* What is still listed must not be this file's any more: the writer `clone` has left it to a guard. */
static int confirm_listed(Repair *r, const RangeSet *listed) {
        _cleanup_rangeset_ RangeSet pages = {};
        int q;

        q = rangeset_align_out(listed, REPAIR_UNIT, &pages);
        for (size_t i = 0; q >= 0 && i < pages.n; i++)
                for (uint64_t at = pages.items[i].start; at < pages.items[i].end; at += REPAIR_UNIT) {
                        MapOwns owns;

                        q = site_owns(&r->site, r->fd, (Range) { at, at + REPAIR_UNIT },
                                      r->owner->offset + (at - r->f->range.start), &owns);
                        if (q < 0)
                                return q;
                        if (owns != MAP_OTHERS)
                                return ended(r, CASE_DETECTED, REASON_CHANGED, "more of it has become bad");
                }
        return q;
}

/* Healed is what can be read, all of it, and is not listed: also the pages that were no step. */
static int confirm(Repair *r) {
        _cleanup_rangeset_ RangeSet listed = {};
        uint64_t size = range_size(r->f->range), at = 0;
        int q;

        for (; at < size && r->owner->offset + at < r->f->file_size; at += REPAIR_UNIT) {
                q = repair_listed_on_device(r, r->f->range.start + at);
                if (q != 0)
                        return q < 0 ? q : ended(r, CASE_DETECTED, REASON_CHANGED,
                                                 "more of it has become bad");
                q = repair_read_page(r, r->owner->offset + at);
                if (q == -EFAULT)
                        return ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
                if (q < 0)
                        return ended(r, CASE_DETECTED, REASON_CHANGED, "at file offset %" PRIu64 ": %s",
                                     r->owner->offset + at, strerror(-q));
        }

        q = site_listed(&r->site, (Range) { r->f->range.start, r->f->range.start + at }, &listed);
        return q < 0 ? q : confirm_listed(r, &listed);
}

static int prepare(Repair *r) {
        int q;

        q = boot_id_read(r->boot_id);
        if (q < 0)
                return q;
        if (r->request->policy.mode != MODE_REPAIR)
                return ended(r, CASE_WAITING, REASON_OBSERVE, NULL);

        r->page = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        r->again = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        if (!r->page || !r->again)
                return -ENOMEM;

        q = intents_open(r->request->state_dir, &r->intents_fd);
        if (q >= 0)
                q = intents_lock(r->intents_fd, r->request->volume.device, &r->lock_fd);
        if (q == -EBUSY)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "an earlier worker has not ended yet");
        if (q < 0)
                return ended(r, CASE_FAILED, REASON_INTERNAL, "the intent log cannot be used: %s",
                             strerror(-q));

        q = site_open(&r->request->volume, &r->site);
        if (q == SITE_E_UNMOUNTED || q == SITE_E_GONE)
                return ended(r, CASE_WAITING, REASON_UNMOUNTED, NULL);
        if (q == 0 && site_is_dax(&r->site) != (r->owner->type == OWNER_DEVICE_DAX))
                return -EINVAL;
        return q;
}

/* The file is as it was sealed, and nobody else can have touched it, but a writer may have moved its times.
 * A seal that cannot be kept is no harm to the file: the next sealing makes another. */
static void keep_seal(Repair *r) {
        struct stat st;

        if (r->result.proofs & PROOF_BIT(PROOF_SEAL) && lease_held(&r->lease) && fstat(r->fd, &st) >= 0)
                (void) sealed_restamp(&r->seen.sealed, &st);
}

/* What somebody should know who thinks that all is as before; NULL: it is. */
static const char *remark(const Repair *r) {
        if (r->result.writer == WRITER_CLONE)
                return "the bytes are in another block now; the bad one is parked below a guard file";
        if (repair_punches(r))
                return "the bytes may be in another block now; the bad one is free space then";
        if (site_is_dax(&r->site) && findings_has_whole_page(r->f))
                return "should a machine check have found it, the page is missing from the kernel's map "
                       "until the next boot: programs can map it, but before that, no namespace of another "
                       "mode nor system memory may be made of it";
        return NULL;
}

static void tell_healed(Repair *r) {
        const char *more = remark(r);

        if (r->plan->by_word)
                result_set(&r->result, CASE_HEALED, REASON_NONE,
                           "%" PRIu64 " bytes were lost; of %" PRIu64 " surviving ones that could be "
                           "compared, %" PRIu64 " differ%s%s", r->lost, r->compared, r->differ,
                           more ? "; " : "", more ? more : "");
        else
                result_set(&r->result, CASE_HEALED, REASON_NONE, more ? "%s" : NULL, more);
}

static int run(Repair *r) {
        int q;

        q = prepare(r);
        if (q == 0)
                q = repair_exclude(r);
        if (q == 0)
                q = repair_prove(r);
        if (q != 0)
                return q;

        for (size_t i = 0; q == 0 && i < r->plan->steps.n; i++)
                q = repair_step(r, r->plan->steps.items + i);
        if (q == 0)
                q = confirm(r);
        if (q == 0)
                keep_seal(r);
        if (q == 0 && r->result.bytes > 0)
                tell_healed(r);
        else if (q == 0)
                result_set(&r->result, CASE_GONE, REASON_CLEARED, NULL);
        return q;
}

/* Are the steps whole pages of the located range, at their places in the file? */
static bool steps_fit(const Plan *p, const Findings *f, const Owner *o) {
        uint64_t end;

        if (!range_is_aligned(f->range, REPAIR_UNIT) || o->offset % REPAIR_UNIT != 0 ||
            o->offset >= f->file_size || f->file_size > INT64_MAX - REPAIR_UNIT ||
            __builtin_add_overflow(o->offset, range_size(f->range), &end) || end > INT64_MAX)
                return false;

        for (size_t i = 0; i < p->steps.n; i++) {
                const Step *s = p->steps.items + i;

                if (!range_contains(f->range, s->range) || range_size(s->range) != REPAIR_UNIT ||
                    !range_is_aligned(s->range, REPAIR_UNIT) ||
                    s->offset != o->offset + (s->range.start - f->range.start))
                        return false;
        }
        return true;
}

int repair_request_check(const Request *request) {
        const Findings *f = request->ranges.items;
        const Plan *p = &request->plan;
        const Owner *o;

        if (request->ranges.n != 1 || p->verdict != VERDICT_REPAIR || !p->replica ||
            p->by_word == (p->proofs != 0) || f->owners.n == 0)
                return -EINVAL;
        o = f->owners.items;
        return (o->type == OWNER_FILE || o->type == OWNER_DEVICE_DAX) && o->path &&
                               range_contains(o->range, f->range) &&
                               o->range.start == f->range.start && steps_fit(p, f, o)
                       ? 0
                       : -EINVAL;
}

/* *ret_lease_lost: nothing was written, since somebody wants to open the file, who is waiting for us. */
static int try_repair(const Request *request, bool only_freeze, ProgressFn progress, void *userdata,
                      Result *ret, bool *ret_lease_lost) {
        __attribute__((cleanup(repair_done))) Repair r = {
                .request = request,
                .only_freeze = only_freeze,
                .plan = &request->plan,
                .site = SITE_NULL,
                .seen = GATHERED_NULL,
                .fd = -1,
                .intents_fd = -1,
                .lock_fd = -1,
                .block_fd = -1,
                .freeze = FREEZE_NULL,
                .progress = progress,
                .userdata = userdata,
                .result = { .id = request->id, .writer = WRITER_AUTO, .exclusion = _EXCLUSION_INVALID },
        };
        int q;

        r.f = request->ranges.items;
        r.owner = r.f->owners.items;

        q = run(&r);
        if (q < 0)
                return q;

        *ret_lease_lost = r.lease_lost && r.result.bytes == 0;
        *ret = r.result;
        r.result = (Result) {};
        return 0;
}

static bool may_freeze(const Plan *p) {
        for (size_t i = 0; i < p->means.exclusion.n; i++)
                if (p->means.exclusion.items[i] == EXCLUSION_FREEZE)
                        return true;
        return false;
}

int repair(const Request *request, ProgressFn progress, void *userdata, Result *ret) {
        bool lease_lost;
        int q;

        assert(progress);

        q = repair_request_check(request);
        if (q < 0 || !request->state_dir || (request->plan.by_word && !request->plan.shown))
                return -EINVAL;

        q = try_repair(request, false, progress, userdata, ret, &lease_lost);
        if (q < 0 || !lease_lost || !may_freeze(&request->plan))
                return q;

        /* He has the file now, and may open it again and again: where replicas take long to answer, no lease
         * would ever last until they have. */
        result_done(ret);
        return try_repair(request, true, progress, userdata, ret, &lease_lost);
}
