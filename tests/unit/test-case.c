/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/case.h"
#include "random.h"
#include "util/vec.h"

#define PAGES(a, b) ((Range) { (a) * REPAIR_UNIT, (b) * REPAIR_UNIT })

static Case *make_case(void) {
        _cleanup_rangeset_ RangeSet bad = {};
        Case *c = NULL;

        assert_int_equal(rangeset_add(&bad, (Range) { 4096, 4096 + 512 }), 0);
        assert_int_equal(case_new(1, "/dev/pmem0", PAGES(1, 2), &bad, 1000, &c), 0);
        return c;
}

/* A new case is detected, holds copies of what it was given, and has its first event. */
static void test_new(void **state) {
        _cleanup_(case_freep) Case *c = make_case();

        assert_int_equal(c->id, 1);
        assert_int_equal(c->state, CASE_DETECTED);
        assert_int_equal(c->reason, REASON_NONE);
        assert_string_equal(c->volume.device, "/dev/pmem0");
        assert_true(range_equal(c->range, PAGES(1, 2)));
        assert_int_equal(c->bad.n, 1);
        assert_int_equal(c->writer, WRITER_AUTO);
        assert_int_equal(c->events.n, 1);
        assert_int_equal(c->events.items[0].time, 1000);
        assert_int_equal(c->events.items[0].state, CASE_DETECTED);
        assert_true(strlen(c->events.items[0].detail) > 0);
        assert_null(case_free(NULL));
}

/* To be left alone is an event, once, and changes neither the state nor the reason. */
static void test_ignored(void **state) {
        _cleanup_(case_freep) Case *c = make_case();

        assert_int_equal(case_transition(c, CASE_REFUSED, REASON_METADATA, NULL, 2000), 0);
        assert_int_equal(case_set_ignored(c, false, "no", 3000), 0);
        assert_int_equal(c->events.n, 2);
        assert_int_equal(case_set_ignored(c, true, "leave it", 3000), 0);
        assert_int_equal(case_set_ignored(c, true, "leave it", 4000), 0);
        assert_true(c->ignored);
        assert_int_equal(c->state, CASE_REFUSED);
        assert_int_equal(c->reason, REASON_METADATA);
        assert_int_equal(c->events.n, 3);
        assert_int_equal(c->events.items[2].time, 3000);
        assert_int_equal(c->events.items[2].state, CASE_REFUSED);
        assert_string_equal(c->events.items[2].detail, "leave it");
        assert_int_equal(case_set_ignored(c, false, "again", 5000), 0);
        assert_false(c->ignored);
}

/* A range that is not in whole pages, or bad sectors outside of it, make no case. */
static void test_new_refuses(void **state) {
        static const struct { Range range, bad; } table[] = {
                { { 4096, 8192 + 512 }, { 4096, 4608 } },
                { { 4096 + 512, 8192 }, { 4608, 5120 } },
                { { 4096, 4096 }, { 4096, 4608 } },
                { { 8192, 4096 }, { 4096, 4608 } },
                { { 4096, 8192 }, { 4096, 8192 + 512 } },
                { { 4096, 8192 }, { 3584, 4608 } },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_rangeset_ RangeSet bad = {};
                Case *c = (Case *) &table;

                assert_int_equal(rangeset_add(&bad, table[i].bad), 0);
                assert_int_equal(case_new(1, "/dev/pmem0", table[i].range, &bad, 0, &c), -EINVAL);
                assert_ptr_equal(c, &table);
        }
}

/* From (row) to (column), in the order of the enum: detected located repairing healed harmless refused
 * waiting failed in-doubt gone. */
static const char *const allowed[_CASE_STATE_MAX] = {
        [CASE_DETECTED] =  "yy..yyyyyy",
        [CASE_LOCATED] =   "yyy.yyyy.y",
        [CASE_REPAIRING] = "y.yyyyyyyy",
        [CASE_HEALED] =    "..........",
        [CASE_HARMLESS] =  "y...y....y",
        [CASE_REFUSED] =   "y..y.y...y",
        [CASE_WAITING] =   "y.yyyyyyyy",
        [CASE_FAILED] =    "y..y.yyyyy",
        [CASE_IN_DOUBT] =  "y..y....yy",
        [CASE_GONE] =      "..........",
};

/* The ways are exactly those of the table, and case_transition() goes exactly where case_may() says,
 * changing nothing elsewhere. */
