/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a bad range to owners (the mapper), their names (parent pointers, or a walk through the protected
 * folders), and what each configured replica can show. Nothing is written, and nothing is decided. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"
#include "worker/clone.h"
#include "worker/freeze.h"
#include "worker/gather.h"
#include "worker/guard.h"
#include "worker/locate.h"
#include "worker/mend.h"

void holds_done(Holds *h) {
        for (size_t i = 0; i < h->n; i++)
                closep(h->items + i);
        vec_done(h);
}

typedef struct Locator {
        const Request *request;
        Site site;
        Owners owners;          /* of all ranges that were asked for */
        int failure;            /* of the question for them; 0 */
        LocateReply *reply;
        Holds *holds;
} Locator;

static int owners_single(Owners *owners, OwnerType type, Range range, const char *detail) {
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
        return l->failure == -ENOMEM ? -ENOMEM : 0;
}

static int find_owners(const Locator *l, Range range, Owners *owners) {
        if (!is_on_device(l, range))
                return owners_single(owners, OWNER_UNKNOWN, range,
                                     "the range lies behind the end of the device");
        if (l->failure < 0)
                return owners_single(owners, OWNER_UNKNOWN, range, strerror(-l->failure));
        if (l->failure > 0)
                return owners_single(owners, OWNER_UNKNOWN, range,
                                     "the file system changed while it was asked");
        return owners_clip(&l->owners, range, owners);
}

/* Where below the mount to look for names of files that this protect file holds: its path within the
 * mount; "" for all of the mount when the mount lies within the protected folder; NULL when the two have
 * nothing to do with each other. */
static const char *protect_below(const Protect *p, const char *mountpoint) {
        Protect mount = { .path = (char *) mountpoint };

        if (!p->path)
                return NULL;
        if (protect_relative(p, mountpoint))
                return "";
        return protect_relative(&mount, p->path);
}

static int absolute_path(const char *mountpoint, const char *relative, char **ret) {
        const char *slash = strcmp(mountpoint, "/") == 0 || *relative == '\0' ? "" : "/";
        char *s;

        if (asprintf(&s, "%s%s%s", mountpoint, slash, relative) < 0)
                return -ENOMEM;
        *ret = s;
        return 0;
}

/* A name of the file, if possible one that a protect file holds: first the protected folders, then
 * everything (for the report). */
