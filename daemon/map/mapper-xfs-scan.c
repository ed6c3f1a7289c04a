/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whose the bytes of an XFS without reverse mapping are. The search takes time, and meanwhile the file
 * system may move: so nothing is believed that was not seen again at the end. A file that has the bytes
 * alone is asked once more. What is shared, or nobody's, depends on all the inodes that were looked at and
 * did not have it: such a range is searched twice, and both searches must say the same. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "map/mapper-xfs.h"
#include "map/xfs-extents.h"
#include "util/strv.h"
#include "util/vec.h"

#define SEARCHES_MAX 6

/* Between two searches. Blocks that one transaction takes from a file and the next one sets free belong to
 * nobody in between. */
static const struct timespec pause_between = { .tv_nsec = 20000000 };

static int order(const void *a, const void *b) {
        const Owner *x = a, *y = b;

        if (x->range.start != y->range.start)
                return x->range.start < y->range.start ? -1 : 1;
        if (x->inode != y->inode)
                return x->inode < y->inode ? -1 : 1;
        if (x->offset != y->offset)
                return x->offset < y->offset ? -1 : 1;
        return 0;
}

static void owners_sort(Owners *o) {
        if (o->n > 0)
                qsort(o->items, o->n, sizeof(o->items[0]), order);
}

static bool owner_equal(const Owner *a, const Owner *b) {
        return a->type == b->type && range_equal(a->range, b->range) && a->inode == b->inode &&
               a->generation == b->generation && a->offset == b->offset && a->shared == b->shared &&
               a->unwritten == b->unwritten && streq_ptr(a->detail, b->detail);
}

static bool owners_equal(const Owners *a, const Owners *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!owner_equal(&a->items[i], &b->items[i]))
                        return false;
        return true;
}

static int push(Owners *owners, OwnerType type, const char *detail, Range range) {
        _cleanup_owner_ Owner o = { .type = type, .range = range };
        int r;

        o.detail = strdup(detail);
        if (!o.detail)
                return -ENOMEM;
        r = vec_push(owners, o);
        if (r >= 0)
                o = (Owner) {};
        return r;
}

static int push_all(Owners *owners, OwnerType type, const char *detail, const RangeSet *ranges) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ranges->n; i++)
                r = push(owners, type, detail, ranges->items[i]);
        return r;
}

/* What the search left without an owner gets one: when no file can have been missed, it is metadata, for
 * nothing else is allocated. Not so on a realtime device, which has none, as a rule, and gives out several
 * blocks at once, of which a file may have but some. Shared bytes have owners. */
static int name_the_rest(XfsSearch *s) {
        _cleanup_rangeset_ RangeSet rest = {}, unsaid = {};
        int r;

        r = rangeset_copy(&s->open, &rest);
        if (r >= 0)
                r = rangeset_subtract_all(&rest, &s->shared);
        if (r < 0)
                return r;
        if (s->on->part == FS_PART_REALTIME)
                return push_all(&s->owners, OWNER_UNKNOWN, "not free, and no file's that could be looked at",
                                &rest);
        if (!s->complete)
                return push_all(&s->owners, OWNER_UNKNOWN, "metadata, or a file that could not be looked at",
                                &rest);

        r = rangeset_copy(&rest, &unsaid);
        if (r >= 0)
                r = rangeset_subtract_all(&unsaid, &s->allocated);
        if (r >= 0)
                r = rangeset_subtract_all(&rest, &unsaid);
        if (r >= 0)
                r = push_all(&s->owners, OWNER_METADATA,
                             "metadata, of which kind is not told without rmapbt", &rest);
        return r < 0 ? r : push_all(&s->owners, OWNER_UNKNOWN, "the file system does not know it",
                                        &unsaid);
}

/* Does the file (still) have what it was found with? Of metadata it is enough that it was seen: nobody
 * writes there. 1, 0, or a negative errno. */