static void test_ways(void **state) {
        for (int from = 0; from < _CASE_STATE_MAX; from++)
                for (int to = 0; to < _CASE_STATE_MAX; to++) {
                        _cleanup_(case_freep) Case *c = make_case();
                        bool may = allowed[from][to] == 'y';
                        int r;

                        if (case_may((CaseState) from, (CaseState) to) != may)
                                fail_msg("%s to %s", case_state_to_string((CaseState) from),
                                         case_state_to_string((CaseState) to));

                        c->state = (CaseState) from;
                        r = case_transition(c, (CaseState) to, REASON_BUDGET, "so", 2000);
                        assert_int_equal(r, may ? 0 : -EPERM);
                        assert_int_equal(c->state, may ? to : from);
                        assert_int_equal(c->reason, may ? REASON_BUDGET : REASON_NONE);
                        assert_int_equal(c->events.n, may ? 2 : 1);
                        if (may) {
                                assert_int_equal(c->events.items[1].state, to);
                                assert_int_equal(c->events.items[1].time, 2000);
                                assert_string_equal(c->events.items[1].detail, "so");
                        }
                }
}

/* From every open state there is a way to an end; from an end there is none. */
static void test_every_state_reaches_an_end(void **state) {
        for (int from = 0; from < _CASE_STATE_MAX; from++) {
                bool end = case_may((CaseState) from, CASE_GONE) || case_may((CaseState) from, CASE_HEALED);

                assert_int_equal(end, !case_state_is_closed((CaseState) from));
        }
}

/* The same state with the same reason is no change; with another reason it is one. Without a detail the
 * reason or the state explains. */
static void test_same_state(void **state) {
        _cleanup_(case_freep) Case *c = make_case();

        assert_int_equal(case_transition(c, CASE_DETECTED, REASON_NONE, NULL, 1), 0);
        assert_int_equal(c->events.n, 1);
        assert_int_equal(case_transition(c, CASE_WAITING, REASON_UNMOUNTED, NULL, 2), 0);
        assert_string_equal(c->events.items[1].detail, reason_explain(REASON_UNMOUNTED));
        assert_int_equal(case_transition(c, CASE_WAITING, REASON_UNMOUNTED, "again", 3), 0);
        assert_int_equal(c->events.n, 2);
        assert_int_equal(case_transition(c, CASE_WAITING, REASON_FILE_BUSY, NULL, 4), 0);
        assert_int_equal(c->events.n, 3);
        assert_int_equal(case_transition(c, CASE_REPAIRING, REASON_NONE, NULL, 5), 0);
        assert_true(strlen(c->events.items[3].detail) > 0);
}

/* Tries are counted through waiting and failing, and forgotten only where the place had been harmless. */
static void test_attempts(void **state) {
        static const struct { CaseState to; unsigned attempts; } way[] = {
                { CASE_LOCATED, 0 }, { CASE_REPAIRING, 1 }, { CASE_REPAIRING, 1 }, { CASE_FAILED, 1 },
                { CASE_DETECTED, 1 }, { CASE_LOCATED, 1 }, { CASE_REPAIRING, 2 }, { CASE_WAITING, 2 },
                { CASE_REPAIRING, 3 }, { CASE_DETECTED, 3 }, { CASE_HARMLESS, 3 }, { CASE_DETECTED, 0 },
        };
        _cleanup_(case_freep) Case *c = make_case();

        for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
                /* a reason of its own each time, so that every step is a change */
                assert_int_equal(case_transition(c, way[i].to, (Reason) (1 + i), NULL, i), 0);
                assert_int_equal(c->attempts, way[i].attempts);
        }
}

/* A case that was, or may have been, written is not ended by the list alone; one that was not is. */
static void test_outlives_listing(void **state) {
        static const Reason after_write[] = {
                REASON_PAGE_NOT_PRESENT, REASON_WRITE_FAILED, REASON_READ_BACK_FAILED, REASON_STILL_LISTED,
                REASON_WORKER_DIED, REASON_WORKER_TIMEOUT, REASON_IN_DOUBT,
        };
        _cleanup_(case_freep) Case *c = make_case();

        for (int s = 0; s < _CASE_STATE_MAX; s++)
                for (int r = 0; r < _REASON_MAX; r++)
                        for (unsigned attempts = 0; attempts < 2; attempts++) {
                                bool written = attempts > 0, expected = false;

                                for (size_t i = 0; i < sizeof(after_write) / sizeof(after_write[0]); i++)
                                        written = written || (int) after_write[i] == r;
                                if (s == CASE_REPAIRING || s == CASE_IN_DOUBT)
                                        expected = true;
                                if (s == CASE_WAITING || s == CASE_FAILED)
                                        expected = written;
                                if (s == CASE_DETECTED || s == CASE_LOCATED)
                                        expected = attempts > 0;

                                c->state = (CaseState) s;
                                c->reason = (Reason) r;
                                c->attempts = attempts;
                                assert_int_equal(case_outlives_listing(c), expected);
                        }
}

/* Whatever is asked for in whatever order: the state is that of the last event, only ways of the table
 * are gone, and closed is closed. */
