/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bezoarctl: options, and the table of commands. What is in the two tables is what there is: --help is
 * printed from them, and tests/style/check-help compares the manual and the completions with that. */

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "build-config.h"
#include "ctl/arguments.h"
#include "ctl/ctl.h"
#include "ctl/terminal.h"
#include "util/strv.h"

typedef struct Verb {
        const char *name;
        const char *arguments;          /* as the help has them */
        int min, max;                   /* how many; max -1: any number */
        bool filters;                   /* takes the options that choose cases */
        VerbFn fn;
        const char *help;
} Verb;

static const Verb verbs[] = {
        { "status", "", 0, 0, false, verb_status, "How things stand, and the open cases (default)" },
        { "list", "", 0, 0, true, verb_list, "The open cases" },
        { "show", "ID...", 1, -1, false, verb_show, "Everything about cases" },
        { "explain", "ID...", 1, -1, false, verb_explain, "What happened, why, and what can be done now" },
        { "history", "", 0, 0, true, verb_history, "All cases, closed ones too" },
        { "volumes", "", 0, 0, false, verb_volumes, "Devices, what is on them, what is protected" },
        { "plan", "PATH [OFFSET [LENGTH]]", 1, 3, false, verb_plan, "What would happen if bytes were lost" },
        { "rescan", "", 0, 0, false, verb_rescan, "Look at everything again now" },
        { "resolve", "ID [ACTION]", 1, 2, false, verb_resolve, "Decide about a case: retry, ignore" },
        { "mode", "[MODE]", 0, 1, false, verb_mode, "Show the mode, or set it: repair, observe" },
        { "monitor", "", 0, 0, false, verb_monitor, "Follow what happens" },
        { "metrics", "", 0, 0, false, verb_metrics, "Figures as OpenMetrics text" },
        { "drill", "[PATH]", 0, 1, false, verb_drill, "Would files be restored? Tries some pages" },
        { "seal", "[PATH...]", 0, -1, false, verb_seal, "Seal files: store what their pages hash to" },
        { "check-config", "[DIR]", 0, 1, false, verb_check_config, "Check the configuration" },
};
#define PAGES_MAX 100000
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

enum {
        ARG_VERSION = 0x100, ARG_JSON, ARG_NO_PAGER, ARG_NO_LEGEND, ARG_STATE, ARG_DEVICE, ARG_PATH,
        ARG_PAGES, ARG_ACCEPT, ARG_ZERO, ARG_IGNORE, ARG_ALL, ARG_PREVIEW,
};

static const struct option options[] = {
        { "help",      no_argument,       NULL, 'h'           },
        { "version",   no_argument,       NULL, ARG_VERSION   },
        { "json",      required_argument, NULL, ARG_JSON      },
        { "no-pager",  no_argument,       NULL, ARG_NO_PAGER  },
        { "no-legend", no_argument,       NULL, ARG_NO_LEGEND },
        { "quiet",     no_argument,       NULL, 'q'           },
        { "state",     required_argument, NULL, ARG_STATE     },
        { "device",    required_argument, NULL, ARG_DEVICE    },
        { "path",      required_argument, NULL, ARG_PATH      },
        { "lines",     required_argument, NULL, 'n'           },
        { "pages",     required_argument, NULL, ARG_PAGES     },
        { "accept",    required_argument, NULL, ARG_ACCEPT    },
        { "zero",      no_argument,       NULL, ARG_ZERO      },
        { "ignore",    no_argument,       NULL, ARG_IGNORE    },
        { "all",       no_argument,       NULL, ARG_ALL       },
        { "preview",   no_argument,       NULL, ARG_PREVIEW   },
        { "yes",       no_argument,       NULL, 'y'           },
        {},
};

static void help(Ctl *c) {
        ctl_page(c);
        (void) puts("bezoarctl [OPTIONS...] [COMMAND] [ARGUMENTS...]\n\n"
                    "Asks bezoard, which heals poisoned persistent memory, and tells it what to do.\n\n"
                    "Commands:");
        for (size_t i = 0; i < N_VERBS; i++) {
                int n = printf("  %s %s", verbs[i].name, verbs[i].arguments);

                (void) printf("%*s%s\n", n < 32 ? 32 - n : 2, "", verbs[i].help);
        }
        (void) puts("\n"
                    "Options:\n"
                    "  -h --help                     Show this help\n"
                    "     --version                  Show the version\n"
                    "     --json=MODE                JSON: pretty, short (on one line), or off\n"
                    "     --no-pager                 No pager\n"
                    "     --no-legend                No headings and hints\n"
                    "  -q --quiet                    Only errors, and what was asked for\n"
                    "     --state=STATE[,STATE...]   list, history: cases in these states\n"
                    "     --device=NODE              list, history: cases on this device\n"
                    "     --path=PATH                list, history: cases of this file or folder\n"
                    "  -n --lines=N                  list, history: the last N cases\n"
                    "     --pages=N                  drill: how many pages are tried (64)\n"
                    "     --accept=REPLICA           resolve: take the lost bytes from it, unproved\n"
                    "     --zero                     resolve: make the lost bytes zeroes\n"
                    "     --ignore                   resolve: leave the case alone\n"
                    "     --preview                  resolve: only show what would be written\n"
                    "     --all                      resolve: show all of it\n"
                    "  -y --yes                      resolve: do not ask\n\n"
                    "Exit status: 0 fine, 1 error, 3 there are open cases (status only). See bezoarctl(1).");
}

static int parse_json(const char *s, JsonMode *ret) {
        static const char *const words[_JSON_MODE_MAX] = { [JSON_OFF] = "off", [JSON_SHORT] = "short",
                                                          [JSON_PRETTY] = "pretty" };

        for (JsonMode m = 0; m < _JSON_MODE_MAX; m++)
                if (strcmp(words[m], s) == 0) {
                        *ret = m;
                        return 0;
                }
        return ctl_fail("--json=%.64s: pretty, short, or off is wanted.", s);
}

