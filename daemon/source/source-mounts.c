/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The mount table: a file system that appears lets cases go on that waited for it. The kernel makes a change
 * known to each descriptor on it once (fs/proc_namespace.c mounts_poll()); nothing has to be read. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "source/attribute-watch.h"
#include "source/source-backends.h"

typedef struct MountsSource {
        Source source;
        AttributeWatch *watch;
} MountsSource;

static void on_change(bool gone, void *userdata) {
        MountsSource *m = userdata;

        source_hint(&m->source, HINT_TOPOLOGY, NULL);
}

static void mounts_close(Source *s) {
        MountsSource *m = (MountsSource *) s;

        attribute_watch_free(m->watch);
        free(m);
}

static int mounts_open(const SourceConfig *config, Source **ret) {
        _cleanup_free_ MountsSource *m = malloc(sizeof(*m));
        int r;

        if (!m)
                return -ENOMEM;

        *m = (MountsSource) { .source = { .ops = &source_mounts_ops, .config = *config } };
        r = attribute_watch_open(config->event, "/proc/self/mountinfo", REARM_POLL, on_change, m, &m->watch);
        if (r != 0)
                return r < 0 ? r : -EOPNOTSUPP;

        *ret = &TAKE_PTR(m)->source;
        return 0;
}

const SourceOps source_mounts_ops = {
        .name = "mounts",
        .description = "The mount table",
        .open = mounts_open,
        .close = mounts_close,
};
