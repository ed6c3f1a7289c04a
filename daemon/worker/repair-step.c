/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One page: build it, log the intent, ask again whose it is, whether it is still bad, and whether the
 * good bytes are still the same; write, read back, forget the intent. */

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
#include "worker/clearing.h"
#include "worker/intents.h"
#include "worker/page.h"
#include "worker/repair-internal.h"
#include "worker/shown.h"

#define TRIES_MAX 5     /* how often good bytes may change under our hands */

__attribute__((format(printf, 2, 3)))
void repair_tell(const Repair *r, const char *format, ...) {
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

                memcpy(page + at, r->evidence->bytes + (s->offset + at - r->seen.window.range.start),
                       range_size(missing.items[i]));
        }
        if (end < REPAIR_UNIT)
                memset(page + end, 0, REPAIR_UNIT - end);

        *ret_got = got;
        got = (RangeSet) {};
        return 0;
}

/* The very page that is about to be written. */
static int check_seal(Repair *r, const Step *s) {
        int q;

        if (!(r->plan->proofs & PROOF_BIT(PROOF_SEAL)))
                return 0;
        q = sealed_check_page(&r->seen.sealed, s->offset, r->page);
        return q <= 0 ? q : ended(r, CASE_DETECTED, REASON_CHANGED,
                                  "the page at file offset %" PRIu64 " is not what was sealed", s->offset);
}

/* And the page that an operator was shown: his word holds for no other. */
static int check_shown(Repair *r, const Step *s) {
        if (!r->plan->by_word)
                return 0;
        shown_page(&r->seen, r->evidence, r->f->file_size, s, r->again);
        return memcmp(r->page, r->again, REPAIR_UNIT) == 0
                       ? 0
                       : ended(r, CASE_REFUSED, REASON_NOT_AS_SHOWN,
                               "what survives of the page at file offset %" PRIu64 " has changed",
                               s->offset);
}

/* Lent. */
static Intent intent_of(const Repair *r, const Step *s, const RangeSet *listed) {
        return (Intent) {
                .case_id = r->request->id,
                .boot_id = (char *) r->boot_id,
                .uuid = r->request->volume.uuid,
                .part = r->request->volume.part,
                .device = r->request->volume.device,
                .namespace = r->request->namespace,
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
                .alone = r->result.exclusion == EXCLUSION_LEASE || repair_in_place(r),
                .in_place = repair_in_place(r),
                .punch = repair_punches(r),
        };
}

/* How long it was frozen is told with the outcome. That somebody else has thawed it meanwhile does no harm
 * where the page has been read back and is this file's still. */
int repair_thaw(Repair *r) {
        uint64_t usec;
        int q;

        q = freeze_end(&r->freeze, &usec);
        r->result.frozen_usec += usec;
        if (q < 0 && q != -ESTALE)
                return ended(r, CASE_FAILED, REASON_INTERNAL, "the file system could not be thawed: %s",
                             strerror(-q));
        return 0;
}

/* Nothing was written. Not in a frozen file system's time: removing is waited for. */
static int forget_intent(Repair *r, const Step *s) {
        const Intent i = { .device = r->request->volume.device, .range = s->range };
        int q;

        q = repair_thaw(r);
        return q != 0 ? q : intents_remove(r->intents_fd, &i);
}

/* The bytes are there: the intent must never be carried out again, and nobody knows of it yet. */
static int end_intent(Repair *r, const Step *s, CaseState state) {
        const Intent i = { .case_id = r->request->id,
                           .device = r->request->volume.device,
                           .range = s->range };
        int q;

        q = repair_thaw(r);
        return q != 0 ? q : intents_end(r->intents_fd, &i, (IntentEnd) { state, r->result.writer });
}

/* Before: everything of the replica has been read, and the intent is durable. */
static int freeze(Repair *r) {
        int q;

        q = freeze_begin(&r->site, r->intents_fd, &r->freeze);
        if (q < 0)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "the file system cannot be frozen: %s",
                             q == -EBUSY ? "somebody else has frozen it" : strerror(-q));
        return 0;
}

/* Storing through a mapping and cutting a file back move its mtime. Under a lease nobody else can have
 * moved it. */
