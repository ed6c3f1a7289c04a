/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The last look before a page is written: is everything as it was when its bytes were proved? */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/page.h"
#include "worker/repair-internal.h"
#include "write/writer.h"

/* Are the good bytes that were read for the page still as they were? */
static bool good_bytes_stay(const Repair *r, const Step *s, const RangeSet *got) {
        uint64_t end = r->f->file_size - s->offset;

        for (size_t i = 0; i < got->n; i++) {
                uint64_t at = got->items[i].start - s->range.start, n = range_size(got->items[i]);

                if (at >= end)
                        break;
                if (memcmp(r->page + at, r->again + at, n < end - at ? n : end - at) != 0)
                        return false;
        }
        return true;
}

static bool all_take_shared(const Repair *r) {
        for (size_t i = 0; i < r->n_writers; i++)
                if (!writer_takes_shared(r->writers[i]))
                        return false;
        return true;
}

int repair_look_at_owner(Repair *r, const Step *s) {
        MapOwns owns;
        int q;

        q = site_owns(&r->site, r->fd, s->range, s->offset, &owns);
        if (q < 0 && q != -EAGAIN)
                return q;
        if (q == 0 && (owns == MAP_OWNED || (owns == MAP_SHARED && all_take_shared(r))))
                return 0;
        return ended(r, CASE_DETECTED, REASON_CHANGED,
                     q == 0 && owns == MAP_SHARED ? "the block is shared with another file now"
                                      : "the file system gave the block to somebody else");
}

/* Do the bytes around the lost ones stand still since they were compared? Whoever has stored to them may
 * have stored to the lost ones as well. What has been written by this repair in the meantime did not survive
 * then. Under a lease nobody else is there; a seal and a word are about the page alone. */
static int look_around(Repair *r) {
        _cleanup_rangeset_ RangeSet moving = {};
        int q;

        if (r->result.exclusion == EXCLUSION_LEASE || r->plan->by_word ||
            r->plan->proofs & PROOF_BIT(PROOF_SEAL))
                return 0;
        q = window_moving(&r->seen.outlook, &r->seen.window, &moving);
        if (q < 0)
                return q;
        for (size_t i = 0; i < moving.n; i++)
                if (rangeset_overlaps(&r->seen.window.surviving, moving.items[i]))
                        return ended(r, CASE_DETECTED, REASON_CHANGED,
                                     "somebody stored to bytes around the lost ones, at file offset "
                                     "%" PRIu64, moving.items[i].start);
        return 0;
}

int repair_look_again(Repair *r, const Step *s, const RangeSet *listed, const RangeSet *got) {
        _cleanup_rangeset_ RangeSet listed_now = {}, got_now = {};
        struct stat st;
        int q;

        q = repair_look_at_owner(r, s);
        if (q != 0)
                return q;
        q = repair_excluded(r);
        if (q == 0 && !site_is_dax(&r->site) && !repair_in_place(r))
                q = repair_write_back(r);
        if (q == 0 && !site_is_dax(&r->site) && fstat(r->fd, &st) < 0)
                q = -errno;
        if (q != 0)
                return q;
        if (!site_is_dax(&r->site) && st.st_size != r->before.st_size)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file has changed its size");
        if ((r->plan->proofs & PROOF_BIT(PROOF_IDENTITY)) && !repair_same_time(&st.st_mtim, &r->mtime))
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file has been written to");

        q = site_listed(&r->site, s->range, &listed_now);
        if (q < 0)
                return q;
        if (!rangeset_equal(listed, &listed_now))
                return REPAIR_E_AGAIN;
        q = look_around(r);
        if (q != 0 || repair_in_place(r) || site_is_dax(&r->site))      /* nothing good is written */
                return q;

        q = page_salvage(&r->site, s->range, listed, r->again, &got_now);
        if (q < 0)
                return q;
        return rangeset_equal(got, &got_now) && good_bytes_stay(r, s, got) ? 0 : REPAIR_E_AGAIN;
}
