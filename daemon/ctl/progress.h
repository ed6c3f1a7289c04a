/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/time-util.h"

/* A line on standard error while something takes long; only on a terminal, and gone afterwards. */

#define PROGRESS_USEC (200 * USEC_PER_MSEC)     /* how often it is to be shown */

typedef struct Progress {
        const char *text;       /* "Asking the file system"; NULL: nothing is shown */
        uint64_t since;         /* monotonic; 0: not begun */
        bool shown;
} Progress;

void progress_show(Progress *p, uint64_t now);
void progress_end(Progress *p);
