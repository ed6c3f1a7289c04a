/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/pager.h"

/* What every verb gets: how it is to print, and the bus. Verbs print their errors themselves, on standard
 * error, and return an exit status. */

typedef struct sd_bus sd_bus;

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,             /* everything on one line */
        JSON_PRETTY,
        _JSON_MODE_MAX,
} JsonMode;

typedef struct Ctl {
        JsonMode json;
        bool no_pager, no_legend, quiet;
        bool colours;           /* on standard output */
        size_t width;           /* of the terminal; 0: standard output is none */
        sd_bus *bus;            /* NULL until it is needed */
        Pager pager;

        /* filters of list and history */
        char **states;
        char *device, *path;
        uint64_t lines;

        uint64_t pages;         /* drill; 0: not given */

        /* resolve */
        char *accept;           /* NULL */
        bool zero, ignore, yes, all, preview;
} Ctl;

enum {
        CTL_FINE = 0,
        CTL_ERROR = 1,
        CTL_OPEN_CASES = 3,     /* status only */
};

/* argv[0] is the verb; its arguments have been counted already. */
typedef int (*VerbFn)(Ctl *c, int argc, char *argv[]);

/* One sentence on standard error, "bezoarctl: …", safe for a terminal whatever is in it. Returns
 * CTL_ERROR. */
__attribute__((format(printf, 1, 2))) int ctl_fail(const char *format, ...);
int ctl_fail_memory(void);

/* For what was done, which --quiet keeps silent about. */
__attribute__((format(printf, 2, 3))) void ctl_say(const Ctl *c, const char *format, ...);

/* What comes now may be long. */
void ctl_page(Ctl *c);

/* JSON text as --json asks for. An exit status. */
int ctl_print_json(Ctl *c, const char *text);

int verb_status(Ctl *c, int argc, char *argv[]);
int verb_list(Ctl *c, int argc, char *argv[]);
int verb_history(Ctl *c, int argc, char *argv[]);
int verb_show(Ctl *c, int argc, char *argv[]);
int verb_explain(Ctl *c, int argc, char *argv[]);
int verb_volumes(Ctl *c, int argc, char *argv[]);
int verb_plan(Ctl *c, int argc, char *argv[]);
int verb_rescan(Ctl *c, int argc, char *argv[]);
int verb_resolve(Ctl *c, int argc, char *argv[]);
int verb_mode(Ctl *c, int argc, char *argv[]);
int verb_monitor(Ctl *c, int argc, char *argv[]);
int verb_metrics(Ctl *c, int argc, char *argv[]);
int verb_drill(Ctl *c, int argc, char *argv[]);
int verb_seal(Ctl *c, int argc, char *argv[]);
int verb_check_config(Ctl *c, int argc, char *argv[]);
