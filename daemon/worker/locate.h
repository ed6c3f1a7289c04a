/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"

/* Descriptors in one message: the kernel takes no more (SCM_MAX_FD). */
#define HOLDS_MAX 253

/* Descriptors that keep the owning files' blocks allocated; job.h, LocateReply. */
typedef struct Holds {
        int *items;
        size_t n, allocated;
} Holds;

void holds_done(Holds *h);
#define _cleanup_holds_ _cleanup_(holds_done)

/* The verb `locate`: whose each bad range is, and what the replicas offer for it. Facts only. At most one
 * hold for each finding, in their order. 0 or a negative errno; what could not be found out is an owner
 * of type unmounted or unknown with a sentence in `detail`. */
int locate(const Request *request, LocateReply *ret, Holds *ret_holds);
