/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* N in T, exactly: the times of the last n takes are kept in a ring, and one more is allowed when the
 * oldest of them has left the window. A take at time t is in every window (now - interval, now] that
 * holds t; so it is free again at t + interval. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/budget.h"

#define BACKOFF_FIRST_USEC (UINT64_C(5) * 1000000)
#define BACKOFF_MAX_USEC (UINT64_C(3600) * 1000000)

int budget_init(Budget *b, size_t n, uint64_t interval) {
        uint64_t *taken;

        assert(b);
        assert(n >= 1);

        taken = calloc(n, sizeof(*taken));
        if (!taken)
                return -ENOMEM;

        *b = (Budget) { .taken = taken, .n = n, .interval = interval };
        return 0;
}

void budget_done(Budget *b) {
        assert(b);

        free(b->taken);
        *b = (Budget) {};
}

static uint64_t not_back(const Budget *b, uint64_t now) {
        return now > b->latest ? now : b->latest;
}

bool budget_take(Budget *b, uint64_t now, uint64_t *ret_retry) {
        assert(b);
        assert(b->n >= 1);

        now = b->latest = not_back(b, now);

        /* when the ring is full, the slot to be used next holds the oldest time */
        if (b->used == b->n && now - b->taken[b->next] < b->interval) {
                if (ret_retry && __builtin_add_overflow(b->taken[b->next], b->interval, ret_retry))
                        *ret_retry = UINT64_MAX;
                return false;
        }

        b->taken[b->next] = now;
        b->next = (b->next + 1) % b->n;
        if (b->used < b->n)
                b->used++;
        return true;
}

size_t budget_left(const Budget *b, uint64_t now) {
        size_t taken = 0;

        assert(b);

        now = not_back(b, now);
        for (size_t i = 0; i < b->used; i++)
                if (now - b->taken[i] < b->interval)
                        taken++;
        return b->n - taken;
}

uint64_t backoff(unsigned attempt) {
        uint64_t usec = BACKOFF_FIRST_USEC;

        assert(attempt >= 1);

        while (--attempt > 0 && usec < BACKOFF_MAX_USEC)
                usec *= 2;
        return usec < BACKOFF_MAX_USEC ? usec : BACKOFF_MAX_USEC;
}
