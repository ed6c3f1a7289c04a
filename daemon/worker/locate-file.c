/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A part of a file that has lost bytes: whether it is one of our own, whether it can be read after all, and
 * what each configured replica can show for it. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/file.h"
#include "util/vec.h"
#include "worker/gather.h"
#include "worker/guard.h"
#include "worker/locate-internal.h"

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

        r = gather(l->request, &l->site, protect, o, f, fd, st, protect->replicas, l->rest_usec, &g);
        if (r >= 0 && l->request->verb == VERB_PLAN)
                r = tell_truth(fd, st, &g);
        for (size_t i = 0; r >= 0 && i < g.evidences.n; i++) {
                r = vec_push(&f->offers, g.evidences.items[i].offer);
                if (r >= 0)
                        g.evidences.items[i].offer = (Offer) {};
        }
        return r;
}

static int add_guard(Guard *g, void *userdata) {
        Locator *l = userdata;

        return vec_push(&l->guards, g->inode);
}

/* Guards that cannot be looked at, or that are not root's alone, are none. */
int locate_guards(Locator *l) {
        bool files = false;

        for (size_t i = 0; i < l->owners.n; i++)
                files = files || l->owners.items[i].type == OWNER_FILE;
        return files && guards_walk(&l->site, O_RDONLY, add_guard, l) == -ENOMEM ? -ENOMEM : 0;
}

static int find_guard(const Locator *l, uint64_t inode, Guard *ret) {
        for (size_t i = 0; i < l->guards.n; i++)
                if (l->guards.items[i] == inode)
                        return guard_find(&l->site, inode, O_RDONLY, ret);
        return -ENOENT;
}

/* Is it one of our guards? Nobody else deletes those, so that they need not be held. */
static bool look_at_guard(const Locator *l, Findings *f) {
        _cleanup_guard_ Guard g = GUARD_NULL;
        _cleanup_free_ char *absolute = NULL;
        Owner *o = f->owners.items;
        char boot_id[37], path[192];

        if (f->owners.n != 1 || find_guard(l, o->inode, &g) < 0)
                return false;

        o->guard = true;
        f->present = boot_id_read(boot_id) >= 0 &&
                     guard_pages_are_present(&l->site, &g, f->range, &f->bad, boot_id);
        (void) snprintf(path, sizeof(path), GUARD_FOLDER "/%s/%s", g.folder, g.name);
        if (site_path(&l->site, path, &absolute) >= 0) {
                free(o->path);          /* one of its names, if it was looked for */
                o->path = TAKE_PTR(absolute);
        }
        return true;
}

/* A guard that shares them with files has been given them by a repair that was cut short: it has no need of
 * the bytes. The others are still marked as sharing. */
static void leave_out_guards(const Locator *l, Owners *owners) {
        for (size_t i = owners->n; i > 0 && owners->n > 1; i--) {
                _cleanup_guard_ Guard g = GUARD_NULL;
                Owner *o = owners->items + i - 1;

                if (o->type != OWNER_FILE || find_guard(l, o->inode, &g) < 0)
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

/* The protect file that has replicas for what is lost; NULL. */
static const Protect *find_protect(const Locator *l, const Owner *o, const struct stat *st) {
        if (o->unwritten || o->offset >= (uint64_t) st->st_size || !o->path)
                return NULL;
        return policy_find_path(&l->request->policy, o->path);
}

static int file_gone(Findings *f, int error) {
        if (error == -ENOMEM)
                return error;
        return owners_single(&f->owners, OWNER_UNKNOWN, f->range,
                             error > 0 ? "the file went away while it was asked for"
                             : error == -EWOULDBLOCK ? "another program has a lease on the file"
                                                     : strerror(-error));
}

int locate_file(const Locator *l, Findings *f, Look *look) {
        _cleanup_close_ int fd = -1;
        Owner *o = f->owners.items;
        const Protect *protect;
        int r = 0;

        leave_out_guards(l, &f->owners);
        for (size_t i = 0; r >= 0 && i < f->owners.n; i++)
                if (o[i].type == OWNER_FILE)
                        r = locate_name(l, o + i);
        if (r >= 0)
                r = order_sharers(l, f);
        if (r < 0)
                return r;

        if (!look->done)
                locate_look(l, f, 1, look);
        if (look->error != 0)
                return file_gone(f, look->error);
        if (look_at_guard(l, f))
                return 0;

        protect = find_protect(l, o, &look->st);
        if (protect) {
                r = mapper_open(l->site.ops, l->site.mount_fd, o->inode, o->generation, O_RDONLY, &fd);
                if (r == 0 && fstat(fd, &look->st) < 0)
                        r = -errno;
                if (r != 0)
                        return file_gone(f, r);
        }

        r = vec_push(l->holds, look->hold);
        if (r < 0)
                return r;
        look->hold = -1;
        f->held = true;
        f->file_size = (uint64_t) look->st.st_size;
        f->readable = look->readable;
        return protect ? take_offers(l, fd, &look->st, protect, f, o) : 0;
}

/* There is no file to hold: the device is there or it is not. */
int locate_device(const Locator *l, Findings *f) {
        const struct stat st = { .st_size = (off_t) l->site.size };
        const Protect *protect = policy_find_owner(&l->request->policy, f->owners.items);

        f->file_size = l->site.size;
        return protect ? take_offers(l, -1, &st, protect, f, f->owners.items) : 0;
}
