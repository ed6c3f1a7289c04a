/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may change something: root; whom polkit lets; nobody else. Both questions, to the bus who calls and
 * to polkit what he may, are asked without waiting: an operator may be looking for his password. And how
 * much of that one user may have in hand, so that he leaves room for others. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/bus-internal.h"
#include "util/time-util.h"

#define BUS_DRIVER "org.freedesktop.DBus"
#define POLKIT "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_AUTHORITY POLKIT ".Authority"

#define POLKIT_ALLOW_USER_INTERACTION 1U

#define TIMEOUT_USEC (25 * USEC_PER_SEC)
#define INTERACTIVE_TIMEOUT_USEC (5 * USEC_PER_MINUTE)

static BusCall *bus_call_new(Bus *b, sd_bus_message *m) {
        BusCall *c = calloc(1, sizeof(*c));

        if (c) {
                *c = (BusCall) { .bus = b, .message = sd_bus_message_ref(m), .uid = OPERATOR_NOBODY,
                                 .next = b->calls };
                b->calls = c;
        }
        return c;
}

void bus_call_free(BusCall *c) {
        for (BusCall **p = &c->bus->calls; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        sd_bus_slot_unref(c->slot);
        sd_bus_message_unref(c->message);
        free(c);
}

void bus_call_fail(BusCall *c, int r, const sd_bus_error *error) {
        if (sd_bus_error_is_set(error))
                (void) sd_bus_reply_method_error(c->message, error);
        else
                (void) sd_bus_reply_method_errno(c->message, r, NULL);
}

static void refuse(BusCall *c, const char *why) {
        (void) sd_bus_reply_method_errorf(c->message, SD_BUS_ERROR_ACCESS_DENIED, "Not allowed (%s): %s",
                                          c->action ? c->action : sd_bus_message_get_member(c->message),
                                          why);
        bus_call_free(c);
}

static void go_on(BusCall *c) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = c->then(c, &error);

        if (r < 0)
                bus_call_fail(c, r, &error);
        sd_bus_error_free(&error);
        if (r != BUS_LATER)
                bus_call_free(c);
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        BusCall *c = userdata;
        int allowed, challenge;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                refuse(c, "polkit does not run, and without it only root may.");
        else if (e)
                refuse(c, e->message ? e->message : e->name);
        else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
                 sd_bus_message_read(reply, "bb", &allowed, &challenge) < 0)
                refuse(c, "the answer of polkit could not be read.");
        else if (allowed)
                go_on(c);
        else if (challenge) {
                (void) sd_bus_reply_method_errorf(c->message,
                                                  SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                                  "A password is needed for %s, and the call did not "
                                                  "let polkit ask for it.",
                                                  c->action);
                bus_call_free(c);
        } else
                refuse(c, "polkit says no.");
        return 0;
}

static int ask_polkit(BusCall *c) {
        bool interactive = sd_bus_message_get_allow_interactive_authorization(c->message) > 0;
        sd_bus_message *q = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus->bus, &q, POLKIT, POLKIT_PATH, POLKIT_AUTHORITY,
                                           "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(q, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(c->message), c->action, 0,
                                          interactive ? POLKIT_ALLOW_USER_INTERACTION : 0, "");
        if (r >= 0) {
                c->slot = sd_bus_slot_unref(c->slot);
                r = sd_bus_call_async(c->bus->bus, &c->slot, q, on_polkit, c,
                                      interactive ? INTERACTIVE_TIMEOUT_USEC : TIMEOUT_USEC);
        }
        sd_bus_message_unref(q);
        return r;
}

/* "UnixUserID" and "ProcessID" of a{sv}, which may have more. */
static int read_credentials(sd_bus_message *reply, BusCall *c) {
        bool known = false;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read(reply, "s", &key);
                if (r >= 0 && strcmp(key, "UnixUserID") == 0) {
                        r = sd_bus_message_read(reply, "v", "u", &c->uid);
                        known = r >= 0;
                } else if (r >= 0 && strcmp(key, "ProcessID") == 0)
                        r = sd_bus_message_read(reply, "v", "u", &c->pid);
                else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r < 0 ? r : known ? 0 : -ENODATA;
}

static bool has_too_many(const BusCall *c) {
        size_t n = 0;

        for (const BusCall *other = c->bus->calls; other; other = other->next)
                n += other->uid == c->uid;
        return c->uid != 0 && n > BUS_CALLS_MAX;
}

static int on_caller(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        BusCall *c = userdata;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL) || read_credentials(reply, c) < 0) {
                refuse(c, "the bus does not say who calls.");
                return 0;
        }
        if (has_too_many(c)) {
                (void) sd_bus_reply_method_errorf(c->message, BUS_ERROR_LIMITS_EXCEEDED,
                                                  "Too many at a time: %d calls of your user are not "
                                                  "answered yet; try again when one has been.",
                                                  BUS_CALLS_MAX);
                bus_call_free(c);
                return 0;
        }
        if (c->uid == 0 || !c->action) {
                go_on(c);
                return 0;
        }

        r = ask_polkit(c);
        if (r < 0)
                refuse(c, strerror(-r));
        return 0;
}

int bus_authorize(Bus *b, sd_bus_message *m, const char *action, BusThenFn then) {
        const char *sender = sd_bus_message_get_sender(m);
        BusCall *c;
        int r;

        if (!sender)
                return -EPERM;
        c = bus_call_new(b, m);
        if (!c)
                return -ENOMEM;
        c->action = action;
        c->then = then;

        r = sd_bus_call_method_async(b->bus, &c->slot, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER,
                                     "GetConnectionCredentials", on_caller, c, "s", sender);
        if (r < 0) {
                bus_call_free(c);
                return r;
        }
        return 1;
}
