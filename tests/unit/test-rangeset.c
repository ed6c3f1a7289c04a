/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/rangeset.h"
#include "random.h"

/* The model: one flag a byte, for BYTES bytes from `base`. The last of them is the last byte that a
 * half-open range can name. */
#define BYTES 127
#define TOP (UINT64_MAX - BYTES)
#define ROUNDS 20000

static const uint64_t bases[] = { 0, 1 << 20, TOP };

typedef struct Model {
        uint64_t base;
        bool has[BYTES + 1];
} Model;

static void model_set(Model *m, Range r, bool value) {
        for (uint64_t i = r.start - m->base; i < r.end - m->base; i++)
                m->has[i] = value;
}

static size_t model_count(const Model *m, Range r) {
        size_t n = 0;

        for (uint64_t i = r.start - m->base; i < r.end - m->base; i++)
                n += m->has[i];
        return n;
}

static Range random_range(Random *random, uint64_t base) {
        uint64_t size = 1 + random_below(random, random_below(random, 4) == 0 ? BYTES : 9);
        uint64_t start = random_below(random, BYTES - size + 1);

        return (Range) { base + start, base + start + size };
}

/* Sorted, disjoint, coalesced, and exactly the bytes of the model. */
static void check_equal(const RangeSet *s, const Model *m, size_t round) {
        Model seen = { .base = m->base };
        uint64_t size = 0;

        for (size_t i = 0; i < s->n; i++) {
                check(s->items[i].start < s->items[i].end, round);
                check(i == 0 || s->items[i - 1].end < s->items[i].start, round);
                check(s->items[i].start >= m->base && s->items[i].end <= m->base + BYTES, round);
                model_set(&seen, s->items[i], true);
                size += range_size(s->items[i]);
        }

        check(memcmp(seen.has, m->has, sizeof(seen.has)) == 0, round);
        check(rangeset_size(s) == size, round);
}

static void check_questions(const RangeSet *s, const Model *m, Range r, size_t round) {
        size_t n = model_count(m, r);

        check(rangeset_contains(s, r) == (n == range_size(r)), round);
        check(rangeset_overlaps(s, r) == (n > 0), round);
}

static void check_clip(const RangeSet *s, const Model *m, Range window, size_t round) {
        _cleanup_rangeset_ RangeSet clipped = {};
        Model expected = { .base = m->base };

        for (uint64_t i = window.start - m->base; i < window.end - m->base; i++)
                expected.has[i] = m->has[i];
        check(rangeset_clip(s, window, &clipped) == 0, round);
        check_equal(&clipped, &expected, round);
}

static void check_align(const RangeSet *s, const Model *m, uint64_t unit, size_t round) {
        _cleanup_rangeset_ RangeSet aligned = {};
        Model expected = { .base = m->base };
        bool fits = true;
        int r;

        for (uint64_t i = 0; i < BYTES; i++) {
                uint64_t first = i & ~(unit - 1);

                if (!m->has[i])
                        continue;
                for (uint64_t k = first; k < first + unit; k++)
                        if (k < BYTES)
                                expected.has[k] = true;
                        else
                                fits = false;
        }

        r = rangeset_align_out(s, unit, &aligned);
        if (m->base != TOP && !fits)
                return;                 /* beyond the model only */
        check(r == (fits ? 0 : -EOVERFLOW), round);
        if (fits)
                check_equal(&aligned, &expected, round);
        else
                check(aligned.n == 0 && aligned.items == NULL, round);
}

/* After any sequence of changes, a set holds the bytes that a bitmap holds, in its one form, and answers
 * as the bitmap does; at the bottom, in the middle, and at the very top of the address space. */
