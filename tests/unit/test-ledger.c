/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/ledger.h"

/* A state folder, and what a load of its ledger found: "1:detected 2:healed " and "3.json(why) ". */
typedef struct Fixture {
        char state[64];
        Ledger *l;
        char found[16384], aside[4096];
        int result;             /* of the visitor */
        uint64_t store_also;    /* found() stores this case too */
} Fixture;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert(f);
        strcpy(f->state, "/tmp/test-ledger-XXXXXX");
        assert(mkdtemp(f->state));
        assert_int_equal(ledger_open(f->state, 3, &f->l), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        ledger_free(f->l);
        assert(nftw(f->state, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
        free(f);
        return 0;
}

/* A case that went as far as `state`. */
static Case *make_case(uint64_t id, CaseState state) {
        RangeSet bad = { .items = &(Range) { 4096, 4608 }, .n = 1 };
        Case *c = NULL;

        assert_int_equal(case_new(id, "/dev/pmem0", (Range) { 4096, 8192 }, &bad, 1000, &c), 0);
        if (state == CASE_GONE)
                assert_int_equal(case_transition(c, CASE_GONE, REASON_CLEARED, "a\nb", 1001), 0);
        else if (state != CASE_DETECTED) {
                assert_int_equal(case_transition(c, CASE_LOCATED, REASON_NONE, NULL, 1001), 0);
                assert_int_equal(case_transition(c, CASE_REPAIRING, REASON_NONE, NULL, 1002), 0);
                assert_int_equal(case_transition(c, state, REASON_NONE, NULL, 1003), 0);
        }
        return c;
}

static int store(Fixture *f, uint64_t id, CaseState state) {
        _cleanup_(case_freep) Case *c = make_case(id, state);

        return ledger_store(f->l, c);
}

static int on_found(Case *c, void *userdata) {
        Fixture *f = userdata;
        char text[64];

        (void) snprintf(text, sizeof(text), "%llu:%s ", (unsigned long long) c->id,
                        case_state_to_string(c->state));
        strcat(f->found, text);
        case_free(c);
        if (f->store_also > 0 && f->store_also < 8)
                assert_int_equal(store(f, f->store_also++, CASE_HEALED), 0);
        return f->result;
}

static void on_set_aside(const char *path, const char *why, void *userdata) {
        Fixture *f = userdata;

        assert(strncmp(path, f->state, strlen(f->state)) == 0);
        assert(strlen(f->aside) + strlen(path) + strlen(why) < sizeof(f->aside));
        strcat(f->aside, path + strlen(f->state));
        strcat(f->aside, "(");
        strcat(f->aside, why);
        strcat(f->aside, ") ");
}

/* As after a restart. */
static int reload(Fixture *f) {
        static const LedgerVisitor visitor = { .found = on_found, .set_aside = on_set_aside };

        f->l = ledger_free(f->l);
        f->found[0] = f->aside[0] = '\0';
        assert_int_equal(ledger_open(f->state, 3, &f->l), 0);
        return ledger_load(f->l, &visitor, f);
}

static void write_file(const Fixture *f, const char *name, const void *data, size_t n) {
        _cleanup_close_ int fd = -1;
        char path[256];

        (void) snprintf(path, sizeof(path), "%s/cases/%s", f->state, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert(fd >= 0 && write(fd, data, n) == (ssize_t) n);
}

static bool exists(const Fixture *f, const char *name) {
        char path[256];

        (void) snprintf(path, sizeof(path), "%s/cases/%s", f->state, name);
        return access(path, F_OK) == 0;
}

static size_t count_files(const Fixture *f) {
        char path[256];
        size_t n = 0;
        DIR *d;

        (void) snprintf(path, sizeof(path), "%s/cases", f->state);
        d = opendir(path);
        assert(d);
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n - 2;
}

/* A new ledger is empty and counts from 1. */
static void test_empty(void **state) {
        Fixture *f = *state;

        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "");
        assert_int_equal(ledger_next_id(f->l), 1);
        assert_int_equal(ledger_next_id(f->l), 2);
}

/* What is stored is found again, in the order of the ids (2 before 10), in its last state; ids go on behind
 * the highest. */
static void test_round_trip(void **state) {
        Fixture *f = *state;
        struct stat st;
        char path[128];

        assert_int_equal(store(f, 10, CASE_DETECTED), 0);
        assert_int_equal(store(f, 2, CASE_DETECTED), 0);
        assert_int_equal(store(f, 1, CASE_DETECTED), 0);
        assert_int_equal(store(f, 2, CASE_HEALED), 0);
        assert_int_equal(count_files(f), 3);
        assert_int_equal(ledger_next_id(f->l), 11);

        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "1:detected 2:healed 10:detected ");
        assert_string_equal(f->aside, "");
        assert_int_equal(ledger_next_id(f->l), 11);

        (void) snprintf(path, sizeof(path), "%s/cases/1.json", f->state);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        (void) snprintf(path, sizeof(path), "%s/cases", f->state);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
}

/* Closed cases beyond the bound go, the oldest first; open ones stay however old they are; ids are not used
 * again. */
static void test_prune(void **state) {
        Fixture *f = *state;

        for (uint64_t id = 1; id <= 10; id++)
                assert_int_equal(store(f, id, id == 2 ? CASE_FAILED : id % 2 ? CASE_HEALED : CASE_GONE), 0);
        assert_int_equal(count_files(f), 4);
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "2:failed 8:gone 9:healed 10:gone ");
        assert_int_equal(ledger_next_id(f->l), 11);

        /* the bound counts what was loaded, and a case that closes in place */
        assert_int_equal(store(f, 2, CASE_HEALED), 0);
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "8:gone 9:healed 10:gone ");
        assert_int_equal(store(f, 9, CASE_HEALED), 0);          /* again: no one more */
        assert_int_equal(count_files(f), 3);
        assert_int_equal(store(f, 11, CASE_GONE), 0);
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "9:healed 10:gone 11:gone ");
}

