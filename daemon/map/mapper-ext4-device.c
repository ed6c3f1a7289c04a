/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The device below a mounted ext4, opened for reading by libext2fs. What cannot be mapped is turned away
 * here, with a sentence: blocks of another size than a page (not even fit for DAX), clusters, and features
 * that the library does not know.
 *
 * Checksums are not asked for: the kernel changes what is read, and a block that is caught halfway would
 * be called corrupt. Nothing that is read is believed without a second witness anyway. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "map/mapper-ext4.h"
#include "util/file.h"

static int open_node(const char *path, dev_t device) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISBLK(st.st_mode) && st.st_rdev == device ? TAKE_FD(fd) : -ENODEV;
}

/* By the name that udev gives it, else by the kernel's. */
static int open_block_device(dev_t device) {
        _cleanup_free_ char *text = NULL;
        const char *name;
        char path[300];
        size_t n;
        int r;

        (void) snprintf(path, sizeof(path), "/dev/block/%u:%u", major(device), minor(device));
        r = open_node(path, device);
        if (r >= 0)
                return r;

        (void) snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(device), minor(device));
        r = file_read(AT_FDCWD, path, 4096, &text, &n);
        if (r < 0)
                return r;
        name = strstr(text, "DEVNAME=");
        if (!name)
                return -ENODEV;
        name += strlen("DEVNAME=");
        n = strcspn(name, "\n");
        if (n > sizeof(path) - sizeof("/dev/"))
                return -ENODEV;
        (void) snprintf(path, sizeof(path), "/dev/%.*s", (int) n, name);
        return open_node(path, device);
}

int ext4_open_device(int mount_fd, const RangeSet *ranges, Ext4 *e, const char **ret_why) {
        struct statfs fs;
        struct stat st;

        e->mount_fd = mount_fd;
        if (fstatfs(mount_fd, &fs) < 0 || fstat(mount_fd, &st) < 0)
                return -errno;
        if ((uint64_t) fs.f_bsize != EXT4_BLOCK) {
                *ret_why = "ext4 with blocks of another size than 4096 bytes cannot be mapped";
                return MAP_E_UNSUPPORTED;
        }

        e->device_fd = open_block_device(st.st_dev);
        if (e->device_fd < 0)
                return e->device_fd;
        return wanted_init(&e->wanted, ranges, (uint64_t) fs.f_blocks * EXT4_BLOCK);
}

static int check_features(ext2_filsys fs, const char **ret_why) {
        if (ext2fs_has_feature_bigalloc(fs->super))
                *ret_why = "ext4 with clusters (bigalloc) cannot be mapped";
        else if (ext2fs_has_feature_shared_blocks(fs->super))
                *ret_why = "ext4 with shared blocks cannot be mapped";
        else if (fs->blocksize != EXT4_BLOCK || fs->super->s_first_data_block != 0)
                *ret_why = "the superblock is not that of the mounted file system";
        else
                return 0;
        return MAP_E_UNSUPPORTED;
}

int ext4_open_fs(Ext4 *e, const char **ret_why) {
        const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES | EXT2_FLAG_IGNORE_CSUM_ERRORS |
                          EXT2_FLAG_SKIP_MMP;
        char name[16];
        errcode_t error;

        if (e->fs) /* what it read of the group descriptors is old */
                (void) ext2fs_close_free(&e->fs);

        (void) snprintf(name, sizeof(name), "%d", e->device_fd);
        error = ext2fs_open(name, flags, 0, 0, ext4_io(), &e->fs);
        if (error == EXT2_ET_NO_MEMORY)
                return -ENOMEM;
        if (error != 0) {
                e->fs = NULL;
                *ret_why = "libext2fs cannot open the file system: its superblock or group descriptors "
                           "cannot be read, or it is too new";
                return MAP_E_UNSUPPORTED;
        }

        return check_features(e->fs, ret_why);
}

void ext4_close(Ext4 *e) {
        if (e->fs)
                (void) ext2fs_close_free(&e->fs);
        closep(&e->device_fd);
        rangeset_done(&e->wanted.left);
        owners_done(&e->found);
}
