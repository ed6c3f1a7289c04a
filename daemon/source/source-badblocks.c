/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bad-block lists, where poison shows first: ACPI notifications, scrub results and machine checks all
 * end here, and no uevent tells of them. A disk's own list is notified by drivers/nvdimm/pmem.c; the
 * region's by drivers/nvdimm/region.c, shortly before, and also when poison is cleared past the disk (ndctl
 * clear-errors). The region's is watched for each of its disks, some of which have no other (device-dax,
 * sector mode), and for itself: it also has what no disk shows. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "source/source-backends.h"
#include "source/watch-set.h"
#include "util/sysfs.h"

typedef struct BadblocksSource {
        Source source;
        WatchSet watches;
} BadblocksSource;

static void on_change(const char *device, bool gone, void *userdata) {
        BadblocksSource *b = userdata;

        if (gone)
                source_hint(&b->source, HINT_TOPOLOGY, NULL);
        else
                source_hint(&b->source, HINT_DEVICE, device);
}

static int badblocks_open(const SourceConfig *config, Source **ret) {
        BadblocksSource *b = malloc(sizeof(*b));

        if (!b)
                return -ENOMEM;

        *b = (BadblocksSource) {
                .source = { .ops = &source_badblocks_ops, .config = *config },
                .watches = { .event = config->event, .fn = on_change, .userdata = b },
        };
        *ret = &b->source;
        return 0;
}

static void badblocks_close(Source *s) {
        BadblocksSource *b = (BadblocksSource *) s;

        watch_set_done(&b->watches);
        free(b);
}

static int want(BadblocksSource *b, const char *folder, const char *holder, const char *disk) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = sysfs_attribute(folder, holder, "badblocks", &path);
        if (r < 0)
                return r;
        return watch_set_want(&b->watches, path, disk);
}

static int badblocks_update(Source *s, const Topology *t) {
        BadblocksSource *b = (BadblocksSource *) s;
        int r = 0, k;

        watch_set_begin(&b->watches);
        for (size_t i = 0; i < t->disks.n; i++) {
                const TopoDisk *d = &t->disks.items[i];
                const TopoNamespace *n = topology_find_namespace_by_disk(t, d->name);

                k = d->badblocks ? want(b, "block", d->name, d->name) : 0;
                r = r < 0 ? r : k;
                k = n && n->region ? want(b, "bus/nd/devices", n->region, d->name) : 0;
                r = r < 0 ? r : k;
        }
        for (size_t i = 0; i < t->regions.n; i++) {
                const TopoRegion *g = &t->regions.items[i];

                k = g->name ? want(b, "bus/nd/devices", g->name, g->name) : 0;
                r = r < 0 ? r : k;
        }
        watch_set_end(&b->watches);
        return r;
}

const SourceOps source_badblocks_ops = {
        .name = "badblocks",
        .description = "Bad-block lists of disks and regions",
        .open = badblocks_open,
        .close = badblocks_close,
        .update = badblocks_update,
};
