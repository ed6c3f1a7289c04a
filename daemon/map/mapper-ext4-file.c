/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file of ext4, by inode and generation, and what it says itself about where its bytes are. */

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "map/mapper-ext4.h"

/* FILEID_INO32_GEN, include/linux/exportfs.h. */
#define FID_TYPE 1
typedef struct Fid {
        uint32_t inode, generation;
} Fid;

static int open_handle(int mount_fd, uint32_t inode, uint32_t generation, int flags) {
        const Fid fid = { .inode = inode, .generation = generation };
        union {
                struct file_handle handle;
                char space[sizeof(struct file_handle) + sizeof(Fid)];
        } u = {};
        int fd;

        u.handle.handle_bytes = sizeof(fid);
        u.handle.handle_type = FID_TYPE;
        memcpy(u.handle.f_handle, &fid, sizeof(fid));

        fd = open_by_handle_at(mount_fd, &u.handle, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int is_regular(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode);
}

static int open_again(int fd, int flags, int *ret) {
        char path[32];
        int again;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, flags | O_CLOEXEC);
        if (again < 0)
                return -errno;
        *ret = again;
        return 0;
}

/* In a handle, generation 0 means "any" (ext4_nfs_get_inode()). But it may be the real one: mke2fs -d gives
 * it to all files. What the handle cannot tell, the file does. */
static int check_zero(int file) {
        _cleanup_close_ int fd = -1;
        int v[2] = {}, r;

        r = open_again(file, O_RDONLY | O_NOATIME | O_NONBLOCK, &fd);
        if (r < 0)
                return r;
        if (ioctl(fd, FS_IOC_GETVERSION, v) < 0)
                return -errno;
        return v[0] == 0 ? 0 : MAP_E_GONE;
}

/* Reading does not move the time of access. There is no such way for writing: see repair_restore_times().
 * First without opening in earnest: an inode that has become a device or a pipe would feel it. O_NONBLOCK:
 * a lease that somebody has on the file is not waited for. */
int ext4_open(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret) {
        _cleanup_close_ int found = -1;
        int r;

        if (inode > UINT32_MAX)
                return MAP_E_GONE;
        if (flags == O_RDONLY && generation != 0) {
                /* One with this generation is what it was when it was found, and that was a file. ENOMEM: an
                 * inode with this number is just being made, and so is another one (find_inode_fast(),
                 * iget_locked() in fs/inode.c). Where the kernel really has no memory, a search that takes a
                 * file for gone says that it does not know; but no intent may be taken for done. */
                r = open_handle(mount_fd, (uint32_t) inode, generation, O_RDONLY | O_NOATIME | O_NONBLOCK);
                if (r >= 0)
                        *ret = r;
                return r == -ESTALE || r == -ENOMEM ? MAP_E_GONE : r < 0 ? r : 0;
        }
        found = open_handle(mount_fd, (uint32_t) inode, generation, O_PATH);
        if (found < 0)
                return found == -ESTALE ? MAP_E_GONE : found;
        r = is_regular(found);
        if (r <= 0)
                return r < 0 ? r : MAP_E_GONE;
        if (generation == 0) {
                r = check_zero(found);
                if (r != 0)
                        return r;
        }

        if (flags & O_PATH) {
                *ret = TAKE_FD(found);
                return 0;
        }
        return open_again(found, flags | O_NOATIME | O_NONBLOCK, ret);
}

/* The extent does not lie where fe_physical says, or nowhere yet. */
#define EXTENT_UNPLACED \
        (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | \
         FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE)

#define EXTENTS 32      /* asked for at once */

/* An extent of the file, if it is of `range` in the place that `offset` says. */
static int take_extent(const struct fiemap_extent *x, Range range, uint64_t offset, OwnerFn fn,
                       void *userdata) {
        Owner o = {
                .type = OWNER_FILE,
                .offset = x->fe_logical,
                .shared = x->fe_flags & FIEMAP_EXTENT_SHARED,
                .unwritten = x->fe_flags & FIEMAP_EXTENT_UNWRITTEN,
        };
        int r;

        if ((x->fe_flags & EXTENT_UNPLACED) || range_init(x->fe_physical, x->fe_length, &o.range) < 0)
                return 0;
        r = owner_clamp(&o, range);
        if (r <= 0 || o.offset - offset != o.range.start - range.start)
                return r;
        return fn(&o, userdata);
}

/* Without FIEMAP_FLAG_SYNC: what memory has for blocks that are yet to be chosen is nothing that can be lost
 * on the medium, and locating is not to write. */
int ext4_ask_file(int fd, Range range, uint64_t offset, OwnerFn fn, void *userdata) {
        const uint64_t end = offset + range_size(range);
        union {
                struct fiemap map;
                char space[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
        } u;

        for (uint64_t at = offset; at < end;) {
                const struct fiemap_extent *last;

                u.map = (struct fiemap) { .fm_start = at, .fm_length = end - at,
                                         .fm_extent_count = EXTENTS };
                if (ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0)
                        return -errno;
                if (u.map.fm_mapped_extents == 0)
                        return 0;
                for (uint32_t i = 0; i < u.map.fm_mapped_extents; i++) {
                        int r = take_extent(&u.map.fm_extents[i], range, offset, fn, userdata);

                        if (r != 0)
                                return r;
                }

                last = &u.map.fm_extents[u.map.fm_mapped_extents - 1];
                if (last->fe_flags & FIEMAP_EXTENT_LAST)
                        return 0;
                if (last->fe_logical + last->fe_length <= at)
                        return -EUCLEAN;
                at = last->fe_logical + last->fe_length;
        }
        return 0;
}

typedef struct Owned {
        uint64_t bytes;
        bool shared, unwritten;
} Owned;

static int count_owned(const Owner *o, void *userdata) {
        Owned *owned = userdata;

        owned->bytes += range_size(o->range);
        owned->shared = owned->shared || o->shared;
        owned->unwritten = owned->unwritten || o->unwritten;
        return 0;
}

int ext4_owns(const MapSection *on, int fd, Range range, uint64_t offset, MapOwns *ret) {
        Owned owned = {};
        int r;

        r = ext4_ask_file(fd, range, offset, count_owned, &owned);
        if (r < 0)
                return r;

        if (owned.bytes != range_size(range) || owned.unwritten)
                *ret = MAP_OTHERS;
        else
                *ret = owned.shared ? MAP_SHARED : MAP_OWNED;
        return 0;
}
