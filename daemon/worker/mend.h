/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/progress.h"
#include "worker/site.h"

/* Lost metadata that the file system itself can rebuild. */

/* What could be rebuilt of `range` (of the device; whole pages of metadata) with its bad sectors: a fact,
 * nothing is changed. 0 or -ENOMEM; where it cannot be found out, nothing can. */
int mend_look(const Site *s, Range range, const RangeSet *bad, Mend *ret);

/* The verb `mend`: has the file system rebuild one part after another, until the place is no longer listed
 * or no longer metadata. It ends healed where the kernel no longer lists it and it can be read; else in
 * CASE_DETECTED, with what came of it in `detail`: whose the place is now is for locate to say. 0 or a
 * negative errno. */
int mend(const Request *request, ProgressFn progress, void *userdata, Result *ret);
