/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a device-mapper device stands on, from its table. linear and striped are followed; any other target
 * keeps its bytes where it likes, so that of it only its name is told, for each device that it may use. The
 * table of the device that is in use is read, not one that was loaded and waits for a resume. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "topo/topo-parts.h"
#include "util/parse.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

static void task_destroyp(struct dm_task **task) {
        if (*task)
                dm_task_destroy(*task);
}

static void log_nothing(int level, const char *file, int line, int error, const char *format, ...) {
}

static int run_task(int type, dev_t number, struct dm_task **ret) {
        __attribute__((cleanup(task_destroyp))) struct dm_task *task = NULL;
        struct dm_info info;

        dm_log_with_errno_init(log_nothing);
        task = dm_task_create(type);
        if (!task)
                return -ENOMEM;
        /* Looking at it must not wait until what is in flight has been written. */
        if (!dm_task_set_major_minor(task, (int) major(number), (int) minor(number), 1) ||
            !dm_task_no_open_count(task) || !dm_task_no_flush(task))
                return -ENOMEM;
        if (!dm_task_run(task))
                return dm_task_get_errno(task) > 0 ? -dm_task_get_errno(task) : -EIO;
        if (!dm_task_get_info(task, &info) || !info.exists)
                return -ENODEV;
        *ret = TAKE_PTR(task);
        return 0;
}

/* "259:3" */
static int parse_number(const char *text, dev_t *ret) {
        unsigned major_number, minor_number;
        char rest;

        if (!text || sscanf(text, "%u:%u%c", &major_number, &minor_number, &rest) != 2)
                return -EBADMSG;
        *ret = makedev(major_number, minor_number);
        return 0;
}

static int parse_sectors(const char *text, uint64_t *ret) {
        if (!text || parse_u64(text, ret) < 0 || __builtin_mul_overflow(*ret, SECTOR_SIZE, ret))
                return -EBADMSG;
        return 0;
}

/* The link of the two, made when there is none yet. The pointer is good until the next one is made. */
static int find_link(struct udev *udev, const char *upper, dev_t number, Topology *t, TopoLink **ret) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = udev_device_new_from_devnum(udev, 'b', number);
        const char *lower = d ? udev_device_get_sysname(d) : NULL;
        int r;

        if (!lower)
                return -ENODEV;
        for (size_t i = 0; i < t->links.n; i++)
                if (streq_ptr(t->links.items[i].upper, upper) && streq_ptr(t->links.items[i].lower, lower)) {
                        *ret = t->links.items + i;
                        return 0;
                }

        r = vec_push(&t->links, ((TopoLink) {}));
        if (r < 0)
                return r;
        *ret = t->links.items + t->links.n - 1;
        r = str_copy(upper, &(*ret)->upper);
        return r < 0 ? r : str_copy(lower, &(*ret)->lower);
}

#define TWICE "some of them twice"

static int set_opaque(TopoLink *l, const char *target) {
        if (streq_ptr(l->opaque, TWICE))
                return 0;
        free(l->opaque);
        l->opaque = NULL;
        return str_copy(target, &l->opaque);
}

/* The kernel lets the same bytes be mapped twice. Then it cannot be told where they belong. */
static int add_segment(TopoLink *l, Range upper, uint64_t lower) {
        int r = spacemap_add(&l->map, upper, lower);

        if (r == -EEXIST)
                return set_opaque(l, TWICE);
        return r == -EOVERFLOW ? -EBADMSG : r;
}

static void drop_ambiguous(const char *upper, Topology *t) {
        for (size_t i = 0; i < t->links.n; i++) {
                TopoLink *l = t->links.items + i;

                if (!streq_ptr(l->upper, upper) || !streq_ptr(l->opaque, TWICE))
                        continue;
                spacemap_done(&l->map);
                vec_done(&l->stripes);
        }
}

/* "device start" */
static int read_linear(struct udev *udev, const char *name, Range upper, char *params, Topology *t) {
        char *save = NULL, *device = strtok_r(params, " ", &save), *start = strtok_r(NULL, " ", &save);
        uint64_t lower;
        TopoLink *l;
        dev_t number;
        int r;

        r = parse_number(device, &number);
        if (r < 0)
                return r;
        r = parse_sectors(start, &lower);
        if (r < 0)
                return r;
        r = find_link(udev, name, number, t, &l);
        return r < 0 ? r : add_segment(l, upper, lower);
}

