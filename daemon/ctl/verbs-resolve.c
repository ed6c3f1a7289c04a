/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* resolve: what an operator decides about a case. What is written by his word alone is shown to him first;
 * what he confirms is what he saw, for the daemon takes his word for nothing else. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/codec.h"
#include "core/word.h"
#include "ctl/arguments.h"
#include "ctl/bus-call.h"
#include "ctl/case-fetch.h"
#include "ctl/preview-show.h"
#include "ctl/progress.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"

#define POLL_USEC (100 * USEC_PER_MSEC)
#define OUTCOME_USEC (5 * USEC_PER_MINUTE)

/* The one decision that the command line has, as the bus wants it. The caller frees *ret. */
static int get_action(const Ctl *c, int argc, char *argv[], char **ret) {
        const int n = (argc > 2) + !!c->accept + c->zero + c->ignore;

        if (n == 0)
                return ctl_fail("resolve needs more: retry, ignore, --accept=REPLICA or --zero.");
        if (n > 1)
                return ctl_fail("resolve takes one decision: retry, ignore, --accept=REPLICA or --zero.");
        if (c->accept) {
                _cleanup_free_ char *escaped = NULL;

                if (argument_word(c->accept, &escaped) < 0)
                        return CTL_ERROR;
                return asprintf(ret, "accept:%s", escaped) < 0 ? ctl_fail_memory() : CTL_FINE;
        }
        if (argument_word(c->zero ? "zero" : c->ignore ? "ignore" : argv[2], ret) < 0)
                return CTL_ERROR;
        return CTL_FINE;
}

/* Words of the bus that are shown first. */
static bool is_word(const char *action) {
        assert(action);

        return strncmp(action, "accept:", strlen("accept:")) == 0 || strcmp(action, "zero") == 0;
}

/* ---- what needs no proof, because it writes nothing ---- */

/* What stays as it is when nobody does anything about it any more. */
static void show_ignored(const Ctl *c, const Case *k) {
        for (size_t i = 0; i < k->owners.n; i++)
                if (k->owners.items[i].type == OWNER_FILE && k->owners.items[i].path) {
                        _cleanup_free_ char *path = codec_path_escape(k->owners.items[i].path);

                        ctl_say(c, "'%s': what is lost from byte %" PRIu64 " to %" PRIu64 " stays lost, and "
                                   "reading it an error, until somebody writes there.", path ? path : "?",
                                k->owners.items[i].offset, k->owners.items[i].offset + range_size(k->range));
                }
        if (k->reason != REASON_NONE)
                ctl_say(c, "It is %s: %s", case_state_to_string(k->state), reason_explain(k->reason));
}

static int decide(Ctl *c, const char *id, const char *action) {
        if (strcmp(action, "ignore") == 0 && !c->quiet) {
                _cleanup_(case_freep) Case *k = NULL;

                if (case_fetch(c, id, &k) < 0)
                        return CTL_ERROR;
                show_ignored(c, k);
        }
        if (bus_ask(c, "Resolve", BUS_POLKIT, NULL, "ss", id, action) < 0)
                return CTL_ERROR;
        ctl_say(c, "Case %s: %s, done.", id, action);
        return CTL_FINE;
}

/* ---- what an operator takes on ---- */

/* The text that was shown as JSON goes along: *ret_text is the caller's. */
static int fetch_preview(Ctl *c, const char *id, const char *action, Preview *ret, char **ret_text) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *error = NULL;
        const char *text;
        int r;

        if (bus_ask(c, "Preview", "Asking the medium and the replica", &reply, "ssb", id, action,
                    (int) c->all) < 0)
                return CTL_ERROR;
        r = sd_bus_message_read(reply, "s", &text);
        if (r >= 0)
                r = str_copy(text, ret_text);
        if (r < 0)
                return bus_bad_reply(r), CTL_ERROR;
        r = codec_preview_decode(text, ret, &error);
        if (r >= 0 && !ret->action) {
                preview_done(ret);
                r = -EBADMSG;
        }
        return r < 0 ? (bus_bad_json(r, error), CTL_ERROR) : CTL_FINE;
}

