/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/progress.h"

/* The verb `repair`: carries out request->plan for request->ranges.items[0]. Everything that the plan was
 * made from is asked again first; where it no longer holds, nothing is written and *ret says so. Who wants
 * to open the file while a lease keeps him out gets it, and the repair begins again with the file system
 * frozen for the write, where that is allowed. 0 (the outcome is in *ret), or a negative errno: unexpected,
 * *ret is not filled in; an intent may have been left behind. */
int repair(const Request *request, ProgressFn progress, void *userdata, Result *ret);

/* Can the plan of the request be a repair of what was located: one range, of one file (the first owner), in
 * whole pages that are at their places in it? 0 or -EINVAL. */
int repair_request_check(const Request *request);
