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

/* The model: for each byte of a space of SIZE bytes the byte of the other that it goes to, or NOWHERE. Each space has a base, so that
 * the same model is tried at the very top of the address space. */
#define SIZE 64
#define NOWHERE (-1)
#define TOP (UINT64_MAX - SIZE)
#define ROUNDS 3000

typedef struct Model {
        int to[SIZE];
} Model;

static Model model_empty(void) {
        Model m;

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

/* Sorted, disjoint in both spaces, coalesced, and byte for byte what the model says. */
static void check_equal(const SpaceMap *s, const Model *m, uint64_t from_base, uint64_t to_base, size_t round) {
        for (size_t i = 0; i < s->n; i++) {
                check(s->items[i].from.start < s->items[i].from.end, round);
                check(i == 0 || s->items[i - 1].from.end <= s->items[i].from.start, round);
                check(i == 0 || s->items[i - 1].from.end != s->items[i].from.start ||
                              space_segment_to(s->items[i - 1]).end != s->items[i].to, round);
                for (size_t k = 0; k < i; k++) {
                        Range part;

                        check(!range_intersect(space_segment_to(s->items[i]), space_segment_to(s->items[k]), &part), round);
                }
        }

        for (int i = 0; i < SIZE; i++) {
                uint64_t to = 42;
                bool found = spacemap_translate(s, from_base + (uint64_t) i, &to);

                check(found == (m->to[i] != NOWHERE), round);
                check(to == (found ? to_base + (uint64_t) m->to[i] : 42), round);
        }
}

/* Random segments; what the map takes and refuses is what the model takes and refuses. */
static void build(Random *random, SpaceMap *s, Model *m, uint64_t from_base, uint64_t to_base, size_t round) {
        *m = model_empty();

        for (int i = 0; i < 12; i++) {
                int size = 1 + (int) random_below(random, 12);
                int from = (int) random_below(random, SIZE - (uint64_t) size + 1);
                int to = (int) random_below(random, SIZE - (uint64_t) size + 1);
                Range range = { from_base + (uint64_t) from, from_base + (uint64_t) (from + size) };
                int r;

                if (random_below(random, 3) == 0 && from > 0 && m->to[from - 1] != NOWHERE && m->to[from - 1] + 1 + size <= SIZE)
                        to = m->to[from - 1] + 1;       /* continue a neighbour */

                r = spacemap_add(s, range, to_base + (uint64_t) to);
                check(r == (model_add(m, from, to, size) ? 0 : -EEXIST), round);
        }
        check_equal(s, m, from_base, to_base, round);
}

static Range random_window(Random *random, uint64_t base) {
        uint64_t start = random_below(random, SIZE), size = 1 + random_below(random, SIZE - start);

        return (Range) { base + start, base + start + size };
}

static void check_restrictions(Random *random, const SpaceMap *s, const Model *m, uint64_t from_base, uint64_t to_base, size_t round) {
        _cleanup_spacemap_ SpaceMap forward = {}, reverse = {}, back = {}, again = {};
        Range from = random_window(random, from_base), to = random_window(random, to_base);
        Model expected = *m;

        for (int i = 0; i < SIZE; i++)
                if (from_base + (uint64_t) i < from.start || from_base + (uint64_t) i >= from.end)
                        expected.to[i] = NOWHERE;
        check(spacemap_forward(s, from, &forward) == 0, round);
        check_equal(&forward, &expected, from_base, to_base, round);

        expected = *m;
        for (int i = 0; i < SIZE; i++)
                if (m->to[i] != NOWHERE && (to_base + (uint64_t) m->to[i] < to.start || to_base + (uint64_t) m->to[i] >= to.end))
                        expected.to[i] = NOWHERE;
        check(spacemap_reverse(s, to, &reverse) == 0, round);
        check_equal(&reverse, &expected, from_base, to_base, round);

        /* forward then reverse = identity: each piece, asked for by where it went, is the piece */
        for (size_t i = 0; i < forward.n; i++) {
                spacemap_done(&back);
                check(spacemap_reverse(s, space_segment_to(forward.items[i]), &back) == 0, round);
                check(back.n == 1 && memcmp(&back.items[0], &forward.items[i], sizeof(SpaceSegment)) == 0, round);
                spacemap_done(&again);
                check(spacemap_forward(s, back.items[0].from, &again) == 0, round);
                check(again.n == 1 && memcmp(&again.items[0], &forward.items[i], sizeof(SpaceSegment)) == 0, round);
        }
}

static void check_invert(const SpaceMap *s, const Model *m, uint64_t from_base, uint64_t to_base, size_t round) {
        _cleanup_spacemap_ SpaceMap inverse = {}, twice = {}, copy = {}, identity = {};
        Model expected = model_empty(), same = *m;

        for (int i = 0; i < SIZE; i++)
                if (m->to[i] != NOWHERE)
                        expected.to[m->to[i]] = i;
        check(spacemap_invert(s, &inverse) == 0, round);
        check_equal(&inverse, &expected, to_base, from_base, round);
        check(spacemap_invert(&inverse, &twice) == 0, round);
        check_equal(&twice, m, from_base, to_base, round);
        check(spacemap_copy(s, &copy) == 0, round);
        check(twice.n == s->n && (s->n == 0 || memcmp(twice.items, s->items, s->n * sizeof(SpaceSegment)) == 0), round);
        check(copy.n == s->n && (s->n == 0 || memcmp(copy.items, s->items, s->n * sizeof(SpaceSegment)) == 0), round);

        for (int i = 0; i < SIZE; i++)
                if (m->to[i] != NOWHERE)
                        same.to[i] = i;
        check(spacemap_compose(s, &inverse, &identity) == 0, round);
        check_equal(&identity, &same, from_base, from_base, round);
}

/* Adding, restricting on either side, turning round and copying agree with a byte-wise model, wherever the two spaces lie. */
static void test_model(void **state) {
        static const uint64_t bases[][2] = { { 0, 0 }, { 0, TOP }, { TOP, 4096 }, { TOP, TOP } };
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < ROUNDS; round++) {
                const uint64_t *base = bases[round % 4];
                _cleanup_spacemap_ SpaceMap s = {};
                Model m;

                build(&random, &s, &m, base[0], base[1], round);
                check_restrictions(&random, &s, &m, base[0], base[1], round);
                check_invert(&s, &m, base[0], base[1], round);
        }
}

/* Composing two maps is translating each byte twice. */
static void test_compose(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < ROUNDS; round++) {
                _cleanup_spacemap_ SpaceMap ab = {}, bc = {}, ac = {};
                Model mab, mbc, mac = model_empty();

                build(&random, &ab, &mab, 0, TOP, round);
                build(&random, &bc, &mbc, TOP, 1 << 30, round);
                for (int i = 0; i < SIZE; i++)
                        if (mab.to[i] != NOWHERE)
                                mac.to[i] = mbc.to[mab.to[i]];
                check(spacemap_compose(&ab, &bc, &ac) == 0, round);
                check_equal(&ac, &mac, 0, 1 << 30, round);
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
