/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The block devices of persistent memory: what libnvdimm's drivers make of a namespace, known by what they
 * stand on, a device of the nd subsystem; the partitions on it; and what holds these in turn, upwards from
 * holder to holder. A holder that is no device-mapper device (md, bcache) is listed, and not followed. The
 * other direction, from one device down to everything below it, is asked before each write. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "topo/topo-parts.h"
#include "topo/topo.h"
#include "util/parse.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

/* Every disk of libnvdimm begins so (drivers/nvdimm/namespace_devs.c nvdimm_namespace_disk_name()); no other
 * device has to be opened to find out that it is none. */
#define PMEM_GLOB "pmem*"

/* 0, or -ENODEV when it is not there: the device is going away. */
static int read_number(struct udev_device *d, const char *attribute, uint64_t *ret) {
        const char *value = udev_device_get_sysattr_value(d, attribute);

        return value && parse_u64(value, ret) == 0 ? 0 : -ENODEV;
}

static int has_attribute(struct udev_device *d, const char *attribute, bool *ret) {
        char *path;

        if (asprintf(&path, "%s/%s", udev_device_get_syspath(d), attribute) < 0)
                return -ENOMEM;
        *ret = access(path, F_OK) == 0;
        free(path);
        return 0;
}

static int read_size(struct udev_device *d, uint64_t *ret) {
        uint64_t sectors;
        int r;

        r = read_number(d, "size", &sectors);
        if (r < 0)
                return r;
        if (sectors == 0 || __builtin_mul_overflow(sectors, SECTOR_SIZE, ret))
                return -ENODEV;
        return 0;
}

/* The name that people know a device-mapper device by, where udev has made it. */
static int read_node(struct udev_device *d, const char *node, char **ret) {
        const char *name = udev_device_get_sysattr_value(d, "dm/name");
        _cleanup_free_ char *path = NULL;

        if (name && asprintf(&path, "/dev/mapper/%s", name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return str_copy(path && !strchr(name, '/') && access(path, F_OK) == 0 ? path : node, ret);
}

/* `whole`: the disk that d is a partition of, or d itself: the queue's limits are there. */
static int read_disk(struct udev_device *d, struct udev_device *whole, TopoDisk *disk) {
        const char *node = udev_device_get_devnode(d);
        dev_t number = udev_device_get_devnum(d);
        uint64_t block_size;
        int r;

        r = read_number(whole, "queue/logical_block_size", &block_size);
        if (r < 0)
                return r;
        if (!node || number == 0 || block_size == 0 || block_size > UINT32_MAX)
                return -ENODEV;

        disk->major = major(number);
        disk->minor = minor(number);
        disk->logical_block_size = (uint32_t) block_size;
        r = has_attribute(d, "badblocks", &disk->badblocks);
        if (r < 0)
                return r;
        r = read_size(d, &disk->size);
        if (r < 0)
                return r;
        r = read_node(d, node, &disk->node);
        if (r < 0)
                return r;
        return str_copy(udev_device_get_sysname(d), &disk->name);
}

/* The partition's bytes on its disk. */
static int read_link(struct udev_device *d, struct udev_device *whole, uint64_t size, TopoLink *link) {
        uint64_t start;
        int r;

        r = read_number(d, "start", &start);
        if (r < 0)
                return r;
        if (__builtin_mul_overflow(start, SECTOR_SIZE, &start))
                return -ENODEV;

        r = spacemap_add(&link->map, (Range) { 0, size }, start);
        if (r < 0)
                return r == -EOVERFLOW ? -ENODEV : r;
        r = str_copy(udev_device_get_sysname(d), &link->upper);
        if (r < 0)
                return r;
        return str_copy(udev_device_get_sysname(whole), &link->lower);
}

static bool is_partition(struct udev_device *d) {
        return streq_ptr(udev_device_get_devtype(d), "partition");
}

/* "md" of "md127" */
static int read_kind(const char *name, char **ret) {
        *ret = strndup(name, strcspn(name, "-0123456789"));
        return *ret ? 0 : -ENOMEM;
}

static void drop_links(Topology *one) {
        while (one->links.n > 0)
                topo_link_done(one->links.items + --one->links.n);
}

/* Only that the two belong together is known. */
static int add_opaque(const char *upper, const char *lower, Topology *t) {
        TopoLink *l;
        int r;

        r = vec_push(&t->links, ((TopoLink) {}));
        if (r < 0)
                return r;
        l = &t->links.items[t->links.n - 1];
        r = str_copy(upper, &l->upper);
        if (r >= 0)
                r = str_copy(lower, &l->lower);
        return r < 0 ? r : read_kind(upper, &l->opaque);
}

/* What d stands on. `lower`: what is known to be below it, for a device of which that is all that can be
 * told; NULL: nothing. */
static int read_links(struct udev *udev, struct udev_device *d, const char *lower, Topology *one) {
        const char *name = udev_device_get_sysname(d);
        int r;

        if (udev_device_get_sysattr_value(d, "dm/name")) {
                r = topo_read_dm(udev, name, udev_device_get_devnum(d), one);
                if (r >= 0 || r == -ENOMEM || r == -ENODEV || !lower)
                        return r;
                drop_links(one);        /* it cannot be read: only that it is there is known */
        }
        if (!is_partition(d))
                return lower ? add_opaque(name, lower, one) : 0;

        r = vec_push(&one->links, ((TopoLink) {}));
        return r < 0 ? r
               : read_link(d, udev_device_get_parent_with_subsystem_devtype(d, "block", "disk"),
                           one->disks.items[0].size, one->links.items);
}

/* Reads one device into a Topology of its own, which is freed as a whole when the device goes away
 * meanwhile. */
static int read_device(struct udev *udev, struct udev_device *d, const char *lower, Topology *one) {
        struct udev_device *whole = d;
        int r;

        if (is_partition(d))
                whole = udev_device_get_parent_with_subsystem_devtype(d, "block", "disk");
        if (!whole)
                return -ENODEV;

        r = vec_push(&one->disks, ((TopoDisk) {}));
        if (r >= 0)
                r = read_disk(d, whole, &one->disks.items[0]);
        return r < 0 ? r : read_links(udev, d, lower, one);
}

static int add_device(struct udev *udev, struct udev_device *d, const char *lower, Topology *t) {
        _cleanup_topology_ Topology one = {};
        int r;

        r = read_device(udev, d, lower, &one);
        if (r < 0)
                return r == -ENODEV ? 0 : r;

        r = vec_push(&t->disks, one.disks.items[0]);
        if (r < 0)
                return r;
        one.disks.n = 0;
        while (one.links.n > 0) {
                r = vec_push(&t->links, one.links.items[one.links.n - 1]);
                if (r < 0)
                        return r;
                one.links.n--;
        }
        return 0;
}

static int add_pmem(struct udev *udev, const char *syspath, Topology *t) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;

        d = udev_device_new_from_syspath(udev, syspath);
        if (!d)
                return errno == ENOMEM ? -ENOMEM : 0;
        if (!udev_device_get_parent_with_subsystem_devtype(d, "nd", NULL))
                return 0;
        return add_device(udev, d, NULL, t);
}

static bool is_linked(const Topology *t, const char *upper, const char *lower) {
        for (size_t i = 0; i < t->links.n; i++)
                if (streq_ptr(t->links.items[i].upper, upper) && streq_ptr(t->links.items[i].lower, lower))
                        return true;
        return false;
}

static int add_holder(struct udev *udev, const char *name, const char *lower, Topology *t) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;

        if (topology_find_disk(t, name))
                return is_linked(t, name, lower) ? 0 : add_opaque(name, lower, t);
        d = udev_device_new_from_subsystem_sysname(udev, "block", name);
        if (!d)
                return errno == ENOMEM ? -ENOMEM : 0;
        return add_device(udev, d, lower, t);
}

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int add_holders(struct udev *udev, const char *lower, Topology *t) {
        __attribute__((cleanup(closedirp))) DIR *folder = NULL;
        _cleanup_free_ char *path = NULL, *name = strdup(lower);
        const struct dirent *entry;
        int r = 0;

        if (!name || asprintf(&path, "/sys/class/block/%s/holders", lower) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        folder = opendir(path);
        while (r >= 0 && folder && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        r = add_holder(udev, entry->d_name, name, t);
        return r;
}

/* Other memory that a device stands on besides is none of ours. */
static void drop_strangers(Topology *t) {
        for (size_t i = t->links.n; i > 0; i--)
                if (!topology_find_disk(t, t->links.items[i - 1].lower)) {
                        topo_link_done(t->links.items + i - 1);
                        vec_remove(&t->links, i - 1, 1);
                }
}

static int read_pmem(struct udev *udev, Topology *t) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = NULL;
        struct udev_list_entry *entry;
        int r;

        e = udev_enumerate_new(udev);
        if (!e)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(e, "block");
        if (r < 0)
                return r;
        r = udev_enumerate_add_match_sysname(e, PMEM_GLOB);
        if (r < 0)
                return r;
        r = udev_enumerate_scan_devices(e);
        if (r < 0)
                return r;

        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e)) {
                r = add_pmem(udev, udev_list_entry_get_name(entry), t);
                if (r < 0)
                        return r;
        }
        return 0;
}

