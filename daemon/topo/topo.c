/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The running system as a Topology. The libraries' contexts live only while it is read: what the daemon
 * keeps is the value. The parts are read one after another and may contradict each other when devices come
 * or go in between; the uevent of such a change has the whole read again, and nobody writes by a Topology
 * alone. */

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "topo/topo-parts.h"
#include "topo/topo.h"

/* libnvdimm's buses, of all kinds: ACPI, e820, virtio. Without it libndctl would find nothing, at the cost
 * of its set-up. */
#define ND_CLASS "/sys/class/nd"

int topo_read(Topology *ret) {
        _cleanup_topology_ Topology t = {};
        _cleanup_(udev_unrefp) struct udev *udev = NULL;
        int r;

        assert(ret);

        if (access(ND_CLASS, F_OK) == 0) {
                udev = udev_new();
                if (!udev)
                        return -ENOMEM;
                r = topo_read_ndctl(&t);
                if (r < 0)
                        return r;
                r = topo_read_block(udev, &t);
                if (r < 0)
                        return r;
                r = topo_read_dax(udev, &t);
                if (r < 0)
                        return r;
                r = topo_read_mounts("/proc/self/mountinfo", udev, &t);
                if (r < 0)
                        return r;
        }

        *ret = t;
        t = (Topology) {};
        return 0;
}