/* What is no case is renamed and told, whatever it is; the rest is loaded; nothing is lost, and its id is
 * not given away. */
static void test_bad_files(void **state) {
        Fixture *f = *state;
        char path[128];

        assert_int_equal(store(f, 1, CASE_DETECTED), 0);
        assert_int_equal(store(f, 5, CASE_DETECTED), 0);
        assert_int_equal(store(f, 7, CASE_DETECTED), 0);
        write_file(f, "2.json", "", 0);
        write_file(f, "3.json", "{\"id\":\"3\"}", 10);
        write_file(f, "4.json", "{\0}", 3);
        (void) snprintf(path, sizeof(path), "%s/cases", f->state);
        assert_int_equal(
                renameat(open(path, O_PATH | O_CLOEXEC), "5.json", open(path, O_PATH | O_CLOEXEC), "6.json"),
                0);
        (void) snprintf(path, sizeof(path), "%s/cases/8.json", f->state);
        assert_int_equal(mkdir(path, 0700), 0);

        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "1:detected 7:detected ");
        assert_null(strstr(f->aside, "/cases/2.json(")); /* a power cut's; there was nothing in it yet */
        assert_non_null(strstr(f->aside, "/cases/3.json("));
        assert_non_null(strstr(f->aside, "/cases/4.json(it has a NUL byte)"));
        assert_non_null(strstr(f->aside, "/cases/6.json(it holds case 5)"));
        assert_non_null(strstr(f->aside, "/cases/8.json(it cannot be read: Is a directory)"));
        assert_true(exists(f, "3.json.bad") && exists(f, "4.json.bad") && exists(f, "6.json.bad"));
        assert_true(!exists(f, "2.json.bad"));
        assert_true(!exists(f, "2.json") && !exists(f, "6.json") && exists(f, "8.json"));
        assert_int_equal(ledger_next_id(f->l), 9);

        /* a second one of the same name does not overwrite the first */
        write_file(f, "3.json", "?", 1);
        write_file(f, "77.json.bad", "?", 1);
        assert_int_equal(reload(f), 0);
        assert_true(exists(f, "3.json.bad") && exists(f, "3.json.bad.1"));
        assert_int_equal(ledger_next_id(f->l), 78);
}

