/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel's bad-block list against what is known. What is listed and belongs to no open case becomes
 * one; a case of which nothing is listed any more is over, unless a write of ours may have taken it off
 * the list without finishing. */

#include <assert.h>
#include <errno.h>

#include "core/volume.h"
#include "service/case-log.h"
#include "service/dimm-watch.h"
#include "service/manager-internal.h"
#include "topo/topo.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/time-util.h"

#define CASE_PAGES_MAX 256      /* 1 MiB: a longer run becomes several cases, so that no request grows
                                 * without bound */

static bool rangeset_contains_all(const RangeSet *s, const RangeSet *parts) {
        for (size_t i = 0; i < parts->n; i++)
                if (!rangeset_contains(s, parts->items[i]))
                        return false;
        return true;
}

/* What a disk shows of the region is the disk's, listed there too. */
static int subtract_shown(const Topology *t, const char *region, Range physical, RangeSet *bad) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < t->namespaces.n; i++) {
                const TopoNamespace *n = t->namespaces.items + i;
                Range shown;

                if (!n->disk || !streq_ptr(n->region, region) ||
                    !range_intersect(n->data, physical, &shown))
                        continue;
                r = rangeset_subtract(bad, (Range) { shown.start - physical.start,
                                                     shown.end - physical.start });
        }
        return r;
}

int manager_read_list(const Manager *m, const char *disk, RangeSet *ret, bool *ret_truncated) {
        __attribute__((cleanup(volume_done))) Volume v = {};
        const TopoRegion *g = topology_find_region(&m->topology, disk);
        _cleanup_rangeset_ RangeSet bad = {};
        uint64_t physical;
        bool known;
        int r;

        r = volume_of_disk(&m->topology, disk, &v, &physical, &known);
        if (r == 0)
                r = topo_badblocks(disk, v.region, v.window, &bad, ret_truncated);
        if (r >= 0 && g && streq_ptr(v.device, g->name))
                r = subtract_shown(&m->topology, g->name, g->physical, &bad);
        if (r < 0)
                return r;

        *ret = bad;
        bad = (RangeSet) {};
        return 0;
}

/* Somebody else's doing. But a write that fails with EFAULT takes an absent page off the list as well,
 * and leaves it absent: the file is let go only when the page can be read. */
