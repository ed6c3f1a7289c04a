/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/time-util.h"
#include "worker/patience.h"

#define INTERVAL_USEC UINT64_C(1000000)

/* That nobody reads it will be seen when the answer is written. */
static void tell(void *userdata) {
        Patience *p = userdata;
        const uint64_t now = now_monotonic();
        _cleanup_free_ char *text = NULL, *line = NULL;

        if (now - p->told_usec < (p->timeout_usec / 8 < INTERVAL_USEC ? p->timeout_usec / 8
                                                                      : INTERVAL_USEC))
                return;
        text = codec_searching_encode();
        if (!text || asprintf(&line, "%s\n", text) < 0) {
                line = NULL;
                return;
        }
        if (write_full(p->fd, line, strlen(line)) >= 0)
                patience_init(p, p->fd, p->timeout_usec);
}

void patience_init(Patience *p, int fd, uint64_t timeout_usec) {
        const uint64_t now = now_monotonic();

        *p = (Patience) {
                .fd = fd,
                .timeout_usec = timeout_usec,
                .told_usec = now,
                .deadline_usec = now + timeout_usec / 4 * 3,
                .progress = { .fn = tell, .userdata = p },
        };
}
