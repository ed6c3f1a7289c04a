/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* list, history, show, explain: what is told of cases. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "ctl/arguments.h"
#include "ctl/bus-call.h"
#include "ctl/bus-json.h"
#include "ctl/case-fetch.h"
#include "ctl/case-list.h"
#include "ctl/case-show.h"
#include "ctl/text.h"
#include "util/str.h"
#include "util/time-util.h"

static int list(Ctl *c, bool closed) {
        const CaseFilter filter = {
                .closed = closed,
                .states = c->states,
                .device = c->device,
                .path = c->path,
                .limit = c->lines,
        };
        _cleanup_free_ char *text = NULL;
        _cleanup_cases_ Cases cases = {};

        if (c->json != JSON_OFF)
                return cases_fetch_json(c, &filter, &text) < 0 ? CTL_ERROR : ctl_print_json(c, text);

        if (cases_fetch(c, &filter, &cases) < 0)
                return CTL_ERROR;
        if (cases.n == 0 && !c->no_legend)
                ctl_say(c, closed ? "No cases." : "No open cases.");
        ctl_page(c);
        return cases_print(c, &cases, now_realtime());
}

int verb_list(Ctl *c, int argc, char *argv[]) {
        return list(c, false);
}

int verb_history(Ctl *c, int argc, char *argv[]) {
        return list(c, true);
}

/* It is not in the text of a case, being no part of its story. 0: not by itself, or not known. */
static uint64_t fetch_next_try(Ctl *c, const char *id) {
        char path[sizeof(BUS_PATH "/case/") + 32];
        uint64_t next = 0;

        (void) snprintf(path, sizeof(path), BUS_PATH "/case/%s", id);
        if (sd_bus_get_property_trivial(c->bus, BUS_NAME, path, BUS_CASE, "NextTry", NULL, 't', &next) < 0)
                return 0;
        return next;
}

static int show(Ctl *c, const char *id, bool first) {
        _cleanup_free_ char *text = NULL, *error = NULL;
        _cleanup_(case_freep) Case *k = NULL;
        int r;

        if (case_fetch_text(c, id, &text) < 0)
                return CTL_ERROR;
        if (c->json != JSON_OFF)
                return ctl_print_json(c, text);

        r = codec_case_decode(text, &k, &error);
        if (r < 0) {
                (void) bus_bad_json(r, error);
                return CTL_ERROR;
        }
        ctl_page(c);
        if (!first)
                (void) putchar('\n');
        return case_show(c, k, case_state_is_closed(k->state) ? 0 : fetch_next_try(c, id), now_realtime());
}

static int check_ids(int argc, char *argv[]) {
        for (int i = 1; i < argc; i++)
                if (argument_id(argv[i]) < 0)
                        return CTL_ERROR;
        return CTL_FINE;
}

int verb_show(Ctl *c, int argc, char *argv[]) {
        int r = check_ids(argc, argv);

        for (int i = 1; r == CTL_FINE && i < argc; i++)
                r = show(c, argv[i], i == 1);
        return r;
}

static int print_explanation_json(Ctl *c, const char *id, const char *text) {
        _cleanup_free_ char *json = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&json, &n);

        if (!f)
                return ctl_fail_memory();
        (void) fputs("{\"id\":", f);
        bus_json_string(id, f);
        (void) fputs(",\"text\":", f);
        bus_json_string(text, f);
        (void) fputc('}', f);
        return fclose(f) == 0 ? ctl_print_json(c, json) : ctl_fail_memory();
}

/* Line by line: a line feed is the only thing in it that is not to be escaped. */
static int print_lines(const Ctl *c, const char *text) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *line;

        if (!copy)
                return ctl_fail_memory();
        while ((line = strsep(&rest, "\n"))) {
                _cleanup_free_ char *clean = text_clean(line);

                if (!clean)
                        return ctl_fail_memory();
                if (!rest && !line[0])
                        break;
                text_wrap(clean, 0, strspn(clean, " "), c->width, stdout);
                (void) putchar('\n');
        }
        return CTL_FINE;
}

static int explain(Ctl *c, const char *id, bool first) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const char *text;
        int r;

        if (bus_ask(c, "Explain", NULL, &reply, "s", id) < 0)
                return CTL_ERROR;
        r = sd_bus_message_read(reply, "s", &text);
        if (r < 0) {
                (void) bus_bad_reply(r);
                return CTL_ERROR;
        }
        if (c->json != JSON_OFF)
                return print_explanation_json(c, id, text);

        ctl_page(c);
        if (!first)
                (void) putchar('\n');
        return print_lines(c, text);
}

int verb_explain(Ctl *c, int argc, char *argv[]) {
        int r = check_ids(argc, argv);

        for (int i = 1; r == CTL_FINE && i < argc; i++)
                r = explain(c, argv[i], i == 1);
        return r;
}
