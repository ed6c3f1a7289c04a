/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as /proc/self/mountinfo: paths in it are whatever users call their folders. There is at most one
 * mount of a disk, and it is of that disk. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "topo/topo-parts.h"
#include "util/str.h"
#include "util/vec.h"

static void add_disk(Topology *t, const char *name, uint32_t minor_number) {
        TopoDisk d = { .major = 259, .minor = minor_number };

        must(str_copy(name, &d.name) == 0);
        must(vec_push(&t->disks, d) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct udev *udev = udev_new();
        int fd = fuzz_memory(data, size);
        Topology t = {};
        char path[32];

        must(udev);
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        add_disk(&t, "pmem0", 0);
        add_disk(&t, "pmem1", 1);
        if (topo_read_mounts(path, udev, &t) == 0) {
                must(t.mounts.n <= 2);
                for (size_t i = 0; i < t.mounts.n; i++)
                        must(t.mounts.items[i].disk);
                must(t.mounts.n < 2 || strcmp(t.mounts.items[0].disk, t.mounts.items[1].disk) != 0);
        }
        topology_done(&t);
        (void) close(fd);
        udev_unref(udev);
        return 0;
}
