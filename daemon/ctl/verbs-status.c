/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* status: how things stand, for the first look at night; also what a script asks, by its exit status. */

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "ctl/bus-call.h"
#include "ctl/case-list.h"
#include "ctl/daemon-info.h"
#include "ctl/text.h"
#include "util/time-util.h"

/* So many cases are listed; the newest, and the rest by `bezoarctl list`. */
#define STATUS_CASES 20

static void print_head(const Ctl *c, const DaemonInfo *i) {
        const Colour colour = i->refused + i->in_doubt > 0 ? COLOUR_BAD :
                              i->open > 0 ? COLOUR_PENDING : COLOUR_GOOD;
        _cleanup_free_ char *version = text_clean(i->version ? i->version : "?");
        const char *dot = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "\xe2\x97\x8f" : "*";

        (void) printf("%s%s%s bezoard %s\n", colour_on(colour, c->colours), dot,
                      colour_off(colour, c->colours), version ? version : "?");
}

static void print_mode(const Ctl *c, const DaemonInfo *i) {
        _cleanup_free_ char *mode = text_clean(i->mode ? i->mode : "?");
        const bool observes = i->mode && strcmp(i->mode, "observe") == 0;
        const Colour colour = observes ? COLOUR_PENDING : COLOUR_NONE;
        const bool set = i->mode && i->configured_mode && strcmp(i->mode, i->configured_mode) != 0;

        (void) printf("      Mode: %s%s%s%s\n", colour_on(colour, c->colours), mode ? mode : "?",
                      colour_off(colour, c->colours),
                      set ? " (by 'bezoarctl mode'; 'bezoarctl mode repair' takes it back)" :
                      observes ? " (nothing is written)" : "");
}

static void print_counts(const DaemonInfo *i) {
        char when[TEXT_TIME_MAX], ago[TEXT_TIME_MAX];
        const uint32_t waiting = i->refused + i->in_doubt;

        (void) printf("  Watching: %" PRIu32 " device%s, ", i->devices, i->devices == 1 ? "" : "s");
        if (i->last_scan > 0)
                (void) printf("read %s (%s)\n", text_ago(i->last_scan, now_realtime(), ago),
                              text_time(i->last_scan, when));
        else
                (void) puts("not read yet");

        (void) printf("      Open: %" PRIu32 " case%s", i->open, i->open == 1 ? "" : "s");
        if (waiting > 0)
                (void) printf(", %" PRIu32 " of them wait for a person (%" PRIu32 " refused, %" PRIu32
                              " in doubt)", waiting, i->refused, i->in_doubt);
        if (i->ignored > 0)
                (void) printf("; %" PRIu32 " more ignored", i->ignored);
        (void) printf("\n    Healed: %" PRIu64 "\n", i->healed);
}

static void print_alarms(const Ctl *c, const DaemonInfo *i) {
        for (size_t k = 0; k < i->alarms.n; k++) {
                _cleanup_free_ char *dimm = text_clean(i->alarms.items[k].dimm);
                _cleanup_free_ char *alarm = text_clean(i->alarms.items[k].alarm);

                (void) printf("%s%s%s: %s%s\n", k == 0 ? "    Alarms: " : "            ",
                              colour_on(COLOUR_BAD, c->colours), dimm ? dimm : "?", alarm ? alarm : "?",
                              colour_off(COLOUR_BAD, c->colours));
        }
}

static int print_cases(Ctl *c, const DaemonInfo *i) {
        static const CaseFilter filter = { .limit = STATUS_CASES };
        _cleanup_cases_ Cases cases = {};

        if (cases_fetch(c, &filter, &cases) < 0)
                return CTL_ERROR;
        if (cases.n == 0)
                return CTL_FINE;

        (void) putchar('\n');
        if (cases_print(c, &cases, now_realtime()) != CTL_FINE)
                return CTL_ERROR;
        if (cases.n == STATUS_CASES && !c->no_legend)
                (void) printf("\nThe last %d; all of them: 'bezoarctl list'.\n", STATUS_CASES);
        if (i->open > 0 && !c->no_legend)
                (void) puts("\n'bezoarctl explain ID' says what happened and what can be done.");
        return CTL_FINE;
}

static int print_json(Ctl *c) {
        _cleanup_bus_message_ sd_bus_message *m = NULL;

        return bus_properties(c, &m) < 0 ? CTL_ERROR : bus_print_json(c, m);
}

int verb_status(Ctl *c, int argc, char *argv[]) {
        _cleanup_daemon_info_ DaemonInfo i = {};
        int r;

        if (daemon_info_read(c, &i) < 0)
                return CTL_ERROR;

        if (c->json != JSON_OFF)
                r = print_json(c);
        else if (c->quiet)
                r = CTL_FINE;
        else {
                ctl_page(c);
                print_head(c, &i);
                print_mode(c, &i);
                print_counts(&i);
                print_alarms(c, &i);
                r = print_cases(c, &i);
        }
        return r == CTL_FINE && i.open > 0 ? CTL_OPEN_CASES : r;
}
