/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/log-ids.h"
#include "util/log.h"

/* Stands in for the journal: the linker takes this one before that of libsystemd. */
int sd_journal_sendv(const struct iovec *iov, int n);

static char sent[4096];
static int sent_result;

int sd_journal_sendv(const struct iovec *iov, int n) {
        sent[0] = '\0';
        for (int i = 0; i < n; i++) {
                strncat(sent, iov[i].iov_base, iov[i].iov_len);
                strcat(sent, "|");
        }
        return sent_result;
}

typedef struct Capture {
        int saved, fd;
        char text[4096];
} Capture;

static void capture_begin(Capture *c) {
        c->saved = dup(STDERR_FILENO);
        c->fd = memfd_create("stderr", MFD_CLOEXEC);
        assert(c->saved >= 0 && c->fd >= 0);
        assert(dup2(c->fd, STDERR_FILENO) == STDERR_FILENO);
}

static void capture_end(Capture *c) {
        ssize_t n = pread(c->fd, c->text, sizeof(c->text) - 1, 0);

        assert(n >= 0);
        c->text[n] = '\0';
        assert(dup2(c->saved, STDERR_FILENO) == STDERR_FILENO);
        (void) close(c->saved);
        (void) close(c->fd);
}

static int setup(void **state) {
        unsetenv("JOURNAL_STREAM");
        unsetenv("BEZOAR_LOG_LEVEL");
        log_set_max_level(LOG_INFO);
        sent[0] = '\0';
        sent_result = 0;
        return 0;
}

/* Says that standard error, as it is now, is the journal. */
static void claim_journal(int off_by) {
        struct stat st;
        char text[64];

        assert(fstat(STDERR_FILENO, &st) == 0);
        (void) snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t) st.st_dev,
                        (uintmax_t) st.st_ino + (uintmax_t) off_by);
        assert(setenv("JOURNAL_STREAM", text, 1) == 0);
}

/* Outside of a service a line is its sentence and nothing else. */
static void test_plain(void **state) {
        Capture c;

        capture_begin(&c);
        log_open();
        log_info("one %d", 1);
        log_error("two");
        capture_end(&c);
        assert_string_equal(c.text, "one 1\ntwo\n");
        assert_string_equal(sent, "");
}

/* A descendant of a service whose output goes somewhere else marks its lines; so does one with a broken
 * JOURNAL_STREAM. */
static void test_prefixed(void **state) {
        Capture c;

        capture_begin(&c);
        claim_journal(1);
        log_open();
        log_warning("three");
        setenv("JOURNAL_STREAM", "rubbish", 1);
        log_open();
        log_error("four");
        capture_end(&c);
        assert_string_equal(c.text, "<4>three\n<3>four\n");
        assert_string_equal(sent, "");
}

/* In the journal an entry has its sentence, its priority, its id and its fields, and standard error has
 * nothing; NULL values add no field. */
static void test_journal(void **state) {
        LogEntry *e;
        Capture c;

        capture_begin(&c);
        claim_journal(0);
        log_open();
        e = log_entry_new();
        log_entry_add(e, "BEZOAR_DEVICE", "/dev/pmem0");
        log_entry_add(e, "BEZOAR_FILE", NULL);
        log_entry_addf(e, "BEZOAR_CASE", "%u", 7U);
        log_entry_commit(e, LOG_CRIT, LOG_ID_HEALED, "healed\n%s", "x");
        capture_end(&c);
        assert_string_equal(c.text, "");
        assert_string_equal(
                sent, "BEZOAR_DEVICE=/dev/"
                      "pmem0|BEZOAR_CASE=7|MESSAGE=healed\nx|PRIORITY=2|MESSAGE_ID=" LOG_ID_HEALED "|");
}

/* When the journal does not take an entry, standard error gets the sentence: an alert is never lost for
 * that. */
static void test_journal_fails(void **state) {
        Capture c;

        capture_begin(&c);
        claim_journal(0);
        log_open();
        sent_result = -ENOBUFS;
        log_entry_commit(log_entry_new(), LOG_ERR, LOG_ID_REFUSED, "refused");
        capture_end(&c);
        assert_string_equal(c.text, "<3>refused\n");
}

/* Without memory for an entry its sentence is still logged. */
static void test_no_entry(void **state) {
        Capture c;

        capture_begin(&c);
        log_open();
        log_entry_add(NULL, "BEZOAR_CASE", "1");
        log_entry_addf(NULL, "BEZOAR_CASE", "%d", 1);
        log_entry_commit(NULL, LOG_ERR, NULL, "alone");
        capture_end(&c);
        assert_string_equal(c.text, "alone\n");
}

/* %m is the error's text, errno is left alone, and the error comes back negative, whatever its sign was. */
static void test_errno(void **state) {
        Capture c;

        capture_begin(&c);
        log_open();
        errno = ENOENT;
        log_info("%m");
        assert_int_equal(log_error_errno(-EIO, "a: %m"), -EIO);
        assert_int_equal(log_warning_errno(ENOSPC, "b: %m"), -ENOSPC);
        assert_int_equal(errno, ENOENT);
        capture_end(&c);
        assert_string_equal(
                c.text, "No such file or directory\na: Input/output error\nb: No space left on device\n");
}

/* What is below the level is not logged, and still returns its error. */
static void test_level(void **state) {
        Capture c;

        capture_begin(&c);
        log_open();
        log_debug("no");
        setenv("BEZOAR_LOG_LEVEL", "debug", 1);
        log_open();
        log_debug("yes");
        setenv("BEZOAR_LOG_LEVEL", "3", 1);
        log_open();
        log_warning("no");
        setenv("BEZOAR_LOG_LEVEL", "nonsense", 1);
        log_open();
        assert_int_equal(log_warning_errno(-EPERM, "no"), -EPERM);
        log_error("yes");
        capture_end(&c);
        assert_string_equal(c.text, "yes\nyes\n");
}

/* A file name cannot forge a line of its own, nor send escape sequences to a terminal. */
static void test_control_characters(void **state) {
        Capture c;

        capture_begin(&c);
        log_open();
        log_info("file 'a\n<0>forged\033[2Jb\x7f' \303\244");
        capture_end(&c);
        assert_string_equal(c.text, "file 'a?<0>forged?[2Jb?' \303\244\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_plain, setup),
                cmocka_unit_test_setup(test_prefixed, setup),
                cmocka_unit_test_setup(test_journal, setup),
                cmocka_unit_test_setup(test_journal_fails, setup),
                cmocka_unit_test_setup(test_no_entry, setup),
                cmocka_unit_test_setup(test_errno, setup),
                cmocka_unit_test_setup(test_level, setup),
                cmocka_unit_test_setup(test_control_characters, setup),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
