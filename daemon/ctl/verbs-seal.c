/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* seal: it is the worker that reads and stores, as it does for the daemon, and root who lets it. The daemon
 * only knows what is protected. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/codec.h"
#include "ctl/bus-call.h"
#include "util/strv.h"

/* Appended to *paths: what protect files hold that is a file or a folder here, each once. */
static int add_protected(Ctl *c, char ***paths) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const char *name, *path, *device;
        int r;

        r = bus_ask(c, "ListProtected", NULL, &reply, "");
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(sssas)");
        if (r < 0)
                return bus_bad_reply(r);
        while ((r = sd_bus_message_enter_container(reply, 'r', "sssas")) > 0) {
                _cleanup_free_ char *raw = NULL;

                r = sd_bus_message_read(reply, "sss", &name, &path, &device);
                if (r >= 0)
                        r = sd_bus_message_skip(reply, "as");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r >= 0)
                        r = codec_path_unescape(path, &raw);
                if (r >= 0 && *raw && access(raw, F_OK) < 0)
                        (void) fprintf(stderr, "%s: %s: not sealed: %s\n", name, path, strerror(errno));
                else if (r >= 0 && *raw && !strv_contains(*paths, raw))
                        r = strv_extend(paths, raw);
                if (r < 0)
                        return bus_bad_reply(r);
        }
        return r < 0 ? bus_bad_reply(r) : 0;
}

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
        if (argc == 1 && add_protected(c, &paths) < 0)
                return CTL_ERROR;
        if (argc == 1 && strv_length(paths) == n) {
                ctl_say(c, "No file is protected: there is nothing to seal.");
                return CTL_FINE;
        }
        (void) execv(program, paths);
        return ctl_fail("%s cannot be started: %s", program, strerror(errno));
}
