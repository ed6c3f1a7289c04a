/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of the sources, and their front. A source may be early, late, coarse or wrong; what it may not
 * do is end the daemon's loop: handlers return 0 whatever happens (sd_event would switch off a source that
 * fails, for good). */

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "build-config.h"
#include "source/source-backends.h"
#include "source/source.h"

const SourceOps *const source_table[] = {
        &source_badblocks_ops,
        &source_scrub_ops,
        &source_health_ops,
        &source_udev_ops,
        &source_mounts_ops,
        &source_timer_ops,
#if BEZOAR_TRACE
        &source_trace_ops,
#endif
        NULL,
};

int source_open(const SourceOps *ops, const SourceConfig *config, Source **ret) {
        Source *s = NULL;
        int r;

        assert(ops && ops->name && ops->description && ops->open && ops->close);
        assert(config && config->event && config->fn);
        assert(ret);

        if (ops->probe) {
                r = ops->probe();
                if (r < 0)
                        return r;
                if (r == 0) {
                        *ret = NULL;
                        return 0;
                }
        }

        r = ops->open(config, &s);
        if (r < 0)
                return r;

        assert(r == 0 && s && s->ops == ops && s->config.fn == config->fn);
        *ret = s;
        return 0;
}

int source_update(Source *s, const Topology *t) {
        assert(s);
        assert(t);

        return s->ops->update ? s->ops->update(s, t) : 0;
}

void source_hint(Source *s, HintKind kind, const char *device) {
        Hint hint = { .kind = kind, .device = device };

        assert(s);
        assert(kind != HINT_TOPOLOGY || !device);

        s->config.fn(s->ops, &hint, s->config.userdata);
}

void source_hint_physical(Source *s, Range physical) {
        Hint hint = { .kind = HINT_DEVICE, .physical = &physical };

        assert(s);

        s->config.fn(s->ops, &hint, s->config.userdata);
}

Source *source_free(Source *s) {
        if (s)
                s->ops->close(s);
        return NULL;
}
