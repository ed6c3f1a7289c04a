/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "map/xfs-abi.h"
#include "map/xfs-extents.h"

#define BATCH 128       /* records for one call */

/* In sectors; no file is longer (XFS_MAX_FILEOFF), and nothing overflows in the kernel. */
#define LENGTH_MAX (INT64_C(1) << 54)

/* 1: left out. */
static int extent_of(const XfsMapping *m, XfsExtent *ret) {
        int r;

        /* Of an extent that begins behind the end of what was asked for nothing is left, and still it is
         * told (xfs_trim_extent() in xfs_getbmap()). */
        if (m->block < 0 || (m->oflags & XFS_MAPPED_DELAYED) || m->length == 0)
                return 1;
        if (m->length < 0 || m->offset < 0 || m->offset > LENGTH_MAX)
                return -EUCLEAN;
        r = range_init_sectors((uint64_t) m->block, (uint64_t) m->length, &ret->range);
        if (r < 0)
                return -EUCLEAN;

        ret->offset = (uint64_t) m->offset * SECTOR_SIZE;
        ret->unwritten = m->oflags & XFS_MAPPED_UNWRITTEN;
        ret->shared = m->oflags & XFS_MAPPED_SHARED;
        return 0;
}

int xfs_extents(int fd, bool attributes, uint64_t offset, uint64_t length, XfsExtentFn fn, void *userdata) {
        const uint64_t sectors = length > (uint64_t) LENGTH_MAX
                                         ? (uint64_t) LENGTH_MAX
                                         : (offset % SECTOR_SIZE + length - 1) / SECTOR_SIZE + 1;
        XfsMapping m[1 + BATCH];

        if (offset / SECTOR_SIZE >= LENGTH_MAX)
                return 0;
        memset(&m[0], 0, sizeof(m[0]));
        m[0].offset = (int64_t) (offset / SECTOR_SIZE);
        m[0].length = (int64_t) sectors;
        m[0].count = 1 + BATCH;
        /* With XFS_MAP_DELAYED the kernel does not write the file back first (xfs_getbmap()). */
        m[0].iflags = XFS_MAP_UNWRITTEN | XFS_MAP_NO_HOLES |
                      (attributes ? XFS_MAP_ATTRIBUTES : XFS_MAP_DELAYED);

        for (;;) {
                if (ioctl(fd, XFS_GET_MAPPINGS, m) < 0)
                        return attributes && errno == ENOENT ? 0 : -errno; /* no such fork */
                if (m[0].entries < 0 || m[0].entries > BATCH)
                        return -EUCLEAN;

                for (int i = 1; i <= m[0].entries; i++) {
                        XfsExtent e;
                        int r = extent_of(&m[i], &e);

                        if (r < 0)
                                return r;
                        if (r > 0)
                                continue;
                        r = fn(&e, userdata);
                        if (r != 0)
                                return r;
                }
                if (m[0].entries < BATCH || m[0].length <= 0)
                        return 0;
        }
}

typedef struct Expected {
        Range range;
        Range in_file;
        XfsMapped mapped;
} Expected;

static int add_mapped(const XfsExtent *e, void *userdata) {
        const Range has = { e->offset, e->offset + range_size(e->range) };
        Expected *x = userdata;
        Range in;

        if (!range_intersect(has, x->in_file, &in))
                return 0;
        if (e->range.start + (in.start - has.start) != x->range.start + (in.start - x->in_file.start))
                return 0; /* elsewhere */

        x->mapped.here += range_size(in);
        x->mapped.unwritten += e->unwritten ? range_size(in) : 0;
        x->mapped.shared += e->shared ? range_size(in) : 0;
        return 0;
}

static int is_realtime(int fd) {
        struct fsxattr x;

        if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
                return -errno;
        return !!(x.fsx_xflags & FS_XFLAG_REALTIME);
}

int xfs_mapped(int fd, bool realtime, Range range, uint64_t offset, XfsMapped *ret) {
        Expected x = { .range = range };
        int before, after, r;

        *ret = (XfsMapped) {};
        r = range_init(offset, range_size(range), &x.in_file);
        if (r < 0)
                return r;

        before = is_realtime(fd);
        r = before < 0 ? before : xfs_extents(fd, false, offset, range_size(range), add_mapped, &x);
        if (r < 0)
                return r;
        after = is_realtime(fd); /* an empty file can be moved to the other device */
        if (after < 0)
                return after;

        if (before == realtime && after == realtime)
                *ret = x.mapped;
        return 0;
}
