/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A module that loses bytes once has aged; one that does so again is failing. Loss after loss is told from
 * many losses at once by the times at which they were detected, which the events of a case have. */

#include <assert.h>

#include "core/recurrence.h"
#include "util/strv.h"

uint64_t case_detected_at(const Case *c) {
        assert(c);

        return c->events.n > 0 ? c->events.items[0].time : 0;
}

uint64_t case_healed_here(const Case *c, const Case *earlier, uint64_t now, uint64_t window) {
        uint64_t then;
        Range both;

        assert(c);
        assert(earlier);

        if (earlier->state != CASE_HEALED || earlier->events.n == 0 || earlier->id == c->id ||
            !streq_ptr(c->volume.device, earlier->volume.device) ||
            !range_intersect(c->range, earlier->range, &both))
                return 0;
        then = earlier->events.items[earlier->events.n - 1].time;
        return then <= now && now - then < window ? then : 0;
}

bool case_is_recurrence(const Case *c, const Case *earlier) {
        uint64_t now, then;

        assert(c);
        assert(earlier);

        now = case_detected_at(c);
        then = case_detected_at(earlier);
        if (then == 0 || then >= now || now - then <= RECURRENCE_TOGETHER_USEC ||
            now - then > RECURRENCE_WINDOW_USEC)
                return false;

        for (char **d = c->dimms; d && *d; d++)
                if (strv_contains(earlier->dimms, *d))
                        return true;
        return false;
}