/* True: the operator has typed the number of the case. */
static bool confirm(const Preview *p) {
        _cleanup_free_ char *line = NULL;
        char wanted[24];
        size_t size = 0;
        ssize_t n;

        (void) snprintf(wanted, sizeof(wanted), "%" PRIu64, p->id);
        (void) fflush(stdout);
        (void) fprintf(stderr, "\nNothing proves that these are the right bytes. To have them written, type "
                               "the number of the case: ");
        n = getline(&line, &size, stdin);
        if (n > 0 && line[n - 1] == '\n')
                line[n - 1] = '\0';
        return n > 0 && strcmp(line, wanted) == 0;
}

/* Has what was begun come to an end? */
static bool is_over(const Case *k, size_t events) {
        const CaseState last = k->events.n > 0 ? k->events.items[k->events.n - 1].state : CASE_DETECTED;

        if (case_state_is_closed(k->state) || !k->accepted_by)
                return true;
        return k->events.n > events && last != CASE_DETECTED && last != CASE_LOCATED &&
               last != CASE_REPAIRING;
}

static int tell_outcome(Ctl *c, const Case *k) {
        const char *detail = k->events.n > 0 ? k->events.items[k->events.n - 1].detail : NULL;
        const char *reason = k->reason != REASON_NONE ? reason_explain(k->reason) : "";
        _cleanup_free_ char *escaped = detail ? codec_path_escape(detail) : NULL;

        if (k->state == CASE_HEALED && k->accepted_by) {
                ctl_say(c, "Case %" PRIu64 ": healed, %s.", k->id, escaped ? escaped : "");
                return CTL_FINE;
        }
        return ctl_fail("Case %" PRIu64 " is %s: %s%s%s", k->id, case_state_to_string(k->state), reason,
                        escaped && !streq_ptr(detail, reason) ? " " : "",
                        escaped && !streq_ptr(detail, reason) ? escaped : "");
}

/* The daemon answers when it is on record; a person wants to know what came of it. */
static int wait_outcome(Ctl *c, const char *id, size_t events) {
        Progress p = { .text = c->quiet ? NULL : "Writing" };
        const uint64_t end = now_monotonic() + OUTCOME_USEC;

        for (;;) {
                _cleanup_(case_freep) Case *k = NULL;

                if (case_fetch(c, id, &k) < 0) {
                        progress_end(&p);
                        return CTL_ERROR;
                }
                if (is_over(k, events)) {
                        progress_end(&p);
                        return tell_outcome(c, k);
                }
                if (now_monotonic() > end) {
                        progress_end(&p);
                        return ctl_fail("It goes on; 'bezoarctl show %s' tells what came of it.", id);
                }
                progress_show(&p, now_monotonic());
                (void) usleep(POLL_USEC);
        }
}

static int have_written(Ctl *c, const char *id, const Preview *p) {
        _cleanup_free_ char *action = NULL;
        _cleanup_(case_freep) Case *before = NULL;

        if (argument_word(p->action, &action) < 0 || case_fetch(c, id, &before) < 0 ||
            bus_ask(c, "Resolve", BUS_POLKIT, NULL, "ss", id, action) < 0)
                return CTL_ERROR;
        return wait_outcome(c, id, before->events.n + 1);
}

static int take_on(Ctl *c, const char *id, const char *action) {
        _cleanup_preview_ Preview p = {};
        _cleanup_free_ char *text = NULL;
        int r;

        if (!c->yes && !c->preview && !isatty(STDIN_FILENO))
                return ctl_fail("There is no terminal to ask, and without --yes nothing is written; "
                                "--preview only shows what would be.");
        if (c->json != JSON_OFF && !c->yes && !c->preview)
                return ctl_fail("With --json nothing is asked: --preview only shows, --yes has it written.");
        if (fetch_preview(c, id, action, &p, &text) != CTL_FINE)
                return CTL_ERROR;
        r = c->json != JSON_OFF ? ctl_print_json(c, text)
            : c->quiet && c->yes ? CTL_FINE
                                 : preview_show(c, &p, stdout);
        if (r != CTL_FINE || c->preview)
                return r;
        if (!c->yes && !confirm(&p))
                return ctl_fail("Nothing was done.");
        return have_written(c, id, &p);
}

int verb_resolve(Ctl *c, int argc, char *argv[]) {
        _cleanup_free_ char *action = NULL;

        if (argument_id(argv[1]) < 0 || get_action(c, argc, argv, &action) != CTL_FINE)
                return CTL_ERROR;
        if (is_word(action))
                return take_on(c, argv[1], action);
        if (c->all || c->preview || c->yes)
                return ctl_fail("--preview, --all and --yes are for --accept and --zero.");
        return decide(c, argv[1], action);
}
