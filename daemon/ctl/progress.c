/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is over in a moment needs no line; what is not must not look as if nothing happened. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/progress.h"

#define QUIET_USEC (500 * USEC_PER_MSEC)

void progress_show(Progress *p, uint64_t now) {
        assert(p);

        if (p->since == 0)
                p->since = now;
        if (!p->text || now - p->since < QUIET_USEC || !isatty(STDERR_FILENO))
                return;

        (void) fprintf(stderr, "\r%s: %" PRIu64 " s ", p->text, (now - p->since) / USEC_PER_SEC);
        (void) fflush(stderr);
        p->shown = true;
}

void progress_end(Progress *p) {
        assert(p);

        if (p->shown)
                (void) fprintf(stderr, "\r%*s\r", 78, "");
        p->shown = false;
}
