/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a bad range to owners (the mapper), their names (locate-names.c), and what each configured replica
 * can show (locate-file.c). Nothing is written, and nothing is decided. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/str.h"
#include "util/vec.h"
#include "worker/clone.h"
#include "worker/evidence.h"
#include "worker/freeze.h"
#include "worker/locate-internal.h"
#include "worker/locate.h"
#include "worker/mend.h"
#include "worker/window.h"

int owners_single(Owners *owners, OwnerType type, Range range, const char *detail) {
        _cleanup_owner_ Owner o = { .type = type, .range = range };
        int r;

        if (detail) {
                o.detail = strdup(detail);
                if (!o.detail)
                        return -ENOMEM;
        }

        owners_done(owners);
        r = vec_push(owners, o);
        if (r >= 0)
                o = (Owner) {};
        return r;
}

static int keep_owner(const Owner *owner, void *userdata) {
        Owners *owners = userdata;
        _cleanup_owner_ Owner o = {};
        int r;

        r = owner_copy(owner, &o);
        if (r >= 0)
                r = vec_push(owners, o);
        if (r >= 0)
                o = (Owner) {};
        return r;
}

/* Below a btt there is more than it shows. */
static bool is_on_device(const Locator *l, Range range) {
        return l->site.volume->hindrance || range_contains((Range) { 0, l->site.size }, range);
}