static int owner_stands(const MapSection *on, const MapAsker *asker, const Owner *o) {
        const uint64_t size = range_size(o->range);
        _cleanup_close_ int opened = -1;
        XfsMapped m = {};
        int r, fd;

        if (o->type != OWNER_FILE)
                return 1;
        r = xfs_open_to_ask(on->mount_fd, asker, o->inode, o->generation, &opened, &fd);
        if (r == 0)
                r = xfs_mapped(fd, on->part == FS_PART_REALTIME, o->range, o->offset, &m);
        if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                return r;
        return r == 0 && m.here == size && m.unwritten == (o->unwritten ? size : 0) &&
               m.shared == (o->shared ? size : 0);
}

typedef struct Scan {
        const MapSection *on;
        const XfsGeometry *geometry;
        const MapAsker *asker;
        RangeSet todo;          /* ranges that are not settled */
        Owners before;          /* of those, what the search before this one said; sorted */
        Owners settled;
} Scan;

static void scan_done(Scan *s) {
        rangeset_done(&s->todo);
        owners_done(&s->before);
        owners_done(&s->settled);
}

/* Can this be believed? `now`: the owners of `range`, sorted. 1, 0, or a negative errno. */
static int is_settled(const Scan *s, const XfsSearch *search, Range range, const Owners *now) {
        _cleanup_owners_ Owners before = {};
        int r = 1;

        if (rangeset_overlaps(&search->open, range)) { /* shared, or nobody's */
                r = owners_clip(&s->before, range, &before);
                if (r < 0)
                        return r;
                r = owners_equal(&before, now);
        }
        for (size_t i = 0; r > 0 && i < now->n; i++)
                r = owner_stands(s->on, s->asker, &now->items[i]);
        return r;
}

static int move_all(Owners *from, Owners *to) {
        for (size_t i = 0; i < from->n; i++) {
                int r = vec_push(to, from->items[i]);

                if (r < 0)
                        return r;
                from->items[i] = (Owner) {};
        }
        return 0;
}

/* Takes what can be believed out of `todo`. */
static int settle(Scan *s, const XfsSearch *search) {
        _cleanup_rangeset_ RangeSet done = {};
        int r = 0;

        for (size_t i = 0; i < s->todo.n; i++) {
                _cleanup_owners_ Owners now = {};

                r = owners_clip(&search->owners, s->todo.items[i], &now);
                if (r >= 0)
                        r = is_settled(s, search, s->todo.items[i], &now);
                if (r > 0)
                        r = move_all(&now, &s->settled);
                else if (r == 0)
                        continue;
                if (r >= 0)
                        r = rangeset_add(&done, s->todo.items[i]);
                if (r < 0)
                        return r;
        }
        return rangeset_subtract_all(&s->todo, &done);
}

static int search_once(Scan *s) {
        _cleanup_xfs_search_ XfsSearch search = {};
        int r;

        r = xfs_search(s->on, s->geometry, &s->todo, s->asker, &search);
        if (r == 0)
                r = name_the_rest(&search);
        if (r != 0)
                return r;

        owners_sort(&search.owners);
        r = settle(s, &search);
        if (r < 0)
                return r;

        owners_done(&s->before);
        s->before = search.owners;
        search.owners = (Owners) {};
        return 0;
}

int xfs_scan(const MapSection *on, const XfsGeometry *g, const RangeSet *ranges, const MapAsker *asker,
             OwnerFn fn, void *userdata) {
        _cleanup_(scan_done) Scan s = { .on = on, .geometry = g, .asker = asker };
        int r;

        r = rangeset_copy(ranges, &s.todo);
        for (unsigned i = 0; r == 0 && s.todo.n > 0 && i < SEARCHES_MAX; i++) {
                if (i > 0)
                        (void) nanosleep(&pause_between, NULL);
                r = search_once(&s);
        }
        if (r == 0)
                r = push_all(&s.settled, OWNER_UNKNOWN, "the file system changed while it was asked",
                             &s.todo);
        if (r != 0)
                return r;

        owners_sort(&s.settled);
        for (size_t i = 0; r == 0 && i < s.settled.n; i++)
                r = fn(&s.settled.items[i], userdata);
        return r;
}
