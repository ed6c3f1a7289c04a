/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "util/cleanup.h"

static int copy_string(const char *s, char **ret) {
        *ret = s ? strdup(s) : NULL;
        return s && !*ret ? -ENOMEM : 0;
}

int volume_of_disk(const Topology *t, const char *disk, Volume *ret, uint64_t *ret_physical,
                   bool *ret_known) {
        __attribute__((cleanup(volume_done))) Volume v = {};
        const TopoDisk *d = topology_find_disk(t, disk);
        const TopoMount *m = topology_find_mount(t, disk);
        _cleanup_spacemap_ SpaceMap map = {};
        int r;

        if (!d)
                return -ENOENT;

        r = copy_string(d->node, &v.device);
        if (r >= 0 && m)
                r = copy_string(m->fs, &v.fs);
        if (r >= 0 && m)
                r = copy_string(m->uuid, &v.uuid);
        if (r >= 0 && m)
                r = copy_string(m->mountpoint, &v.mountpoint);
        if (r < 0)
                return r;

        r = topology_physical(t, disk, &map);
        if (r == -ENOMEM)
                return r;
        *ret_known = r >= 0 && map.n == 1 && map.items[0].from.start == 0;
        *ret_physical = *ret_known ? map.items[0].to : 0;

        *ret = v;
        v = (Volume) {};
        return 0;
}
