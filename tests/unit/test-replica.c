/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/identity.h"
#include "replica/replica.h"
#include "util/cleanup.h"

#define SIZE 10000
#define MTIME ((struct timespec) { 1700000000, 123456789 })

/* A temporary folder with a mirror in it, and something beside the mirror. */
typedef struct Folder {
        char path[64];
        int fd;
        char *uri;              /* of the mirror */
} Folder;

static void make_file(int dir_fd, const char *path, size_t size, struct timespec mtime) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

        assert_true(fd >= 0);
        for (size_t i = 0; i < size; i++) {
                const uint8_t byte = (uint8_t) (i % 251);

                assert_int_equal(write(fd, &byte, 1), 1);
        }
        assert_int_equal(futimens(fd, times), 0);
}

static int set_up(void **state) {
        Folder *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void) strcpy(f->path, "/tmp/test-replica-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        assert_int_equal(chmod(f->path, 0755), 0);
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        assert_true(asprintf(&f->uri, "mirror:%s/mirror", f->path) > 0);
        assert_int_equal(mkdirat(f->fd, "mirror", 0755), 0);
        assert_int_equal(mkdirat(f->fd, "mirror/a", 0755), 0);
        make_file(f->fd, "mirror/a/file", SIZE, MTIME);
        make_file(f->fd, "outside", SIZE, MTIME);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tear_down(void **state) {
        Folder *f = *state;

        assert_int_equal(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        (void) close(f->fd);
        free(f->uri);
        free(f);
        return 0;
}

static Subject subject(const char *relative) {
        return (Subject) { .relative = relative, .size = SIZE, .mtime = MTIME };
}

/* Opens and expects bytes. */
static Replica *held(const char *uri, const Subject *s, ProofSet proofs) {
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        assert_int_equal(replica_open(uri, s, &r, &o), 0);
        assert_int_equal(o.state, OFFER_HELD);
        assert_int_equal(o.proofs, proofs);
        assert_int_equal(o.witness, WITNESS_FEW);
        assert_string_equal(o.replica, uri);
        assert_true(proofs ? o.detail == NULL : o.detail != NULL);
        return r;
}

/* Opens and expects a refusal that says `word`. */
static void refused(const char *uri, const Subject *s, OfferState state, const char *word) {
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        assert_int_equal(replica_open(uri, s, &r, &o), REPLICA_E_NONE);
        assert_null(r);
        assert_int_equal(o.state, state);
        assert_int_equal(o.proofs, 0);
        assert_string_equal(o.replica, uri);
        assert_non_null(o.detail);
        if (!strstr(o.detail, word))
                fail_msg("\"%s\" does not say \"%s\"", o.detail, word);
}

/* Proves that an unknown kind is an error, with an offer that can be kept all the same. */
static void test_unknown_kind(void **state) {
        const Subject s = subject("a/file");
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        assert_int_equal(replica_open("tape:/dev/st0", &s, &r, &o), -EOPNOTSUPP);
        assert_null(r);
        assert_string_equal(o.replica, "tape:/dev/st0");
        assert_int_not_equal(o.state, OFFER_HELD);
}

/* Proves that what is read is the file's bytes, exactly those that were asked for. */
static void test_read(void **state) {
        const Folder *f = *state;
        const Subject s = subject("a/file");
        _cleanup_(replica_freep) Replica *r = held(f->uri, &s, PROOF_BIT(PROOF_IDENTITY));
        uint8_t buf[SIZE];

        assert_int_equal(r->size, SIZE);
        assert_int_equal(replica_read(r, 0, buf, SIZE), 0);
        for (size_t i = 0; i < SIZE; i++)
                assert_int_equal(buf[i], i % 251);
        assert_int_equal(replica_read(r, 4096, buf, 512), 0);
        for (size_t i = 0; i < 512; i++)
                assert_int_equal(buf[i], (4096 + i) % 251);
        assert_int_equal(replica_read(r, SIZE, buf, 0), 0);
}

/* Proves that a read that reaches behind the end is refused as a whole, at every offset there is; also when
 * the file was cut after it was opened. */
static void test_shorter_than_the_range(void **state) {
        const Folder *f = *state;
        const Subject s = subject("a/file");
        _cleanup_(replica_freep) Replica *r = held(f->uri, &s, PROOF_BIT(PROOF_IDENTITY));
        static const struct {
                uint64_t offset;
                size_t n;
        } cases[] = {
                { SIZE - 1, 2 }, { SIZE, 1 }, { SIZE + 1, 0 }, { 0, SIZE + 1 }, { 8192, 4096 },
                { UINT64_MAX, 1 }, { UINT64_MAX - 4095, 4096 }, { 1, SIZE_MAX },
        };
        uint8_t buf[SIZE + 1];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(replica_read(r, cases[i].offset, buf, cases[i].n), -ENODATA);

        make_file(f->fd, "mirror/a/file", 5000, MTIME);
        assert_int_equal(replica_read(r, 4096, buf, 4096), -ENODATA);
}

/* Proves that what was checked is what is read, even when its name leads elsewhere by now. */
static void test_held_open(void **state) {
        const Folder *f = *state;
        const Subject s = subject("a/file");
        _cleanup_(replica_freep) Replica *r = held(f->uri, &s, PROOF_BIT(PROOF_IDENTITY));
        uint8_t buf[16];

        assert_int_equal(unlinkat(f->fd, "mirror/a/file", 0), 0);
        make_file(f->fd, "mirror/a/file", 1, MTIME);
        assert_int_equal(replica_read(r, SIZE - 16, buf, 16), 0);
        assert_int_equal(buf[0], (SIZE - 16) % 251);
}

/* Proves that another size or time is no identity, and that both are told. */
static void test_stale(void **state) {
        const Folder *f = *state;
        Subject s = subject("a/file");
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        s.size = SIZE + 1;
        s.mtime.tv_nsec++;
        assert_int_equal(replica_open(f->uri, &s, &r, &o), 0);
        r = replica_free(r);
        assert_int_equal(o.state, OFFER_HELD);
        assert_int_equal(o.proofs, 0);
        assert_string_equal(o.detail, "it has 10000 bytes and the file has 10001; it was modified at "
                                      "2023-11-14 22:13:20.123456789 UTC and the file at "
                                      "2023-11-14 22:13:20.123456790 UTC");

        s.size = SIZE;
        r = held(f->uri, &s, 0);
        r = replica_free(r);
        s.mtime = MTIME;
        s.size--;
        r = held(f->uri, &s, 0);
        (void) replica_free(r);
}

/* Proves the names of the refusals for what is not there: the file, a folder on the way, the mirror itself.
 * */
static void test_missing(void **state) {
        const Folder *f = *state;
        _cleanup_free_ char *gone = NULL, *file = NULL;
        Subject s = subject("a/none");

        refused(f->uri, &s, OFFER_MISSING, "no file of that name");
        s = subject("none/file");
        refused(f->uri, &s, OFFER_MISSING, "no file of that name");
        s = subject("a/file/file");
        refused(f->uri, &s, OFFER_MISSING, "folder on the way");

        assert_true(asprintf(&gone, "mirror:%s/gone", f->path) > 0);
        assert_true(asprintf(&file, "mirror:%s/outside", f->path) > 0);
        s = subject("a/file");
        refused(gone, &s, OFFER_UNREACHABLE, "not there");
        refused(file, &s, OFFER_UNREACHABLE, "not there");
}

/* Proves that a file that must not be read is named so, whoever runs the test. */
static void test_unreadable(void **state) {
        const Folder *f = *state;
        const Subject s = subject("a/file");
        const uid_t user = geteuid();

        assert_int_equal(fchmodat(f->fd, "mirror/a/file", 0, 0), 0);
        if (user == 0)
                assert_int_equal(seteuid(65534), 0);
        refused(f->uri, &s, OFFER_UNREADABLE, "Permission denied");
        assert_int_equal(seteuid(user), 0);
}

/* Proves that only a regular file is a copy of one; a named pipe without a writer must not be waited for. */
static void test_not_regular(void **state) {
        const Folder *f = *state;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        Subject s;

        assert_int_equal(mkdirat(f->fd, "mirror/folder", 0755), 0);
        assert_int_equal(mkfifoat(f->fd, "mirror/pipe", 0644), 0);
        assert_int_equal(symlinkat("a/file", f->fd, "mirror/link"), 0);
        assert_int_equal(symlinkat("nowhere", f->fd, "mirror/dangling"), 0);
        assert_int_equal(symlinkat("loop", f->fd, "mirror/loop"), 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/mirror/socket", f->path);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);

        s = subject("folder");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "folder");
        s = subject("pipe");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "pipe");
        s = subject("socket");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "socket");
        s = subject("link");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "symbolic link");
        s = subject("dangling");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "symbolic link");
        s = subject("loop");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "symbolic link");
        s = subject("loop/file");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "symbolic links");

        s = subject("null");
        refused("mirror:/dev", &s, OFFER_NOT_REGULAR, "device");
}

