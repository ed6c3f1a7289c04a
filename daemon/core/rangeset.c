/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sets of bytes. The items are kept sorted, disjoint and coalesced, so that a set has one form only:
 * look-ups are a binary search, and equality is equality of the items. Every change reserves its memory
 * before it touches anything. */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/rangeset.h"
#include "util/vec.h"

/* Index of the first item that ends behind `byte`, or at it too when `touching` counts. */
static size_t find_end(const RangeSet *s, uint64_t byte, bool touching) {
        size_t low = 0, high = s->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                uint64_t end = s->items[middle].end;

                if (end > byte || (touching && end == byte))
                        high = middle;
                else
                        low = middle + 1;
        }

        return low;
}

/* Index of the first item that starts at `byte` or behind it, or, when `touching` counts as before it,
 * only behind it. */
static size_t find_start(const RangeSet *s, uint64_t byte, bool touching) {
        size_t low = 0, high = s->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                uint64_t start = s->items[middle].start;

                if (start > byte || (!touching && start == byte))
                        high = middle;
                else
                        low = middle + 1;
        }

        return low;
}

/* Gives `s` away into *ret, an empty set that may still own memory. */
static void give(RangeSet *s, RangeSet *ret) {
        assert(ret->n == 0);

        rangeset_done(ret);
        *ret = *s;
        *s = (RangeSet) {};
}

void rangeset_done(RangeSet *s) {
        assert(s);
        vec_done(s);
}

int rangeset_add(RangeSet *s, Range r) {
        size_t first, behind;

        assert(s);
        assert(r.start < r.end);

        /* items [first, behind) overlap or touch r: all of them become one */
        first = find_end(s, r.start, true);
        behind = find_start(s, r.end, true);
        if (first == behind)
                return vec_insert(s, first, r);

        if (s->items[first].start < r.start)
                r.start = s->items[first].start;
        if (s->items[behind - 1].end > r.end)
                r.end = s->items[behind - 1].end;
        s->items[first] = r;
        vec_remove(s, first + 1, behind - first - 1);
        return 0;
}

int rangeset_subtract(RangeSet *s, Range r) {
        size_t first, behind;
        int k;

        assert(s);
        assert(r.start < r.end);

        /* items [first, behind) overlap r */
        first = find_end(s, r.start, false);
        behind = find_start(s, r.end, false);
        if (first >= behind)
                return 0;

        if (behind - first == 1 && s->items[first].start < r.start && s->items[first].end > r.end) {
                Range left = { s->items[first].start, r.start };

                k = vec_insert(s, first, left);
                if (k < 0)
                        return k;
                s->items[first + 1].start = r.end;
                return 0;
        }

        if (s->items[first].start < r.start)
                s->items[first++].end = r.start;
        if (first < behind && s->items[behind - 1].end > r.end)
                s->items[--behind].start = r.end;
        vec_remove(s, first, behind - first);
        return 0;
}

int rangeset_copy(const RangeSet *s, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet c = {};
        int r;

        assert(s);
        assert(ret);

        if (s->n > 0) {
                r = vec_reserve((void **) &c.items, &c.allocated, s->n, sizeof(*c.items));
                if (r < 0)
                        return r;
                memcpy(c.items, s->items, s->n * sizeof(*c.items));
                c.n = s->n;
        }

        give(&c, ret);
        return 0;
}

/* Adds or subtracts all of `other`, on a copy: the set changes as a whole or not at all, also when other
 * is s itself. */
static int change_all(RangeSet *s, const RangeSet *other, int (*change)(RangeSet *, Range)) {
        _cleanup_rangeset_ RangeSet c = {};
        int r;

        assert(s);
        assert(other);

        r = rangeset_copy(s, &c);
        if (r < 0)
                return r;
        for (size_t i = 0; i < other->n; i++) {
                r = change(&c, other->items[i]);
                if (r < 0)
                        return r;
        }

        s->n = 0;
        give(&c, s);
        return 0;
}

int rangeset_add_all(RangeSet *s, const RangeSet *other) {
        return change_all(s, other, rangeset_add);
}

int rangeset_subtract_all(RangeSet *s, const RangeSet *other) {
        return change_all(s, other, rangeset_subtract);
}

int rangeset_clip(const RangeSet *s, Range window, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet c = {};
        Range part;
        int r;

        assert(s);
        assert(ret);

        for (size_t i = find_end(s, window.start, false); i < s->n; i++) {
                if (!range_intersect(s->items[i], window, &part))
                        break;
                r = vec_push(&c, part);
                if (r < 0)
                        return r;
        }

        give(&c, ret);
        return 0;
}

int rangeset_align_out(const RangeSet *s, uint64_t unit, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet c = {};
        Range part;
        int r;

        assert(s);
        assert(ret);

        for (size_t i = 0; i < s->n; i++) {
                r = range_align_out(s->items[i], unit, &part);
                if (r < 0)
                        return r;
                r = rangeset_add(&c, part);
                if (r < 0)
                        return r;
        }

        give(&c, ret);
        return 0;
}

bool rangeset_contains(const RangeSet *s, Range r) {
        size_t i;

        assert(s);

        i = find_end(s, r.start, false);
        return i < s->n && range_contains(s->items[i], r);
}

bool rangeset_overlaps(const RangeSet *s, Range r) {
        Range part;
        size_t i;

        assert(s);

        i = find_end(s, r.start, false);
        return i < s->n && range_intersect(s->items[i], r, &part);
}

bool rangeset_equal(const RangeSet *a, const RangeSet *b) {
        assert(a);
        assert(b);

        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!range_equal(a->items[i], b->items[i]))
                        return false;
        return true;
}

uint64_t rangeset_size(const RangeSet *s) {
        uint64_t size = 0;

        assert(s);

        for (size_t i = 0; i < s->n; i++)
                size += range_size(s->items[i]);
        return size;
}
