/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/replica.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/time-util.h"

#define SIZE 10000
#define MTIME ((struct timespec) { 1700000000, 123456789 })

/* A folder with a file "data" in it, and a program. */
typedef struct Folder {
        char path[64];
        char uri[128];
} Folder;

static uint8_t byte_at(uint64_t at) {
        return (uint8_t) (at * 31 % 251);
}

static int set_up(void **state) {
        Folder *f = calloc(1, sizeof(*f));
        uint8_t bytes[SIZE];
        char path[96];

        assert_non_null(f);
        (void) strcpy(f->path, "/tmp/test-exec-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        (void) snprintf(f->uri, sizeof(f->uri), "exec:%s/program  one two ", f->path);
        for (size_t i = 0; i < SIZE; i++)
                bytes[i] = byte_at(i);
        (void) snprintf(path, sizeof(path), "%s/data", f->path);
        assert_int_equal(file_replace(AT_FDCWD, path, bytes, SIZE, 0644), 0);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tear_down(void **state) {
        Folder *f = *state;

        assert_int_equal(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(f);
        return 0;
}

/* A program that begins like this in each test: $1 and $2 are the configured arguments. */
static void program(const Folder *f, const char *stat_part, const char *read_part) {
        _cleanup_free_ char *text = NULL;
        char path[96];

        assert_true(asprintf(&text,
                             "#!/bin/sh\ncd %s || exit 1\n[ \"$1 $2\" = 'one two' ] || exit 77\n"
                             "case $3 in\nstat) %s ;;\nread) %s ;;\n*) exit 78 ;;\nesac\n",
                             f->path, stat_part, read_part) > 0);
        (void) snprintf(path, sizeof(path), "%s/program", f->path);
        assert_int_equal(file_replace(AT_FDCWD, path, text, strlen(text), 0755), 0);
}

#define STAT "echo 10000 1700000000.123456789"
#define READ "tail -c +$(($5 + 1)) data | head -c $6"

static Subject subject(uint64_t usec) {
        return (Subject) { .relative = "a b/-file", .size = SIZE, .mtime = MTIME,
                           .deadline_usec = now_monotonic() + usec };
}

static Replica *held(const Folder *f, const Subject *s, ProofSet proofs) {
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        if (replica_open(f->uri, s, &r, &o) != 0)
                fail_msg("%s", o.detail);
        assert_int_equal(o.state, OFFER_HELD);
        assert_int_equal(o.proofs, proofs);
        return r;
}

static void refused(const Folder *f, const Subject *s, OfferState state, const char *word) {
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        assert_int_equal(replica_open(f->uri, s, &r, &o), REPLICA_E_NONE);
        assert_null(r);
        if (o.state != state || !o.detail || !strstr(o.detail, word))
                fail_msg("%s: \"%s\" does not say \"%s\"", offer_state_to_string(o.state), o.detail, word);
}

/* Proves that size, time and bytes of an honest program are taken as they are, and that it gets the name of
 * the file whole, nothing of our environment and no descriptor of ours. */
static void test_honest(void **state) {
        const Folder *f = *state;
        const Subject s = subject(45 * USEC_PER_SEC);
        _cleanup_(replica_freep) Replica *r = NULL;
        uint8_t buf[SIZE];

        assert_int_equal(setenv("SECRET", "x", 1), 0);
        program(f,
                "[ \"$4\" = 'a b/-file' ] || exit 3; [ -z \"$SECRET\" ] || exit 4;"
                "[ \"$BEZOAR_SIZE $BEZOAR_MTIME\" = '10000 1700000000.123456789' ] || exit 5;"
                "for i in /proc/self/fd/*; do case ${i##*/} in 0|1|2|3|1?|255) ;; *) exit 6;; esac; done;"
                "[ \"$(cat)\" = '' ] || exit 7; [ \"$(pwd)\" = \"$PWD\" ];"
                "grep -q 'NoNewPrivs:.1' /proc/self/status || exit 8; " STAT, READ);
        r = held(f, &s, PROOF_BIT(PROOF_IDENTITY));
        assert_int_equal(r->size, SIZE);
        assert_int_equal(replica_read(r, 4096, buf, 5904), 0);
        for (size_t i = 0; i < 5904; i++)
                assert_int_equal(buf[i], byte_at(4096 + i));
        assert_int_equal(replica_read(r, 4096, buf, 5905), -ENODATA);
}

/* Proves what each exit status means. */
static void test_exit_statuses(void **state) {
        const Folder *f = *state;
        const Subject s = subject(45 * USEC_PER_SEC);

        program(f, "echo 'not in snapshot' >&2; exit 10", READ);
        refused(f, &s, OFFER_MISSING, "no copy of the file: not in snapshot");
        program(f, "exit 11", READ);
        refused(f, &s, OFFER_STALE, "not the current one");
        program(f, "exit 12", READ);
        refused(f, &s, OFFER_UNREACHABLE, "come back later");
        program(f, STAT "; exit 1", READ);
        refused(f, &s, OFFER_UNREADABLE, "exit status 1");
        program(f, "kill -SEGV $$", READ);
        refused(f, &s, OFFER_UNREADABLE, "Segmentation fault");
}

/* The same for reading; a program that writes bytes and then fails has given none. */
static void test_read_statuses(void **state) {
        const Folder *f = *state;
        static const struct {
                const char *read;
                int error;
        } cases[] = {
                { READ, 0 },
                { READ "; exit 10", -ENOENT },
                { READ "; exit 11", -ESTALE },
                { READ "; exit 12", -EHOSTDOWN },
                { READ "; exit 1", -EIO },
                { READ "; kill -KILL $$", -EIO },
                { "head -c $(($6 - 1)) data", -ENODATA },
                { "true", -ENODATA },
                { "head -c $(($6 + 1)) data", -EMSGSIZE },
                { "cat /dev/zero", -EMSGSIZE },
        };
        uint8_t buf[4096];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const Subject s = subject(45 * USEC_PER_SEC);
                _cleanup_(replica_freep) Replica *r = NULL;
                int q;

                program(f, STAT, cases[i].read);
                r = held(f, &s, PROOF_BIT(PROOF_IDENTITY));
                q = replica_read(r, 0, buf, 4096);
                if (q != cases[i].error)
                        fail_msg("%s: %d", cases[i].read, q);
        }
}

/* Proves that what is no answer to "stat" is not taken for one. */
static void test_stat_answers(void **state) {
        const Folder *f = *state;
        static const char *const bad[] = {
                "echo",
                "true",
                "echo x",
                "echo -5",
                "echo 0x10",
                "echo 10000 x",
                "echo 10000 5.",
                "echo 10000 5.1x",
                "echo 10000 5.1234567890",
                "echo '10000  5'",
                "echo 10000 5 6",
                "echo 10000; echo 10000",
                "printf '10000\\0\\n'",
                "echo 99999999999999999999",
                "head -c 200 /dev/zero",
        };
        const Subject s = subject(60 * USEC_PER_SEC);
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                program(f, bad[i], READ);
                refused(f, &s, OFFER_UNREADABLE, "");
        }

        program(f, "echo 10000", READ);
        assert_int_equal(replica_open(f->uri, &s, &r, &o), 0);
        (void) replica_free(r);
        assert_true(o.untimed);
        assert_int_equal(o.proofs, 0);

        program(f, "echo 10000 1700000000", READ);
        (void) replica_free(held(f, &s, 0));
        program(f, "echo 10000 1700000000.12345678", READ);
        (void) replica_free(held(f, &s, 0));
        program(f, "echo 10000 1700000000.123456", READ);       /* cut to microseconds: identity.c */
        (void) replica_free(held(f, &s, PROOF_BIT(PROOF_IDENTITY)));
        program(f, "echo 9999 1700000000.123456789", READ);
        (void) replica_free(held(f, &s, 0));
}

/* One that was killed may wait for whoever adopted it. */
static bool is_running(const Folder *f) {
        _cleanup_free_ char *pid = NULL, *status = NULL;
        char path[96];
        size_t n;

        (void) snprintf(path, sizeof(path), "%s/pid", f->path);
        assert_int_equal(file_read(AT_FDCWD, path, 32, &pid, &n), 0);
        (void) snprintf(path, sizeof(path), "/proc/%d/status", atoi(pid));
        return file_read(AT_FDCWD, path, 65536, &status, &n) == 0 && !strstr(status, "State:\tZ");
}

/* Proves that a program that hangs ends at the deadline, with what it has started. */
static void test_hanging(void **state) {
        const Folder *f = *state;
        const Subject s = subject(USEC_PER_SEC);
        const uint64_t before = now_monotonic();

        program(f, "sleep 60 & echo $! >pid; trap '' TERM; wait; sleep 60", READ);
        refused(f, &s, OFFER_UNREACHABLE, "not ended in time");
        assert_true(now_monotonic() - before < 50 * USEC_PER_SEC);      /* it would sleep for 60 s */
        for (int i = 0; i < 1500 && is_running(f); i++)
                (void) usleep(20000);
        assert_false(is_running(f));
}

/* Proves that a child that is left behind with the pipe open holds up nobody, and is killed. */
static void test_left_behind(void **state) {
        const Folder *f = *state;
        const Subject s = subject(45 * USEC_PER_SEC);
        _cleanup_(replica_freep) Replica *r = NULL;
        const uint64_t before = now_monotonic();
        uint8_t buf[4096];

        program(f, STAT, "sleep 60 & echo $! >pid; " READ);
        r = held(f, &s, PROOF_BIT(PROOF_IDENTITY));
        assert_int_equal(replica_read(r, 0, buf, 4096), 0);
        assert_int_equal(buf[100], byte_at(100));
        assert_true(now_monotonic() - before < 50 * USEC_PER_SEC);     /* it sleeps for 60 s */
        for (int i = 0; i < 1500 && is_running(f); i++)
                (void) usleep(20000);
        assert_false(is_running(f));
}

/* Proves that a program is not started that is not there, or that others can write to. */
static void test_program(void **state) {
        const Folder *f = *state;
        const Subject s = subject(45 * USEC_PER_SEC);
        char path[96];

        refused(f, &s, OFFER_UNREACHABLE, "not there");
        program(f, STAT, READ);
        (void) snprintf(path, sizeof(path), "%s/program", f->path);
        assert_int_equal(chmod(path, 0775), 0);
        refused(f, &s, OFFER_UNREADABLE, "others may write");
        assert_int_equal(chmod(path, 0644), 0);
        refused(f, &s, OFFER_UNREADABLE, "cannot be executed");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0755), 0);
        refused(f, &s, OFFER_UNREACHABLE, "no file");
}

/* Proves that memory has a limit. */
static void test_memory(void **state) {
        const Folder *f = *state;
        const Subject s = subject(60 * USEC_PER_SEC);

        program(f, "python3 -c 'x = bytearray(2 << 30); print(10000)' 2>/dev/null", READ);
        refused(f, &s, OFFER_UNREADABLE, "exit status 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_honest),       TEST(test_exit_statuses), TEST(test_read_statuses),
                TEST(test_stat_answers), TEST(test_hanging),       TEST(test_left_behind),
                TEST(test_program),      TEST(test_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
