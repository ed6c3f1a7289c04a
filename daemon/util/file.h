/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* Reads the whole file `path` below `dir_fd` (AT_FDCWD for the working folder), at most `max` bytes, and
 * adds a NUL that does not count. 0, -EFBIG when there is more, or another negative errno. The caller
 * frees *ret. */
int file_read(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);

/* The same from an open descriptor, from its start (pread): what poll(2) on a sysfs attribute needs. */
int file_read_fd(int fd, size_t max, char **ret, size_t *ret_size);

/* Replaces `path` below dir_fd: a reader, and a machine that lost power, finds the old contents or the
 * new, whole. Writes a temporary file beside it (its name begins with a dot), fsync, rename, fsync of the
 * folder. 0 or a negative errno; nothing is left behind, except by a crash: the temporary file. */
int file_replace(int dir_fd, const char *path, const void *data, size_t n, unsigned mode);

/* The same for a reader and for a process that dies; but a machine that loses power may find an empty file,
 * or none: nothing is waited for. */
int file_replace_lazily(int dir_fd, const char *path, const void *data, size_t n, unsigned mode);

/* Is `name` that of a temporary file that replacing a file left behind when it was cut short, and did the
 * name of that one begin with `prefix`? */
bool file_is_leftover(const char *name, const char *prefix);

/* Removes `path` below dir_fd and makes that durable. 0, also when there was none, or a negative errno. */
int file_remove(int dir_fd, const char *path);

/* Sets the time of modification (back), and leaves that of access alone. 0 or a negative errno. */
int file_set_mtime(int fd, struct timespec mtime);

/* read(2), write(2), pread(2), pwrite(2) until all n bytes are through. 0; a short read is -ENODATA. */
int read_full(int fd, void *buf, size_t n);
int write_full(int fd, const void *buf, size_t n);
int pread_full(int fd, void *buf, size_t n, unsigned long long offset);
int pwrite_full(int fd, const void *buf, size_t n, unsigned long long offset);
