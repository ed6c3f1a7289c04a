/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One file's bad pages, one after another. Before anything is written: the file is opened by its handle
 * and compared with what was located, exclusion is taken, the neighbourhood and the replica are read
 * once, and the proof that the plan names must be shown by those very bytes. Then for each page: build
 * it, log the intent, ask again whose it is, whether it is still bad, and whether the good bytes are
 * still the same, write, read back. The file's times stay as they were. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/strv.h"
#include "worker/evidence.h"
#include "worker/intents.h"
#include "worker/lease.h"
#include "worker/page.h"
#include "worker/repair.h"
#include "worker/subject.h"

#define TRIES_MAX 5     /* how often good bytes may change under our hands */

typedef struct Repair {
        const Request *request;
        const Findings *f;
        const Owner *owner;
        const Plan *plan;
        Site site;
        int fd;
        int intents_fd, lock_fd;
        Lease lease;
        struct stat before;             /* under exclusion */
        struct timespec mtime;          /* as we left it */
        Window window;
        Evidences evidences;
        const Evidence *evidence;       /* of the plan's replica; within evidences */
        char boot_id[37];
        uint8_t *page, *again;          /* one page each, aligned */
        ProgressFn progress;
        void *userdata;
        Result result;
} Repair;

static void repair_done(Repair *r) {
        site_close(&r->site);
        closep(&r->fd);         /* a lease goes with it */
        closep(&r->intents_fd);
        closep(&r->lock_fd);
        window_done(&r->window);
        evidences_done(&r->evidences);
        free(r->page);
        free(r->again);
        result_done(&r->result);
}

enum {
        _REPAIR_E_SUCCESS,

        REPAIR_E_ENDED,         /* the outcome is in result */
        REPAIR_E_AGAIN,         /* something moved between looking and writing: look again */
};

#define ended(repair, ...) (result_set(&(repair)->result, __VA_ARGS__), REPAIR_E_ENDED)

__attribute__((format(printf, 2, 3)))
static void tell(const Repair *r, const char *format, ...) {
        Result p = { .id = r->request->id, .progress = true, .state = CASE_REPAIRING,
                    .exclusion = r->result.exclusion };
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&p.detail, format, ap) < 0)
                p.detail = NULL;
        va_end(ap);
        r->progress(&p, r->userdata);
        free(p.detail);
}

static int open_file(Repair *r) {
        int q;

        q = mapper_open(r->site.ops, r->site.mount_fd, r->owner->inode, r->owner->generation, O_RDWR,
                        &r->fd);
        if (q == -EROFS)
                return ended(r, CASE_WAITING, REASON_READ_ONLY, NULL);
        if (q == -ETXTBSY || q == -EPERM)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "it cannot be opened for writing: %s",
                             strerror(-q));
        if (q > 0)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file is gone");
        return q;
}

/* What only memory has of it (there is no DAX, then) must not be taken for lost: it is written back, and
 * where that clears a page, the list will say so. */
static int write_back(const Repair *r) {
        return file_is_dax(r->fd) ? 0 : fdatasync(r->fd);
}

static int examine_file(Repair *r) {
        if (write_back(r) < 0)
                return ended(r, CASE_FAILED, REASON_WRITE_FAILED, "what is in memory of the file cannot be written: %s",
                             strerror(errno));
        if (fstat(r->fd, &r->before) < 0)
                return -errno;
        if ((uint64_t) r->before.st_size != r->f->file_size)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file has changed its size");

        r->mtime = r->before.st_mtim;
        return 0;
}

static int take_exclusion(Repair *r) {
        for (size_t i = 0; i < r->plan->exclusion.n; i++) {
                Exclusion e = r->plan->exclusion.items[i];

                if (e == EXCLUSION_LEASE && lease_take(r->fd, &r->lease) == 0)
                        continue;
                if (e == EXCLUSION_FREEZE)
                        continue;
                r->result.exclusion = e;
                return examine_file(r);
        }
        return ended(r, CASE_WAITING, REASON_FILE_BUSY,
                     "another program has it open, and Exclusion= asks for a lease");
}

