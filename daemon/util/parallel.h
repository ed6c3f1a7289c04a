/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The same work on many things, by several threads at once. */

/* How many threads are of use: processors that this process may run on, PARALLEL_MAX at most. */
#define PARALLEL_MAX 8U
unsigned parallel_threads(void);

/* Calls fn(thread, i, userdata) once for each i in [0, n), in this order where one begins before another, by
 * `threads` threads at most, the calling one among them: that is thread 0. No two calls at a time have the
 * same `thread` (below `threads`). Non-zero from fn: no more are begun. Returns when all have ended: 0, or
 * the first non-zero. Where the system gives no threads, there are fewer. */
typedef int (*ParallelFn)(unsigned thread, size_t i, void *userdata);
int parallel_for(unsigned threads, size_t n, ParallelFn fn, void *userdata);
