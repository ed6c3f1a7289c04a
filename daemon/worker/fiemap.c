/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "worker/fiemap.h"

#define EXTENTS 128                     /* asked for at once */

static int hand_out(const struct fiemap_extent *e, Range wanted, FiemapFn fn, void *userdata) {
        uint64_t device = 0, end;
        Range logical, piece;

        if (range_init(e->fe_logical, e->fe_length, &logical) < 0)
                return -EUCLEAN;
        if (!range_intersect(logical, wanted, &piece))
                return 0;
        if (!(e->fe_flags & EXTENT_UNPLACED) &&
            (__builtin_add_overflow(e->fe_physical, piece.start - logical.start, &device) ||
             __builtin_add_overflow(device, range_size(piece), &end)))
                return -EUCLEAN;
        return fn(piece, device, e->fe_flags, userdata);
}

/* FIEMAP_FLAG_SYNC would write. */
int fiemap_walk(int fd, Range wanted, FiemapFn fn, void *userdata) {
        union {
                struct fiemap map;
                char space[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
        } u;

        assert(fn);

        for (uint64_t at = wanted.start; at < wanted.end;) {
                const struct fiemap_extent *e;

                u.map = (struct fiemap) { .fm_start = at, .fm_length = wanted.end - at,
                                         .fm_extent_count = EXTENTS };
                if (ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0)
                        return -errno;
                if (u.map.fm_mapped_extents == 0)
                        return 0;

                for (uint32_t i = 0; i < u.map.fm_mapped_extents; i++) {
                        int r = hand_out(u.map.fm_extents + i, (Range) { at, wanted.end }, fn, userdata);

                        if (r != 0)
                                return r;
                }

                e = u.map.fm_extents + u.map.fm_mapped_extents - 1;
                if (e->fe_flags & FIEMAP_EXTENT_LAST)
                        return 0;
                if (e->fe_logical + e->fe_length <= at)
                        return -EUCLEAN;
                at = e->fe_logical + e->fe_length;
        }
        return 0;
}