/* Reads the neighbourhood and the replica, and lets them show what the plan asks for. */
static int prove(Repair *r) {
        const Protect *protect = policy_find_path(&r->request->policy, r->owner->path);
        Range pages = { r->owner->offset, r->owner->offset + range_size(r->f->range) }, wide = pages;
        Extent extent = { .range = r->f->range, .offset = r->owner->offset };
        char *chosen[] = { r->plan->replica, NULL };
        _cleanup_rangeset_ RangeSet lost = {};
        Subject subject;
        int q;

        if (!protect)
                return -EINVAL;

        wide.start = wide.start > NEIGHBOURS_WINDOW ? wide.start - NEIGHBOURS_WINDOW : 0;
        if (__builtin_add_overflow(wide.end, NEIGHBOURS_WINDOW, &wide.end))
                return -EOVERFLOW;

        q = window_read(&r->site, r->fd, r->f->file_size, wide, &extent, &r->f->bad, &r->window);
        if (q >= 0)
                q = lost_bytes(&r->window, pages, r->f->file_size, &lost);
        if (q < 0)
                return q;
        if (lost.n == 0)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "every byte can be read again");

        subject_init(&subject, &r->site, protect, r->owner->path, &r->before);
        q = evidences_take(r->plan->proofs & PROOF_BIT(PROOF_QUORUM) ? protect->replicas : chosen, &subject,
                           &r->window, &lost,
                           &r->evidences);
        if (q < 0)
                return q;

        for (size_t i = 0; i < r->evidences.n && !r->evidence; i++)
                if (streq_ptr(r->evidences.items[i].offer.replica, r->plan->replica))
                        r->evidence = r->evidences.items + i;
        if (!r->evidence)
                return -EINVAL;

        if (!r->evidence->bytes || (r->evidence->offer.proofs & r->plan->proofs) != r->plan->proofs ||
            proof_policy_satisfied(&protect->proof, r->evidence->offer.proofs) == 0)
                return ended(r, CASE_REFUSED, offer_reason(&r->evidence->offer),
                             "%s no longer shows what the plan asks for%s%s",
                             r->plan->replica, r->evidence->offer.detail ? ": " : "",
                             r->evidence->offer.detail ? r->evidence->offer.detail : "");

        r->result.proofs = r->evidence->offer.proofs;
        r->result.replica = strdup(r->plan->replica);
        return r->result.replica ? 0 : -ENOMEM;
}

/* The page as it shall be: what can be read beside the poison, the replica's bytes for the rest, zeroes
 * behind the end of the file. *ret_got: the device addresses that were read. */
static int build_page(Repair *r, const Step *s, const RangeSet *listed, uint8_t *page, RangeSet *ret_got) {
        _cleanup_rangeset_ RangeSet missing = {}, got = {};
        uint64_t end = r->f->file_size - s->offset;
        int q;

        memset(page, 0, REPAIR_UNIT);
        q = page_salvage(&r->site, s->range, listed, page, &got);
        if (q >= 0)
                q = rangeset_add(&missing, s->range);
        if (q >= 0)
                q = rangeset_subtract_all(&missing, &got);
        if (q < 0)
                return q;

        for (size_t i = 0; i < missing.n; i++) {
                uint64_t at = missing.items[i].start - s->range.start;

                memcpy(page + at, r->evidence->bytes + (s->offset + at - r->window.range.start),
                       range_size(missing.items[i]));
        }
        if (end < REPAIR_UNIT)
                memset(page + end, 0, REPAIR_UNIT - end);

        *ret_got = got;
        got = (RangeSet) {};
        return 0;
}

static int log_intent(Repair *r, const Step *s, const RangeSet *listed) {
        const Intent i = {
                .case_id = r->request->id,
                .boot_id = r->boot_id,
                .uuid = r->request->volume.uuid,
                .device = r->request->volume.device,
                .range = s->range,
                .physical = r->request->physical_known ? r->request->physical + s->range.start : 0,
                .bad = *listed,
                .inode = r->owner->inode,
                .generation = r->owner->generation,
                .offset = s->offset,
                .path = r->owner->path,
                .file_size = r->f->file_size,
                .mtime_sec = r->before.st_mtim.tv_sec,
                .mtime_nsec = (uint32_t) r->before.st_mtim.tv_nsec,
                .replica = r->plan->replica,
                .proofs = r->result.proofs,
                .alone = r->result.exclusion == EXCLUSION_LEASE,
        };

        return intents_store(r->intents_fd, &i, r->page);
}

