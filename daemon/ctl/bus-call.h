/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "ctl/ctl.h"
#include "util/cleanup.h"

/* Calls to the daemon. Whatever goes wrong is said on standard error, in words that help. */

#define BUS_NAME "org.bezoar1"
#define BUS_PATH "/org/bezoar1"
#define BUS_MANAGER "org.bezoar1.Manager"
#define BUS_CASE "org.bezoar1.Case"

static inline void bus_message_unrefp(sd_bus_message **m) {
        if (*m)
                *m = sd_bus_message_unref(*m);
}
#define _cleanup_bus_message_ _cleanup_(bus_message_unrefp)

/* 0, or a negative errno after an error was printed; as everywhere here. */
int bus_connect(Ctl *c);

/* Was this the error of a daemon that is not running, or does not answer? */
bool bus_is_down(int error);

/* A call of a method of the manager, without its arguments. The daemon is not started by it. */
int bus_new_call(Ctl *c, const char *method, sd_bus_message **ret);

/* Makes the call and waits for the reply. `waiting` is what is said to a terminal when it takes long
 * ("Asking the file system"); such a call may take minutes. NULL: it answers at once, or something is wrong.
 * ret may be NULL. */
int bus_call(Ctl *c, sd_bus_message *m, const char *waiting, sd_bus_message **ret);

/* What takes long where something is changed is a person who types a password. */
#define BUS_POLKIT "Waiting for polkit"

/* Both, where the arguments are simple. */
int bus_ask(Ctl *c, const char *method, const char *waiting, sd_bus_message **ret, const char *types, ...);

/* All properties of the manager, as a{sv}. */
int bus_properties(Ctl *c, sd_bus_message **ret);

/* Each prints an error and returns it: the call could not be put together; the reply is not what it should
 * be; nor is the JSON in it (`sentence` may be NULL). */
int bus_bad_call(int error);
int bus_bad_reply(int error);
int bus_bad_json(int error, const char *sentence);

/* The next value of a reply, as --json asks for. An exit status. */
int bus_print_json(Ctl *c, sd_bus_message *m);
