/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/spacemap.h"
#include "random.h"

/* The model: for each byte of a space of SIZE bytes the byte of the other that it goes to, or NOWHERE. Each
 * space has a base, so that the same model is tried at the very top of the address space. */
#define SIZE 64
#define NOWHERE (-1)
#define TOP (UINT64_MAX - SIZE)
#define ROUNDS 3000

typedef struct Model {
        uint64_t from_base, to_base;
        int to[SIZE];
} Model;

static Model model_empty(uint64_t from_base, uint64_t to_base) {
        Model m = { from_base, to_base };

        for (int i = 0; i < SIZE; i++)
                m.to[i] = NOWHERE;
        return m;
}

static bool model_add(Model *m, int from, int to, int size) {
        for (int i = 0; i < size; i++)
                for (int k = 0; k < SIZE; k++)
                        if (m->to[k] != NOWHERE && (k == from + i || m->to[k] == to + i))
                                return false;
        for (int i = 0; i < size; i++)
                m->to[from + i] = to + i;
        return true;
}

static bool holds(Range r, uint64_t base, int i) {
        return range_contains(r, (Range) { base + (uint64_t) i, base + (uint64_t) i + 1 });
}

static bool same_segments(const SpaceMap *a, const SpaceMap *b) {
        return a->n == b->n && (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof(*a->items)) == 0);
}

/* Sorted, disjoint in both spaces, coalesced. */
static void check_form(const SpaceMap *s, size_t round) {
        for (size_t i = 0; i < s->n; i++) {
                Range from = s->items[i].from, to = space_segment_to(s->items[i]), part;

                check(from.start < from.end, round);
                for (size_t k = 0; k < i; k++)
                        check(!range_intersect(to, space_segment_to(s->items[k]), &part), round);
                if (i == 0)
                        continue;
                check(s->items[i - 1].from.end <= from.start, round);
                check(s->items[i - 1].from.end != from.start ||
                      space_segment_to(s->items[i - 1]).end != to.start, round);
        }
}

/* In the one form, and byte for byte what the model says. */
static void check_equal(const SpaceMap *s, const Model *m, size_t round) {
        check_form(s, round);

        for (int i = 0; i < SIZE; i++) {
                uint64_t to = 42;
                bool found = spacemap_translate(s, m->from_base + (uint64_t) i, &to);

                check(found == (m->to[i] != NOWHERE), round);
                check(to == (found ? m->to_base + (uint64_t) m->to[i] : 42), round);
        }
}

/* Random segments; what the map takes and refuses is what the model takes and refuses. */
static void build(Random *random, SpaceMap *s, Model *m, size_t round) {
        for (int i = 0; i < 12; i++) {
                int size = 1 + (int) random_below(random, 12);
                int from = (int) random_below(random, SIZE - (uint64_t) size + 1);
                int to = (int) random_below(random, SIZE - (uint64_t) size + 1);
                int before = from > 0 ? m->to[from - 1] : NOWHERE;
                uint64_t start = m->from_base + (uint64_t) from;
                int r;

                if (random_below(random, 3) == 0 && before != NOWHERE && before + 1 + size <= SIZE)
                        to = before + 1;        /* continue a neighbour */

                r = spacemap_add(s, (Range) { start, start + (uint64_t) size }, m->to_base + (uint64_t) to);
                check(r == (model_add(m, from, to, size) ? 0 : -EEXIST), round);
        }
        check_equal(s, m, round);
}

static Range random_window(Random *random, uint64_t base) {
        uint64_t start = random_below(random, SIZE), size = 1 + random_below(random, SIZE - start);

        return (Range) { base + start, base + start + size };
}

/* Forward then reverse = identity: each piece, asked for by where it went, is the piece; and the other
 * way. */
static void check_there_and_back(const SpaceMap *s, const SpaceMap *pieces, size_t round) {
        for (size_t i = 0; i < pieces->n; i++) {
                _cleanup_spacemap_ SpaceMap back = {}, again = {};
                const SpaceMap piece = { .items = &pieces->items[i], .n = 1 };

                check(spacemap_reverse(s, space_segment_to(pieces->items[i]), &back) == 0, round);
                check(same_segments(&back, &piece), round);
                check(spacemap_forward(s, back.items[0].from, &again) == 0, round);
                check(same_segments(&again, &piece), round);
        }
}

static void check_restrictions(Random *random, const SpaceMap *s, const Model *m, size_t round) {
        _cleanup_spacemap_ SpaceMap forward = {}, reverse = {};
        Range from = random_window(random, m->from_base), to = random_window(random, m->to_base);
        Model expected = *m;

        for (int i = 0; i < SIZE; i++)
                if (!holds(from, m->from_base, i))
                        expected.to[i] = NOWHERE;
        check(spacemap_forward(s, from, &forward) == 0, round);
        check_equal(&forward, &expected, round);
        check_there_and_back(s, &forward, round);

        expected = *m;
        for (int i = 0; i < SIZE; i++)
                if (m->to[i] != NOWHERE && !holds(to, m->to_base, m->to[i]))
                        expected.to[i] = NOWHERE;
        check(spacemap_reverse(s, to, &reverse) == 0, round);
        check_equal(&reverse, &expected, round);
        check_there_and_back(s, &reverse, round);
}

