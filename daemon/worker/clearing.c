/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/clearing.h"
#include "worker/intents.h"

/* Asking the library for the bus took its time. */
static int look(Range run, void *userdata) {
        const Clearing *c = userdata;
        _cleanup_rangeset_ RangeSet listed = {};
        MapOwns owns;
        int r;

        r = site_owns(c->site, -1, c->intent->range, c->intent->offset, &owns);
        if (r < 0)
                return r;
        if (owns != MAP_OWNED)
                return -ESTALE;
        if (c->may)
                return c->may(run, c->userdata);

        r = site_listed(c->site, c->intent->range, &listed);
        return r < 0 ? r : rangeset_contains(&listed, run) ? 0 : -ESTALE;
}

/* Without the note a crash in this moment ends in doubt; that the bytes come is more urgent. */
static void cleared(Range run, const void *left, void *userdata) {
        Clearing *c = userdata;

        memcpy(c->left + (run.start - c->intent->range.start), left, range_size(run));
        (void) fault_point(getenv("BEZOAR_FAULT"), "cleared");
        (void) intents_note_left(c->intents_fd, c->intent, c->page, c->left);
        (void) fault_point(getenv("BEZOAR_FAULT"), "before-store");
}

void clearing_begin(Clearing *c) {
        c->target = (ClearTarget) {
                .region = c->site->volume->region,
                .align = c->site->dax_align,
                .look = look,
                .cleared = cleared,
                .userdata = c,
        };
}

uint64_t clearing_physical(const Site *s, uint64_t base, bool known, Range range) {
        return known && base == s->dax_physical ? base + range.start : 0;
}