/* Proves that no path leads out of the mirror: by an absolute link, a relative one, one on the way, by "..",
 * or through /proc. */
static void test_escapes(void **state) {
        const Folder *f = *state;
        _cleanup_free_ char *absolute = NULL;
        Subject s;

        assert_true(asprintf(&absolute, "%s/outside", f->path) > 0);
        assert_int_equal(symlinkat(absolute, f->fd, "mirror/absolute"), 0);
        assert_int_equal(symlinkat("../outside", f->fd, "mirror/relative"), 0);
        assert_int_equal(symlinkat("..", f->fd, "mirror/up"), 0);
        assert_int_equal(symlinkat("../mirror/a", f->fd, "mirror/outandin"), 0);

        s = subject("absolute");
        refused(f->uri, &s, OFFER_ESCAPES, "leads out");
        s = subject("relative");
        refused(f->uri, &s, OFFER_ESCAPES, "leads out");
        s = subject("up/outside");
        refused(f->uri, &s, OFFER_ESCAPES, "leads out");
        s = subject("../outside");
        refused(f->uri, &s, OFFER_ESCAPES, "leads out");
        s = subject("a/../../outside");
        refused(f->uri, &s, OFFER_ESCAPES, "leads out");
        s = subject("outandin/file");
        refused(f->uri, &s, OFFER_ESCAPES, "leads out");

        s = subject("self/root/etc/passwd");
        refused("mirror:/proc", &s, OFFER_NOT_REGULAR, "symbolic link");
}