static int read_stripe(struct udev *udev, const char *name, const char *device, const char *start, Stripe *s,
                       Topology *t) {
        TopoLink *l;
        dev_t number;
        int r;

        r = parse_number(device, &number);
        if (r < 0)
                return r;
        r = parse_sectors(start, &s->lower);
        if (r < 0)
                return r;
        if (!stripe_is_valid(s))
                return -EBADMSG;
        r = find_link(udev, name, number, t, &l);
        return r < 0 ? r : vec_push(&l->stripes, *s);
}

/* "stripes chunk [device start]…" */
static int read_striped(struct udev *udev, const char *name, Range upper, char *params, Topology *t) {
        char *save = NULL, *count = strtok_r(params, " ", &save), *chunk = strtok_r(NULL, " ", &save);
        Stripe s = { .upper = upper };
        uint64_t n;
        int r;

        if (!count || parse_u64(count, &n) < 0 || n == 0 || n > UINT32_MAX)
                return -EBADMSG;
        r = parse_sectors(chunk, &s.chunk);
        s.count = (uint32_t) n;

        for (; r >= 0 && s.index < s.count; s.index++) {
                char *device = strtok_r(NULL, " ", &save), *start = strtok_r(NULL, " ", &save);

                r = read_stripe(udev, name, device, start, &s, t);
        }
        return r;
}

/* Whatever it stands on may be used by a target that is not followed. */
static int read_opaque(struct udev *udev, const char *name, const char *target, dev_t number, Topology *t) {
        __attribute__((cleanup(task_destroyp))) struct dm_task *task = NULL;
        struct dm_deps *deps;
        int r;

        r = run_task(DM_DEVICE_DEPS, number, &task);
        if (r < 0)
                return r;
        deps = dm_task_get_deps(task);
        for (uint32_t i = 0; deps && r >= 0 && i < deps->count; i++) {
                TopoLink *l;

                r = find_link(udev, name, deps->device[i], t, &l);
                if (r >= 0)
                        r = set_opaque(l, target);
        }
        return r;
}

/* Those that have no bytes of any device. */
static bool is_empty_target(const char *type) {
        return streq_ptr(type, "zero") || streq_ptr(type, "error");
}

static int read_target(struct udev *udev, const char *name, dev_t number, Range upper, const char *type,
                       const char *params, Topology *t) {
        _cleanup_free_ char *copy = strdup(params ? params : "");
        int r;

        if (!copy)
                return -ENOMEM;
        if (is_empty_target(type))
                return 0;
        r = streq_ptr(type, "linear") ? read_linear(udev, name, upper, copy, t)
            : streq_ptr(type, "striped") ? read_striped(udev, name, upper, copy, t) : -EBADMSG;
        return r == -EBADMSG ? read_opaque(udev, name, type ? type : "unknown", number, t) : r;
}

int topo_read_dm(struct udev *udev, const char *name, dev_t number, Topology *t) {
        __attribute__((cleanup(task_destroyp))) struct dm_task *task = NULL;
        void *next = NULL;
        int r;

        assert(udev);
        assert(name);
        assert(t);

        r = run_task(DM_DEVICE_TABLE, number, &task);
        if (r < 0)
                return r == -ENXIO ? -ENODEV : r;

        do {
                uint64_t start = 0, length = 0;
                char *type = NULL, *params = NULL;
                Range upper;

                next = dm_get_next_target(task, next, &start, &length, &type, &params);
                if (!type)
                        break;
                if (__builtin_mul_overflow(start, SECTOR_SIZE, &start) ||
                    __builtin_mul_overflow(length, SECTOR_SIZE, &length) ||
                    range_init(start, length, &upper) < 0)
                        return -EBADMSG;
                r = read_target(udev, name, number, upper, type, params, t);
                if (r < 0)
                        return r;
        } while (next);
        drop_ambiguous(name, t);
        return 0;
}
