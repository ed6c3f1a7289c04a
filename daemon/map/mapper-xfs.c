/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* XFS answers from its reverse mapping btree (rmapbt), by FS_IOC_GETFSMAP: block -> inode and offset, or
 * which kind of metadata. What is in no record of that btree is free, and the kernel itself says so in
 * records that it makes up. Without CAP_SYS_ADMIN it knows free blocks only; everything else comes as
 * "unknown" and stays so here (fs/xfs/xfs_fsmap.c). Without an rmapbt the inodes are looked through:
 * mapper-xfs-scan.c. Where there is an rmapbt, a realtime device has one too (a kernel that mounts such a
 * file system, 6.14, knows it).
 *
 * All records of a range are gathered before the first is handed out: whether bytes are shared is seen
 * only by comparing records, since the kernel's flag is for the whole extent as soon as one block of it
 * is shared. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/range.h"
#include "map/fsmap.h"
#include "map/mapper-backends.h"
#include "map/mapper-xfs.h"
#include "map/xfs-extents.h"
#include "util/cleanup.h"
#include "util/vec.h"

void xfs_records_done(XfsRecords *r) {
        vec_done(r);
}

static int keep_record(const struct fsmap *record, void *userdata) {
        XfsRecords *records = userdata;

        return vec_push(records, *record);
}

int xfs_query(const MapSection *on, Range range, XfsRecords *records) {
        return fsmap_query(on, range, keep_record, records);
}

int xfs_widen(Range range, uint32_t block_size, Range *ret) {
        Range wide;
        int r;

        r = range_align_out(range, block_size, &wide);
        if (r < 0)
                return r;
        if (__builtin_add_overflow(wide.end, block_size, &wide.end))
                return -EOVERFLOW;

        *ret = wide;
        return 0;
}

/* Cuts o where `by` begins or ends, if that is within it: o becomes the front, and the rest is added to
 * `owners`. 0 or -ENOMEM. */
static int cut(Owners *owners, size_t i, Range by) {
        const Range whole = owners->items[i].range;
        const uint64_t at = by.start > whole.start ? by.start : by.end;
        _cleanup_owner_ Owner rest = {};
        int r;

        if (at <= whole.start || at >= whole.end)
                return 0;
        r = owner_copy(&owners->items[i], &rest);
        if (r < 0)
                return r;
        (void) owner_clamp(&rest, (Range) { at, whole.end });
        (void) owner_clamp(&owners->items[i], (Range) { whole.start, at });
        r = vec_push(owners, rest);
        if (r >= 0)
                rest = (Owner) {};
        return r;
}

