/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From a topology to the volumes on a disk. What stands on it is asked for the bytes in question only, page
 * by page: a stripe would be a map of millions of segments otherwise. Everything that nobody shows has a
 * sentence instead of a file system: not knowing is never mistaken for being free. */

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "util/cleanup.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

#define _cleanup_volume_ __attribute__((cleanup(volume_done)))

/* ---- the disk itself ---- */

/* The part of its region's list that is about this disk. */
static const TopoNamespace *listed_by_region(const Topology *t, const TopoDisk *d, Range *ret) {
        const TopoNamespace *n = topology_find_namespace_by_disk(t, d->name);
        const TopoRegion *g = n && n->region ? topology_find_region(t, n->region) : NULL;

        if (d->badblocks || !g || n->data.start >= n->data.end || !range_contains(g->physical, n->data))
                return NULL;

        *ret = (Range) { n->data.start - g->physical.start, n->data.end - g->physical.start };
        return n;
}

bool volume_is_listed(const Topology *t, const TopoDisk *disk) {
        Range window;

        assert(t);
        assert(disk);
        return disk->badblocks || listed_by_region(t, disk, &window);
}

static int set_text(char **text, const char *value) {
        free(*text);
        *text = NULL;
        return str_copy(value, text);
}

int volume_set_mount(Volume *v, const TopoDisk *on, const TopoMount *mount) {
        int r;

        r = set_text(&v->fs, mount->fs);
        if (r >= 0)
                r = set_text(&v->uuid, mount->uuid);
        if (r >= 0)
                r = set_text(&v->mountpoint, mount->mountpoint);
        if (r >= 0)
                r = set_text(&v->fs_device, streq_ptr(on->node, v->device) ? NULL : on->node);
        if (r >= 0)
                r = set_text(&v->part_device, NULL);
        v->part = FS_PART_DATA;
        return r;
}

int volume_set_part(Volume *v, const TopoDisk *on, const TopoPart *part) {
        const TopoMount mount = { .fs = part->fs, .uuid = part->uuid, .mountpoint = part->mountpoint };
        int r;

        r = volume_set_mount(v, &(TopoDisk) { .node = part->node }, &mount);
        if (r >= 0)
                r = set_text(&v->part_device, streq_ptr(on->node, v->device) ? NULL : on->node);
        if (r >= 0)
                v->part = part->part;
        return r;
}

static int bare_volume(const Topology *t, const TopoDisk *d, Volume *ret) {
        _cleanup_volume_ Volume v = {};
        const TopoNamespace *n = listed_by_region(t, d, &v.window);
        int r;

        r = str_copy(d->node, &v.device);
        if (r >= 0 && n)
                r = str_copy(n->region, &v.region);
        if (r >= 0 && n && d->character)        /* a device-dax keeps nothing else that would name it */
                r = str_copy(n->uuid, &v.uuid);
        if (r < 0)
                return r;
        *ret = v;
        v = (Volume) {};
        return 0;
}

static int volume_of_region(const TopoRegion *g, Volume *ret, uint64_t *ret_physical, bool *ret_known) {
        _cleanup_volume_ Volume v = { .window = { 0, range_size(g->physical) } };
        int r;

        r = str_copy(g->name, &v.device);
        if (r >= 0)
                r = str_copy(g->name, &v.region);
        if (r < 0)
                return r;

        *ret_known = range_size(g->physical) > 0;
        *ret_physical = g->physical.start;
        *ret = v;
        v = (Volume) {};
        return 0;
}

int volume_of_disk(const Topology *t, const char *disk, Volume *ret, uint64_t *ret_physical,
                   bool *ret_known) {
        _cleanup_volume_ Volume v = {};
        const TopoDisk *d = topology_find_disk(t, disk);
        const TopoMount *m = topology_find_mount(t, disk);
        const TopoPart *p = topology_find_part(t, disk);
        const TopoRegion *g = topology_find_region(t, disk);
        _cleanup_spacemap_ SpaceMap map = {};
        int r;

        if (!d)
                return g ? volume_of_region(g, ret, ret_physical, ret_known) : -ENOENT;

        r = bare_volume(t, d, &v);
        if (r >= 0 && m)
                r = volume_set_mount(&v, d, m);
        else if (r >= 0 && p)
                r = volume_set_part(&v, d, p);
        if (r < 0)
                return r;

        r = topology_physical(t, disk, &map);
        if (r == -ENOMEM)
                return r;
        *ret_known = r >= 0 && map.n == 1 && map.items[0].from.start == 0;
        *ret_physical = *ret_known ? map.items[0].to : 0;

        *ret = v;
        v = (Volume) {};
        return 0;
}

