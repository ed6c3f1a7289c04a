/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* N in T: at most n takes within any `interval` (a sliding window, exact). The clock is the caller's;
 * times are microseconds and do not go back (an earlier `now` counts as the latest one seen). */
typedef struct Budget {
        uint64_t *taken;        /* ring of the last n times */
        size_t n, next, used;
        uint64_t interval;
        uint64_t latest;        /* the latest `now` seen */
} Budget;

/* 0, -ENOMEM. n >= 1. */
int budget_init(Budget *b, size_t n, uint64_t interval);
void budget_done(Budget *b);

/* Takes one: true; or, when n have been taken within the last interval, nothing: false, and *ret_retry
 * (may be NULL) says when one will be free again. */
bool budget_take(Budget *b, uint64_t now, uint64_t *ret_retry);

/* How many could be taken at `now`. */
size_t budget_left(const Budget *b, uint64_t now);

/* How long to wait before try number `attempt` + 1, attempt >= 1: 5 s, doubled each time, at most 1 h.
 * Microseconds. */
uint64_t backoff(unsigned attempt);
