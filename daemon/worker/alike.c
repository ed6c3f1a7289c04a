/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel forgets an inode that nobody uses when it is short of memory. A control group can be made short
 * of it (memory.reclaim, since Linux 5.19): then it is the inodes alone that this very service has brought
 * in, a few, and nobody else's. XFS may give a new file an inode that is in memory still, of a file which
 * somebody else has removed moments ago, and that is charged to him: so there are several tries. */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/range.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/strv.h"
#include "worker/alike.h"
#include "write/writer.h"

#define FILES_MAX 64    /* in a folder */
#define FILES_AT_ONCE 4 /* made before the kernel is asked to forget them */
#define FILES_NEW_MAX 16
#define RECLAIM "64M"   /* more than there is: only a shortage beyond relief makes it look at each inode */

static void name_of(unsigned i, char ret[static ALIKE_NAME_MAX]) {
        (void) snprintf(ret, ALIKE_NAME_MAX, "new-%u", i);
}

static void sweep(int folder_fd, const char *but) {
        char name[ALIKE_NAME_MAX];

        for (unsigned i = 0; i < FILES_MAX; i++) {
                name_of(i, name);
                if (!streq_ptr(name, but))
                        (void) unlinkat(folder_fd, name, 0);
        }
}

void alike_sweep(int folder_fd) {
        sweep(folder_fd, NULL);
}

/* "0::/system.slice/bezoard.service": and nothing above that, which is others' too. */
static int forget_unused(void) {
        _cleanup_free_ char *groups = NULL, *path = NULL;
        _cleanup_close_ int fd = -1;
        char *own, *end;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, "/proc/self/cgroup", 4096, &groups, &n);
        if (r < 0)
                return r;
        own = strncmp(groups, "0::/", 4) == 0 ? groups : strstr(groups, "\n0::/");
        if (!own)
                return -ENOENT;
        own = strchr(own, '/');
        end = strchr(own, '\n');
        if (asprintf(&path, "/sys/fs/cgroup%.*s/memory.reclaim",
                     end ? (int) (end - own) : (int) strlen(own), own) < 0)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        /* It never succeeds (EAGAIN): that much there is not. */
        return write(fd, RECLAIM, strlen(RECLAIM)) < 0 && errno != EAGAIN ? -errno : 0;
}

int alike_set_plain(int fd) {
        struct fsxattr x = {};

        if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
                return errno == ENOTTY || errno == EOPNOTSUPP ? 0 : -errno;
        x.fsx_xflags &= FS_XFLAG_DAX;
        x.fsx_extsize = 0;
        x.fsx_cowextsize = 0;
        x.fsx_projid = 0;
        return ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0 ? -errno : 0;
}

/* Of the mount option dax=inode. Whoever does not know this flag does not have that option either. */
static void set_flag(int fd, bool dax) {
        struct fsxattr x = {};

        if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
                return;
        x.fsx_xflags = dax ? x.fsx_xflags | FS_XFLAG_DAX : x.fsx_xflags & ~(unsigned) FS_XFLAG_DAX;
        (void) ioctl(fd, FS_IOC_FSSETXATTR, &x);
}

static int share_with_itself(int fd) {
        const struct file_clone_range c = { .src_fd = fd, .src_length = REPAIR_UNIT,
                                            .dest_offset = REPAIR_UNIT };
        static const uint8_t zeroes[REPAIR_UNIT];
        int r;

        r = pwrite_full(fd, zeroes, sizeof(zeroes), 0);
        if (r < 0)
                return r;
        return ioctl(fd, FICLONERANGE, &c) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* 0, ALIKE_E_NONE: it is not as it should be; or a negative errno. */
static int take(int folder_fd, const char *name, bool dax, int *ret) {
        _cleanup_close_ int fd = openat(folder_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EPERM;
        if (file_is_dax(fd) != dax)
                return ALIKE_E_NONE;
        if (ftruncate(fd, 0) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

/* The first of the first `n` that is. -ENOENT: there are less, and it is none of these. */
static int take_any(int folder_fd, unsigned n, bool dax, int *ret, char name[static ALIKE_NAME_MAX]) {
        int r = ALIKE_E_NONE;

        for (unsigned i = 0; r == ALIKE_E_NONE && i < n; i++) {
                name_of(i, name);
                r = take(folder_fd, name, dax, ret);
        }
        return r;
}

/* Closed, so that it can be forgotten. -EEXIST: there is one of this name. */
static int make(int folder_fd, const char *name, bool dax) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = alike_set_plain(fd);
        if (r < 0 || file_is_dax(fd) == dax)
                return r;
        set_flag(fd, dax);
        return dax ? 0 : share_with_itself(fd);
}

static int make_until(int folder_fd, bool dax, int *ret, char name[static ALIKE_NAME_MAX]) {
        int r = ALIKE_E_NONE;

        for (unsigned i = 0, made = 0; r == ALIKE_E_NONE && i < FILES_MAX && made < FILES_NEW_MAX; i++) {
                name_of(i, name);
                r = make(folder_fd, name, dax);
                if (r == -EEXIST)
                        r = ALIKE_E_NONE;
                else if (r >= 0) {
                        r = take(folder_fd, name, dax, ret);
                        if (r == ALIKE_E_NONE && ++made % FILES_AT_ONCE == 0 && forget_unused() >= 0)
                                r = take_any(folder_fd, i + 1, dax, ret, name);
                }
        }
        return r;
}

int alike_make(int folder_fd, bool dax, int *ret_fd, char ret_name[static ALIKE_NAME_MAX]) {
        int r;

        r = take_any(folder_fd, FILES_MAX, dax, ret_fd, ret_name);
        if (r == -ENOENT)
                r = make_until(folder_fd, dax, ret_fd, ret_name);
        else if (r == ALIKE_E_NONE && forget_unused() >= 0)
                r = take_any(folder_fd, FILES_MAX, dax, ret_fd, ret_name);
        if (r == 0)
                sweep(folder_fd, ret_name);
        return r;
}