static void check_invert(const SpaceMap *s, const Model *m, size_t round) {
        _cleanup_spacemap_ SpaceMap inverse = {}, twice = {}, copy = {}, identity = {};
        Model expected = model_empty(m->to_base, m->from_base);
        Model same = model_empty(m->from_base, m->from_base);

        for (int i = 0; i < SIZE; i++)
                if (m->to[i] != NOWHERE) {
                        expected.to[m->to[i]] = i;
                        same.to[i] = i;
                }

        check(spacemap_invert(s, &inverse) == 0, round);
        check_equal(&inverse, &expected, round);
        check(spacemap_invert(&inverse, &twice) == 0, round);
        check(same_segments(&twice, s), round);
        check(spacemap_copy(s, &copy) == 0, round);
        check(same_segments(&copy, s), round);
        check(spacemap_compose(s, &inverse, &identity) == 0, round);
        check_equal(&identity, &same, round);
}

/* Adding, restricting on either side, turning round and copying agree with a byte-wise model, wherever the
 * two spaces lie. */
static void test_model(void **state) {
        static const uint64_t bases[][2] = { { 0, 0 }, { 0, TOP }, { TOP, 4096 }, { TOP, TOP } };
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < ROUNDS; round++) {
                _cleanup_spacemap_ SpaceMap s = {};
                Model m = model_empty(bases[round % 4][0], bases[round % 4][1]);

                build(&random, &s, &m, round);
                check_restrictions(&random, &s, &m, round);
                check_invert(&s, &m, round);
        }
}

/* Composing two maps is translating each byte twice. */
static void test_compose(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < ROUNDS; round++) {
                _cleanup_spacemap_ SpaceMap ab = {}, bc = {}, ac = {};
                Model mab = model_empty(0, TOP), mbc = model_empty(TOP, 1 << 30);
                Model mac = model_empty(0, 1 << 30);

                build(&random, &ab, &mab, round);
                build(&random, &bc, &mbc, round);
                for (int i = 0; i < SIZE; i++)
                        if (mab.to[i] != NOWHERE)
                                mac.to[i] = mbc.to[mab.to[i]];
                check(spacemap_compose(&ab, &bc, &ac) == 0, round);
                check_equal(&ac, &mac, round);
        }
}

/* A segment whose far end does not fit is refused, and nothing changes; one that just fits is taken. */
static void test_overflow(void **state) {
        _cleanup_spacemap_ SpaceMap s = {};
        uint64_t to = 42;

        assert_int_equal(spacemap_add(&s, (Range) { 0, 2 }, UINT64_MAX - 1), -EOVERFLOW);
        assert_int_equal(spacemap_add(&s, (Range) { 0, UINT64_MAX }, 1), -EOVERFLOW);
        assert_int_equal(s.n, 0);
        assert_int_equal(spacemap_add(&s, (Range) { 0, 2 }, UINT64_MAX - 2), 0);
        assert_true(spacemap_translate(&s, 1, &to));
        assert_int_equal(to, UINT64_MAX - 1);
        assert_false(spacemap_translate(&s, 2, &to));
        assert_false(spacemap_translate(&s, UINT64_MAX, &to));
}

/* Pieces that are added in any order, and continue each other, end as one segment. */
static void test_coalesce(void **state) {
        _cleanup_spacemap_ SpaceMap s = {};

        assert_int_equal(spacemap_add(&s, (Range) { 0, 10 }, 100), 0);
        assert_int_equal(spacemap_add(&s, (Range) { 20, 30 }, 120), 0);
        assert_int_equal(spacemap_add(&s, (Range) { 30, 40 }, 200), 0);
        assert_int_equal(s.n, 3);
        assert_int_equal(spacemap_add(&s, (Range) { 10, 20 }, 110), 0);
        assert_int_equal(s.n, 2);
        assert_true(range_equal(s.items[0].from, (Range) { 0, 30 }));
        assert_int_equal(spacemap_add(&s, (Range) { 50, 60 }, 130), 0);
        assert_int_equal(s.n, 3);
        assert_int_equal(spacemap_add(&s, (Range) { 5, 6 }, 500), -EEXIST);
        assert_int_equal(spacemap_add(&s, (Range) { 70, 80 }, 205), -EEXIST);
        assert_int_equal(s.n, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_model),
                cmocka_unit_test(test_compose),
                cmocka_unit_test(test_overflow),
                cmocka_unit_test(test_coalesce),
        };

        return cmocka_run_group_tests_name("spacemap", tests, NULL, NULL);
}