/* ---- what stands on it ---- */

/* A device that shows some of the bytes. */
typedef struct Shower {
        const TopoDisk *disk;
        const TopoMount *mount;         /* NULL: not mounted */
        SpaceMap map;                   /* empty: it shows bytes twice */
} Shower;

typedef struct Above {
        const Topology *topology;
        const TopoDisk *disk;
        struct { Shower *items; size_t n, allocated; } showers;
} Above;

static void above_done(Above *a) {
        for (size_t i = 0; i < a->showers.n; i++)
                spacemap_done(&a->showers.items[i].map);
        vec_done(&a->showers);
}

static int add_shower(const TopoDisk *upper, const SpaceMap *map, void *userdata) {
        Above *a = userdata;
        Shower s = { .disk = upper, .mount = topology_find_mount(a->topology, upper->name) };
        int r;

        r = spacemap_copy(map, &s.map);
        if (r >= 0)
                r = vec_push(&a->showers, s);
        if (r < 0)
                spacemap_done(&s.map);
        return r;
}

static bool shows(const Shower *s, Range page) {
        Range part;

        for (size_t i = 0; i < s->map.n; i++)
                if (range_intersect(s->map.items[i].from, page, &part))
                        return true;
        return false;
}

bool volume_page_fits(const SpaceMap *m, Range page, uint64_t *ret_to) {
        for (size_t i = 0; i < m->n; i++)
                if (range_contains(m->items[i].from, page)) {
                        *ret_to = m->items[i].to + (page.start - m->items[i].from.start);
                        return *ret_to % REPAIR_UNIT == 0;
                }
        return false;
}

__attribute__((format(printf, 2, 3)))
static int hinder(Volume *v, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&v->hindrance, format, ap);
        va_end(ap);
        if (n < 0)
                v->hindrance = NULL;
        return n < 0 ? -ENOMEM : 0;
}

/* Does another device that shows the page stand on this one? */
static bool is_covered(const Above *a, const Shower *s, Range page) {
        for (size_t i = 0; i < a->showers.n; i++) {
                const Shower *o = a->showers.items + i;

                if (o != s && shows(o, page) &&
                    topology_stands_on(a->topology, o->disk->name, s->disk->name))
                        return true;
        }
        return false;
}

/* What uses `lower` in a way that cannot be followed; NULL: nothing. *ret_used: something uses it at all. */
static const TopoLink *opaque_link(const Topology *t, const TopoDisk *lower, bool *ret_used) {
        const TopoLink *found = NULL;

        *ret_used = false;
        for (size_t i = 0; i < t->links.n; i++) {
                const TopoLink *l = t->links.items + i;

                if (!streq_ptr(l->lower, lower->name))
                        continue;
                *ret_used = true;
                if (!found && l->opaque)
                        found = l;
        }
        return found;
}

static const char *node_of(const Topology *t, const char *name) {
        const TopoDisk *d = topology_find_disk(t, name);

        return d && d->node ? d->node : name;
}

/* Nothing mounted shows the page: `top` is the last device upwards that has it. */
static int describe_unmounted(const Above *a, const Shower *top, Volume *v) {
        const Topology *t = a->topology;
        const TopoDisk *d = top->disk;
        const TopoLink *opaque;
        const TopoPart *part = topology_find_part(t, d->name);
        bool used;

        if (part)
                return volume_set_part(v, d, part);
        opaque = opaque_link(t, d, &used);
        if (opaque)
                return hinder(v, "%s may use them, in a way that is not followed (%s)",
                              node_of(t, opaque->upper), opaque->opaque);
        for (size_t i = 0; i < a->showers.n; i++)
                if (a->showers.items[i].map.n == 0 &&
                    topology_stands_on(t, a->showers.items[i].disk->name, d->name))
                        return hinder(v, "%s has some bytes of %s in two places",
                                      a->showers.items[i].disk->node, d->node);
        if (used)
                return hinder(v, "of what stands on %s nothing uses them: they lie before, between or "
                              "behind its parts", d->node);
        return d == a->disk ? 0 : str_copy(d->node, &v->fs_device);
}

