/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The block devices of persistent memory: what libnvdimm's drivers make of a namespace, and the partitions
 * on it. They are known by what they stand on, a device of the nd subsystem. What is built from them in turn
 * (device mapper) is not linked. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "topo/topo-parts.h"
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
        r = str_copy(node, &disk->node);
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

/* Reads one device into a Topology of its own, which is freed as a whole when the device goes away
 * meanwhile. */
static int read_device(struct udev_device *d, Topology *one) {
        struct udev_device *whole = d;
        bool partition = streq_ptr(udev_device_get_devtype(d), "partition");
        int r;

        if (partition)
                whole = udev_device_get_parent_with_subsystem_devtype(d, "block", "disk");
        if (!whole || !udev_device_get_parent_with_subsystem_devtype(d, "nd", NULL))
                return -ENODEV;

        r = vec_push(&one->disks, ((TopoDisk) {}));
        if (r < 0)
                return r;
        r = read_disk(d, whole, &one->disks.items[0]);
        if (r < 0 || !partition)
                return r;

        r = vec_push(&one->links, ((TopoLink) {}));
        if (r < 0)
                return r;
        return read_link(d, whole, one->disks.items[0].size, &one->links.items[0]);
}

static int add_device(struct udev *udev, const char *syspath, Topology *t) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;
        _cleanup_topology_ Topology one = {};
        int r;

        d = udev_device_new_from_syspath(udev, syspath);
        if (!d)
                return errno == ENOMEM ? -ENOMEM : 0;

        r = read_device(d, &one);
        if (r < 0)
                return r == -ENODEV ? 0 : r;

        r = vec_push(&t->disks, one.disks.items[0]);
        if (r < 0)
                return r;
        one.disks.n = 0;
        if (one.links.n > 0) {
                r = vec_push(&t->links, one.links.items[0]);
                if (r < 0)
                        return r;
                one.links.n = 0;
        }
        return 0;
}

int topo_read_block(struct udev *udev, Topology *t) {
        _cleanup_(udev_enumerate_unrefp) struct udev_enumerate *e = NULL;
        struct udev_list_entry *entry;
        int r;

        assert(udev);
        assert(t);

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
                r = add_device(udev, udev_list_entry_get_name(entry), t);
                if (r < 0)
                        return r;
        }
        return 0;
}
