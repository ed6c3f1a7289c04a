/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The online repair of XFS (XFS_IOC_SCRUB_METADATA; kernels with CONFIG_XFS_ONLINE_REPAIR). It rebuilds a
 * structure in new blocks, or a header in place, from what stands elsewhere: btrees and headers of a group
 * from the reverse mapping btree, that one from all the others, extent maps from it too, folders from parent
 * pointers. The rebuild is forced: what was lost on the medium is as a rule still in memory, where nothing
 * is found wrong with it. */

#include <errno.h>
#include <linux/fsmap.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "map/mapper-xfs.h"
#include "map/mapper.h"
#include "map/xfs-inodes.h"

static const uint32_t types[_MEND_PART_MAX] = {
        [MEND_SUPERBLOCK] = XFS_SCRUB_SB,
        [MEND_AGF] = XFS_SCRUB_AGF,
        [MEND_AGFL] = XFS_SCRUB_AGFL,
        [MEND_AGI] = XFS_SCRUB_AGI,
        [MEND_BNOBT] = XFS_SCRUB_BNOBT,         /* mends the other one (by size) as well */
        [MEND_REFCOUNTBT] = XFS_SCRUB_REFCNTBT,
        [MEND_INOBT] = XFS_SCRUB_INOBT,
        [MEND_FINOBT] = XFS_SCRUB_FINOBT,
        [MEND_RMAPBT] = XFS_SCRUB_RMAPBT,
        [MEND_DATA_MAP] = XFS_SCRUB_BMBTD,
        [MEND_ATTRIBUTE_MAP] = XFS_SCRUB_BMBTA,
        [MEND_DIRECTORY] = XFS_SCRUB_DIR,
};

static int scrub(int mount_fd, uint32_t type, const Mend *m) {
        XfsScrub s = { .type = type, .flags = XFS_SCRUB_REPAIR | XFS_SCRUB_FORCE, .ino = m->inode,
                       .generation = m->generation, .group = m->group };

        if (ioctl(mount_fd, XFS_SCRUB_METADATA, &s) < 0)
                return -errno;
        if (s.flags & XFS_SCRUB_WRONG)
                return -EUCLEAN;
        return s.flags & XFS_SCRUB_INCOMPLETE ? -EAGAIN : 0;
}

int xfs_mend(int mount_fd, const Mend *m, MendPart part) {
        return scrub(mount_fd, types[part], m);
}

/* Four headers, a sector each, begin a group: superblock, free space, inodes, free list. The superblock of
 * the first group is the one that counts, which nothing online rebuilds. 0 where a bad sector is none of
 * these. */
static uint32_t headers_in(const XfsGeometry *g, uint64_t group_start, uint32_t group, const RangeSet *bad) {
        static const MendPart headers[] = { MEND_SUPERBLOCK, MEND_AGF, MEND_AGI, MEND_AGFL };
        uint32_t parts = 0;

        for (size_t i = 0; i < bad->n; i++)
                for (uint64_t at = bad->items[i].start; at < bad->items[i].end; at += SECTOR_SIZE) {
                        uint64_t n = (at - group_start) / g->sector_size;

                        if (n >= sizeof(headers) / sizeof(headers[0]) || (n == 0 && group == 0))
                                return 0;
                        parts |= MEND_BIT(headers[n]);
                }
        return parts;
}

static uint32_t of_group(const XfsGeometry *g, const struct fsmap *rec, const RangeSet *bad, Mend *m) {
        const uint64_t group_size = (uint64_t) g->ag_blocks * g->block_size;

        m->group = (uint32_t) (rec->fmr_physical / group_size);
        switch (rec->fmr_owner) {
        case XFS_OWNER_FS:
                return headers_in(g, m->group * group_size, m->group, bad);
        case XFS_OWNER_AG:      /* nobody says which of them */
                return MEND_BIT(MEND_BNOBT) | MEND_BIT(MEND_RMAPBT);
        case XFS_OWNER_INOBT:
                return MEND_BIT(MEND_INOBT) | MEND_BIT(MEND_FINOBT);
        case XFS_OWNER_REFCOUNT:
                return MEND_BIT(MEND_REFCOUNTBT);
        default:
                return 0;
        }
}

/* The rest of what an inode has would be salvaged, and what could not be salvaged lost. */
static int of_inode(int mount_fd, const XfsGeometry *g, const struct fsmap *rec, Mend *m) {
        XfsStat st = {};
        int r;

        r = xfs_inode_stat(mount_fd, rec->fmr_owner, &st);
        if (r != 0)
                return r < 0 ? r : 0;

        m->inode = rec->fmr_owner;
        m->generation = st.generation;
        if (rec->fmr_flags & FMR_OF_EXTENT_MAP)
                m->parts = MEND_BIT(rec->fmr_flags & FMR_OF_ATTR_FORK ? MEND_ATTRIBUTE_MAP : MEND_DATA_MAP);
        else if (!(rec->fmr_flags & FMR_OF_ATTR_FORK) && S_ISDIR(st.mode) && (g->flags & XFS_GEOM_PARENT))
                m->parts = MEND_BIT(MEND_DIRECTORY);
        return 0;
}

static int of_record(int mount_fd, const XfsGeometry *g, const struct fsmap *rec, const RangeSet *bad,
                     Mend *ret) {
        Mend m = {};
        int r = 0;

        if (rec->fmr_flags & FMR_OF_SPECIAL_OWNER)
                m.parts = of_group(g, rec, bad, &m);
        else
                r = of_inode(mount_fd, g, rec, &m);
        if (r < 0)
                return r;

        *ret = m.parts != 0 ? m : (Mend) {};
        return 0;
}

static bool is_same(const Mend *a, const Mend *b) {
        return a->parts == b->parts && a->group == b->group && a->inode == b->inode &&
               a->generation == b->generation;
}

/* Records that overlap `range` must all be of one kind. */
static int of_range(int mount_fd, const XfsGeometry *g, Range range, const RangeSet *bad, Mend *ret) {
        _cleanup_xfs_records_ XfsRecords records = {};
        Mend all = {};
        bool any = false;
        int r;

        r = xfs_query(MAP_DATA(mount_fd), range, &records);
        if (r != 0)
                return r < 0 ? r : 0;

        for (size_t i = 0; i < records.n; i++) {
                const struct fsmap *rec = records.items + i;
                Mend m = {};
                Range in;

                if (range_init(rec->fmr_physical, rec->fmr_length, &in) < 0)
                        return -EUCLEAN;
                if (!range_intersect(in, range, &in))
                        continue;
                r = of_record(mount_fd, g, rec, bad, &m);
                if (r < 0)
                        return r;
                if (m.parts == 0 || (any && !is_same(&m, &all)))
                        return 0;
                all = m;
                any = true;
        }

        *ret = all;
        return 0;
}

int xfs_mendable(int mount_fd, Range range, const RangeSet *bad, Mend *ret) {
        XfsGeometry g = {};
        Mend m = {};
        int r;

        *ret = (Mend) {};
        r = xfs_geometry(mount_fd, &g);
        if (r != 0 || g.ag_blocks == 0 || g.block_size == 0 || g.sector_size == 0)
                return r < 0 ? r : 0;
        if (!(g.flags & XFS_GEOM_RMAPBT))
                return 0;

        /* A kernel that does not know the question cannot mend; nor one that says no, whatever the reason.
         */
        r = of_range(mount_fd, &g, range, bad, &m);
        if (r < 0 || m.parts == 0 || scrub(mount_fd, XFS_SCRUB_PROBE, &(Mend) {}) < 0)
                return r;

        *ret = m;
        return 0;
}
