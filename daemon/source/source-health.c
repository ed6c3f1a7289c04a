/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Alarms of memory modules: the firmware notifies the module's ACPI device (0x81), and the kernel passes
 * that on as a change of its flags attribute, in which nothing need be different (drivers/acpi/nfit/core.c
 * __acpi_nvdimm_notify()). What is wrong, a worker asks the module. Only ACPI buses have the attribute. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "source/source-backends.h"
#include "source/watch-set.h"
#include "util/sysfs.h"

typedef struct HealthSource {
        Source source;
        WatchSet watches;
} HealthSource;

static void on_change(const char *dimm, bool gone, void *userdata) {
        HealthSource *s = userdata;

        if (gone)
                source_hint(&s->source, HINT_TOPOLOGY, NULL);
        else
                source_hint(&s->source, HINT_DIMM, dimm);
}

static int health_open(const SourceConfig *config, Source **ret) {
        HealthSource *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;

        *s = (HealthSource) {
                .source = { .ops = &source_health_ops, .config = *config },
                .watches = { .event = config->event, .fn = on_change, .userdata = s },
        };
        *ret = &s->source;
        return 0;
}

static void health_close(Source *source) {
        HealthSource *s = (HealthSource *) source;

        watch_set_done(&s->watches);
        free(s);
}

static int want(HealthSource *s, const char *dimm) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = sysfs_attribute("bus/nd/devices", dimm, "nfit/flags", &path);
        return r < 0 ? r : watch_set_want(&s->watches, path, dimm);
}

static int health_update(Source *source, const Topology *t) {
        HealthSource *s = (HealthSource *) source;
        int r = 0;

        watch_set_begin(&s->watches);
        for (size_t i = 0; i < t->regions.n; i++)
                for (char **d = t->regions.items[i].dimms; d && *d; d++) {
                        int k = want(s, *d);

                        r = r < 0 ? r : k;
                }
        watch_set_end(&s->watches);
        return r;
}

const SourceOps source_health_ops = {
        .name = "health",
        .description = "Alarms of memory modules",
        .open = health_open,
        .close = health_close,
        .update = health_update,
};
