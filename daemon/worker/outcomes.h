/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"

/* How cases ended of which several pages were looked at: one result a case. */

typedef struct Outcomes {
        struct { Result *items; size_t n, allocated; } results;
} Outcomes;

void outcomes_done(Outcomes *o);
#define _cleanup_outcomes_ _cleanup_(outcomes_done)

/* What became of one more page of the case `r->id`. A case is as its worst page: in doubt before anything
 * else, then what is still to be done, then what is over. Takes what `r` holds. 0 or -ENOMEM. */
int outcomes_add(Outcomes *o, Result *r);

void outcomes_tell(const Outcomes *o, void (*fn)(const Result *result, void *userdata), void *userdata);
