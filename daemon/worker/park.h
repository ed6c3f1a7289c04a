/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/progress.h"

/* The verb `park`: carries out a plan to park or to unpark. 0 and *ret, or a negative errno. */
int park(const Request *request, ProgressFn progress, void *userdata, Result *ret);