/* Names that are not of this program are left alone; what an interrupted write left behind is removed. */
static void test_other_files(void **state) {
        static const char *const others[] = {
                "notes",
                "01.json",
                "0.json",
                "-1.json",
                "1.json~",
                "99999999999999999999.json",
                "18446744073709551615.json",
                ".hidden",
                "1.jsonx",
                ".x.json.0123456789abcdef",
        };
        Fixture *f = *state;

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                write_file(f, others[i], "x", 1);
        write_file(f, ".12.json.0123456789abcdef", "half", 4);
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "");
        assert_string_equal(f->aside, "");
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_true(exists(f, others[i]));
        assert_false(exists(f, ".12.json.0123456789abcdef"));
        assert_int_equal(ledger_next_id(f->l), 1);
}

/* A store that fails says so and leaves what there was; the next one works. A limit of file size stands in
 * for a full disk. */
static void test_store_fails(void **state) {
        struct rlimit saved, none;
        Fixture *f = *state;
        int r;

        assert_int_equal(store(f, 1, CASE_DETECTED), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
        none = saved;
        none.rlim_cur = 10;
        (void) signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
        r = store(f, 1, CASE_HEALED);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
        assert_int_equal(r, -EFBIG);

        assert_int_equal(count_files(f), 1);
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "1:detected ");
        assert_int_equal(store(f, 1, CASE_HEALED), 0);
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "1:healed ");
}

/* A folder that goes away under the daemon: an error each time, no crash. */
static void test_folder_gone(void **state) {
        Fixture *f = *state;
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/cases", f->state);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(store(f, 1, CASE_DETECTED), -ENOENT);
        assert_int_equal(store(f, 2, CASE_DETECTED), -ENOENT);
}

/* Without a state folder: the error; and a ledger that keeps nothing, and counts, stands in for it. */
static void test_no_state(void **state) {
        _cleanup_(ledger_freep) Ledger *l = NULL;
        _cleanup_(case_freep) Case *c = make_case(7, CASE_DETECTED);
        static const LedgerVisitor visitor = { .found = on_found, .set_aside = on_set_aside };

        assert_int_equal(ledger_open("/nonexistent", 3, &l), -ENOENT);
        assert_null(l);
        assert_int_equal(ledger_open("/etc/passwd", 3, &l), -ENOTDIR);
        assert_null(l);

        assert_int_equal(ledger_open(NULL, 3, &l), 0);
        assert_int_equal(ledger_load(l, &visitor, NULL), 0);
        assert_int_equal(ledger_next_id(l), 1);
        assert_int_equal(ledger_store(l, c), 0);
        assert_int_equal(ledger_next_id(l), 8);
}

/* What the visitor returns ends the loading and comes back; a visitor may store, also what makes others go.
 */
static void test_visitor(void **state) {
        Fixture *f = *state;

        for (uint64_t id = 1; id <= 3; id++)
                assert_int_equal(store(f, id, CASE_HEALED), 0);
        f->result = -ECANCELED;
        assert_int_equal(reload(f), -ECANCELED);
        assert_string_equal(f->found, "1:healed ");

        f->result = 0;
        f->store_also = 3;
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "1:healed 2:healed 3:healed 4:healed 5:healed 6:healed 7:healed ");
        f->store_also = 0;
        assert_int_equal(reload(f), 0);
        assert_string_equal(f->found, "5:healed 6:healed 7:healed ");
}

#define LEDGER_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                LEDGER_TEST(test_empty),
                LEDGER_TEST(test_round_trip),
                LEDGER_TEST(test_prune),
                LEDGER_TEST(test_bad_files),
                LEDGER_TEST(test_other_files),
                LEDGER_TEST(test_store_fails),
                LEDGER_TEST(test_folder_gone),
                cmocka_unit_test(test_no_state),
                LEDGER_TEST(test_visitor),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