static void test_model(void **state) {
        for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
                Random random = { RANDOM_SEED };
                _cleanup_rangeset_ RangeSet s = {};
                Model m = { .base = bases[b] };

                for (size_t round = 0; round < ROUNDS; round++) {
                        Range r = random_range(&random, bases[b]);
                        bool add = random_below(&random, 2);

                        check((add ? rangeset_add : rangeset_subtract)(&s, r) == 0, round);
                        model_set(&m, r, add);

                        check_equal(&s, &m, round);
                        r = random_range(&random, bases[b]);
                        check_questions(&s, &m, r, round);
                        if (round % 8 == 0) {
                                check_clip(&s, &m, r, round);
                                check_align(&s, &m, UINT64_C(1) << random_below(&random, 5), round);
                        }
                }
        }
}

/* Adding and subtracting whole sets is adding and subtracting each range, also of a set and itself. */
static void test_all(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < 2000; round++) {
                _cleanup_rangeset_ RangeSet a = {}, b = {}, copy = {};
                Model ma = {}, mb = {}, before;
                bool add = random_below(&random, 2);

                for (int i = 0; i < 12; i++) {
                        Range r = random_range(&random, 0);

                        check(rangeset_add(i % 2 ? &a : &b, r) == 0, round);
                        model_set(i % 2 ? &ma : &mb, r, true);
                }

                before = ma;
                check(rangeset_copy(&a, &copy) == 0 && rangeset_equal(&a, &copy), round);
                check((add ? rangeset_add_all : rangeset_subtract_all)(&a, &b) == 0, round);
                for (size_t i = 0; i < BYTES; i++)
                        if (mb.has[i])
                                ma.has[i] = add;
                check_equal(&a, &ma, round);
                check_equal(&b, &mb, round);
                check(rangeset_equal(&a, &copy) == (memcmp(ma.has, before.has, sizeof(ma.has)) == 0), round);

                check(rangeset_add_all(&b, &b) == 0, round);
                check_equal(&b, &mb, round);
                check(rangeset_subtract_all(&b, &b) == 0 && b.n == 0, round);
        }
}

/* Two ways to the same bytes give equal sets: that is what coalescing is for. */
static void test_one_form(void **state) {
        _cleanup_rangeset_ RangeSet a = {}, b = {};

        assert_int_equal(rangeset_add(&a, (Range) { 0, 512 }), 0);
        assert_int_equal(rangeset_add(&a, (Range) { 1024, 1536 }), 0);
        assert_int_equal(rangeset_add(&b, (Range) { 0, 1536 }), 0);
        assert_false(rangeset_equal(&a, &b));
        assert_int_equal(rangeset_add(&a, (Range) { 512, 1024 }), 0);
        assert_true(rangeset_equal(&a, &b));
        assert_int_equal(a.n, 1);
}

/* The empty set is a set like any other, and a result takes the place of an empty set that still owns
 * memory. */
static void test_empty(void **state) {
        _cleanup_rangeset_ RangeSet empty = {}, ret = {};
        const Range all = { 0, UINT64_MAX };

        assert_int_equal(rangeset_subtract(&empty, all), 0);
        assert_false(rangeset_contains(&empty, (Range) { 0, 1 }));
        assert_false(rangeset_overlaps(&empty, all));
        assert_int_equal(rangeset_size(&empty), 0);
        assert_int_equal(rangeset_copy(&empty, &ret), 0);
        assert_int_equal(rangeset_clip(&empty, all, &ret), 0);
        assert_int_equal(rangeset_align_out(&empty, 4096, &ret), 0);
        assert_true(rangeset_equal(&empty, &ret));

        assert_int_equal(rangeset_add(&ret, all), 0);
        assert_int_equal(rangeset_size(&ret), UINT64_MAX);
        assert_int_equal(rangeset_subtract(&ret, all), 0);
        assert_int_equal(rangeset_add(&empty, (Range) { 5, 6 }), 0);
        assert_int_equal(rangeset_copy(&empty, &ret), 0);
        assert_true(rangeset_equal(&empty, &ret));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_model),
                cmocka_unit_test(test_all),
                cmocka_unit_test(test_one_form),
                cmocka_unit_test(test_empty),
        };

        return cmocka_run_group_tests_name("rangeset", tests, NULL, NULL);
}
