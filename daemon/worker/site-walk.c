/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From addresses of the poisoned device to those of the file system's device, and back with the answer. The
 * way is read from the kernel each time: a table of device mapper can be exchanged under a mounted file
 * system, and a write must never trust what was true when the range was located. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/volume.h"
#include "topo/topo.h"
#include "util/str.h"
#include "util/vec.h"
#include "worker/site.h"

/* An answer that is collected, because the order on one device is not the order on the other. */
typedef struct Answer {
        SpaceMap places;        /* the file system's device -> the poisoned one */
        Owners owners;          /* in addresses of the poisoned one */
} Answer;

static void answer_done(Answer *a) {
        spacemap_done(&a->places);
        owners_done(&a->owners);
}

static int add_owner(Answer *a, const Owner *owner, Range range, uint64_t skipped) {
        _cleanup_owner_ Owner o = {};
        int r;

        r = owner_copy(owner, &o);
        if (r < 0)
                return r;
        o.range = range;
        o.offset += skipped;
        r = vec_push(&a->owners, o);
        if (r >= 0)
                o = (Owner) {};
        return r;
}

static int add_single(Answer *a, OwnerType type, Range range, const char *detail) {
        const Owner o = { .type = type, .detail = (char *) detail };

        return add_owner(a, &o, range, 0);
}

/* What is one piece for the mapper may be several of ours (stripes). */
static int add_translated(const Owner *owner, void *userdata) {
        Answer *a = userdata;
        _cleanup_spacemap_ SpaceMap pieces = {};
        int r;

        r = spacemap_forward(&a->places, owner->range, &pieces);
        for (size_t i = 0; r >= 0 && i < pieces.n; i++)
                r = add_owner(a, owner, space_segment_to(pieces.items[i]),
                              pieces.items[i].from.start - owner->range.start);
        return r;
}

static int compare_owners(const void *a, const void *b) {
        const Owner *x = a, *y = b;

        if (x->range.start != y->range.start)
                return x->range.start < y->range.start ? -1 : 1;
        return (x->inode > y->inode) - (x->inode < y->inode);
}

typedef struct Find {
        const Site *site;
        SpaceMap *map;
        uint64_t size;          /* of the file system's device */
} Find;

static int take_map(const TopoDisk *upper, const SpaceMap *map, void *userdata) {
        Find *f = userdata;
        int r;

        if (upper->character || upper->major != f->site->part_major ||
            upper->minor != f->site->part_minor)
                return 0;
        f->size = upper->size;
        r = spacemap_copy(map, f->map);
        return r < 0 ? r : 1;
}

static bool is_direct(const Site *s) {
        return s->part_major == s->major && s->part_minor == s->minor;
}

static int find_places(const Site *s, Range range, SpaceMap *ret, uint64_t *ret_size) {
        Find f = { .site = s, .map = ret };
        _cleanup_topology_ Topology t = {};
        const TopoDisk *disk;
        int r;

        *ret_size = s->size;
        if (is_direct(s))
                return spacemap_add(ret, range, range.start);

        r = topo_read_below(s->part_major, s->part_minor, &t);
        if (r < 0)
                return r;
        disk = topology_find_disk_by_number(&t, s->major, s->minor);
        if (!disk)
                return 0;
        r = topology_uppers(&t, disk->name, range, take_map, &f);
        *ret_size = f.size;
        return r > 0 ? 0 : r;
}

int site_places(const Site *s, Range range, SpaceMap *ret) {
        uint64_t size;

        return find_places(s, range, ret, &size);
}

int site_whole(const Site *s, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap places = {};
        uint64_t size = 0, found = 0;
        int r;

        r = find_places(s, (Range) { 0, s->size }, &places, &size);
        if (r < 0)
                return r;
        for (size_t i = 0; i < places.n; i++) {
                if (places.items[i].from.start % REPAIR_UNIT != 0 || places.items[i].to % REPAIR_UNIT != 0)
                        return -EOPNOTSUPP;
                found += range_size(places.items[i].from);
        }
        if (found == 0 || found != size)
                return -EOPNOTSUPP;

        *ret = places;
        places = (SpaceMap) {};
        return 0;
}

/* The end of the pages from range.start on that are one piece there (*ret), or of those that are nothing
 * there (ret->from is empty). */
static uint64_t next_piece(const SpaceMap *m, Range range, SpaceSegment *ret) {
        uint64_t to, at = range.start + REPAIR_UNIT;

        if (!volume_page_fits(m, (Range) { range.start, range.start + REPAIR_UNIT }, &ret->to)) {
                ret->from = (Range) {};
                while (at < range.end && !volume_page_fits(m, (Range) { at, at + REPAIR_UNIT }, &to))
                        at += REPAIR_UNIT;
                return at;
        }

        while (at < range.end && volume_page_fits(m, (Range) { at, at + REPAIR_UNIT }, &to) &&
               to - ret->to == at - range.start)
                at += REPAIR_UNIT;
        ret->from = (Range) { range.start, at };
        return at;
}

