/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "util/cleanup.h"

/* Descriptors in one message: the kernel takes no more (SCM_MAX_FD). */
#define HOLDS_MAX 253

/* Descriptors that keep the owning files' blocks allocated; job.h, LocateReply. */
typedef struct Holds {
        int *items;
        size_t n, allocated;
} Holds;

void holds_done(Holds *h);
#define _cleanup_holds_ _cleanup_(holds_done)
