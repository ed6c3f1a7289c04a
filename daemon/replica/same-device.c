/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A copy on the very medium that lost the bytes is none, whatever lies between. Each device is taken apart
 * until only disks are left; two that have a disk in common are the same for this purpose. That is more
 * than necessary (two partitions do not overlap), but a medium that has lost one byte has not earned the
 * trust. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "replica/same-device.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/sysfs.h"
#include "util/vec.h"

#define DEPTH_MAX 16    /* devices on top of each other */

typedef struct Disks {
        dev_t *items;
        size_t n, allocated;
} Disks;

static void disks_done(Disks *l) {
        vec_done(l);
}
#define _cleanup_disks_ _cleanup_(disks_done)

static int take_apart(dev_t dev, unsigned depth, Disks *l);

/* The attribute `dev` of a device, "259:0". */
static int read_number(int dir_fd, const char *path, dev_t *ret) {
        _cleanup_free_ char *text = NULL;
        unsigned maj, min;
        size_t n;
        int r;

        r = file_read(dir_fd, path, 64, &text, &n);
        if (r < 0)
                return r;
        if (sscanf(text, "%u:%u", &maj, &min) != 2)
                return -EBADMSG;
        *ret = makedev(maj, min);
        return 0;
}

/* A partition: what its disk is made of. */
static int take_disk(int dir_fd, unsigned depth, Disks *l) {
        dev_t disk;
        int r;

        r = read_number(dir_fd, "../dev", &disk);
        return r < 0 ? r : take_apart(disk, depth + 1, l);
}

/* A loop device: the file system of its file. */
static int take_backing(const char *path, unsigned depth, Disks *l) {
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        return take_apart(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev, depth + 1, l);
}

/* Device mapper and md. > 0: it stands on others; 0: on none. */
static int take_slaves(int dir_fd, unsigned depth, Disks *l) {
        int fd = openat(dir_fd, "slaves", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0, found = 0;
        const struct dirent *e;
        DIR *dir;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        dir = fdopendir(fd);
        if (!dir) {
                (void) close(fd);
                return -ENOMEM;
        }

        while (r >= 0 && (e = readdir(dir))) {
                char path[sizeof(e->d_name) + 8];
                dev_t dev;

                if (e->d_name[0] == '.')
                        continue;
                (void) snprintf(path, sizeof(path), "%s/dev", e->d_name);
                r = read_number(dirfd(dir), path, &dev);
                if (r >= 0)
                        r = take_apart(dev, depth + 1, l);
                found = 1;
        }
        (void) closedir(dir);
        return r < 0 ? r : found;
}

static int take_apart(dev_t dev, unsigned depth, Disks *l) {
        _cleanup_free_ char *path = NULL, *file = NULL;
        _cleanup_close_ int dir_fd = -1;
        size_t n;
        int r;

        if (depth > DEPTH_MAX)
                return -ELOOP;
        if (asprintf(&path, "%s/dev/block/%u:%u", sysfs_root(), major(dev), minor(dev)) < 0)
                return -ENOMEM;

        dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)         /* a network or memory file system has no disk */
                return errno == ENOENT ? vec_push(l, dev) : -errno;

        if (faccessat(dir_fd, "partition", F_OK, 0) == 0)
                return take_disk(dir_fd, depth, l);
        r = file_read(dir_fd, "loop/backing_file", 8192, &file, &n);
        if (r >= 0) {
                file[strcspn(file, "\n")] = '\0';
                return take_backing(file, depth, l);
        }
        r = take_slaves(dir_fd, depth, l);
        return r == 0 ? vec_push(l, dev) : r;
}

int same_device(dev_t a, dev_t b) {
        _cleanup_disks_ Disks x = {}, y = {};
        int r;

        if (a == b)
                return 1;
        r = take_apart(a, 0, &x);
        if (r >= 0)
                r = take_apart(b, 0, &y);
        if (r < 0)
                return r;

        for (size_t i = 0; i < x.n; i++)
                for (size_t k = 0; k < y.n; k++)
                        if (x.items[i] == y.items[k])
                                return 1;
        return 0;
}
