/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files as wholes. Reading takes all of a small file or fails; replacing is the usual sequence (temporary
 * file, fsync, rename, fsync of the folder), done relative to an open folder, so that neither a crash nor
 * a renamed folder leaves half of it. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"

/* More than a page: a sysfs attribute (at most a page) then comes in one read, hence from one moment
 * (fs/kernfs/file.c). */
#define READ_FIRST 8192

#define RANDOM_DIGITS 16        /* at the end of the name of a temporary file, after a dot */

/* Where the next piece of a whole-file read comes from: the position of the descriptor, or an offset. */
typedef ssize_t (*ReadFn)(int fd, void *buf, size_t n, size_t done);

static ssize_t read_position(int fd, void *buf, size_t n, size_t done) {
        return read(fd, buf, n);
}

static ssize_t read_offset(int fd, void *buf, size_t n, size_t done) {
        return pread(fd, buf, n, (off_t) done);
}

static int read_all(int fd, size_t max, ReadFn fn, char **ret, size_t *ret_size) {
        size_t allocated = READ_FIRST, n = 0;
        _cleanup_free_ char *buf = malloc(allocated);

        if (!buf)
                return -ENOMEM;

        for (;;) {
                ssize_t k = fn(fd, buf + n, allocated - n - 1, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
                if (n > max)
                        return -EFBIG;
                if (n + 1 == allocated) {
                        char *more = realloc(buf, 2 * allocated);

                        if (!more)
                                return -ENOMEM;
                        buf = more;
                        allocated *= 2;
                }
        }

        buf[n] = '\0';
        *ret = TAKE_PTR(buf);
        *ret_size = n;
        return 0;
}

int file_read(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;

        assert(path);
        assert(ret);
        assert(ret_size);

        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        return read_all(fd, max, read_position, ret, ret_size);
}

int file_read_fd(int fd, size_t max, char **ret, size_t *ret_size) {
        assert(fd >= 0);
        assert(ret);
        assert(ret_size);

        return read_all(fd, max, read_offset, ret, ret_size);
}

/* Opens the folder that `path` lies in; *ret_name, the last component, points into `path`. */
static int open_parent(int dir_fd, const char *path, int *ret, const char **ret_name) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        _cleanup_free_ char *parent = NULL;
        int fd;

        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return -EINVAL;

        /* the slash stays: "/name" lies in "/" */
        parent = slash ? strndup(path, (size_t) (name - path)) : strdup(".");
        if (!parent)
                return -ENOMEM;
        fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        *ret = fd;
        *ret_name = name;
        return 0;
}

/* Creates a file of a new name beside `name`; it begins with a dot. */
static int open_temporary(int parent, const char *name, char **ret_temporary, int *ret) {
        _cleanup_free_ char *temporary = NULL;
        uint64_t random;
        int fd;

        if (getrandom(&random, sizeof(random), 0) != (ssize_t) sizeof(random))
                return -EIO;    /* errno says nothing of a short one */
        if (asprintf(&temporary, ".%s.%016" PRIx64, name, random) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }

        fd = openat(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;

        *ret_temporary = TAKE_PTR(temporary);
        *ret = fd;
        return 0;
}

bool file_is_leftover(const char *name, const char *prefix) {
        size_t n = strlen(name);

        return name[0] == '.' && strncmp(name + 1, prefix, strlen(prefix)) == 0 &&
               n >= strlen(prefix) + 1 + RANDOM_DIGITS && name[n - RANDOM_DIGITS - 1] == '.' &&
               strspn(name + n - RANDOM_DIGITS, "0123456789abcdef") == RANDOM_DIGITS;
}

/* A file system may report a failed write at fsync, and a network file system at close. */
static int fill(int fd, const void *data, size_t n, unsigned mode, bool durable) {
        _cleanup_close_ int owned = fd;
        int r;

        r = write_full(fd, data, n);
        if (r < 0)
                return r;
        if (fchmod(fd, (mode_t) mode) < 0)
                return -errno;
        if (durable && fsync(fd) < 0)
                return -errno;
        return close(TAKE_FD(owned)) < 0 ? -errno : 0;
}

static int replace(int dir_fd, const char *path, const void *data, size_t n, unsigned mode, bool durable) {
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int parent = -1;
        const char *name;
        int fd = -1, r;

        assert(path);
        assert(data || n == 0);

        r = open_parent(dir_fd, path, &parent, &name);
        if (r < 0)
                return r;
        r = open_temporary(parent, name, &temporary, &fd);
        if (r < 0)
                return r;

        r = fill(fd, data, n, mode, durable);
        if (r == 0 && renameat(parent, temporary, parent, name) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(parent, temporary, 0);
                return r;
        }

        return durable && fsync(parent) < 0 ? -errno : 0;
}

int file_replace(int dir_fd, const char *path, const void *data, size_t n, unsigned mode) {
        return replace(dir_fd, path, data, n, mode, true);
}

int file_replace_lazily(int dir_fd, const char *path, const void *data, size_t n, unsigned mode) {
        return replace(dir_fd, path, data, n, mode, false);
}

int file_remove(int dir_fd, const char *path) {
        _cleanup_close_ int parent = -1;
        const char *name;
        int r;

        assert(path);

        r = open_parent(dir_fd, path, &parent, &name);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
                return -errno;

        /* also when there was none: whoever removed it may not have come as far as this */
        return fsync(parent) < 0 ? -errno : 0;
}

int file_set_mtime(int fd, struct timespec mtime) {
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

        return futimens(fd, times) < 0 ? -errno : 0;
}

int read_full(int fd, void *buf, size_t n) {
        for (size_t done = 0; done < n;) {
                ssize_t k = read(fd, (char *) buf + done, n - done);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -ENODATA;
                done += (size_t) k;
        }
        return 0;
}

int write_full(int fd, const void *buf, size_t n) {
        for (size_t done = 0; done < n;) {
                ssize_t k = write(fd, (const char *) buf + done, n - done);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -EIO;
                done += (size_t) k;
        }
        return 0;
}

/* An offset that off_t cannot hold would reach the kernel as a negative one. */
static bool offsets_fit(unsigned long long offset, size_t n) {
        unsigned long long end;

        return !__builtin_add_overflow(offset, n, &end) && end <= INT64_MAX;
}

int pread_full(int fd, void *buf, size_t n, unsigned long long offset) {
        if (!offsets_fit(offset, n))
                return -EOVERFLOW;

        for (size_t done = 0; done < n;) {
                ssize_t k = pread(fd, (char *) buf + done, n - done, (off_t) (offset + done));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -ENODATA;
                done += (size_t) k;
        }
        return 0;
}

int pwrite_full(int fd, const void *buf, size_t n, unsigned long long offset) {
        if (!offsets_fit(offset, n))
                return -EOVERFLOW;

        for (size_t done = 0; done < n;) {
                ssize_t k = pwrite(fd, (const char *) buf + done, n - done, (off_t) (offset + done));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -EIO;
                done += (size_t) k;
        }
        return 0;
}
