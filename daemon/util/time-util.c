/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The two clocks, in microseconds. Realtime for what is told to people, monotonic for what is waited for. */

#include <assert.h>
#include <time.h>

#include "util/time-util.h"

static uint64_t now(clockid_t clock) {
        struct timespec ts;
        int r;

        /* fails for a clock that does not exist only */
        r = clock_gettime(clock, &ts);
        assert(r == 0);
        (void) r;

        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t now_realtime(void) {
        return now(CLOCK_REALTIME);
}

uint64_t now_monotonic(void) {
        return now(CLOCK_MONOTONIC);
}
