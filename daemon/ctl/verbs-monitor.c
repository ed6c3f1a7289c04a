/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* monitor: a line for each thing that happens, until it is stopped. It goes on while the daemon is away, and
 * says that it is. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ctl/bus-call.h"
#include "ctl/bus-json.h"
#include "ctl/daemon-info.h"
#include "ctl/terminal.h"
#include "ctl/text.h"
#include "util/parse.h"
#include "util/time-util.h"

static void print_safe(const char *s) {
        _cleanup_free_ char *clean = text_clean(s);

        (void) fputs(clean ? clean : "?", stdout);
}

static void begin_line(void) {
        char when[TEXT_TIME_MAX];

        (void) printf("%s  ", text_time(now_realtime(), when));
}

static int read_moved(sd_bus_message *m, const char *closed, Ctl *c) {
        const char *id, *state, *reason, *detail;
        Colour colour;
        int r;

        r = sd_bus_message_read(m, "sosss", &id, NULL, &state, &reason, &detail);
        if (r < 0)
                return r;
        colour = colour_of_state(case_state_from_string(state));

        begin_line();
        print_safe(id);
        (void) printf("  %s%s", closed, colour_on(colour, c->colours));
        print_safe(state);
        (void) fputs(colour_off(colour, c->colours), stdout);
        if (reason[0]) {
                (void) fputs(" (", stdout);
                print_safe(reason);
                (void) putchar(')');
        }
        if (detail[0]) {
                (void) fputs(": ", stdout);
                print_safe(detail);
        }
        (void) putchar('\n');
        return 0;
}

static int read_added(sd_bus_message *m) {
        uint64_t start, length;
        char size[FORMAT_MAX];
        const char *id, *device;
        int r;

        r = sd_bus_message_read(m, "sostt", &id, NULL, &device, &start, &length);
        if (r < 0)
                return r;

        begin_line();
        print_safe(id);
        (void) fputs("  new poison: ", stdout);
        print_safe(device);
        (void) printf(", %" PRIu64 " + %s\n", start, format_size(length, size));
        return 0;
}

static int read_progress(sd_bus_message *m) {
        const char *id, *detail;
        int r;

        r = sd_bus_message_read(m, "sos", &id, NULL, &detail);
        if (r < 0)
                return r;

        begin_line();
        print_safe(id);
        (void) fputs("  - ", stdout);
        print_safe(detail);
        (void) putchar('\n');
        return 0;
}

/* {"time":...,"signal":"CaseChanged","arguments":["17",…]}: one line each, also when pretty, so that it can
 * be followed. */
static int print_signal_json(sd_bus_message *m) {
        int r = 0;

        (void) printf("{\"time\":%" PRIu64 ",\"signal\":", now_realtime());
        bus_json_string(sd_bus_message_get_member(m), stdout);
        (void) fputs(",\"arguments\":[", stdout);
        for (bool first = true; r == 0; first = false) {
                r = sd_bus_message_at_end(m, true);
                if (r != 0)
                        break;
                if (!first)
                        (void) putchar(',');
                r = bus_json_value(m, stdout);
        }
        (void) puts("]}");
        return r < 0 ? r : 0;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const char *member = sd_bus_message_get_member(m);
        Ctl *c = userdata;
        int r;

        if (c->json != JSON_OFF)
                r = print_signal_json(m);
        else if (strcmp(member, "CaseAdded") == 0)
                r = read_added(m);
        else if (strcmp(member, "CaseChanged") == 0)
                r = read_moved(m, "", c);
        else if (strcmp(member, "CaseClosed") == 0)
                r = read_moved(m, "closed: ", c);
        else if (strcmp(member, "CaseProgress") == 0)
                r = read_progress(m);
        else
                r = 0;
        (void) fflush(stdout);
        if (r < 0)
                (void) ctl_fail("The signal %s was not understood: %s", member, strerror(-r));
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const Ctl *c = userdata;
        const char *owner;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &owner) < 0 || c->quiet)
                return 0;
        (void) fputs(owner[0] ? "bezoard is running.\n" : "bezoard has stopped; waiting for it.\n", stderr);
        return 0;
}

static int watch(Ctl *c) {
        static const char *const owner_match =
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'";
        int r;

        r = sd_bus_match_signal(c->bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, NULL, on_signal, c);
        if (r >= 0)
                r = sd_bus_add_match(c->bus, NULL, owner_match, on_owner, c);
        return r;
}

int verb_monitor(Ctl *c, int argc, char *argv[]) {
        _cleanup_daemon_info_ DaemonInfo i = {};
        int r;

        if (bus_connect(c) < 0)
                return CTL_ERROR;
        r = watch(c);
        if (r < 0)
                return ctl_fail("The signals of bezoard cannot be watched: %s", strerror(-r));

        /* also says so when it is not running, or may not be asked: then there would be silence forever */
        if (daemon_info_read(c, &i) < 0)
                return CTL_ERROR;
        if (!c->quiet && c->json == JSON_OFF)
                (void) fprintf(stderr, "%" PRIu32 " case%s open; following what happens, ^C ends it.\n",
                               i.open, i.open == 1 ? "" : "s");

        while (r >= 0 && !ferror(stdout)) {
                r = sd_bus_process(c->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(c->bus, UINT64_MAX);
                if (r == -EINTR)
                        r = 0;
        }
        return r < 0 ? ctl_fail("The system bus has gone: %s", strerror(-r)) : CTL_ERROR;
}