/* Proves that a link between folders of the mirror is followed, and the mirror itself may be one. */
static void test_links_inside(void **state) {
        const Folder *f = *state;
        _cleanup_free_ char *uri = NULL;
        Subject s = subject("b/file");

        assert_int_equal(symlinkat("a", f->fd, "mirror/b"), 0);
        (void) replica_free(held(f->uri, &s, PROOF_BIT(PROOF_IDENTITY)));

        assert_int_equal(symlinkat("mirror", f->fd, "current"), 0);
        assert_true(asprintf(&uri, "mirror:%s/current", f->path) > 0);
        s = subject("a/file");
        (void) replica_free(held(uri, &s, PROOF_BIT(PROOF_IDENTITY)));
}

/* Proves that a single file can be mirrored by a single file. */
static void test_single_file(void **state) {
        const Folder *f = *state;
        _cleanup_free_ char *file = NULL, *none = NULL, *gone = NULL, *link = NULL, *folder = NULL;
        const Subject s = subject("");

        assert_true(asprintf(&file, "mirror:%s/mirror/a/file", f->path) > 0);
        assert_true(asprintf(&none, "mirror:%s/mirror/a/none", f->path) > 0);
        assert_true(asprintf(&gone, "mirror:%s/gone/file", f->path) > 0);
        assert_true(asprintf(&link, "mirror:%s/mirror/a/link", f->path) > 0);
        assert_true(asprintf(&folder, "mirror:%s/mirror/", f->path) > 0);
        assert_int_equal(symlinkat("../../outside", f->fd, "mirror/a/link"), 0);

        (void) replica_free(held(file, &s, PROOF_BIT(PROOF_IDENTITY)));
        refused(none, &s, OFFER_MISSING, "no file");
        refused(gone, &s, OFFER_UNREACHABLE, "not there");
        refused(link, &s, OFFER_ESCAPES, "leads out");
        refused(f->uri, &s, OFFER_NOT_REGULAR, "folder");
        refused(folder, &s, OFFER_NOT_REGULAR, "folder");
}