static void no_longer_listed(Tracked *t, const Device *d) {
        if (t->hold >= 0 && (t->hold_stored || findings_page_may_be_absent(&t->found)) &&
            case_may(t->c->state, CASE_DETECTED)) {
                tracked_move(t, CASE_DETECTED, REASON_NONE, "no longer listed, but its page may be absent");
                tracked_move(t, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
                t->wants_locate = true;
                return;
        }
        tracked_move(t, CASE_GONE, REASON_CLEARED,
                     d->is_region ? "no longer listed, or a device shows these bytes now and has its case"
                     : NULL);
}

/* `truncated`: what is not in the list may be listed nevertheless. `left` is counted down for every case
 * that is different now; at 0 the rest is left for later. */
static void scan_known(Manager *m, Device *d, const RangeSet *bad, bool truncated, RangeSet *known,
                       size_t *left) {
        for (size_t i = 0; i < m->cases.n && *left > 0; i++) {
                Tracked *t = m->cases.items[i];
                size_t events = t->c->events.n;
                _cleanup_rangeset_ RangeSet now = {};

                if (!streq_ptr(tracked_disk(t), d->disk) || case_state_is_closed(t->c->state))
                        continue;
                if (rangeset_clip(bad, t->c->range, &now) < 0 || rangeset_add(known, t->c->range) < 0)
                        continue;

                t->listed = now.n > 0;
                if (t->busy) {
                        t->missed_change = t->missed_change || !rangeset_equal(&now, &t->c->bad);
                        continue;
                }
                if (t->listed && t->found.range.end == 0)
                        t->wants_locate = true; /* from the ledger: whose it is now is not known yet */
                if (t->listed && !rangeset_equal(&now, &t->c->bad)) {
                        if (!rangeset_contains_all(&t->c->bad, &now))
                                (void) case_set_ignored(t->c, false, "the kernel lists more than before",
                                                        now_realtime());
                        rangeset_done(&t->c->bad);
                        t->c->bad = now;
                        now = (RangeSet) {};
                        t->wants_locate = true;
                        t->wants_repair = false;
                        tracked_store(t);
                        manager_tell(m, case_changed, t->c);
                        (*left)--;
                } else if (!t->listed && !truncated && t->c->reason == REASON_UNLISTED) {
                        if (t->scrubbed)
                                tracked_move(t, CASE_GONE, REASON_CLEARED,
                                             "a scrub has ended, and does not list it either");
                } else if (!t->listed && !truncated && !case_outlives_listing(t->c)) {
                        no_longer_listed(t, d);
                        *left -= t->c->events.n > events;       /* else it could not: no memory */
                }
        }
}

typedef struct NewCases {
        Manager *manager;
        const Device *device;
        const RangeSet *bad;
        size_t *left;           /* to be made; 1 is returned when there is more to do, and none left */
} NewCases;

static int add_case(Range piece, const Volume *v, void *userdata) {
        const NewCases *n = userdata;
        _cleanup_rangeset_ RangeSet bad = {};
        Tracked *t;
        int r;

        r = rangeset_clip(n->bad, piece, &bad);
        if (r >= 0 && bad.n == 0)
                return 0;
        if (r >= 0 && *n->left == 0)
                return 1;
        if (r >= 0)
                r = tracked_new(n->manager, n->device->disk, piece, &bad, NULL, &t);
        if (r < 0)
                return r;
        (*n->left)--;
        dimm_watch_case(n->manager, t->c);
        return 0;
}

/* A run of bad pages is cut where another file system begins. */
static int scan_new(Manager *m, const Device *d, const RangeSet *bad, const RangeSet *known, size_t *left) {
        NewCases n = { m, d, bad, left };
        _cleanup_rangeset_ RangeSet pages = {};
        int r;

        r = rangeset_align_out(bad, REPAIR_UNIT, &pages);
        if (r >= 0)
                r = rangeset_subtract_all(&pages, known);

        for (size_t i = 0; r == 0 && i < pages.n; i++)
                for (uint64_t at = pages.items[i].start; r == 0 && at < pages.items[i].end;
                     at += CASE_PAGES_MAX * REPAIR_UNIT) {
                        Range part = { at, at + CASE_PAGES_MAX * REPAIR_UNIT };

                        if (part.end > pages.items[i].end)
                                part.end = pages.items[i].end;
                        r = volume_split(&m->topology, d->disk, part, add_case, &n);
                }
        return r;
}

/* `left`: how many cases may come or change now. */
static void scan(Manager *m, Device *d, size_t left) {
        _cleanup_rangeset_ RangeSet bad = {}, known = {};
        bool truncated = false;
        int r;

        d->wants_scan = d->scanned_in_part = false;
        r = manager_read_list(m, d->disk, &bad, &truncated);
        if (r == -ENOENT || (r == -ENXIO && d->is_region))
                return; /* it is going away, or has no driver; udev will say so */
        if (r < 0) {
                log_error_errno(r, "The bad-block list of %s could not be read: %m", d->disk);
                return;
        }

        if (truncated && !d->list_full)
                case_log_list_full(d->disk);
        if (!truncated && d->list_full)
                manager_want_scrub(m, d->disk);
        d->list_full = truncated;

        scan_known(m, d, &bad, truncated, &known, &left);
        r = left == 0 ? 1 : scan_new(m, d, &bad, &known, &left);
        if (r < 0)
                log_error_errno(r, "Not all bad blocks of %s could be taken up, trying again later: %m",
                                d->disk);
        d->wants_scan = r != 0;
        d->scanned_in_part = r > 0;
        m->last_scan = now_realtime();
        manager_drop_closed(m);
}

void manager_scan_some(Manager *m, Device *d) {
        scan(m, d, CASES_AT_ONCE);
        if (d->scanned_in_part)
                manager_poke(m);
}

void manager_scan(Manager *m, Device *d) {
        scan(m, d, SIZE_MAX);
}