static int forget_intent(Repair *r, const Step *s) {
        const Intent i = { .device = r->request->volume.device, .range = s->range };

        return intents_remove(r->intents_fd, &i);
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Last look before the write: still this file's, still the same sectors bad, still the same good bytes. */
static int look_again(Repair *r, const Step *s, const RangeSet *listed, const RangeSet *got) {
        _cleanup_rangeset_ RangeSet listed_now = {}, got_now = {};
        const PageOwner owner = { r->owner->inode, r->owner->generation };
        struct stat st;
        int q;

        q = page_owned(&r->site, owner, s->range, s->offset);
        if (q < 0 && q != -EAGAIN)
                return q;
        if (q != PAGE_OWNED)
                return ended(r, CASE_DETECTED, REASON_CHANGED,
                             q == PAGE_SHARED ? "the block is shared with another file now"
                                              : "the file system gave the block to somebody else");
        if (r->result.exclusion == EXCLUSION_LEASE && !lease_holds(&r->lease))
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "another program wants to open it");
        if (write_back(r) < 0 || fstat(r->fd, &st) < 0)
                return -errno;
        if (st.st_size != r->before.st_size)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file has changed its size");
        if ((r->plan->proofs & PROOF_BIT(PROOF_IDENTITY)) && !same_time(&st.st_mtim, &r->mtime))
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file has been written to");

        q = site_listed(&r->site, s->range, &listed_now);
        if (q >= 0)
                q = page_salvage(&r->site, s->range, listed, r->again, &got_now);
        if (q < 0)
                return q;
        if (!rangeset_equal(listed, &listed_now) || !rangeset_equal(got, &got_now))
                return REPAIR_E_AGAIN;

        for (size_t i = 0; i < got->n; i++) {
                uint64_t at = got->items[i].start - s->range.start, end = r->f->file_size - s->offset;
                uint64_t n = range_size(got->items[i]);

                if (at >= end)
                        break;
                if (memcmp(r->page + at, r->again + at, n < end - at ? n : end - at) != 0)
                        return REPAIR_E_AGAIN;
        }
        return 0;
}

/* Storing through a mapping and cutting a file back move its mtime. Under a lease nobody else can have
 * moved it. */
static void restore_times(Repair *r) {
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, r->before.st_mtim };
        struct stat st;

        if (fstat(r->fd, &st) < 0)
                return;
        r->mtime = st.st_mtim;
        if (!same_time(&st.st_mtim, &r->before.st_mtim) && lease_holds(&r->lease) && futimens(r->fd, times) >= 0)
                r->mtime = r->before.st_mtim;
}

static int put_page(Repair *r, const Step *s, const Target *t, uint64_t bytes) {
        int q;

        q = page_put(&r->site, (PageOwner) { r->owner->inode, r->owner->generation }, r->plan->writers,
                     r->plan->n_writers, t, r->page, &r->result.writer);
        restore_times(r);
        switch (q) {
        case -ESTALE:
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file changed while it was being written");
        case PAGE_E_STORED:
                /* The bytes are there. From now on a program may store newer ones through its mapping without any
                 * trace, so the intent must never be carried out again. */
                r->result.bytes += bytes;
                return forget_intent(r, s) < 0 ? -EIO : ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
        case PAGE_E_ABSENT:
                return ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT,
                             "the bytes at file offset %" PRIu64 " could not be stored yet", s->offset);
        case PAGE_E_NOT_CLEARED:
                (void) forget_intent(r, s);
                return ended(r, CASE_FAILED, REASON_WRITE_FAILED,
                             "the kernel could not clear the poison at file offset %" PRIu64, s->offset);
        case PAGE_E_SHARED:
                (void) forget_intent(r, s);
                return ended(r, CASE_REFUSED, REASON_SHARED_EXTENT, NULL);
        default:
                if (q < 0)
                        return ended(r, CASE_FAILED, REASON_WRITE_FAILED,
                                     "writing at file offset %" PRIu64 " failed: %s", s->offset,
                                     strerror(-q));
                return 0;
        }
}

