/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/file.h"

/* A temporary folder, open. */
typedef struct Folder {
        char path[64];
        int fd;
} Folder;

static int set_up(void **state) {
        Folder *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void) strcpy(f->path, "/tmp/test-file-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        *state = f;
        return 0;
}

/* Removes the folder with its files and empty sub-folders. */
static int tear_down(void **state) {
        Folder *f = *state;
        DIR *d = fdopendir(f->fd);

        assert_non_null(d);
        rewinddir(d);
        for (struct dirent *e; (e = readdir(d));)
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                        assert_true(unlinkat(f->fd, e->d_name, 0) == 0 ||
                                    unlinkat(f->fd, e->d_name, AT_REMOVEDIR) == 0);
        (void) closedir(d);
        assert_int_equal(rmdir(f->path), 0);
        free(f);
        return 0;
}

static size_t count_entries(const Folder *f) {
        DIR *d = opendir(f->path);
        size_t n = 0;

        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d));)
                n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
        (void) closedir(d);
        return n;
}

static void assert_contents(const Folder *f, const char *path, const void *data, size_t n) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        assert_int_equal(file_read(f->fd, path, SIZE_MAX, &text, &size), 0);
        assert_int_equal(size, n);
        assert_memory_equal(text, data, n);
        assert_int_equal(text[n], '\0');
}

/* What was put is what is read, for sizes around every step of the buffer, and with bytes of every kind. */
static void test_replace_read(void **state) {
        static const size_t sizes[] = { 0, 1, 4096, 8190, 8191, 8192, 8193, 16383, 16384, 100000 };
        _cleanup_free_ char *data = malloc(100000);
        Folder *f = *state;

        assert_non_null(data);
        for (size_t i = 0; i < 100000; i++)
                data[i] = (char) (i * 7 + i / 256);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                assert_int_equal(file_replace(f->fd, "file", data, sizes[i], 0600), 0);
                assert_contents(f, "file", data, sizes[i]);
                assert_int_equal(count_entries(f), 1);
        }
}

/* A file that is larger than allowed is not read in part; one of exactly that size is read. */
static void test_read_max(void **state) {
        Folder *f = *state;
        char *text = NULL;
        size_t n = 77;

        assert_int_equal(file_replace(f->fd, "file", "12345", 5, 0600), 0);
        assert_int_equal(file_read(f->fd, "file", 4, &text, &n), -EFBIG);
        assert_int_equal(file_read(f->fd, "file", 0, &text, &n), -EFBIG);
        assert_true(!text && n == 77);
        assert_int_equal(file_read(f->fd, "file", 5, &text, &n), 0);
        assert_string_equal(text, "12345");
        free(text);
}

/* What is not there, or is a folder, is an error with its own number. */
static void test_read_errors(void **state) {
        Folder *f = *state;
        char *text = NULL;
        size_t n = 77;

        assert_int_equal(file_read(f->fd, "none", 100, &text, &n), -ENOENT);
        assert_int_equal(file_read(f->fd, ".", 100, &text, &n), -EISDIR);
        assert_true(!text && n == 77);
}

/* An open file is read from its start each time, whatever is in it by then: sysfs attributes are read
 * that way after poll. */
