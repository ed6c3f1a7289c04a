/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The walk over what stands on what. Both questions, where bytes of a disk are in physical memory and
 * where they show on the devices above, are the same descent from a device to a floor: the namespaces in
 * one case, the disk in the other. A device that stands on several others is the sum of the ways down, so
 * that a device-mapper device over two partitions of one disk has one map. What was found for a device is
 * kept, so that diamonds cost no more than chains. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/topology.h"
#include "util/strv.h"
#include "util/vec.h"

/* Deeper than any stack that somebody would build; it bounds the recursion for a topology that came from
 * a file. */
#define STACK_DEPTH_MAX 64

/* What is known about one device in the course of a descent. */
typedef struct Found {
        const char *disk;
        bool busy;              /* on the way down from it: met again, the links go round */
        int r;                  /* 0, -ENOENT, -EOPNOTSUPP */
        SpaceMap map;           /* bytes of disk -> the floor */
} Found;

typedef struct Descent {
        const Topology *topology;
        const TopoDisk *floor;          /* NULL: the floor is physical memory */
        Range part;                     /* of the floor, when it is a disk: nothing else is looked for */
        Found *items;
        size_t n, allocated;
} Descent;

static void descent_done(Descent *d) {
        for (size_t i = 0; i < d->n; i++)
                spacemap_done(&d->items[i].map);
        vec_done(d);
}

/* Sums two ways down. Bytes that have two places, or places that have two bytes, make no one-to-one map
 * (a mirror). */
