/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "topo/topo.h"
#include "util/file.h"
#include "util/vec.h"
#include "worker/site.h"
#include "write/mapped.h"

void site_close(Site *s) {
        closep(&s->block_fd);
        closep(&s->mount_fd);
        closep(&s->dax_fd);
        vec_done(&s->held);
        *s = SITE_NULL;
}

int site_hold(Site *s, uint64_t inode, uint32_t generation, int fd) {
        const MapHeld held = { .inode = inode, .generation = generation, .fd = fd };

        assert(site_held(s, inode, generation) < 0);
        return vec_push(&s->held, held);
}

void site_let_go(Site *s, int fd) {
        for (size_t i = s->held.n; i > 0; i--)
                if (s->held.items[i - 1].fd == fd)
                        vec_remove(&s->held, i - 1, 1);
}

int site_held(const Site *s, uint64_t inode, uint32_t generation) {
        const MapAsker asker = { .held = s->held.items, .n_held = s->held.n };

        return map_asker_holds(&asker, inode, generation);
}

int site_path(const Site *s, const char *relative, char **ret) {
        const char *mountpoint = s->volume->mountpoint;
        const char *slash = strcmp(mountpoint, "/") == 0 || *relative == '\0' ? "" : "/";
        char *path;

        if (asprintf(&path, "%s%s%s", mountpoint, slash, relative) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

static int device_open(const Volume *v, Site *s) {
        const char *slash = strrchr(v->device, '/');
        struct stat st;
        int sector;

        s->volume = v;
        s->disk = slash ? slash + 1 : v->device;
        if (!slash) {                   /* of a region that no device shows */
                s->size = range_size(v->window);
                return SITE_E_UNMOUNTED;
        }

        if (stat(v->device, &st) < 0)
                return errno == ENOENT ? SITE_E_GONE : -errno;
        if (S_ISCHR(st.st_mode))
                return site_open_dax(v, s);
        s->block_fd = open(v->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (s->block_fd < 0)
                return errno == ENOENT || errno == ENXIO || errno == ENODEV ? SITE_E_GONE : -errno;
        if (fstat(s->block_fd, &st) < 0)
                return -errno;
        if (!S_ISBLK(st.st_mode))
                return SITE_E_GONE;
        if (ioctl(s->block_fd, BLKGETSIZE64, &s->size) < 0 || ioctl(s->block_fd, BLKSSZGET, &sector) < 0)
                return -errno;

        s->major = s->fs_major = s->part_major = major(st.st_rdev);
        s->minor = s->fs_minor = s->part_minor = minor(st.st_rdev);
        s->coarse = sector > (int) SECTOR_SIZE;
        return 0;
}

/* NULL: it is as it is. */
static int number_find(const char *device, uint32_t *ret_major, uint32_t *ret_minor) {
        struct stat st;

        if (!device)
                return 0;
        if (stat(device, &st) < 0)
                return errno == ENOENT ? SITE_E_UNMOUNTED : -errno;
        if (!S_ISBLK(st.st_mode))
                return SITE_E_UNMOUNTED;
        *ret_major = major(st.st_rdev);
        *ret_minor = minor(st.st_rdev);
        return 0;
}

static int fs_device_find(const Volume *v, Site *s) {
        int r;

        r = number_find(v->fs_device, &s->fs_major, &s->fs_minor);
        if (r != 0)
                return r;
        if (v->part != FS_PART_DATA)
                return number_find(v->part_device, &s->part_major, &s->part_minor);
        s->part_major = s->fs_major;
        s->part_minor = s->fs_minor;
        return 0;
}

/* Takes the mount only when it is a mount of this very device: st_dev of what is found there. */
static int mount_open(const Volume *v, Site *s) {
        _cleanup_close_ int fd = -1;
        struct statvfs vfs;
        struct stat st;

        if (!v->mountpoint)
                return SITE_E_UNMOUNTED;

        fd = open(v->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? SITE_E_UNMOUNTED : -errno;
        if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
                return -errno;
        if (st.st_dev != makedev(s->fs_major, s->fs_minor))
                return SITE_E_UNMOUNTED;

        s->mount_fd = TAKE_FD(fd);
        s->ops = v->fs ? mapper_find(v->fs) : NULL;
        s->read_only = vfs.f_flag & ST_RDONLY;
        return 0;
}

int site_open(const Volume *v, Site *ret) {
        _cleanup_site_ Site s = SITE_NULL;
        int r;

        r = device_open(v, &s);
        if (r == 0 && !site_is_dax(&s))
                r = fs_device_find(v, &s);
        if (r == 0 && !site_is_dax(&s))
                r = mount_open(v, &s);
        if (r < 0 || r == SITE_E_GONE)
                return r;

        *ret = s;
        s = SITE_NULL;
        return r;
}

int site_open_device(const Site *s, int *ret_fd) {
        char link[64];
        int fd;

        /* Not by its name, which may be another device's by now. */
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", site_is_dax(s) ? s->dax_fd : s->block_fd);
        fd = open(link, O_RDWR | (site_is_dax(s) ? 0 : O_DIRECT) | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int site_read(const Site *s, int fd, void *buf, size_t n, uint64_t offset) {
        return site_is_dax(s) ? mapped_read(s->dax_fd, s->dax_align, buf, n, offset)
                              : pread_full(fd, buf, n, offset);
}

int site_read_device(const Site *s, void *buf, size_t n, uint64_t at) {
        return site_read(s, s->block_fd, buf, n, at);
}

int site_listed(const Site *s, Range window, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet all = {};
        bool truncated;
        int r;

        r = topo_badblocks(s->disk, s->volume->region, s->volume->window, &all, &truncated);
        if (r < 0)
                return r;
        /* The list is in order of address: of what lies behind the cut nothing is known. */
        if (truncated && (all.n == 0 || window.end > all.items[all.n - 1].end))
                return -EOVERFLOW;

        return rangeset_clip(&all, window, ret);
}
