/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/holds.h"
#include "worker/patience.h"

/* The verb `locate`: whose each bad range is, and what the replicas offer for it. Facts only. At most one
 * hold for each finding, in their order. `patience`: NULL, or of who waits. 0 or a negative errno; what
 * could not be found out is an owner of type unmounted or unknown with a sentence in `detail`. */
int locate(const Request *request, Patience *patience, LocateReply *ret, Holds *ret_holds);