/* Proves that a copy on the very device that lost the bytes is none. */
static void test_same_device(void **state) {
        const Folder *f = *state;
        Subject s = subject("a/file");
        struct stat st;

        assert_int_equal(fstat(f->fd, &st), 0);
        s.device_major = major(st.st_dev);
        s.device_minor = minor(st.st_dev);
        refused(f->uri, &s, OFFER_SAME_DEVICE, "device");

        s.device_minor++;
        (void) replica_free(held(f->uri, &s, PROOF_BIT(PROOF_IDENTITY)));
}

/* Proves which times count as the same: exactly, or cut off where the replica cannot keep more; never less
 * than to the second. */
static void test_same_time(void **state) {
        static const struct {
                struct timespec original, mtime, ctime;
                bool same;
        } cases[] = {
                { { 100, 123456789 }, { 100, 123456789 }, { 500, 5 }, true },
                { { 100, 0 }, { 100, 0 }, { 500, 5 }, true },
                { { 100, 123456789 }, { 100, 123456788 }, { 500, 5 }, false },
                { { 100, 123456789 }, { 101, 123456789 }, { 500, 5 }, false },
                { { 100, 123456789 }, { 99, 123456789 }, { 500, 5 }, false },
                { { 100, 123456789 }, { 100, 123456700 }, { 500, 5 }, true },  /* 100 ns */
                { { 100, 123456789 }, { 100, 123456000 }, { 500, 5 }, true },  /* 1 us */
                { { 100, 123456789 }, { 100, 123000000 }, { 500, 5 }, false }, /* 1 ms: no */
                { { 100, 123456789 }, { 100, 123457000 }, { 500, 5 }, false }, /* rounded up: no */
                { { 100, 123456789 }, { 100, 0 }, { 500, 0 }, true },          /* whole seconds */
                { { 100, 123456789 }, { 100, 0 }, { 500, 5 }, false }, /* but it could keep more */
                { { 100, 123456789 }, { 100, 0 }, { 100, 0 }, false }, /* copied within the second */
                { { 100, 123456789 }, { 101, 0 }, { 500, 0 }, false },
                { { 101, 123456789 }, { 100, 0 }, { 500, 0 }, false }, /* FAT: even seconds */
                { { 100, 0 }, { 100, 123456789 }, { 500, 5 }, false }, /* the original is the coarse one */
                { { -5, 123456789 }, { -5, 0 }, { 500, 0 }, true },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const Likeness l = { .size = 1, .mtime = cases[i].mtime, .ctime = cases[i].ctime };
                const Subject s = { .relative = "", .size = 1, .mtime = cases[i].original };

                if (identity_same_time(&cases[i].original, &l) != cases[i].same)
                        fail_msg("case %zu", i);
                assert_int_equal(identity_same(&s, &l), cases[i].same);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unknown_kind),
                TEST(test_read),
                TEST(test_shorter_than_the_range),
                TEST(test_held_open),
                TEST(test_stale),
                TEST(test_missing),
                TEST(test_unreadable),
                TEST(test_not_regular),
                TEST(test_escapes),
                TEST(test_links_inside),
                TEST(test_single_file),
                TEST(test_same_device),
                cmocka_unit_test(test_same_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
