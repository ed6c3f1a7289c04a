/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The decision, for tests that have no daemon: reads requests, each with one range as a worker has located
 * it and the policy, one a line; answers each with the request for a repair as the daemon would send it.
 * Where its plan is none to repair, only the plan is of interest. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"

static int answer(char *line) {
        _cleanup_request_ Request q = {};
        _cleanup_free_ char *error = NULL, *text = NULL;
        int r;

        r = codec_request_decode(line, &q, &error);
        if (r < 0 || q.ranges.n != 1) {
                fprintf(stderr, "make-plan: %s\n", error ? error : "one range is wanted");
                return -1;
        }

        r = plan_make(&q.policy, q.ranges.items, &q.plan);
        if (r < 0)
                return r;
        q.verb = VERB_REPAIR;
        text = codec_request_encode(&q);
        return text && puts(text) >= 0 && fflush(stdout) == 0 ? 0 : -1;
}

int main(void) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                if (line[n - 1] == '\n')
                        line[n - 1] = '\0';
                if (answer(line) < 0)
                        return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