/* How far each owner, or one before it, reaches. They may overlap. */
static int measure_reach(Locator *l) {
        uint64_t end = 0;

        for (size_t i = 0; i < l->owners.n; i++) {
                int r;

                if (l->owners.items[i].range.end > end)
                        end = l->owners.items[i].range.end;
                r = vec_push(&l->reach, end);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* All that the request asks for, in one question: where the file system has to look at every inode, it
 * does so once. */
static int ask_file_system(Locator *l) {
        _cleanup_rangeset_ RangeSet asked = {};
        int r;

        for (size_t i = 0; i < l->request->ranges.n; i++) {
                const Findings *f = l->request->ranges.items + i;

                if (!range_is_aligned(f->range, REPAIR_UNIT) || f->bad.n == 0)
                        return -EINVAL;
                if (!is_on_device(l, f->range))
                        continue;
                r = rangeset_add(&asked, f->range);
                if (r < 0)
                        return r;
        }

        l->failure = site_walk(&l->site, &asked, keep_owner, &l->owners);
        return l->failure == -ENOMEM ? -ENOMEM : measure_reach(l);
}

/* The first owner that starts at `at` or behind it. */
static size_t find_start(const Owners *o, uint64_t at) {
        size_t low = 0, high = o->n;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (o->items[middle].range.start < at)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The first owner that reaches behind `at`, or before which one does. */
static size_t find_reach(const Locator *l, uint64_t at) {
        size_t low = 0, high = l->reach.n;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (l->reach.items[middle] <= at)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Those among which are all that have something of `range`. They are lent. */
static Owners owners_near(const Locator *l, Range range) {
        const size_t first = find_reach(l, range.start), behind = find_start(&l->owners, range.end);

        return first < behind ? (Owners) { .items = l->owners.items + first, .n = behind - first }
                              : (Owners) {};
}

static int find_owners(const Locator *l, Range range, Owners *owners) {
        const Owners near = owners_near(l, range);

        if (!is_on_device(l, range))
                return owners_single(owners, OWNER_UNKNOWN, range,
                                     "the range lies behind the end of the device");
        if (l->failure < 0)
                return owners_single(owners, OWNER_UNKNOWN, range, strerror(-l->failure));
        if (l->failure > 0)
                return owners_single(owners, OWNER_UNKNOWN, range,
                                     "the file system changed while it was asked");
        return owners_clip(&near, range, owners);
}

/* Reads what is good of each bad page, wherever it belongs. Safe also where the page is absent: the
 * kernel reads with fixups. */
static int probe_absent(const Locator *l, Findings *f) {
        _cleanup_free_ uint8_t *page = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        int r = 0;

        if (!page)
                return -ENOMEM;
        if (l->site.block_fd < 0 || l->site.volume->hindrance)
                return 0; /* of no use where nothing can be done */

        for (uint64_t at = f->range.start; r >= 0 && at < f->range.end; at += REPAIR_UNIT) {
                _cleanup_rangeset_ RangeSet good = {}, got = {};
                Range range = { at, at + REPAIR_UNIT };

                r = rangeset_add(&good, range);
                if (r >= 0)
                        r = rangeset_subtract_all(&good, &f->bad);
                if (r >= 0)
                        r = page_salvage(&l->site, range, &f->bad, page, &got);
                if (r >= 0 && !rangeset_equal(&good, &got))
                        f->absent = true;
        }
        return r;
}

/* The place, without what is at it. */
static int add_part(const Findings *part, void *userdata) {
        Locator *l = userdata;
        _cleanup_findings_ Findings f = {
                .range = part->range,
                .read_only = l->site.read_only,
                .part = l->site.volume->part,
                .coarse = l->site.coarse,
                .clonable = l->clonable,
                .freezable = l->freezable,
        };
        int r;

        r = rangeset_copy(&part->bad, &f.bad);
        if (r >= 0)
                r = owners_copy(&part->owners, &f.owners);
        if (r >= 0 && l->site.mount_fd >= 0)
                r = str_copy(l->request->volume.fs, &f.fs);
        if (r >= 0)
                r = probe_absent(l, &f);
        if (r >= 0)
                r = vec_push(&l->reply->found, f);
        if (r >= 0)
                f = (Findings) {};
        return r;
}

static int add_range(Locator *l, const Findings *asked) {
        _cleanup_findings_ Findings whole = { .range = asked->range };
        int r;

        r = rangeset_copy(&asked->bad, &whole.bad);
        if (r >= 0)
                r = find_owners(l, asked->range, &whole.owners);
        if (r < 0)
                return r;

        return findings_split(&whole, add_part, l);
}

static int locate_part(Locator *l, Findings *f, Look *look) {
        const Owner *o = f->owners.items;

        if (f->owners.n > 0 && o->type == OWNER_FILE)
                return locate_file(l, f, look);
        if (f->owners.n == 1 && o->type == OWNER_DEVICE_DAX)
                return locate_device(l, f);
        if (f->owners.n == 1 && o->type == OWNER_METADATA)
                return mend_look(&l->site, f->range, &f->bad, &f->mend);
        return 0;
}

static void locator_done(Locator *l) {
        locate_looks_done(l);
        owners_done(&l->owners);
        vec_done(&l->reach);
        map_files_done(&l->files);
        vec_done(&l->guards);
}

int locate(const Request *request, Patience *patience, LocateReply *ret, Holds *ret_holds) {
        _cleanup_locate_reply_ LocateReply reply = {};
        _cleanup_site_ Site site = SITE_NULL;
        _cleanup_holds_ Holds holds = {};
        _cleanup_(locator_done) Locator l = {};
        Request now = *request;
        uint64_t rest_usec = PATIENCE_USEC;
        int r;

        r = site_open(&request->volume, &site);
        if (r == SITE_E_GONE)
                return -ENODEV;
        if (r < 0)
                return r;

        site.progress = patience ? &patience->progress : NULL;
        l = (Locator) { .request = &now, .site = site,
                        .reply = &reply, .holds = &holds, .rest_usec = &rest_usec,
                        .clonable = clone_possible(&site),
                        .freezable = freeze_possible(&site, request->state_dir) };
        r = ask_file_system(&l);
        if (r >= 0)
                r = locate_guards(&l);
        if (r >= 0 && !request->no_path)
                r = locate_names(&l);
        if (patience) /* the search may have taken long */
                now.deadline_usec = patience->deadline_usec;
        for (size_t i = 0; r >= 0 && i < request->ranges.n; i++)
                r = add_range(&l, request->ranges.items + i);
        if (r >= 0)
                r = locate_look_at_all(&l);
        for (size_t i = 0; r >= 0 && i < reply.found.n; i++)
                r = locate_part(&l, reply.found.items + i, l.looks + i);
        if (r < 0)
                return r;

        *ret = reply;
        reply = (LocateReply) {};
        *ret_holds = holds;
        holds = (Holds) {};
        return 0;
}
