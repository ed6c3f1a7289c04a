/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pages of a guard are there again: they are overwritten through it, which clears the poison, read back
 * from the medium, and given back. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "worker/fiemap.h"
#include "worker/park-parts.h"

typedef struct Still {
        Range place;            /* on the file system's device */
        bool yes;
} Still;

static int still_there(Range in_file, uint64_t at, uint32_t flags, void *userdata) {
        Still *s = userdata;

        s->yes = !(flags & EXTENT_UNPLACED) && at == s->place.start &&
                 range_size(in_file) == REPAIR_UNIT;
        return 0;
}

/* One page: still the guard's, at this place; present; then zeroes, read back from the medium. */
static int clean_page(Park *p, const Step *step, void *page) {
        _cleanup_rangeset_ RangeSet listed = {};
        Still s = {};
        int r;

        r = guard_place(&p->space, step->range, &s.place);
        if (r >= 0)
                r = fiemap_walk(p->guard.fd, (Range) { step->offset, step->offset + REPAIR_UNIT },
                                still_there, &s);
        if (r >= 0)
                r = site_listed(&p->site, step->range, &listed);
        if (r < 0)
                return r;
        if (!s.yes)
                return ended(p, CASE_DETECTED, REASON_CHANGED,
                             "the guard file does not own the block any more");
        if (listed.n == 0)
                return 0;
        if (!guard_pages_are_present(&p->site, &p->guard, step->range, &listed, p->boot_id))
                return ended(p, CASE_HARMLESS, REASON_PARKED, NULL);

        memset(page, 0, REPAIR_UNIT);
        r = pwrite_full(p->guard.fd, page, REPAIR_UNIT, step->offset);
        if (r >= 0 && fdatasync(p->guard.fd) < 0)
                r = -errno;
        if (r >= 0)
                r = park_fault(p, "unpark-written");
        if (r < 0)
                return ended(p, CASE_FAILED, REASON_WRITE_FAILED, "cleaning a parked page: %s",
                             strerror(-r));

        r = pread_full(p->site.block_fd, page, REPAIR_UNIT, step->range.start);
        rangeset_done(&listed);
        if (r >= 0)
                r = site_listed(&p->site, step->range, &listed);
        if (r < 0)
                return ended(p, CASE_FAILED, REASON_READ_BACK_FAILED, "a parked page: %s", strerror(-r));
        for (size_t i = 0; i < REPAIR_UNIT; i++)
                if (((const uint8_t *) page)[i] != 0)
                        return ended(p, CASE_FAILED, REASON_READ_BACK_FAILED, "a parked page");
        return listed.n == 0 ? 0 : ended(p, CASE_FAILED, REASON_STILL_LISTED, NULL);
}

int park_clean(Park *p) {
        _cleanup_free_ void *page = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        _cleanup_rangeset_ RangeSet keep = {};
        int r;

        if (!page)
                return -ENOMEM;
        r = guard_find(&p->site, p->f->owners.items[0].inode, O_RDWR, &p->guard);
        if (r == -ENOENT)
                return ended(p, CASE_DETECTED, REASON_CHANGED, "the guard file is gone");

        for (size_t i = 0; r == 0 && i < p->request->plan.steps.n; i++) {
                park_tell(p, "a parked page is cleaned");
                r = clean_page(p, p->request->plan.steps.items + i, page);
        }
        if (r == 0)
                r = park_fault(p, "unpark-cleaned");
        if (r == 0)
                r = guard_owned(&p->guard, &keep);
        for (size_t i = 0; r == 0 && i < p->request->plan.steps.n; i++) {
                Range place = {};

                r = guard_place(&p->space, p->request->plan.steps.items[i].range, &place);
                if (r >= 0)
                        r = rangeset_subtract(&keep, place);
        }
        if (r == 0)
                r = guard_keep(&p->site, &p->guard, &keep);
        if (r == 0)
                r = park_fault(p, "unpark-kept");
        if (r != 0)
                return r;

        p->result.writer = WRITER_PARK;
        return ended(p, CASE_HEALED, REASON_NONE,
                     "free space: the medium is clean there, and the block is free again");
}
