/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of a scrub (ACPI address range scrub, drivers/acpi/nfit/core.c notify_ars_done()): any region of
 * the bus may have got new bad blocks. The attribute is read as rarely as can be, once before waiting and
 * once after each end: a read by root while a scrub is running has the kernel poll the firmware each second.
 * Only ACPI buses have it, and of these not all. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "source/source-backends.h"
#include "source/watch-set.h"
#include "util/sysfs.h"

typedef struct ScrubSource {
        Source source;
        WatchSet watches;
} ScrubSource;

static void on_change(const char *bus, bool gone, void *userdata) {
        ScrubSource *s = userdata;

        source_hint(&s->source, gone ? HINT_TOPOLOGY : HINT_DEVICE, NULL);
}

static int scrub_open(const SourceConfig *config, Source **ret) {
        ScrubSource *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;

        *s = (ScrubSource) {
                .source = { .ops = &source_scrub_ops, .config = *config },
                .watches = { .event = config->event, .fn = on_change, .userdata = s },
        };
        *ret = &s->source;
        return 0;
}

static void scrub_close(Source *source) {
        ScrubSource *s = (ScrubSource *) source;

        watch_set_done(&s->watches);
        free(s);
}

static int scrub_update(Source *source, const Topology *t) {
        ScrubSource *s = (ScrubSource *) source;
        int r = 0;

        watch_set_begin(&s->watches);
        for (size_t i = 0; i < t->regions.n; i++) {
                const char *bus = t->regions.items[i].bus;
                _cleanup_free_ char *path = NULL;
                int k;

                if (!bus)
                        continue;
                k = sysfs_attribute("bus/nd/devices", bus, "nfit/scrub", &path);
                if (k == 0)
                        k = watch_set_want(&s->watches, path, bus);
                r = r < 0 ? r : k;
        }
        watch_set_end(&s->watches);
        return r;
}

const SourceOps source_scrub_ops = {
        .name = "scrub",
        .description = "The end of address range scrubs",
        .open = scrub_open,
        .close = scrub_close,
        .update = scrub_update,
};
