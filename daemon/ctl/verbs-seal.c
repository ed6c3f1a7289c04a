/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* seal: it is the worker that reads and stores, as it does for the daemon, and root who lets it. The daemon
 * only knows what is protected. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/protected.h"
#include "util/strv.h"

int verb_seal(Ctl *c, int argc, char *argv[]) {
        const char *program = getenv("BEZOAR_WORKER"); /* for tests */
        _cleanup_strv_ char **paths = NULL;
        size_t n;
        int r = 0;

        if (c->json != JSON_OFF)
                return ctl_fail("seal has no --json.");
        if (!program)
                program = BEZOAR_WORKER;
        r = strv_extend(&paths, program);
        if (r >= 0)
                r = strv_extend(&paths, "seal");
        if (r >= 0 && c->quiet)
                r = strv_extend(&paths, "--quiet");
        if (r >= 0)
                r = strv_extend(&paths, "--");
        for (int i = 1; r >= 0 && i < argc; i++)
                r = strv_extend(&paths, argv[i]);
        if (r < 0)
                return ctl_fail_memory();

        n = strv_length(paths);
        if (argc == 1 && protected_paths(c, "sealed", &paths) < 0)
                return CTL_ERROR;
        if (argc == 1 && strv_length(paths) == n) {
                ctl_say(c, "No file is protected: there is nothing to seal.");
                return CTL_FINE;
        }
        (void) execv(program, paths);
        return ctl_fail("%s cannot be started: %s", program, strerror(errno));
}