void repair_restore_times(Repair *r) {
        struct stat st;

        if (fstat(r->fd, &st) < 0)
                return;
        r->mtime = st.st_mtim;
        if (!repair_same_time(&st.st_mtim, &r->before.st_mtim) && lease_held(&r->lease) &&
            file_set_mtime(r->fd, r->before.st_mtim) >= 0)
                r->mtime = r->before.st_mtim;
}

static int put_page(Repair *r, const Step *s, const Target *t, uint64_t bytes) {
        int q;

        q = page_put(&r->site, r->writers, r->n_writers, t, r->page, &r->result.writer);
        if (!repair_in_place(r) && !site_is_dax(&r->site))
                repair_restore_times(r);
        switch (q) {
        case -ESTALE:
                return ended(r, CASE_DETECTED, REASON_CHANGED,
                             "the file, or who shares the block, changed while it was being written");
        case -ECANCELED:
                return REPAIR_E_ENDED;          /* still_excluded() has said why */
        case PAGE_E_STORED:
                /* The bytes are there. From now on a program may store newer ones through its mapping
                 * without any trace, so the intent must never be carried out again. */
                r->result.bytes += bytes;
                return end_intent(r, s, CASE_WAITING) < 0
                               ? -EIO
                               : ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
        case PAGE_E_ABSENT:
                return ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT,
                             "the bytes at file offset %" PRIu64 " could not be stored yet", s->offset);
        case PAGE_E_DANGER:
                (void) forget_intent(r, s);
                return ended(r, CASE_WAITING, REASON_PAGE_NOT_PRESENT,
                             "of the page at file offset %" PRIu64 " nothing can be read, and without DAX "
                             "to write it may crash the kernel; mount the file system with DAX", s->offset);
        case -ETXTBSY:
                (void) forget_intent(r, s);
                return ended(r, CASE_WAITING, REASON_FILE_BUSY,
                             "the kernel lets nobody write it: it is in use as swap space");
        case PAGE_E_DIFFERS:
                return ended(r, CASE_FAILED, REASON_READ_BACK_FAILED, "in a file that shares the page at "
                             "file offset %" PRIu64, s->offset);
        case PAGE_E_UNLIKE:     /* another writer may have stored it before: the intent stays */
                return ended(r, CASE_FAILED, REASON_WRITE_FAILED,
                             "the page at file offset %" PRIu64 " is to be given another block, and a file "
                             "for it, with or without DAX as this one, cannot be had yet; if this stays so, "
                             "have the kernel forget those that were made: "
                             "'echo 2 >/proc/sys/vm/drop_caches'", s->offset);
        case PAGE_E_NOT_CLEARED:
                (void) forget_intent(r, s);
                return ended(r, CASE_FAILED, REASON_WRITE_FAILED,
                             "the kernel could not clear the poison at file offset %" PRIu64, s->offset);
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
                q = page_check(&r->site, t, r->page, &must,
                               r->result.writer == WRITER_CLONE || repair_punches(r));
        if (q == 0 && repair_in_place(r) && repair_look_at_owner(r, s) != 0)
                return ended(r, CASE_IN_DOUBT, REASON_IN_DOUBT,
                             "the file system was thawed, and gave away the block that was being written");

        switch (q) {
        case 0:
                q = end_intent(r, s, CASE_HEALED);
                if (q == 0 && repair_in_place(r) && r->owner->shared)
                        page_drop_cached(&r->site, t);
                return q;
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

int repair_read_page(const Repair *r, uint64_t offset) {
        uint8_t page[REPAIR_UNIT];
        uint64_t n = r->f->file_size - offset;

        return site_read(&r->site, r->fd, page, n < REPAIR_UNIT ? n : REPAIR_UNIT, offset);
}

int repair_listed_on_device(const Repair *r, uint64_t at) {
        _cleanup_rangeset_ RangeSet listed = {};
        int q;

        if (!site_is_dax(&r->site))
                return 0;
        q = site_listed(&r->site, (Range) { at, at + REPAIR_UNIT }, &listed);
        return q < 0 ? q : listed.n > 0;
}

/* No longer listed, and it was not us: nothing of the page is ours to write any more. But a write that
 * failed with EFAULT drops the page from the list as well; then it still cannot be read, and what it will
 * hold when it can be is nobody's data. */
static int cleared_by_others(Repair *r, const Step *s) {
        int q = repair_read_page(r, s->offset);

        if (q < 0)
                return ended(r, CASE_IN_DOUBT, REASON_IN_DOUBT,
                             "somebody else's write took the page at file offset %" PRIu64
                             " off the list, but it cannot be read: %s", s->offset, strerror(-q));
        return 0;
}

static uint64_t physical_of(const Repair *r, const Step *s) {
        const Request *q = r->request;

        if (site_is_dax(&r->site))
                return clearing_physical(&r->site, q->physical, q->physical_known, s->range);
        return q->physical_known ? q->physical + s->range.start : 0;
}

static int still_excluded(void *userdata) {
        Repair *r = userdata;
        int q = repair_excluded(r);

        r->lease_lost = false;          /* too late to begin again: the intent stays */
        return q > 0 ? -ECANCELED : q;
}

static int try_step(Repair *r, const Step *s) {
        _cleanup_rangeset_ RangeSet listed = {}, got = {};
        Intent intent;
        Clearing clearing = { .site = &r->site, .intents_fd = r->intents_fd, .intent = &intent,
                              .page = r->page };
        const Target t = {
                .file_fd = r->fd,
                .disk = r->site.disk,
                .offset = s->offset,
                .file_size = r->f->file_size,
                .range = s->range,
                .physical = physical_of(r, s),
                .mtime = &r->before.st_mtim,
                .block_fd = r->block_fd >= 0 ? r->block_fd : r->site.block_fd,
                .bad = &listed,
                .clear = site_is_dax(&r->site) ? &clearing.target : NULL,
                .excluded = still_excluded,
                .userdata = r,
        };
        int q;

        q = site_listed(&r->site, s->range, &listed);
        if (q < 0)
                return q;
        if (listed.n == 0)
                return cleared_by_others(r, s);

        q = build_page(r, s, &listed, r->page, &got);
        if (q == 0)
                q = check_seal(r, s);
        if (q == 0)
                q = check_shown(r, s);
        if (q != 0)
                return q;

        intent = intent_of(r, s, &listed);      /* lent, once it is known what is listed */
        clearing_begin(&clearing);
        q = intents_store(r->intents_fd, &intent, r->page);
        if (q == INTENTS_E_OTHER)
                return ended(r, CASE_FAILED, REASON_INTERNAL,
                             "the intent log has a record, not settled yet, of the same page of what was %s "
                             "in an earlier boot", intent.device);
        if (q == 0)
                q = fault_point(getenv("BEZOAR_FAULT"), "before-look");
        if (q == 0 && repair_in_place(r))
                q = freeze(r);
        if (q == 0)
                q = repair_look_again(r, s, &listed, &got);
        if (q != 0) {
                (void) forget_intent(r, s);
                return q;
        }

        q = put_page(r, s, &t, REPAIR_UNIT - rangeset_size(&got));
        if (q == 0)
                q = read_back(r, s, &t, &listed);
        if (q == 0)
                r->result.bytes += REPAIR_UNIT - rangeset_size(&got);
        (void) repair_thaw(r);
        return q;
}

int repair_step(Repair *r, const Step *s) {
        int q = REPAIR_E_AGAIN;

        if (s->offset >= r->f->file_size)
                return 0; /* allocated behind the end of the file: there is nothing to restore */
        if (r->f->file_size - s->offset < REPAIR_UNIT && r->result.exclusion != EXCLUSION_LEASE &&
            !repair_in_place(r))
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "the last page of a file needs a lease");

        repair_tell(r, "writing the page at file offset %" PRIu64 " from %s", s->offset, r->plan->replica);
        for (unsigned i = 0; i < TRIES_MAX && q == REPAIR_E_AGAIN; i++)
                q = try_step(r, s);

        return q != REPAIR_E_AGAIN ? q : ended(r, CASE_WAITING, REASON_FILE_BUSY,
                                               "its good bytes change faster than they can be rewritten");
}
