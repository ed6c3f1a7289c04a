/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* rescan, mode: what changes something; polkit has the last word. check-config: what the daemon's own
 * checker says. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/policy.h"
#include "ctl/arguments.h"
#include "ctl/bus-call.h"
#include "ctl/bus-json.h"
#include "ctl/daemon-info.h"
#include "ctl/progress.h"
#include "util/time-util.h"

#define RESCAN_POLL_USEC (100 * USEC_PER_MSEC)
#define RESCAN_USEC USEC_PER_MINUTE

/* The daemon answers at once; a person wants to know when it is done. 1: done; 0: not in time. */
static int wait_scan(Ctl *c, uint64_t before, DaemonInfo *i) {
        Progress p = { .text = c->quiet ? NULL : "Reading the bad-block lists" };
        const uint64_t end = now_monotonic() + RESCAN_USEC;
        int r = 0;

        while (r == 0 && now_monotonic() < end) {
                daemon_info_done(i);
                r = daemon_info_read(c, i);
                if (r == 0 && (i->last_scan != before || i->devices == 0))
                        r = 1;
                if (r == 0) {
                        progress_show(&p, now_monotonic());
                        (void) usleep(RESCAN_POLL_USEC);
                }
        }
        progress_end(&p);
        return r;
}

int verb_rescan(Ctl *c, int argc, char *argv[]) {
        _cleanup_daemon_info_ DaemonInfo before = {}, after = {};
        int r;

        if (daemon_info_read(c, &before) < 0 || bus_ask(c, "Rescan", BUS_POLKIT, NULL, NULL) < 0)
                return CTL_ERROR;
        r = wait_scan(c, before.last_scan, &after);
        if (r < 0)
                return CTL_ERROR;
        if (r == 0)
                return ctl_fail("The bad-block lists have not been read within a minute; bezoard goes on: "
                                "'bezoarctl status', 'journalctl -u bezoard'.");

        if (after.devices == 0)
                ctl_say(c, "Done. There is no persistent memory to watch.");
        else
                ctl_say(c, "Done. %" PRIu32 " device%s watched, %" PRIu32 " case%s open.", after.devices,
                        after.devices == 1 ? "" : "s", after.open, after.open == 1 ? "" : "s");
        return CTL_FINE;
}

static int print_mode(Ctl *c) {
        _cleanup_daemon_info_ DaemonInfo i = {};

        if (daemon_info_read(c, &i) < 0)
                return CTL_ERROR;
        if (!i.mode || !i.configured_mode)
                return ctl_fail("bezoard does not say its mode.");

        if (c->json != JSON_OFF) {
                _cleanup_free_ char *json = NULL;
                size_t n = 0;
                FILE *f = open_memstream(&json, &n);

                if (!f)
                        return ctl_fail_memory();
                (void) fputs("{\"Mode\":", f);
                bus_json_string(i.mode, f);
                (void) fputs(",\"ConfiguredMode\":", f);
                bus_json_string(i.configured_mode, f);
                (void) fputc('}', f);
                return fclose(f) == 0 ? ctl_print_json(c, json) : ctl_fail_memory();
        }

        (void) puts(mode_from_string(i.mode) >= 0 ? i.mode : "unknown");
        if (strcmp(i.mode, i.configured_mode) != 0 && !c->quiet)
                (void) fputs("(by 'bezoarctl mode'; the configuration says otherwise)\n", stderr);
        return CTL_FINE;
}

int verb_mode(Ctl *c, int argc, char *argv[]) {
        if (argc == 1)
                return print_mode(c);

        if (mode_from_string(argv[1]) < 0)
                return ctl_fail("'%.64s' is no mode: repair, or observe (nothing is written).", argv[1]);
        if (bus_ask(c, "SetMode", BUS_POLKIT, NULL, "s", argv[1]) < 0)
                return CTL_ERROR;
        ctl_say(c, "Mode: %s.", argv[1]);
        return CTL_FINE;
}

int verb_check_config(Ctl *c, int argc, char *argv[]) {
        _cleanup_free_ char *folder = NULL;
        const char *program = getenv("BEZOARD"); /* for tests */

        if (c->json != JSON_OFF)
                return ctl_fail("check-config has no --json: its lines are FILE:LINE: what is wrong.");
        if (argc > 1 && asprintf(&folder, "--config=%s", argv[1]) < 0) {
                folder = NULL;
                return ctl_fail_memory();
        }
        if (c->quiet && !freopen("/dev/null", "w", stdout))
                return ctl_fail("/dev/null: %s", strerror(errno));

        if (!program)
                program = BEZOARD_PATH;
        (void) execl(program, program, "--check-config", folder, (char *) NULL);
        return ctl_fail("%s cannot be started: %s", program, strerror(errno));
}