/* Without a lease another program may have stored to the good sectors since; the bad ones are ours alone
 * to have written. */
static int read_back(Repair *r, const Step *s, const Target *t, const RangeSet *listed) {
        _cleanup_rangeset_ RangeSet must = {};
        int q = 0;

        if (r->result.exclusion == EXCLUSION_LEASE)
                q = rangeset_add(&must, (Range) { s->offset, s->offset + REPAIR_UNIT });
        for (size_t i = 0; q >= 0 && i < listed->n; i++)
                q = rangeset_add(&must, (Range) { s->offset + (listed->items[i].start - s->range.start),
                                                  s->offset + (listed->items[i].end - s->range.start) });
        if (q >= 0)
                q = page_check(&r->site, t, r->page, &must);

        switch (q) {
        case 0:
                return forget_intent(r, s);
        case PAGE_E_ABSENT:
                return ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
        case PAGE_E_LISTED:
                return ended(r, CASE_FAILED, REASON_STILL_LISTED, NULL);
        case PAGE_E_DIFFERS:
                return ended(r, CASE_FAILED, REASON_READ_BACK_FAILED, "at file offset %" PRIu64, s->offset);
        default:
                return ended(r, CASE_FAILED, REASON_READ_BACK_FAILED, "at file offset %" PRIu64 ": %s",
                             s->offset, strerror(-q));
        }
}

static int read_page(const Repair *r, uint64_t offset) {
        uint8_t page[REPAIR_UNIT];
        uint64_t n = r->f->file_size - offset;

        return pread_full(r->fd, page, n < REPAIR_UNIT ? n : REPAIR_UNIT, offset);
}

/* No longer listed, and it was not us: nothing of the page is ours to write any more. But a write that
 * failed with EFAULT drops the page from the list as well; then it still cannot be read, and what it will
 * hold when it can be is nobody's data. */
static int cleared_by_others(Repair *r, const Step *s) {
        int q = read_page(r, s->offset);

        if (q < 0)
                return ended(r, CASE_IN_DOUBT, REASON_IN_DOUBT,
                             "somebody else's write took the page at file offset %" PRIu64
                             " off the list, but it cannot be read: %s", s->offset, strerror(-q));
        return 0;
}

/* Healed is what can be read, all of it, and is not listed: also the pages that were no step. */
static int confirm(Repair *r) {
        _cleanup_rangeset_ RangeSet listed = {};
        uint64_t size = range_size(r->f->range), at = 0;
        int q;

        for (; at < size && r->owner->offset + at < r->f->file_size; at += REPAIR_UNIT) {
                q = read_page(r, r->owner->offset + at);
                if (q == -EFAULT)
                        return ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
                if (q < 0)
                        return ended(r, CASE_DETECTED, REASON_CHANGED, "at file offset %" PRIu64 ": %s",
                                     r->owner->offset + at, strerror(-q));
        }

        q = site_listed(&r->site, (Range) { r->f->range.start, r->f->range.start + at }, &listed);
        if (q < 0)
                return q;
        return listed.n == 0 ? 0 : ended(r, CASE_DETECTED, REASON_CHANGED, "more of it has become bad");
}

static int try_step(Repair *r, const Step *s) {
        const Target t = {
                .file_fd = r->fd,
                .disk = r->site.disk,
                .offset = s->offset,
                .file_size = r->f->file_size,
                .range = s->range,
                .physical = r->request->physical_known ? r->request->physical + s->range.start : 0,
        };
        _cleanup_rangeset_ RangeSet listed = {}, got = {};
        int q;

        q = site_listed(&r->site, s->range, &listed);
        if (q < 0)
                return q;
        if (listed.n == 0)
                return cleared_by_others(r, s);

        q = build_page(r, s, &listed, r->page, &got);
        if (q == 0)
                q = log_intent(r, s, &listed);
        if (q == 0)
                q = fault_point(getenv("BEZOAR_FAULT"), "before-look");
        if (q == 0)
                q = look_again(r, s, &listed, &got);
        if (q != 0) {
                (void) forget_intent(r, s);
                return q;
        }

        q = put_page(r, s, &t, REPAIR_UNIT - rangeset_size(&got));
        if (q == 0)
                q = read_back(r, s, &t, &listed);
        if (q == 0)
                r->result.bytes += REPAIR_UNIT - rangeset_size(&got);
        return q;
}