static int describe_page(const Above *a, Range page, Volume *ret) {
        const TopoNamespace *n = topology_find_namespace_by_disk(a->topology, a->disk->name);
        const Shower *mounted = NULL, *other = NULL, *top = NULL;
        _cleanup_volume_ Volume v = {};
        uint64_t to;
        int r;

        for (size_t i = 0; i < a->showers.n; i++) {
                const Shower *s = a->showers.items + i;

                if (!shows(s, page))
                        continue;
                if (s->mount && mounted)
                        other = s;
                else if (s->mount)
                        mounted = s;
                if (!top && !is_covered(a, s, page))
                        top = s;
        }

        r = bare_volume(a->topology, a->disk, &v);
        if (r >= 0 && n && n->mode == NAMESPACE_SECTOR)
                r = hinder(&v, "%s is in sector mode, and its btt moves sectors about", a->disk->node);
        else if (r >= 0 && other)
                r = hinder(&v, "%s and %s both have them, and both are mounted", mounted->disk->node,
                           other->disk->node);
        else if (r >= 0 && mounted && !volume_page_fits(&mounted->map, page, &to))
                r = hinder(&v, "what is a page of %s is none of %s: it does not begin there at a multiple "
                           "of %" PRIu64 " bytes, or is not in one piece", a->disk->node,
                           mounted->disk->node, REPAIR_UNIT);
        else if (r >= 0 && mounted)
                r = volume_set_mount(&v, mounted->disk, mounted->mount);
        else if (r >= 0 && top)
                r = describe_unmounted(a, top, &v);
        if (r < 0)
                return r;

        *ret = v;
        v = (Volume) {};
        return 0;
}

/* ---- bytes that no disk has ---- */

static bool overlap(Range a, Range b) {
        return a.start < b.end && b.start < a.end;
}

/* Of a region: what a namespace takes up, but does not show. */
static int describe_in_region(const Topology *t, const TopoRegion *g, Range page, Volume *ret) {
        const Range physical = { g->physical.start + page.start, g->physical.start + page.end };
        _cleanup_volume_ Volume v = {};
        uint64_t base;
        bool known;
        int r;

        r = volume_of_region(g, &v, &base, &known);
        for (size_t i = 0; r >= 0 && !v.hindrance && i < t->namespaces.n; i++) {
                const TopoNamespace *n = t->namespaces.items + i;

                if (!streq_ptr(n->region, g->name) || !overlap(n->whole, physical))
                        continue;
                r = !n->disk ? hinder(&v, "%s is disabled", n->name)
                    : hinder(&v, "%s keeps them for itself: they hold its description or the kernel's list "
                             "of its pages, and no data", n->name);
        }
        if (r >= 0 && !v.hindrance)
                r = hinder(&v, "they belong to no namespace");
        if (r < 0)
                return r;
        *ret = v;
        v = (Volume) {};
        return 0;
}

/* ---- cutting ---- */

typedef struct Piece {
        Range range;
        Volume volume;
        VolumePieceFn fn;
        void *userdata;
} Piece;

static int piece_end(Piece *p) {
        int r = p->range.end > p->range.start ? p->fn(p->range, &p->volume, p->userdata) : 0;

        volume_done(&p->volume);
        p->range.start = p->range.end;
        return r;
}

static void piece_done(Piece *p) {
        volume_done(&p->volume);
}

static int piece_add(Piece *p, Range page, Volume *v) {
        int r;

        if (p->range.end > p->range.start && volume_equal(&p->volume, v)) {
                p->range.end = page.end;
                return 0;
        }
        r = piece_end(p);
        p->range = page;
        p->volume = *v;
        *v = (Volume) {};
        return r;
}

int volume_split(const Topology *t, const char *disk, Range part, VolumePieceFn fn, void *userdata) {
        __attribute__((cleanup(above_done))) Above a = { .topology = t };
        __attribute__((cleanup(piece_done))) Piece p = { .fn = fn, .userdata = userdata };
        const TopoRegion *g = topology_find_region(t, disk);
        int r = 0;

        assert(range_is_aligned(part, REPAIR_UNIT));
        assert(fn);

        a.disk = topology_find_disk(t, disk);
        if (a.disk)
                r = topology_uppers(t, disk, part, add_shower, &a);
        else if (!g)
                r = -ENOENT;

        for (uint64_t at = part.start; r == 0 && at < part.end; at += REPAIR_UNIT) {
                _cleanup_volume_ Volume v = {};
                Range page = { at, at + REPAIR_UNIT };

                r = a.disk ? describe_page(&a, page, &v) : describe_in_region(t, g, page, &v);
                if (r >= 0)
                        r = piece_add(&p, page, &v);
        }
        return r != 0 ? r : piece_end(&p);
}

static int take_first(Range piece, const Volume *v, void *userdata) {
        int r = volume_copy(v, userdata);

        return r < 0 ? r : 1;
}

int volume_at(const Topology *t, const char *disk, Range part, Volume *ret) {
        int r;

        part.end = part.start + REPAIR_UNIT;
        r = volume_split(t, disk, part, take_first, ret);
        return r > 0 ? 0 : r;
}
