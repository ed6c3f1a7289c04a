/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/settle.h"

/* All facts there can be: a bit each, and three ways to read. */
#define ALL (3 << 10)

static SettleFacts facts(unsigned i) {
        return (SettleFacts) {
                .owned = i & 1,
                .listed = i & 2,
                .same_boot = i & 4,
                .good_equal = i & 8,
                .bad_equal = i & 16,
                .modified = i & 32,
                .alone = i & 64,
                .shared = i & 128,
                .left = i & 256,
                .heir = i & 512,
                .read = (SettleRead) (i >> 10),
        };
}

/* y yes, n no, - either; read: o ok, p poison, a absent. The first row that fits. */
static const struct { const char *pattern; Settle expected; } rows[] = {
        /* owned listed read good bad left modified same_boot alone shared heir */
        { "nn-----n--y", SETTLE_IN_DOUBT },
        { "n----------", SETTLE_FORGET },
        { "yy---------", SETTLE_REPAIR },
        { "ynp--------", SETTLE_REPAIR },
        { "ynayy----n-", SETTLE_REVIVE },
        { "yna---n--n-", SETTLE_REVIVE },
        { "yna--------", SETTLE_IN_DOUBT },
        { "yno-y------", SETTLE_FORGET },
        { "yno-ny-----", SETTLE_WRITE },
        { "yno-nnyy---", SETTLE_SUPERSEDED },
        { "ynoynnnnyn-", SETTLE_WRITE },
        { "yno-n------", SETTLE_IN_DOUBT },
};

static bool fits(const char *pattern, const SettleFacts *f) {
        const char actual[] = {
                f->owned ? 'y' : 'n',
                f->listed ? 'y' : 'n',
                "opa"[f->read],
                f->good_equal ? 'y' : 'n',
                f->bad_equal ? 'y' : 'n',
                f->left ? 'y' : 'n',
                f->modified ? 'y' : 'n',
                f->same_boot ? 'y' : 'n',
                f->alone ? 'y' : 'n',
                f->shared ? 'y' : 'n',
                f->heir ? 'y' : 'n',
        };

        for (size_t i = 0; i < sizeof(actual); i++)
                if (pattern[i] != '-' && pattern[i] != actual[i])
                        return false;
        return true;
}

/* Every combination of facts has the answer of the table, and every row of the table is needed. */
static void test_table(void **state) {
        unsigned used[sizeof(rows) / sizeof(rows[0])] = {};

        for (unsigned i = 0; i < ALL; i++) {
                SettleFacts f = facts(i);
                size_t row = 0;

                while (row < sizeof(rows) / sizeof(rows[0]) && !fits(rows[row].pattern, &f))
                        row++;
                assert_true(row < sizeof(rows) / sizeof(rows[0]));
                used[row]++;
                if (settle_decide(&f) != rows[row].expected)
                        fail_msg("facts %u (row %s): %s, not %s", i, rows[row].pattern,
                                 settle_to_string(settle_decide(&f)), settle_to_string(rows[row].expected));
        }
        for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
                assert_true(used[row] > 0);
}

/* What must hold whatever the table says: nothing is written into bytes that are not the file's, that can
 * be newer, or that can be explained without writing; poison is never taken for an end; and one who is no
 * longer concerned leaves. */
static void test_promises(void **state) {
        for (unsigned i = 0; i < ALL; i++) {
                SettleFacts f = facts(i);
                Settle s = settle_decide(&f);

                assert_true(s >= 0 && s < _SETTLE_MAX);

                if (s == SETTLE_WRITE) {
                        assert_true(f.owned);
                        assert_false(f.listed);
                        assert_int_equal(f.read, SETTLE_READ_OK);
                        assert_false(f.bad_equal);
                }
                if (s == SETTLE_WRITE && !f.left) {
                        assert_true(f.good_equal);
                        assert_false(f.modified);
                        assert_false(f.same_boot);
                        assert_true(f.alone);
                        assert_false(f.shared);
                }
                if (s == SETTLE_REVIVE) {
                        assert_true(f.owned);
                        assert_false(f.listed);
                        assert_int_equal(f.read, SETTLE_READ_ABSENT);
                        assert_true(!f.modified || (f.good_equal && f.bad_equal));
                        assert_false(f.shared);
                }
                if (s == SETTLE_SUPERSEDED) {
                        assert_true(f.modified);
                        assert_false(f.bad_equal);
                }
                if (s == SETTLE_FORGET && f.owned) {
                        assert_false(f.listed);
                        assert_int_equal(f.read, SETTLE_READ_OK);
                        assert_true(f.bad_equal);
                }
                if (f.owned && (f.listed || f.read == SETTLE_READ_POISON))
                        assert_int_equal(s, SETTLE_REPAIR);
                if (!f.owned)
                        assert_int_equal(s, f.heir && !f.listed && !f.same_boot ? SETTLE_IN_DOUBT
                                                                                : SETTLE_FORGET);
        }
}

/* Knowing that the file was modified never makes the answer bolder: it turns writing into not writing,
 * and nothing into writing. */
static void test_modified_is_careful(void **state) {
        for (unsigned i = 0; i < ALL; i++) {
                SettleFacts f = facts(i), g = f;
                Settle a, b;

                if (f.left)             /* that tells more than a time */
                        continue;
                f.modified = false;
                g.modified = true;
                a = settle_decide(&f);
                b = settle_decide(&g);
                assert_true(b != SETTLE_WRITE);
                assert_true(b != SETTLE_REVIVE || a == SETTLE_REVIVE);
        }
}

/* Where a hole was to be punched: a page of zeroes is never taken for an end unless zeroes are the right
 * bytes, or said to be somebody's, or written over where somebody may have written; and apart from that
 * the table holds. */
static void test_punched(void **state) {
        unsigned written = 0, in_doubt = 0;

        for (unsigned i = 0; i < 2 * ALL; i++) {
                SettleFacts f = facts(i / 2), without;
                Settle s;

                without = f;
                f.punch = true;
                f.blank = i & 1;
                s = settle_decide(&f);
                written += s == SETTLE_WRITE;
                in_doubt += s == SETTLE_IN_DOUBT;

                if (f.owned && (f.listed || f.read != SETTLE_READ_OK)) {
                        assert_int_equal(s, settle_decide(&without));
                        continue;
                }
                if (f.blank && !(f.good_equal && f.bad_equal) && !f.owned)
                        assert_true(s == SETTLE_WRITE || s == SETTLE_IN_DOUBT);
                if (s == SETTLE_WRITE && settle_decide(&without) != SETTLE_WRITE)
                        assert_true(f.blank && !f.modified && f.alone && !f.shared &&
                                    f.read == SETTLE_READ_OK);
                if (!f.owned)
                        assert_true(s != SETTLE_REPAIR && s != SETTLE_REVIVE);
                if (!f.owned && s == SETTLE_FORGET)
                        assert_true(f.good_equal && f.bad_equal && f.read == SETTLE_READ_OK);
        }
        assert_true(written > 10 && in_doubt > 10);
}

/* The words, and none outside the enum. */
static void test_words(void **state) {
        assert_string_equal(settle_to_string(SETTLE_FORGET), "forget");
        assert_string_equal(settle_to_string(SETTLE_IN_DOUBT), "in-doubt");
        for (int i = 0; i < _SETTLE_MAX; i++)
                assert_non_null(settle_to_string((Settle) i));
        assert_null(settle_to_string(_SETTLE_MAX));
        assert_null(settle_to_string(_SETTLE_INVALID));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_promises),
                cmocka_unit_test(test_modified_is_careful),
                cmocka_unit_test(test_punched),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