static void test_random_lives(void **state) {
        Random random = { RANDOM_SEED };

        for (size_t round = 0; round < 500; round++) {
                _cleanup_(case_freep) Case *c = make_case();

                for (uint64_t now = 0; now < 30; now++) {
                        CaseState from = c->state, to = (CaseState) random_below(&random, _CASE_STATE_MAX);
                        Reason reason = (Reason) random_below(&random, _REASON_MAX);
                        size_t events = c->events.n;
                        int r = case_transition(c, to, reason, NULL, now);

                        check(r == 0 || r == -EPERM, round);
                        check((r == 0) == (allowed[from][to] == 'y'), round);
                        check(c->events.n == events || c->events.n == events + 1, round);
                        check(c->state == c->events.items[c->events.n - 1].state, round);
                        check(r == 0 || c->events.n == events, round);
                        if (case_state_is_closed(from))
                                check(c->state == from, round);
                }
        }
}

/* A copy of a volume is whole, and its own. */
static void test_volume_copy(void **state) {
        Volume v = { .device = (char *) "/dev/pmem0", .fs = (char *) "xfs", .mountpoint = (char *) "/mnt" };
        _cleanup_(volume_done) Volume copy = {};

        assert_int_equal(volume_copy(&v, &copy), 0);
        assert_string_equal(copy.device, "/dev/pmem0");
        assert_string_equal(copy.fs, "xfs");
        assert_null(copy.uuid);
        assert_string_equal(copy.mountpoint, "/mnt");
        assert_true(copy.device != v.device);
}

/* The words of states come back, and unknown ones do not. */
static void test_state_words(void **state) {
        for (int s = 0; s < _CASE_STATE_MAX; s++)
                assert_int_equal(case_state_from_string(case_state_to_string((CaseState) s)), s);
        assert_string_equal(case_state_to_string(CASE_IN_DOUBT), "in-doubt");
        assert_null(case_state_to_string(_CASE_STATE_MAX));
        assert_null(case_state_to_string(_CASE_STATE_INVALID));
        assert_int_equal(case_state_from_string(NULL), _CASE_STATE_INVALID);
        assert_int_equal(case_state_from_string("Healed"), _CASE_STATE_INVALID);
        assert_true(case_state_wants_operator(CASE_REFUSED) && case_state_wants_operator(CASE_IN_DOUBT));
        assert_false(case_state_wants_operator(CASE_FAILED));
}

static void check_sentence(const char *s) {
        size_t n = strlen(s);

        assert_true(n > 20 && n < 400);
        assert_true(isupper((unsigned char) s[0]) || s[0] == '\'');
        assert_true(s[n - 1] == '.');
        assert_null(strstr(s, "  "));
        for (size_t i = 0; i < n; i++)
                assert_true(isprint((unsigned char) s[i]));
}

/* Every reason has one word that comes back, and sentences that can be printed as they are. */
static void test_reasons(void **state) {
        assert_string_equal(reason_to_string(REASON_NONE), "");
        assert_int_equal(reason_from_string(""), REASON_NONE);
        assert_int_equal(reason_from_string(NULL), _REASON_INVALID);
        assert_int_equal(reason_from_string("stale"), _REASON_INVALID);
        assert_null(reason_to_string(_REASON_MAX));
        assert_null(reason_explain(_REASON_INVALID));

        for (int r = REASON_NONE + 1; r < _REASON_MAX; r++) {
                const char *word = reason_to_string((Reason) r);

                assert_non_null(word);
                assert_true(strlen(word) > 0);
                assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz-"), strlen(word));
                assert_int_equal(reason_from_string(word), r);
                check_sentence(reason_explain((Reason) r));
                if (reason_advice((Reason) r))
                        check_sentence(reason_advice((Reason) r));
        }
}

/* Where the obvious act would crash the kernel or destroy data, the advice says so. */
static void test_warnings(void **state) {
        assert_non_null(strstr(reason_advice(REASON_PAGE_NOT_PRESENT), "Do NOT delete, truncate or punch"));
        assert_non_null(strstr(reason_advice(REASON_FREE_PAGE_MAY_BE_ABSENT), "Do not fill"));
        assert_non_null(strstr(reason_advice(REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT),
                               "do NOT write, delete, truncate or punch"));
        assert_non_null(strstr(reason_advice(REASON_PARKED), "deleting one sets the block free"));
        assert_non_null(strstr(reason_advice(REASON_SHARED_EXTENT), "Do not delete, truncate or punch"));
        assert_non_null(strstr(reason_advice(REASON_METADATA), "reboot without mounting"));
        assert_non_null(strstr(reason_advice(REASON_REPLICA_STALE), "Do not copy the poisoned file"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new),
                cmocka_unit_test(test_new_refuses),
                cmocka_unit_test(test_ways),
                cmocka_unit_test(test_every_state_reaches_an_end),
                cmocka_unit_test(test_same_state),
                cmocka_unit_test(test_attempts),
                cmocka_unit_test(test_outlives_listing),
                cmocka_unit_test(test_ignored),
                cmocka_unit_test(test_random_lives),
                cmocka_unit_test(test_volume_copy),
                cmocka_unit_test(test_state_words),
                cmocka_unit_test(test_reasons),
                cmocka_unit_test(test_warnings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
