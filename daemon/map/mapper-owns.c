/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The question that is asked right before a page is written: is it (still) this file's? Where the file
 * system cannot tell by itself, all owners of the page are asked for, and this file has to be the only
 * one. */

#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "map/mapper.h"

typedef struct Count {
        Owner expected;
        unsigned good, shared, unknown, other;
} Count;

static int count_owner(const Owner *o, void *userdata) {
        Count *c = userdata;
        const Owner *e = &c->expected;
        const bool ours = o->type == OWNER_FILE && o->inode == e->inode && o->generation == e->generation &&
                          o->offset == e->offset && range_equal(o->range, e->range) && !o->unwritten;

        if (o->type == OWNER_UNKNOWN)
                c->unknown++;
        else if (ours && o->shared)
                c->shared++;
        else if (ours)
                c->good++;
        else
                c->other++;
        return 0;
}

static int owns_by_walk(const MapperOps *ops, const MapSection *on, int fd, Range range, uint64_t offset,
                        MapOwns *ret) {
        Count c = { .expected = { .range = range, .offset = offset } };
        int generation[2] = {}, r;
        struct stat st;

        if (fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_GETVERSION, generation) < 0)
                return -errno;
        c.expected.inode = st.st_ino;
        c.expected.generation = (uint32_t) generation[0];

        r = mapper_walk(ops, on, RANGESET_ONE(range), count_owner, &c);
        if (r < 0)
                return r;
        if (r > 0 || c.unknown > 0)
                return -EAGAIN;

        if (c.shared > 0 || (c.good > 0 && c.other > 0))
                *ret = MAP_SHARED;
        else
                *ret = c.good == 1 ? MAP_OWNED : MAP_OTHERS;
        return 0;
}

int mapper_owns(const MapperOps *ops, const MapSection *on, int fd, Range range, uint64_t offset,
                MapOwns *ret) {
        int r = MAP_E_UNSUPPORTED;

        assert(range.start < range.end);
        assert(ret);

        if (mapper_can_ask(ops, on) && ops->owns)
                r = ops->owns(on, fd, range, offset, ret);
        return r == MAP_E_UNSUPPORTED ? owns_by_walk(ops, on, fd, range, offset, ret) : r;
}
