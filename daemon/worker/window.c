/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading beside poison. Through a DAX file one bad sector costs the whole page, and a request that runs
 * into it (dax_iomap_iter(): the whole rest of the request is asked for at once), so the file is read in
 * runs between bad pages, page by page where a run fails. The good sectors of a bad page come from the
 * block device: pmem_do_read() refuses only the sectors that are listed. After a machine check the page
 * is not present and nothing of it can be read; the kernel copies with fixups there (copy_mc), so trying
 * is safe. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/proof.h"
#include "util/file.h"
#include "worker/window.h"

void window_done(Window *w) {
        free(w->bytes);
        rangeset_done(&w->surviving);
        *w = (Window) {};
}

int page_salvage(const Site *s, Range page_range, const RangeSet *bad, uint8_t *page, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet good = {}, got = {};
        int r;

        assert(range_size(page_range) == REPAIR_UNIT);
        assert((uintptr_t) page % SECTOR_SIZE == 0);

        r = rangeset_add(&good, page_range);
        if (r >= 0)
                r = rangeset_subtract_all(&good, bad);
        if (r < 0)
                return r;

        for (size_t i = 0; i < good.n; i++) {
                Range run = good.items[i];

                if (site_read_device(s, page + (run.start - page_range.start), range_size(run),
                                     run.start) < 0)
                        continue;
                r = rangeset_add(&got, run);
                if (r < 0)
                        return r;
        }

        *ret = got;
        got = (RangeSet) {};
        return 0;
}

static int window_add(Window *w, Range r, uint64_t file_size) {
        Range inside;

        return range_intersect(r, (Range) { 0, file_size }, &inside) ? rangeset_add(&w->surviving, inside)
                : 0;
}

/* A page that the file does not give: what the block device gives of it, if we know where it lies. */
static int window_salvage(const Outlook *o, Window *w, uint64_t at) {
        const Extent *extent = &o->extent;
        _cleanup_rangeset_ RangeSet got = {};
        Range device;
        int r;

        if (at < extent->offset || at - extent->offset >= range_size(extent->range))
                return 0;

        device.start = extent->range.start + (at - extent->offset);
        device.end = device.start + REPAIR_UNIT;
        r = page_salvage(o->site, device, o->bad, w->bytes + (at - w->range.start), &got);
        for (size_t i = 0; r >= 0 && i < got.n; i++)
                r = window_add(w, (Range) { at + (got.items[i].start - device.start),
                                           at + (got.items[i].end - device.start) }, o->file_size);
        return r;
}

static int window_read_page(const Outlook *o, Window *w, uint64_t at) {
        uint8_t *to = w->bytes + (at - w->range.start);
        uint64_t n = at + REPAIR_UNIT <= o->file_size ? REPAIR_UNIT : o->file_size - at;

        if (site_read(o->site, o->file_fd, to, n, at) >= 0)
                return window_add(w, (Range) { at, at + n }, o->file_size);

        memset(to, 0, REPAIR_UNIT);
        return window_salvage(o, w, at);
}

/* Is this page of the file known to be bad? Asking for it would only cost a fault in the kernel. */
static bool page_is_bad(const Outlook *o, uint64_t at) {
        const Extent *extent = &o->extent;
        uint64_t device;

        if (at < extent->offset || at - extent->offset >= range_size(extent->range))
                return false;

        device = extent->range.start + (at - extent->offset);
        return rangeset_overlaps(o->bad, (Range) { device, device + REPAIR_UNIT });
}

static int window_read_run(const Outlook *o, Window *w, Range run) {
        uint64_t end = run.end <= o->file_size ? run.end : o->file_size;
        int r = 0;

        if (run.start >= end)
                return 0;
        if (site_read(o->site, o->file_fd, w->bytes + (run.start - w->range.start), end - run.start,
                      run.start) >= 0)
                return window_add(w, (Range) { run.start, end }, o->file_size);

        for (uint64_t at = run.start; r >= 0 && at < end; at += REPAIR_UNIT)
                r = window_read_page(o, w, at);
        return r;
}

/* Of a device-dax every bad page has its place, and whatever is listed must be left alone: also what
 * belongs to another case, or came a moment ago. */
static int all_that_is_listed(const Site *s, Range window, const RangeSet *bad, RangeSet *ret) {
        int r;

        r = site_listed(s, window, ret);
        return r < 0 ? r : rangeset_add_all(ret, bad);
}

int window_read(const Outlook *outlook, Range wanted, Window *ret) {
        _cleanup_rangeset_ RangeSet listed = {};
        _cleanup_window_ Window w = {};
        Outlook here = *outlook;
        const Outlook *o = &here;
        uint64_t from;
        int r;

        assert(o->file_size > 0);

        if (!range_intersect(wanted, (Range) { 0, o->file_size }, &w.range))
                return -EINVAL;
        r = range_align_out(w.range, REPAIR_UNIT, &w.range);
        if (r < 0)
                return r;
        if (site_is_dax(o->site)) {
                r = all_that_is_listed(o->site, w.range, o->bad, &listed);
                if (r < 0)
                        return r;
                here.extent = (Extent) { .range = w.range, .offset = w.range.start };
                here.bad = &listed;
        }
        w.bytes = aligned_alloc(REPAIR_UNIT, range_size(w.range));
        if (!w.bytes)
                return -ENOMEM;
        memset(w.bytes, 0, range_size(w.range));

        from = w.range.start;
        for (uint64_t at = w.range.start; r >= 0 && at <= w.range.end; at += REPAIR_UNIT) {
                bool end = at == w.range.end, is_bad = !end && page_is_bad(o, at);

                if (!end && !is_bad)
                        continue;
                if (from < at)
                        r = window_read_run(o, &w, (Range) { from, at });
                if (r >= 0 && is_bad)
                        r = window_salvage(o, &w, at);
                from = at + REPAIR_UNIT;
        }
        if (r < 0)
                return r;

        *ret = w;
        w = (Window) {};
        return 0;
}

void window_page(const Window *w, const uint8_t *replica, Range page, uint8_t *ret) {
        memcpy(ret, replica + (page.start - w->range.start), range_size(page));
        for (size_t i = 0; i < w->surviving.n; i++) {
                Range m;

                if (range_intersect(w->surviving.items[i], page, &m))
                        memcpy(ret + (m.start - page.start), w->bytes + (m.start - w->range.start),
                               range_size(m));
        }
}

int window_moving(const Outlook *o, const Window *w, RangeSet *ret) {
        _cleanup_window_ Window again = {};
        int r;

        r = window_read(o, w->range, &again);
        if (r < 0)
                return r;
        assert(range_equal(again.range, w->range));
        return proof_moving(w->bytes, &w->surviving, again.bytes, &again.surviving, w->range.start,
                            range_size(w->range), ret);
}