static int order(const void *a, const void *b) {
        const Owner *x = a, *y = b;

        return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

/* The kernel's flag is for a whole record as soon as one block of it is shared. Two owners of the same bytes
 * are two records of the btree, always: so each is cut where another one begins or ends, and what nobody
 * else has then is not shared. 0 or -ENOMEM. */
static int settle_shared(Owners *owners) {
        uint64_t covered = 0; /* end of all before i */

        for (size_t i = 0; i < owners->n; i++)  /* also the rests, which are added at the end */
                for (size_t k = 0; owners->items[i].shared && k < owners->n; k++) {
                        int r = k == i ? 0 : cut(owners, i, owners->items[k].range);

                        if (r < 0)
                                return r;
                }

        if (owners->n > 0)
                qsort(owners->items, owners->n, sizeof(owners->items[0]), order);
        for (size_t i = 0; i < owners->n; i++) {
                Owner *o = &owners->items[i];

                if (covered <= o->range.start &&
                    (i + 1 == owners->n || owners->items[i + 1].range.start >= o->range.end))
                        o->shared = false;
                if (covered < o->range.end)
                        covered = o->range.end;
        }
        return 0;
}

/* The owners of `range`, cut to it, out of the records of `wide`. */
static int gather(const MapSection *on, Range wide, Range range, Owners *owners) {
        _cleanup_xfs_records_ XfsRecords records = {};
        int r;

        r = xfs_query(on, wide, &records);
        if (r != 0)
                return r;

        for (size_t i = 0; i < records.n; i++) {
                _cleanup_owner_ Owner o = {};
                Range in;

                r = range_init(records.items[i].fmr_physical, records.items[i].fmr_length, &in);
                if (r < 0)
                        return -EUCLEAN;
                if (!range_intersect(in, range, &in))
                        continue; /* what became of a neighbour's inode is nobody's trouble */

                r = xfs_owner(on, &records.items[i], &o);
                if (r != 0)
                        return r;
                r = owner_clamp(&o, range);
                if (r < 0)
                        return -EUCLEAN;
                r = vec_push(owners, o);
                if (r < 0)
                        return r;
                o = (Owner) {};
        }
        return 0;
}

/* One range. 0, MAP_E_*, or a negative errno. */
static int ask(const MapSection *on, Range range, uint32_t block_size, Owners *owners) {
        Range wide;
        int r;

        r = xfs_widen(range, block_size, &wide);
        if (r < 0)
                return r;
        r = gather(on, wide, range, owners);
        if (r != 0)
                return r;

        return settle_shared(owners);
}

/* A range of which nothing could be found out: it costs the others nothing. */
static int hand_out_failure(Range range, int error, OwnerFn fn, void *userdata) {
        const char *why = error == MAP_E_GONE ? "the file system changed while it was asked" :
                          error < 0 ? strerror(-error) : NULL;

        return fn(&(Owner) { .type = OWNER_UNKNOWN, .range = range, .detail = (char *) why }, userdata);
}

static int xfs_walk(const MapSection *on, const RangeSet *ranges, const MapAsker *asker, OwnerFn fn,
                    void *userdata) {
        XfsGeometry g = {};
        int r;

        r = xfs_geometry(on->mount_fd, &g);
        if (r != 0)
                return r;
        if (!(g.flags & XFS_GEOM_RMAPBT))
                return xfs_scan(on, &g, ranges, asker, fn, userdata);

        for (size_t i = 0; i < ranges->n; i++) {
                _cleanup_owners_ Owners owners = {};

                r = ask(on, ranges->items[i], g.block_size, &owners);
                if (r == -ENOMEM)
                        return r;
                if (r != 0) {
                        r = hand_out_failure(ranges->items[i], r, fn, userdata);
                        if (r != 0)
                                return r;
                        continue;
                }
                for (size_t k = 0; k < owners.n; k++) {
                        r = fn(&owners.items[k], userdata);
                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

/* A descriptor that keeps the inode and nothing more; XFS_OPEN_BY_HANDLE knows no O_PATH. */
static int open_path(int mount_fd, uint64_t inode, uint32_t generation, int *ret) {
        const XfsFid fid = { .ino = inode, .generation = generation };
        union {
                struct file_handle handle;
                char space[sizeof(struct file_handle) + sizeof(XfsFid)];
        } u = {};
        int fd;

        u.handle.handle_bytes = sizeof(fid);
        u.handle.handle_type = XFS_FID_TYPE;
        memcpy(u.handle.f_handle, &fid, sizeof(fid));

        fd = open_by_handle_at(mount_fd, &u.handle, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return errno == ESTALE ? MAP_E_GONE : -errno;

        *ret = fd;
        return 0;
}

/* Opened this way, a regular file's times do not change: the kernel sets O_NOATIME and FMODE_NOCMTIME
 * (fs/xfs/xfs_handle.c, before 6.10 fs/xfs/xfs_ioctl.c, xfs_open_by_handle()). */
int xfs_open_handle(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret) {
        XfsHandle h = xfs_handle(inode, generation);
        XfsHandleRequest req = { .oflags = (uint32_t) flags, .ihandle = &h, .ihandlen = sizeof(h) };
        _cleanup_close_ int fd = -1;

        fd = ioctl(mount_fd, XFS_OPEN_BY_HANDLE, &req);
        if (fd < 0)
                return errno == ESTALE ? MAP_E_GONE : -errno;
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) /* the ioctl ignores O_CLOEXEC */
                return -errno;

        *ret = TAKE_FD(fd);
        return 0;
}

int xfs_open_to_ask(int mount_fd, const MapAsker *asker, uint64_t inode, uint32_t generation, int *opened,
                    int *ret) {
        int r;

        *ret = map_asker_holds(asker, inode, generation);
        if (*ret >= 0)
                return 0;
        r = xfs_open_handle(mount_fd, inode, generation, O_RDONLY | O_NONBLOCK, opened);
        *ret = *opened;
        return r;
}

static int xfs_open(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret) {
        return flags & O_PATH ? open_path(mount_fd, inode, generation, ret)
                              : xfs_open_handle(mount_fd, inode, generation, flags | O_NONBLOCK, ret);
}

/* From the extent map of the file, which says of each piece whether others have it too. With an rmapbt the
 * walk is as quick, and asks another witness. */
static int xfs_owns(const MapSection *on, int fd, Range range, uint64_t offset, MapOwns *ret) {
        XfsMapped mapped = {};
        XfsGeometry g = {};
        int r;

        r = xfs_geometry(on->mount_fd, &g);
        if (r != 0)
                return r;
        if (g.flags & XFS_GEOM_RMAPBT)
                return MAP_E_UNSUPPORTED;

        r = xfs_mapped(fd, on->part == FS_PART_REALTIME, range, offset, &mapped);
        if (r < 0)
                return r;

        if (mapped.here < range_size(range) || mapped.unwritten > 0)
                *ret = MAP_OTHERS;
        else
                *ret = mapped.shared > 0 ? MAP_SHARED : MAP_OWNED;
        return 0;
}

/* An inode's number is its place: allocation group, block in it, inode in that, each with as many bits as
 * it takes (XFS_INO_TO_AGNO()). */
static int xfs_groups(int mount_fd, MapGroups *ret) {
        XfsGeometry g = {};
        unsigned shift = 0;
        int r;

        r = xfs_geometry(mount_fd, &g);
        if (r != 0)
                return r;
        if (g.ag_blocks == 0 || g.ag_count == 0 || g.inode_size == 0 || g.inode_size > g.block_size)
                return -EUCLEAN;

        while ((UINT64_C(1) << shift) < (uint64_t) g.ag_blocks)
                shift++;
        for (uint32_t n = g.block_size / g.inode_size; n > 1; n /= 2)
                shift++;

        *ret = (MapGroups) { .size = (uint64_t) g.ag_blocks * g.block_size, .n = g.ag_count,
                             .inode_shift = shift, .block_size = g.block_size };
        return 0;
}

static bool xfs_shares(int mount_fd) {
        XfsGeometry g = {};

        return xfs_geometry(mount_fd, &g) == 0 && (g.flags & XFS_GEOM_REFLINK);
}

static const char *const xfs_types[] = { "xfs", NULL };

const MapperOps mapper_xfs = {
        .name = "xfs",
        .fs_types = xfs_types,
        .realtime = true,
        .keeps_times = true,
        .walk = xfs_walk,
        .open = xfs_open,
        .owns = xfs_owns,
        .names = xfs_names,
        .groups = xfs_groups,
        .shares = xfs_shares,
        .mendable = xfs_mendable,
        .mend = xfs_mend,
};
