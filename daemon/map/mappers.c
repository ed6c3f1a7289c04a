/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The front of the mappers. A backend reports what it knows, in order; the front turns that into a
 * complete answer: clamped to what was asked, without gaps, so that a byte nobody vouches for is never
 * mistaken for free. And it believes no descriptor and no name before the kernel has said that they
 * belong to the inode that was asked for. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "map/map-path.h"
#include "map/mapper-backends.h"
#include "map/mapper.h"

const MapperOps *const mapper_table[] = {
        &mapper_ext4,
        &mapper_xfs,
        NULL,
};

const MapperOps *mapper_find(const char *fs_type) {
        assert(fs_type);

        for (const MapperOps *const *ops = mapper_table; *ops; ops++)
                for (const char *const *t = (*ops)->fs_types; *t; t++)
                        if (strcmp(*t, fs_type) == 0)
                                return *ops;
        return NULL;
}

int map_asker_holds(const MapAsker *a, uint64_t inode, uint32_t generation) {
        for (size_t i = 0; a && i < a->n_held; i++)
                if (a->held[i].inode == inode && a->held[i].generation == generation)
                        return a->held[i].fd;
        return -1;
}

typedef struct Walk {
        const RangeSet *asked;
        size_t at;              /* of `asked`: those before it have been handed out */
        uint64_t next;          /* all that was asked for below this has been handed out */
        uint64_t last;          /* where the latest owner starts */
        OwnerFn fn;
        void *userdata;
        int stopped;            /* what fn stopped the walk with: it may be the number of a MAP_E_* */
} Walk;

static int walk_hand_out(Walk *w, const Owner *o) {
        w->stopped = w->fn(o, w->userdata);
        return w->stopped;
}

/* What was asked for below `end` and nobody vouches for. */
static int walk_unknown(Walk *w, uint64_t end) {
        for (; w->at < w->asked->n; w->at++) {
                const Range r = w->asked->items[w->at];
                Owner gap = { .type = OWNER_UNKNOWN, .range = r };
                int k;

                if (gap.range.start < w->next)
                        gap.range.start = w->next;
                if (gap.range.end > end)
                        gap.range.end = end;
                if (gap.range.start < gap.range.end) {
                        w->next = gap.range.end;
                        k = walk_hand_out(w, &gap);
                        if (k != 0)
                                return k;
                }
                if (r.end > end)
                        return 0;
        }
        return 0;
}

/* Cuts o, which has bytes in some range, to the one range that it may have them in. 0, or -EUCLEAN: it has
 * them in two, in one that is done, or counts past the end. */
static int walk_clamp(const Walk *w, Owner *o) {
        const RangeSet *s = w->asked;
        const uint64_t end = o->range.end;
        size_t i = w->at;

        while (i < s->n && s->items[i].end <= o->range.start)
                i++;
        if (i < s->n && owner_clamp(o, s->items[i]) > 0 && (i + 1 == s->n || end <= s->items[i + 1].start))
                return 0;
        return -EUCLEAN;
}

static int walk_owner(const Owner *owner, void *userdata) {
        Walk *w = userdata;
        Owner o = *owner;
        int r;

        if (o.range.start >= o.range.end)
                return -EUCLEAN;
        if (!rangeset_overlaps(w->asked, o.range))
                return 0;
        r = walk_clamp(w, &o);
        if (r < 0)
                return r;
        if (o.range.start < w->last)
                return -EUCLEAN; /* out of order: the backend cannot be believed */

        r = walk_unknown(w, o.range.start);
        if (r != 0)
                return r;

        w->last = o.range.start;
        if (w->next < o.range.end)
                w->next = o.range.end;
        return walk_hand_out(w, &o);
}

int mapper_search(const MapperOps *ops, const MapSection *on, const RangeSet *ranges,
                  const MapAsker *asker, OwnerFn fn, void *userdata) {
        Walk w = { .asked = ranges, .fn = fn, .userdata = userdata };
        int r = 0;

        assert(ranges);
        assert(fn);

        if (mapper_can_ask(ops, on) && ranges->n > 0)
                r = ops->walk(on, ranges, asker, walk_owner, &w);
        if (w.stopped != 0)
                return w.stopped;
        if (r != 0 && r != MAP_E_UNSUPPORTED)
                return r;

        return walk_unknown(&w, UINT64_MAX);
}

/* 0 when fd has that generation, or its file system does not tell; MAP_E_GONE. */
static int check_generation(int fd, uint32_t generation) {
        /* Its number says long, but the kernel writes an int (fs/xfs/xfs_ioctl.c, fs/ext4/ioctl.c). */
        int v[2] = {};

        if (ioctl(fd, FS_IOC_GETVERSION, v) < 0)
                return errno == ENOTTY || errno == EOPNOTSUPP ? 0 : -errno;

        return (uint32_t) v[0] == generation ? 0 : MAP_E_GONE;
}

static int check_identity(int mount_fd, int fd, uint64_t inode, uint32_t generation, int flags) {
        struct stat mount, st;

        if (fstat(mount_fd, &mount) < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_dev != mount.st_dev || st.st_ino != inode || !S_ISREG(st.st_mode))
                return MAP_E_GONE;
        if (flags & O_PATH)
                return 0; /* answers no ioctl; the backend's handle had the generation in it */

        return check_generation(fd, generation);
}

int mapper_open(const MapperOps *ops, int mount_fd, uint64_t inode, uint32_t generation, int flags,
                int *ret) {
        _cleanup_close_ int fd = -1;
        int r;

        assert(flags == O_RDONLY || flags == O_RDWR || flags == O_PATH);
        assert(ret);

        if (!ops || !ops->open)
                return -EOPNOTSUPP;

        r = ops->open(mount_fd, inode, generation, flags, &fd);
        if (r != 0)
                return r;
        r = check_identity(mount_fd, fd, inode, generation, flags);
        if (r != 0)
                return r;

        *ret = TAKE_FD(fd);
        return 0;
}

bool mapper_shares(const MapperOps *ops, const MapSection *on) {
        return on->part == FS_PART_DATA && ops && ops->shares && ops->shares(on->mount_fd);
}

int mapper_groups(const MapperOps *ops, const MapSection *on, MapGroups *ret) {
        MapGroups g = {};
        int r;

        if (on->part != FS_PART_DATA || !ops || !ops->groups)
                return MAP_E_UNSUPPORTED;
        r = ops->groups(on->mount_fd, &g);
        if (r != 0)
                return r;
        if (g.size == 0 || g.n == 0 || g.block_size == 0 || g.inode_shift >= 64)
                return -EUCLEAN;

        *ret = g;
        return 0;
}

int mapper_mendable(const MapperOps *ops, const MapSection *on, Range range, const RangeSet *bad,
                    Mend *ret) {
        Mend m = {};
        int r;

        assert(ret);

        if (on->part != FS_PART_DATA || !ops || !ops->mendable || !ops->mend || bad->n == 0 ||
            !range_contains(range, (Range) { bad->items[0].start, bad->items[bad->n - 1].end })) {
                *ret = m;
                return 0;
        }
        r = ops->mendable(on->mount_fd, range, bad, &m);
        if (r < 0)
                return r;
        if (!mend_is_sane(&m))
                return -EUCLEAN;

        *ret = m;
        return 0;
}

int mapper_mend(const MapperOps *ops, int mount_fd, const Mend *m, MendPart part) {
        if (!ops || !ops->mend || !mend_is_sane(m) || part < 0 || !(m->parts & MEND_BIT(part)))
                return -EINVAL;
        return ops->mend(mount_fd, m, part);
}