/* Where the pages of one range are there, page by page, because only pages can be written. */
static int place_range(const Site *s, Range range, Answer *a) {
        _cleanup_spacemap_ SpaceMap map = {};
        int r;

        r = site_places(s, range, &map);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return add_single(a, OWNER_UNKNOWN, range,
                                  "it could not be read what the file system's device stands on");

        for (uint64_t at = range.start; r >= 0 && at < range.end;) {
                SpaceSegment piece;
                uint64_t end = next_piece(&map, (Range) { at, range.end }, &piece);

                if (piece.from.end > 0)
                        r = spacemap_add(&a->places, space_segment_to(piece), piece.from.start);
                else
                        r = add_single(a, OWNER_UNKNOWN, (Range) { at, end },
                                       "the file system's device has no such page");
                at = end;
        }
        return r;
}

/* 0, MAP_E_GONE, or a negative errno. */
static int ask_mapper(const Site *s, const MapAsker *asker, Answer *a) {
        const MapSection section = site_section(s);
        _cleanup_rangeset_ RangeSet asked = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < a->places.n; i++)
                r = rangeset_add(&asked, a->places.items[i].from);
        if (r < 0 || asked.n == 0)
                return r;
        return mapper_search(s->ops, &section, &asked, asker, add_translated, a);
}

static int walk_elsewhere(const Site *s, const RangeSet *ranges, const MapAsker *asker, OwnerFn fn,
                          void *userdata) {
        _cleanup_(answer_done) Answer a = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ranges->n; i++)
                r = place_range(s, ranges->items[i], &a);
        if (r >= 0)
                r = ask_mapper(s, asker, &a);
        if (r != 0)
                return r;

        if (a.owners.n > 1)
                qsort(a.owners.items, a.owners.n, sizeof(*a.owners.items), compare_owners);
        for (size_t i = 0; r == 0 && i < a.owners.n; i++)
                r = fn(a.owners.items + i, userdata);
        return r;
}

/* The device itself: its name is what a protect file has in Device=. */
static int walk_device_dax(const Site *s, const RangeSet *ranges, OwnerFn fn, void *userdata) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ranges->n; i++) {
                const Owner o = { .type = OWNER_DEVICE_DAX, .range = ranges->items[i],
                                 .offset = ranges->items[i].start, .path = s->volume->device };

                r = fn(&o, userdata);
        }
        return r;
}

static int walk_single(OwnerType type, const char *detail, const RangeSet *ranges, OwnerFn fn,
                       void *userdata) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ranges->n; i++) {
                _cleanup_(answer_done) Answer a = {};

                r = add_single(&a, type, ranges->items[i], detail);
                if (r >= 0)
                        r = fn(a.owners.items, userdata);
        }
        return r;
}

int site_walk(const Site *s, const RangeSet *ranges, OwnerFn fn, void *userdata) {
        const MapAsker asker = { .progress = s->progress, .held = s->held.items, .n_held = s->held.n };
        const MapSection section = site_section(s);

        assert(s->volume);
        assert(fn);

        for (size_t i = 0; i < ranges->n; i++)
                if (!range_is_aligned(ranges->items[i], REPAIR_UNIT))
                        return -EINVAL;

        if (ranges->n == 0)
                return 0;
        if (site_is_dax(s))
                return walk_device_dax(s, ranges, fn, userdata);
        if (s->volume->hindrance)
                return walk_single(OWNER_UNKNOWN, s->volume->hindrance, ranges, fn, userdata);
        if (s->mount_fd < 0)
                return walk_single(OWNER_UNMOUNTED, NULL, ranges, fn, userdata);
        if (s->volume->part == FS_PART_LOG)
                return walk_single(OWNER_LOG, NULL, ranges, fn, userdata);
        return is_direct(s) ? mapper_search(s->ops, &section, ranges, &asker, fn, userdata)
               : walk_elsewhere(s, ranges, &asker, fn, userdata);
}

int site_owns(const Site *s, int fd, Range page, uint64_t offset, MapOwns *ret) {
        const MapSection section = site_section(s);
        _cleanup_spacemap_ SpaceMap map = {};
        uint64_t to;
        int r;

        assert(range_size(page) == REPAIR_UNIT);

        if (site_is_dax(s)) {
                r = site_dax_stays(s);
                if (r < 0)
                        return r;
                *ret = r > 0 && page.start == offset && page.end <= s->size ? MAP_OWNED : MAP_OTHERS;
                return 0;
        }
        if (s->volume->hindrance || s->mount_fd < 0)
                return -EAGAIN;
        r = site_places(s, page, &map);
        if (r < 0)
                return r == -ENOMEM ? r : -EAGAIN;
        if (!volume_page_fits(&map, page, &to)) {
                *ret = MAP_OTHERS;
                return 0;
        }
        return mapper_owns(s->ops, &section, fd, (Range) { to, to + REPAIR_UNIT }, offset, ret);
}
