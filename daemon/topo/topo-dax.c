/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The character devices of device-dax: a disk in all that concerns us, but that nothing stands on it and
 * that it is mapped, not read. */

#include <assert.h>
#include <errno.h>
#include <sys/sysmacros.h>

#include "topo/topo-parts.h"
#include "util/str.h"
#include "util/vec.h"

static int add_dax(struct udev *udev, const TopoNamespace *n, Topology *t) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;
        TopoDisk *disk;
        int r;

        d = udev_device_new_from_subsystem_sysname(udev, "dax", n->disk);
        if (!d || !udev_device_get_devnode(d))
                return errno == ENOMEM ? -ENOMEM : 0;

        r = vec_push(&t->disks, ((TopoDisk) {}));
        if (r < 0)
                return r;
        disk = &t->disks.items[t->disks.n - 1];
        disk->character = true;
        disk->major = major(udev_device_get_devnum(d));
        disk->minor = minor(udev_device_get_devnum(d));
        disk->size = range_size(n->data);
        disk->logical_block_size = SECTOR_SIZE;
        r = str_copy(n->disk, &disk->name);
        return r < 0 ? r : str_copy(udev_device_get_devnode(d), &disk->node);
}

int topo_read_dax(struct udev *udev, Topology *t) {
        int r = 0;

        assert(udev);
        assert(t);

        for (size_t i = 0; r >= 0 && i < t->namespaces.n; i++) {
                const TopoNamespace *n = &t->namespaces.items[i];

                if (n->mode == NAMESPACE_DEVDAX && n->disk && n->data.start < n->data.end)
                        r = add_dax(udev, n, t);
        }
        return r;
}