static int merge(SpaceMap *m, const SpaceMap *way) {
        for (size_t i = 0; i < way->n; i++) {
                int r = spacemap_add(m, way->items[i].from, way->items[i].to);

                if (r == -EEXIST)
                        return -EOPNOTSUPP;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Where the descent ends: 0 and the map; -ENOENT when `disk` is not at the floor. */
static int floor_map(const Descent *d, const char *disk, SpaceMap *ret) {
        const TopoNamespace *n;
        Range part;

        if (d->floor) {
                if (!streq_ptr(d->floor->name, disk) ||
                    !range_intersect(d->part, (Range) { 0, d->floor->size }, &part))
                        return -ENOENT;
                return spacemap_add(ret, part, part.start);
        }

        n = topology_find_namespace_by_disk(d->topology, disk);
        if (!n)
                return -ENOENT;
        if (n->mode == NAMESPACE_SECTOR || n->mode == NAMESPACE_UNKNOWN || n->data.start >= n->data.end)
                return -EOPNOTSUPP;
        return spacemap_add(ret, (Range) { 0, range_size(n->data) }, n->data.start);
}

static int descend(Descent *d, const char *disk, unsigned depth, size_t *ret);

/* The chunks of the link's stripes that are at the floor: bytes of upper -> bytes of lower. */
static int map_stripes(const Descent *d, const TopoLink *l, const SpaceMap *lower, SpaceMap *ret) {
        if (l->stripes.n > 0 && !d->floor)
                return -EOPNOTSUPP;     /* the whole of a stripe is no map that anybody could want */

        for (size_t i = 0; i < l->stripes.n; i++)
                for (size_t k = 0; k < lower->n; k++) {
                        int r = stripe_map(l->stripes.items + i, lower->items[k].from, ret);

                        if (r < 0)
                                return r == -EEXIST || r == -E2BIG ? -EOPNOTSUPP : r;
                }
        return 0;
}

/* Adds the way through one link. 0, also when nothing of the floor is below it. */
static int descend_link(Descent *d, const TopoLink *l, unsigned depth, SpaceMap *m) {
        _cleanup_spacemap_ SpaceMap chunks = {}, way = {}, striped = {};
        size_t lower;
        int r;

        r = descend(d, l->lower, depth + 1, &lower);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = spacemap_compose(&l->map, &d->items[lower].map, &way);
        if (r >= 0)
                r = map_stripes(d, l, &d->items[lower].map, &chunks);
        if (r >= 0)
                r = spacemap_compose(&chunks, &d->items[lower].map, &striped);
        if (r >= 0)
                r = merge(m, &way);
        return r < 0 ? r : merge(m, &striped);
}

static int descend_links(Descent *d, const char *disk, unsigned depth, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap m = {};

        for (size_t i = 0; i < d->topology->links.n; i++) {
                const TopoLink *l = &d->topology->links.items[i];
                int r;

                if (!streq_ptr(l->upper, disk) || !l->lower)
                        continue;
                r = descend_link(d, l, depth, &m);
                if (r < 0)
                        return r;
        }

        if (m.n == 0)
                return -ENOENT;
        *ret = m;
        m = (SpaceMap) {};
        return 0;
}

/* The index in d->items of what is known about `disk`: 0, -ENOENT (nothing of the floor below it),
 * -EOPNOTSUPP, -ELOOP, -ENOMEM. */
static int descend(Descent *d, const char *disk, unsigned depth, size_t *ret) {
        SpaceMap map = {};
        Found found = { .disk = disk, .busy = true };
        size_t at;
        int r;

        for (at = 0; at < d->n && strcmp(d->items[at].disk, disk) != 0; at++)
                ;

        if (at < d->n) {
                *ret = at;
                return d->items[at].busy ? -ELOOP : d->items[at].r;
        }

        if (depth >= STACK_DEPTH_MAX)
                return -ELOOP;
        r = vec_push(d, found);
        if (r < 0)
                return r;

        r = floor_map(d, disk, &map);
        if (r == -ENOENT)
                r = descend_links(d, disk, depth, &map);

        d->items[at].busy = false;
        d->items[at].r = r;
        d->items[at].map = map;
        *ret = at;
        return r;
}

int topology_physical(const Topology *t, const char *disk, SpaceMap *ret) {
        _cleanup_(descent_done) Descent d = { .topology = t };
        size_t at;
        int r;

        assert(t);
        assert(disk);
        assert(ret);

        r = descend(&d, disk, 0, &at);
        if (r < 0)
                return r;
        return spacemap_copy(&d.items[at].map, ret);
}

int topology_uppers(const Topology *t, const char *disk, Range part, TopologyUpperFn fn, void *userdata) {
        _cleanup_(descent_done) Descent d = { .topology = t, .part = part };

        assert(t);
        assert(disk);
        assert(fn);

        d.floor = topology_find_disk(t, disk);
        if (!d.floor)
                return -ENOENT;

        for (size_t i = 0; i < t->disks.n; i++) {
                _cleanup_spacemap_ SpaceMap up = {};
                const TopoDisk *upper = &t->disks.items[i];
                size_t at;
                int r;

                if (!upper->name)
                        continue;
                r = descend(&d, upper->name, 0, &at);
                if (r == -ENOENT)
                        continue;
                if (r >= 0)
                        r = spacemap_invert(&d.items[at].map, &up);
                if (r < 0 && r != -EOPNOTSUPP)
                        return r;
                r = fn(upper, &up, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* Depth first, each device once: `seen` has a place for each link. */
static bool stands_on(const Topology *t, const char *upper, const char *lower, bool *seen) {
        for (size_t i = 0; i < t->links.n; i++) {
                const TopoLink *l = &t->links.items[i];

                if (seen[i] || !l->lower || !streq_ptr(l->upper, upper))
                        continue;
                seen[i] = true;
                if (strcmp(l->lower, lower) == 0 || stands_on(t, l->lower, lower, seen))
                        return true;
        }
        return false;
}

bool topology_stands_on(const Topology *t, const char *upper, const char *lower) {
        _cleanup_free_ bool *seen = calloc(t->links.n + 1, sizeof(*seen));

        assert(upper);
        assert(lower);
        return seen && stands_on(t, upper, lower, seen);
}