static int find_path(const Locator *l, Owner *o) {
        const char *mountpoint = l->request->volume.mountpoint;
        const Policy *policy = &l->request->policy;
        bool asked_all = false;
        int failed = 0;

        for (size_t i = 0; i <= policy->protects.n && !asked_all; i++) {
                const char *below = i < policy->protects.n ? protect_below(policy->protects.items + i,
                                                                           mountpoint) : "";
                _cleanup_free_ char *relative = NULL;
                int r;

                if (!below)
                        continue;
                asked_all = *below == '\0';
                r = mapper_path(l->site.ops, l->site.mount_fd, o->inode, o->generation, below, &relative);
                if (r == 0)
                        return absolute_path(mountpoint, relative, &o->path);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        failed = r;
        }

        if (failed < 0 &&
            asprintf(&o->detail, "the search for its name failed: %s", strerror(-failed)) < 0) {
                o->detail = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* The medium is good: do the replicas have what it has? Only as long as nobody writes to the file. */
static int tell_truth(int fd, const struct stat *st, Gathered *g) {
        const Window *w = &g->window;
        const RangeSet *lost = &g->lost;
        _cleanup_free_ uint8_t *bytes = malloc(range_size(w->range));
        struct stat now;

        if (!bytes)
                return -ENOMEM;
        for (size_t i = 0; i < lost->n; i++)
                if (pread_full(fd, bytes + (lost->items[i].start - w->range.start),
                               range_size(lost->items[i]), lost->items[i].start) < 0)
                        return 0;
        if (fstat(fd, &now) < 0 || now.st_size != st->st_size ||
            memcmp(&now.st_mtim, &st->st_mtim, sizeof(now.st_mtim)) != 0)
                return 0;

        for (size_t i = 0; i < g->evidences.n; i++) {
                Evidence *e = g->evidences.items + i;

                if (!e->bytes)
                        continue;
                e->offer.truth = TRUTH_RIGHT;
                for (size_t k = 0; k < lost->n; k++) {
                        uint64_t at = lost->items[k].start - w->range.start;

                        if (memcmp(bytes + at, e->bytes + at, range_size(lost->items[k])) != 0)
                                e->offer.truth = TRUTH_WRONG;
                }
        }
        return 0;
}

static int take_offers(const Locator *l, int fd, const struct stat *st, const Protect *protect, Findings *f,
                       const Owner *o) {
        _cleanup_gathered_ Gathered g = GATHERED_NULL;
        int r;

        r = gather(l->request, &l->site, protect, o, f, fd, st, protect->replicas, &g);
        if (r >= 0 && l->request->verb == VERB_PLAN)
                r = tell_truth(fd, st, &g);
        for (size_t i = 0; r >= 0 && i < g.evidences.n; i++) {
                r = vec_push(&f->offers, g.evidences.items[i].offer);
                if (r >= 0)
                        g.evidences.items[i].offer = (Offer) {};
        }
        return r;
}

static bool can_read(int fd, uint64_t file_size, uint64_t offset, uint64_t size) {
        uint8_t page[REPAIR_UNIT];

        for (uint64_t at = offset; at < offset + size && at < file_size; at += REPAIR_UNIT)
                if (pread_full(fd, page, at + REPAIR_UNIT <= file_size ? REPAIR_UNIT : file_size - at,
                               at) < 0)
                        return false;
        return true;
}

/* Is it one of our guards? Nobody else deletes those, so that they need not be held. */
static bool look_at_guard(const Locator *l, Findings *f) {
        _cleanup_guard_ Guard g = GUARD_NULL;
        Owner *o = f->owners.items;
        char boot_id[37], path[192];

        if (f->owners.n != 1 || guard_find(&l->site, o->inode, O_RDONLY, &g) < 0)
                return false;

        o->guard = true;
        f->present = boot_id_read(boot_id) >= 0 &&
                     guard_pages_are_present(&l->site, &g, f->range, &f->bad, boot_id);
        (void) snprintf(path, sizeof(path), GUARD_FOLDER "/%s/%s", g.folder, g.name);
        (void) absolute_path(l->request->volume.mountpoint, path, &o->path);
        return true;
}

/* A guard that shares them with files has been given them by a repair that was cut short: it has no need of
 * the bytes. The others are still marked as sharing. */
static void leave_out_guards(const Locator *l, Owners *owners) {
        for (size_t i = owners->n; i > 0 && owners->n > 1; i--) {
                _cleanup_guard_ Guard g = GUARD_NULL;
                Owner *o = owners->items + i - 1;

                if (o->type != OWNER_FILE || guard_find(&l->site, o->inode, O_RDONLY, &g) < 0)
                        continue;
                owner_done(o);
                vec_remove(owners, i - 1, 1);
        }
}

/* Has a replica anything to say about this file? */
static int is_held(const Locator *l, const Findings *f, const Owner *o, const Protect *protect) {
        _cleanup_close_ int fd = -1;
        Findings asked = *f;            /* lent, but for the offers */
        bool held = false;
        struct stat st;
        int r;

        r = mapper_open(l->site.ops, l->site.mount_fd, o->inode, o->generation, O_RDONLY, &fd);
        if (r != 0)
                return r > 0 ? 0 : r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (o->unwritten || o->offset >= (uint64_t) st.st_size)
                return 0;

        asked.offers = (Offers) {};
        r = take_offers(l, fd, &st, protect, &asked, o);
        for (size_t i = 0; r >= 0 && i < asked.offers.n; i++)
                held = held || asked.offers.items[i].state == OFFER_HELD;
        offers_done(&asked.offers);
        return r < 0 ? r : held;
}

/* Of files that share these bytes one comes first that is protected, and of those one that a replica has:
 * replicas are asked about that one. */
static int order_sharers(const Locator *l, Findings *f) {
        size_t best = 0, rank = 0;

        for (size_t i = 0; f->owners.n > 1 && rank < 2 && i < f->owners.n; i++) {
                const Owner *o = f->owners.items + i;
                const Protect *protect = o->path ? policy_find_path(&l->request->policy, o->path) : NULL;
                int held;

                if (!protect)
                        continue;
                held = is_held(l, f, o, protect);
                if (held == -ENOMEM)
                        return held;
                if (rank < (held > 0 ? 2 : 1)) {
                        rank = held > 0 ? 2 : 1;
                        best = i;
                }
        }

        if (best > 0) {
                Owner first = f->owners.items[best];

                memmove(f->owners.items + 1, f->owners.items, best * sizeof(first));
                f->owners.items[0] = first;
        }
        return 0;
}

/* Everything about the file that owns this part; a file that has gone meanwhile leaves the part with an
 * unknown owner. */
static int look_at_file(const Locator *l, Findings *f) {
        _cleanup_close_ int hold = -1, fd = -1;
        Owner *o = f->owners.items;
        const Protect *protect;
        struct stat st;
        int r = 0;

        leave_out_guards(l, &f->owners);
        for (size_t i = 0; r >= 0 && i < f->owners.n; i++)
                if (o[i].type == OWNER_FILE && !l->request->no_path)
                        r = find_path(l, o + i);
        if (r >= 0)
                r = order_sharers(l, f);
        if (r < 0)
                return r;

        r = mapper_open(l->site.ops, l->site.mount_fd, o->inode, o->generation, O_PATH, &hold);
        if (r == 0)
                r = mapper_open(l->site.ops, l->site.mount_fd, o->inode, o->generation, O_RDONLY, &fd);
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r == -ENOMEM)
                return r;
        if (r != 0)
                return owners_single(&f->owners, OWNER_UNKNOWN, f->range,
                                     r < 0 ? strerror(-r) : "the file went away while it was asked for");

        if (look_at_guard(l, f))
                return 0;

        f->file_size = (uint64_t) st.st_size;
        r = vec_push(l->holds, hold);
        if (r < 0)
                return r;
        hold = -1;
        f->held = true;
        f->readable = can_read(fd, f->file_size, o->offset, range_size(f->range));

        if (o->unwritten || o->offset >= f->file_size || !o->path)
                return 0;

        protect = policy_find_path(&l->request->policy, o->path);
        return protect ? take_offers(l, fd, &st, protect, f, o) : 0;
}

/* There is no file to hold: the device is there or it is not. */
static int look_at_device(const Locator *l, Findings *f) {
        const struct stat st = { .st_size = (off_t) l->site.size };
        const Protect *protect = policy_find_owner(&l->request->policy, f->owners.items);

        f->file_size = l->site.size;
        return protect ? take_offers(l, -1, &st, protect, f, f->owners.items) : 0;
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

static int locate_part(const Findings *part, void *userdata) {
        Locator *l = userdata;
        _cleanup_findings_ Findings f = {
                .range = part->range,
                .read_only = l->site.read_only,
                .coarse = l->site.coarse,
                .clonable = clone_possible(&l->site),
                .freezable = freeze_possible(&l->site, l->request->state_dir),
        };
        int r;

        r = rangeset_copy(&part->bad, &f.bad);
        if (r >= 0)
                r = owners_copy(&part->owners, &f.owners);
        if (r >= 0 && l->site.mount_fd >= 0)
                r = str_copy(l->request->volume.fs, &f.fs);
        if (r >= 0)
                r = probe_absent(l, &f);
        if (r >= 0 && f.owners.n > 0 && f.owners.items[0].type == OWNER_FILE)
                r = look_at_file(l, &f);
        if (r >= 0 && f.owners.n == 1 && f.owners.items[0].type == OWNER_DEVICE_DAX)
                r = look_at_device(l, &f);
        if (r >= 0 && f.owners.n == 1 && f.owners.items[0].type == OWNER_METADATA)
                r = mend_look(&l->site, f.range, &f.bad, &f.mend);
        if (r >= 0)
                r = vec_push(&l->reply->found, f);
        if (r >= 0)
                f = (Findings) {};
        return r;
}

static int locate_range(Locator *l, const Findings *asked) {
        _cleanup_findings_ Findings whole = { .range = asked->range };
        int r;

        r = rangeset_copy(&asked->bad, &whole.bad);
        if (r >= 0)
                r = find_owners(l, asked->range, &whole.owners);
        if (r < 0)
                return r;

        return findings_split(&whole, locate_part, l);
}

static void locator_done(Locator *l) {
        owners_done(&l->owners);
}

int locate(const Request *request, LocateReply *ret, Holds *ret_holds) {
        _cleanup_locate_reply_ LocateReply reply = {};
        _cleanup_site_ Site site = SITE_NULL;
        _cleanup_holds_ Holds holds = {};
        _cleanup_(locator_done) Locator l = {};
        int r;

        r = site_open(&request->volume, &site);
        if (r == SITE_E_GONE)
                return -ENODEV;
        if (r < 0)
                return r;

        l = (Locator) { .request = request, .site = site, .reply = &reply, .holds = &holds };
        r = ask_file_system(&l);
        for (size_t i = 0; r >= 0 && i < request->ranges.n; i++)
                r = locate_range(&l, request->ranges.items + i);
        if (r < 0)
                return r;

        *ret = reply;
        reply = (LocateReply) {};
        *ret_holds = holds;
        holds = (Holds) {};
        return 0;
}