static void test_read_fd(void **state) {
        _cleanup_close_ int fd = -1;
        Folder *f = *state;

        fd = openat(f->fd, "attribute", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        for (int i = 0; i < 3; i++) {
                static const char *const texts[] = { "first", "the second", "3" };
                _cleanup_free_ char *text = NULL;
                size_t n;

                assert_int_equal(ftruncate(fd, 0), 0);
                assert_int_equal(pwrite_full(fd, texts[i], strlen(texts[i]), 0), 0);
                assert_int_equal(file_read_fd(fd, 100, &text, &n), 0);
                assert_string_equal(text, texts[i]);
                assert_int_equal(n, strlen(texts[i]));
        }
}

/* The mode is the one asked for, not what a umask leaves of it, and also when the old file had another. */
static void test_replace_mode(void **state) {
        mode_t mask = umask(0077);
        Folder *f = *state;
        struct stat st;

        assert_int_equal(file_replace(f->fd, "file", "a", 1, 0644), 0);
        assert_int_equal(fstatat(f->fd, "file", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(file_replace(f->fd, "file", "b", 1, 0600), 0);
        assert_int_equal(fstatat(f->fd, "file", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        (void) umask(mask);
}

/* Replacing is a new file under the old name: who has the old one open goes on reading it, whole. */
static void test_replace_is_atomic(void **state) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int old = -1;
        Folder *f = *state;
        size_t n;

        assert_int_equal(file_replace(f->fd, "file", "old", 3, 0600), 0);
        old = openat(f->fd, "file", O_RDONLY | O_CLOEXEC);
        assert_int_equal(file_replace(f->fd, "file", "newer", 5, 0600), 0);
        assert_int_equal(file_read_fd(old, 100, &text, &n), 0);
        assert_string_equal(text, "old");
        assert_contents(f, "file", "newer", 5);
}

/* A symbolic link is replaced, not followed: what it points to is somebody else's. */
static void test_replace_symlink(void **state) {
        Folder *f = *state;

        assert_int_equal(file_replace(f->fd, "target", "theirs", 6, 0600), 0);
        assert_int_equal(symlinkat("target", f->fd, "link"), 0);
        assert_int_equal(file_replace(f->fd, "link", "ours", 4, 0600), 0);
        assert_contents(f, "target", "theirs", 6);
        assert_contents(f, "link", "ours", 4);
}

/* A replacement that fails leaves nothing behind; no name, or the name of a folder, is none for a file. */
static void test_replace_errors(void **state) {
        static const char *const names[] = { "", ".", "..", "sub/", "sub/.", "sub/.." };
        Folder *f = *state;

        assert_int_equal(mkdirat(f->fd, "sub", 0700), 0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(file_replace(f->fd, names[i], "x", 1, 0600), -EINVAL);
                assert_int_equal(file_remove(f->fd, names[i]), -EINVAL);
        }
        assert_int_equal(file_replace(f->fd, "sub", "x", 1, 0600), -EISDIR);
        assert_int_equal(file_replace(f->fd, "none/file", "x", 1, 0600), -ENOENT);
        assert_int_equal(count_entries(f), 1);
}

/* Paths may have folders in them, and may be absolute; removing works alike, twice too. */
static void test_paths(void **state) {
        _cleanup_free_ char *absolute = NULL;
        Folder *f = *state;

        assert_int_equal(mkdirat(f->fd, "sub", 0700), 0);
        assert_int_equal(file_replace(f->fd, "sub/file", "x", 1, 0600), 0);
        assert_contents(f, "sub/file", "x", 1);
        assert_true(asprintf(&absolute, "%s/sub/file", f->path) > 0);
        assert_int_equal(file_replace(AT_FDCWD, absolute, "yz", 2, 0600), 0);
        assert_contents(f, "sub/file", "yz", 2);

        assert_int_equal(file_remove(AT_FDCWD, absolute), 0);
        assert_int_equal(faccessat(f->fd, "sub/file", F_OK, 0), -1);
        assert_int_equal(file_remove(f->fd, "sub/file"), 0);
        assert_int_equal(file_remove(f->fd, "none/file"), 0);
        assert_int_equal(file_remove(f->fd, "sub"), -EISDIR);
}

/* Full reads and writes give all or an error; the end of the file is -ENODATA, and an offset beyond off_t
 * never wraps. */
static void test_full(void **state) {
        Folder *f = *state;
        _cleanup_close_ int fd = openat(f->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600), read_only = -1;
        char buf[8] = "";

        assert_true(fd >= 0);
        assert_int_equal(write_full(fd, "01234567", 8), 0);
        assert_int_equal(pread_full(fd, buf, 4, 4), 0);
        assert_memory_equal(buf, "4567", 4);
        assert_int_equal(pread_full(fd, buf, 4, 5), -ENODATA);
        assert_int_equal(pread_full(fd, buf, 0, 100), 0);
        assert_int_equal(pwrite_full(fd, "ab", 2, 3), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(read_full(fd, buf, 8), 0);
        assert_memory_equal(buf, "012ab567", 8);
        assert_int_equal(read_full(fd, buf, 1), -ENODATA);

        assert_int_equal(pread_full(fd, buf, 1, INT64_MAX), -EOVERFLOW);
        assert_int_equal(pwrite_full(fd, buf, 1, UINT64_MAX), -EOVERFLOW);
        assert_int_equal(pwrite_full(fd, buf, 8, UINT64_MAX - 3), -EOVERFLOW);
        assert_int_equal(pread_full(-1, buf, 1, 0), -EBADF);
        read_only = openat(f->fd, "file", O_RDONLY | O_CLOEXEC);
        assert_int_equal(write_full(read_only, "x", 1), -EBADF);
        assert_int_equal(pwrite_full(read_only, "x", 1, 0), -EBADF);
}

/* What a replacement that was cut short leaves behind is recognised, and nothing else is. */
static void test_leftovers(void **state) {
        assert_true(file_is_leftover(".pmem0-10.0123456789abcdef", "pmem0-"));
        assert_true(file_is_leftover("..frozen-pmem0.0123456789abcdef", ".frozen-pmem0."));
        assert_false(file_is_leftover(".pmem1-10.0123456789abcdef", "pmem0-"));
        assert_false(file_is_leftover("pmem0-10.0123456789abcdef", "pmem0-"));
        assert_false(file_is_leftover("..frozen-pmem01.0123456789abcdef", ".frozen-pmem0."));
        assert_false(file_is_leftover(".pmem0-10.0123456789abcdeg", "pmem0-"));
        assert_false(file_is_leftover(".pmem0-1000123456789abcdef", "pmem0-"));
        assert_false(file_is_leftover(".pmem0-.123456789abcdef", "pmem0-"));
        assert_false(file_is_leftover(".lock-pmem0", "pmem0"));
        assert_false(file_is_leftover("", ""));
}

/* The very file that a killed process leaves. */
static void test_leftover_of_a_killed_one(void **state) {
        Folder *f = *state;
        unsigned left = 0;
        struct dirent *de;
        DIR *d;
        pid_t pid = fork();

        if (pid == 0) {
                (void) signal(SIGXFSZ, SIG_DFL);
                (void) setrlimit(RLIMIT_FSIZE, &(struct rlimit) { 100, 100 });
                (void) setrlimit(RLIMIT_CORE, &(struct rlimit) {});
                (void) file_replace(f->fd, "file", "x", 1, 0600);
                for (;;) /* killed while it is being written */
                        (void) file_replace(f->fd, "file", (char[4096]) {}, 4096, 0600);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        d = fdopendir(dup(f->fd));
        rewinddir(d);
        while ((de = readdir(d)))
                left += file_is_leftover(de->d_name, "file");
        (void) closedir(d);
        assert_int_equal(left, 1);
        assert_contents(f, "file", "x", 1);
}

/* A pipe gives what it has in pieces; a full read waits for all of them. */
static void test_pipe(void **state) {
        char buf[6] = "";
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(write_full(fds[1], "abc", 3), 0);
        assert_int_equal(write_full(fds[1], "def", 3), 0);
        assert_int_equal(read_full(fds[0], buf, 6), 0);
        assert_memory_equal(buf, "abcdef", 6);
        assert_int_equal(write_full(fds[1], "g", 1), 0);
        (void) close(fds[1]);
        assert_int_equal(read_full(fds[0], buf, 2), -ENODATA);
        (void) close(fds[0]);
}

#define with_folder(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_folder(test_replace_read),
                with_folder(test_read_max),
                with_folder(test_read_errors),
                with_folder(test_read_fd),
                with_folder(test_replace_mode),
                with_folder(test_replace_is_atomic),
                with_folder(test_replace_symlink),
                with_folder(test_replace_errors),
                with_folder(test_paths),
                with_folder(test_full),
                cmocka_unit_test(test_leftovers),
                with_folder(test_leftover_of_a_killed_one),
                cmocka_unit_test(test_pipe),
        };

        return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
