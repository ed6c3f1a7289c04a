/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "core/case.h"

#define RECURRENCE_WINDOW_USEC (UINT64_C(30) * 24 * 3600 * 1000000)

/* What is detected within this time was lost at once: one notification lists many ranges. */
#define RECURRENCE_TOGETHER_USEC (UINT64_C(60) * 1000000)

/* When the case was detected; 0: it has no events. */
uint64_t case_detected_at(const Case *c);

/* When bytes of the same place of the same device were healed in `earlier`, if that was within `window` (us)
 * before `now`; 0: they were not. */
uint64_t case_healed_here(const Case *c, const Case *earlier, uint64_t now, uint64_t window);

/* Had a module of `c` lost bytes in `earlier` already, not long ago and not at the same time? A region that
 * is interleaved has several modules, and nobody can tell which of them it was. */
bool case_is_recurrence(const Case *c, const Case *earlier);