static int parse_filter(int option, Ctl *c) {
        switch (option) {
        case ARG_STATE:
                return argument_states(optarg, &c->states);
        case ARG_DEVICE:
                free(c->device);
                c->device = NULL;
                return argument_word(optarg, &c->device);
        case ARG_PATH:
                free(c->path);
                c->path = NULL;
                return argument_path(optarg, false, &c->path);
        default:
                return argument_count("--lines", optarg, UINT64_MAX, &c->lines);
        }
}

static int parse_resolve(int option, Ctl *c) {
        switch (option) {
        case ARG_ACCEPT:
                free(c->accept);
                c->accept = strdup(optarg);
                return c->accept ? 0 : (ctl_fail_memory(), -ENOMEM);
        case ARG_ZERO:
                c->zero = true;
                break;
        case ARG_IGNORE:
                c->ignore = true;
                break;
        case ARG_ALL:
                c->all = true;
                break;
        case ARG_PREVIEW:
                c->preview = true;
                break;
        default:
                c->yes = true;
        }
        return 0;
}

/* 1: go on; 0: done; < 0: an error was printed. */
static int parse(int argc, char *argv[], Ctl *c) {
        int option;

        opterr = 0; /* it would print what it was given as it is */
        while ((option = getopt_long(argc, argv, "hqyn:", options, NULL)) >= 0)
                switch (option) {
                case 'h':
                        help(c);
                        return 0;
                case ARG_VERSION:
                        (void) puts("bezoar " BEZOAR_VERSION);
                        return 0;
                case ARG_JSON:
                        if (parse_json(optarg, &c->json) != 0)
                                return -EINVAL;
                        break;
                case ARG_NO_PAGER:
                        c->no_pager = true;
                        break;
                case ARG_NO_LEGEND:
                        c->no_legend = true;
                        break;
                case 'q':
                        c->quiet = true;
                        break;
                case ARG_STATE:
                case ARG_DEVICE:
                case ARG_PATH:
                case 'n':
                        if (parse_filter(option, c) < 0)
                                return -EINVAL;
                        break;
                case ARG_PAGES:
                        if (argument_count("--pages", optarg, PAGES_MAX, &c->pages) < 0)
                                return -EINVAL;
                        break;
                case ARG_ACCEPT:
                case ARG_ZERO:
                case ARG_IGNORE:
                case ARG_ALL:
                case ARG_PREVIEW:
                case 'y':
                        if (parse_resolve(option, c) < 0)
                                return -EINVAL;
                        break;
                default:
                        (void) ctl_fail("'%.64s' is no option, or lacks its value, or has one too many: see "
                                        "'bezoarctl --help'.", argv[optind - 1]);
                        return -EINVAL;
                }
        return 1;
}

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < N_VERBS; i++)
                if (strcmp(verbs[i].name, name) == 0)
                        return verbs + i;
        return NULL;
}

static int unknown_verb(const char *name) {
        char words[512] = "";

        for (size_t i = 0; i < N_VERBS; i++) {
                (void) strncat(words, i > 0 ? ", " : "", sizeof(words) - strlen(words) - 1);
                (void) strncat(words, verbs[i].name, sizeof(words) - strlen(words) - 1);
        }
        return ctl_fail("'%.64s' is no command. There are: %s.", name, words);
}

static int run(Ctl *c, int argc, char *argv[]) {
        const Verb *v = argc > 0 ? find_verb(argv[0]) : verbs;
        const int n = argc > 0 ? argc - 1 : 0;
        const bool filtered = c->states || c->device || c->path || c->lines > 0;

        if (!v)
                return unknown_verb(argv[0]);
        if (n < v->min)
                return ctl_fail("%s needs more: bezoarctl %s %s", v->name, v->name, v->arguments);
        if (v->max >= 0 && n > v->max)
                return ctl_fail("'%.64s' is too much: bezoarctl %s%s%s", argv[v->max + 1], v->name,
                                v->arguments[0] ? " " : "", v->arguments);
        if (filtered && !v->filters)
                return ctl_fail("--state, --device, --path and --lines are for list and history, not for "
                                "%s.", v->name);
        if (c->pages > 0 && v->fn != verb_drill)
                return ctl_fail("--pages is for drill, not for %s.", v->name);
        if ((c->accept || c->zero || c->ignore || c->all || c->preview || c->yes) && v->fn != verb_resolve)
                return ctl_fail("--accept, --zero, --ignore, --preview, --all and --yes are for resolve, "
                                "not for %s.", v->name);
        return v->fn(c, argc, argv);
}

/* A full disk is not to pass for an empty list. */
static int finish(Ctl *c, int status) {
        const bool paged = c->pager.pid > 0;

        if (!paged && (fflush(stdout) != 0 || ferror(stdout)))
                status = ctl_fail("Standard output could not be written: %s", strerror(errno));
        pager_close(&c->pager);
        sd_bus_flush_close_unref(c->bus);
        strv_free(c->states);
        free(c->device);
        free(c->path);
        free(c->accept);
        return status;
}

int main(int argc, char *argv[]) {
        Ctl c = { .colours = terminal_wants_colours(STDOUT_FILENO), .width = terminal_width(STDOUT_FILENO) };
        int r;

        (void) setlocale(LC_CTYPE, "");
        r = parse(argc, argv, &c);
        if (r > 0)
                r = run(&c, argc - optind, argv + optind);
        else if (r < 0)
                r = CTL_ERROR;
        return finish(&c, r);
}