int topo_read_block(struct udev *udev, Topology *t) {
        int r;

        assert(udev);
        assert(t);

        r = read_pmem(udev, t);
        for (size_t i = 0; r >= 0 && i < t->disks.n; i++)       /* grows on the way */
                r = add_holders(udev, t->disks.items[i].name, t);
        if (r >= 0)
                drop_strangers(t);
        return r;
}

/* ---- downwards ---- */

static int add_below(struct udev *udev, struct udev_device *d, Topology *t) {
        size_t known = t->links.n;
        int r;

        r = add_device(udev, d, NULL, t);

        for (size_t i = known; r >= 0 && i < t->links.n; i++) {
                _cleanup_(udev_device_unrefp) struct udev_device *lower = NULL;

                if (topology_find_disk(t, t->links.items[i].lower))
                        continue;
                lower = udev_device_new_from_subsystem_sysname(udev, "block", t->links.items[i].lower);
                if (!lower)
                        return errno == ENOMEM ? -ENOMEM : -ENODEV;
                r = add_below(udev, lower, t);
        }
        return r;
}

int topo_read_below(uint32_t major_number, uint32_t minor_number, Topology *ret) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;
        _cleanup_topology_ Topology t = {};
        int r;

        assert(ret);

        if (!udev)
                return -ENOMEM;
        d = udev_device_new_from_devnum(udev, 'b', makedev(major_number, minor_number));
        if (!d)
                return errno == ENOMEM ? -ENOMEM : -ENODEV;
        r = add_below(udev, d, &t);
        if (r < 0)
                return r;

        *ret = t;
        t = (Topology) {};
        return 0;
}
