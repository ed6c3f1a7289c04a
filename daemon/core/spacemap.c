/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Address translation in pieces. A map is one-to-one: no byte of either space is in two segments.
 * spacemap_add() is the only function that lets new facts in, and checks that; every other function makes
 * a map of maps that are already one-to-one, and restricting, turning round and composing keep it so.
 * Segments that continue each other in both spaces are always one. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/spacemap.h"
#include "util/vec.h"

/* Index of the first segment whose `from` ends behind `byte`. */
static size_t find_end(const SpaceMap *m, uint64_t byte) {
        size_t low = 0, high = m->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (m->items[middle].from.end > byte)
                        high = middle;
                else
                        low = middle + 1;
        }

        return low;
}

static bool continues(SpaceSegment a, SpaceSegment b) {
        return a.from.end == b.from.start && space_segment_to(a).end == b.to;
}

/* The part of `s` that comes from `part`, which lies within s.from. */
static SpaceSegment cut(SpaceSegment s, Range part) {
        return (SpaceSegment) { part, s.to + (part.start - s.from.start) };
}

static SpaceSegment turn(SpaceSegment s) {
        return (SpaceSegment) { space_segment_to(s), s.from.start };
}

/* Adds a segment behind all others. */
static int append(SpaceMap *m, SpaceSegment s) {
        SpaceSegment *last = m->n > 0 ? &m->items[m->n - 1] : NULL;

        if (last && continues(*last, s)) {
                last->from.end = s.from.end;
                return 0;
        }
        return vec_push(m, s);
}

/* Gives `m` away into *ret, an empty map that may still own memory. */
static void give(SpaceMap *m, SpaceMap *ret) {
        assert(ret->n == 0);

        spacemap_done(ret);
        *ret = *m;
        *m = (SpaceMap) {};
}

void spacemap_done(SpaceMap *m) {
        assert(m);
        vec_done(m);
}

int spacemap_add(SpaceMap *m, Range from, uint64_t to) {
        SpaceSegment s = { from, to };
        Range target, part;
        bool before, behind;
        size_t at;
        int r;

        assert(m);
        assert(from.start < from.end);

        r = range_init(to, range_size(from), &target);
        if (r < 0)
                return r;

        for (size_t i = 0; i < m->n; i++)
                if (range_intersect(m->items[i].from, from, &part) ||
                    range_intersect(space_segment_to(m->items[i]), target, &part))
                        return -EEXIST;

        at = find_end(m, from.start);
        before = at > 0 && continues(m->items[at - 1], s);
        behind = at < m->n && continues(s, m->items[at]);
        if (before) {
                m->items[at - 1].from.end = behind ? m->items[at].from.end : from.end;
                vec_remove(m, at, behind ? 1 : 0);
                return 0;
        }
        if (behind) {
                m->items[at].from.start = from.start;
                m->items[at].to = to;
                return 0;
        }
        return vec_insert(m, at, s);
}

int spacemap_copy(const SpaceMap *m, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap c = {};
        int r;

        assert(m);
        assert(ret);

        for (size_t i = 0; i < m->n; i++) {
                r = append(&c, m->items[i]);
                if (r < 0)
                        return r;
        }

        give(&c, ret);
        return 0;
}

int spacemap_forward(const SpaceMap *m, Range from, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap c = {};
        Range part;
        int r;

        assert(m);
        assert(ret);

        for (size_t i = find_end(m, from.start); i < m->n; i++) {
                if (!range_intersect(m->items[i].from, from, &part))
                        break;
                r = append(&c, cut(m->items[i], part));
                if (r < 0)
                        return r;
        }

        give(&c, ret);
        return 0;
}

int spacemap_reverse(const SpaceMap *m, Range to, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap c = {};
        Range part;
        int r;

        assert(m);
        assert(ret);

        for (size_t i = 0; i < m->n; i++) {
                SpaceSegment s = turn(m->items[i]);

                if (!range_intersect(s.from, to, &part))
                        continue;
                r = append(&c, turn(cut(s, part)));
                if (r < 0)
                        return r;
        }

        give(&c, ret);
        return 0;
}

static int compare_segments(const void *a, const void *b) {
        const SpaceSegment *x = a, *y = b;

        return (x->from.start > y->from.start) - (x->from.start < y->from.start);
}

int spacemap_invert(const SpaceMap *m, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap c = {};
        int r;

        assert(m);
        assert(ret);

        for (size_t i = 0; i < m->n; i++) {
                r = vec_push(&c, turn(m->items[i]));
                if (r < 0)
                        return r;
        }

        /* what continues in both spaces is one already: nothing is left to be joined in the new order */
        if (c.n > 1)
                qsort(c.items, c.n, sizeof(*c.items), compare_segments);

        give(&c, ret);
        return 0;
}

int spacemap_compose(const SpaceMap *ab, const SpaceMap *bc, SpaceMap *ret) {
        _cleanup_spacemap_ SpaceMap c = {};
        Range part;
        int r;

        assert(ab);
        assert(bc);
        assert(ret);

        for (size_t i = 0; i < ab->n; i++) {
                SpaceSegment ba = turn(ab->items[i]);

                for (size_t k = find_end(bc, ba.from.start); k < bc->n; k++) {
                        SpaceSegment ac;

                        if (!range_intersect(bc->items[k].from, ba.from, &part))
                                break;
                        ac = turn(cut(ba, part));
                        ac.to = cut(bc->items[k], part).to;
                        r = append(&c, ac);
                        if (r < 0)
                                return r;
                }
        }

        give(&c, ret);
        return 0;
}

bool spacemap_translate(const SpaceMap *m, uint64_t from, uint64_t *ret) {
        size_t i;

        assert(m);
        assert(ret);

        i = find_end(m, from);
        if (i >= m->n || m->items[i].from.start > from)
                return false;

        *ret = m->items[i].to + (from - m->items[i].from.start);
        return true;
}
