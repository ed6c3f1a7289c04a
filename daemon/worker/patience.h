/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "map/mapper.h"

/* How long whoever asked will wait: WorkerTimeoutSec= from the request, or from the last line that told that
 * a search goes on (codec_searching_encode()). A search tells it from time to time; a worker that hangs says
 * nothing. */
typedef struct Patience {
        int fd;
        uint64_t timeout_usec;
        uint64_t told_usec;             /* CLOCK_MONOTONIC */
        uint64_t deadline_usec;         /* until when replicas may take to answer, so that what they did not
                                         * can still be told in time */
        MapProgress progress;           /* for a search: tells when it is time */
} Patience;

/* From now on, for answers on `fd`; *p must stay where it is. */
void patience_init(Patience *p, int fd, uint64_t timeout_usec);