static int do_step(Repair *r, const Step *s) {
        int q = REPAIR_E_AGAIN;

        if (s->offset >= r->f->file_size)
                return 0; /* allocated behind the end of the file: there is nothing to restore */
        if (r->f->file_size - s->offset < REPAIR_UNIT && r->result.exclusion != EXCLUSION_LEASE)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "the last page of a file needs a lease");

        tell(r, "writing the page at file offset %" PRIu64 " from %s", s->offset, r->plan->replica);
        for (unsigned i = 0; i < TRIES_MAX && q == REPAIR_E_AGAIN; i++)
                q = try_step(r, s);

        return q != REPAIR_E_AGAIN ? q : ended(r, CASE_WAITING, REASON_FILE_BUSY,
                                               "its good bytes change faster than they can be rewritten");
}

static int prepare(Repair *r) {
        _cleanup_free_ char *boot = NULL;
        size_t n;
        int q;

        q = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, &n);
        if (q < 0)
                return q;
        (void) snprintf(r->boot_id, sizeof(r->boot_id), "%.36s", boot);

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
        return q;
}

static int run(Repair *r) {
        int q;

        q = prepare(r);
        if (q == 0)
                q = open_file(r);
        if (q == 0)
                q = take_exclusion(r);
        if (q == 0)
                q = prove(r);
        if (q != 0)
                return q;

        for (size_t i = 0; q == 0 && i < r->plan->steps.n; i++)
                q = do_step(r, r->plan->steps.items + i);
        if (q == 0)
                q = confirm(r);
        if (q == 0 && r->result.bytes > 0)
                result_set(&r->result, CASE_HEALED, REASON_NONE, NULL);
        else if (q == 0)
                result_set(&r->result, CASE_GONE, REASON_CLEARED, NULL);
        return q;
}

/* Are the steps whole pages of the located range, at their places in the file? */
static bool steps_fit(const Repair *r) {
        const Owner *o = r->owner;
        uint64_t end;

        if (!range_is_aligned(r->f->range, REPAIR_UNIT) || o->offset % REPAIR_UNIT != 0 ||
            o->offset >= r->f->file_size || r->f->file_size > INT64_MAX - REPAIR_UNIT ||
            __builtin_add_overflow(o->offset, range_size(r->f->range), &end) || end > INT64_MAX)
                return false;

        for (size_t i = 0; i < r->plan->steps.n; i++) {
                const Step *s = r->plan->steps.items + i;

                if (!range_contains(r->f->range, s->range) || range_size(s->range) != REPAIR_UNIT ||
                    !range_is_aligned(s->range, REPAIR_UNIT) ||
                    s->offset != o->offset + (s->range.start - r->f->range.start))
                        return false;
        }
        return true;
}

int repair(const Request *request, ProgressFn progress, void *userdata, Result *ret) {
        __attribute__((cleanup(repair_done))) Repair r = {
                .request = request,
                .plan = &request->plan,
                .site = SITE_NULL,
                .fd = -1,
                .intents_fd = -1,
                .lock_fd = -1,
                .progress = progress,
                .userdata = userdata,
                .result = { .id = request->id, .writer = WRITER_AUTO, .exclusion = _EXCLUSION_INVALID },
        };
        int q;

        assert(progress);

        if (request->ranges.n != 1 || request->plan.verdict != VERDICT_REPAIR || request->plan.proofs == 0 ||
            !request->plan.replica ||
            !request->state_dir)
                return -EINVAL;
        r.f = request->ranges.items;
        r.owner = r.f->owners.items;
        if (r.f->owners.n != 1 || r.owner->type != OWNER_FILE || !r.owner->path ||
            !range_contains(r.owner->range, r.f->range) ||
            r.owner->range.start != r.f->range.start)
                return -EINVAL;
        if (!steps_fit(&r))
                return -EINVAL;

        q = run(&r);
        if (q < 0)
                return q;

        *ret = r.result;
        r.result = (Result) {};
        return 0;
}
