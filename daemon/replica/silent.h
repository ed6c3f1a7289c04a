/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Which replicas have not answered in time: those are not asked again for each of the hundred ranges of a
 * request, at the cost of all others. Of the process, as are the threads that hang in some of them
 * (replica-aside.c); may be called by any thread. */

/* Has it been silent in this request, or does a thread hang in it still? */
bool silent_is(const char *uri);

/* It has not answered in time. `hangs`: a thread is left in it, until silent_ended(). False: so many hang
 * already that this one is not kept in mind. */
bool silent_add(const char *uri, bool hangs);
void silent_ended(const char *uri);

/* Do as many threads hang as may? */
bool silent_is_full(void);

/* Another request begins: those in which nobody hangs may be asked again. */
void silent_forget(void);
