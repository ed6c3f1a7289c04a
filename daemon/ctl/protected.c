/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/codec.h"
#include "ctl/bus-call.h"
#include "ctl/protected.h"
#include "util/strv.h"

int protected_paths(Ctl *c, const char *what, char ***paths) {
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
                        (void) fprintf(stderr, "%s: %s: not %s: %s\n", name, path, what, strerror(errno));
                else if (r >= 0 && *raw && !strv_contains(*paths, raw))
                        r = strv_extend(paths, raw);
                if (r < 0)
                        return bus_bad_reply(r);
        }
        return r < 0 ? bus_bad_reply(r) : 0;
}
