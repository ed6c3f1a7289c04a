/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A call is asynchronous underneath, so that a terminal can be told that it is still being waited for. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/bus-call.h"
#include "ctl/bus-json.h"
#include "ctl/progress.h"
#include "util/time-util.h"

#define ANSWER_USEC (25 * USEC_PER_SEC)
#define LONG_ANSWER_USEC (15 * USEC_PER_MINUTE)

int bus_connect(Ctl *c) {
        int r;

        assert(c);

        if (c->bus)
                return 0;
        r = sd_bus_open_system(&c->bus);
        if (r < 0)
                (void) ctl_fail("The system bus cannot be reached: %s. See 'systemctl status dbus'.",
                                strerror(-r));
        return r < 0 ? r : 0;
}

static bool is_any(const char *name, const char *const *names) {
        for (; *names; names++)
                if (strcmp(name, *names) == 0)
                        return true;
        return false;
}

typedef enum Trouble {
        TROUBLE_ABSENT,
        TROUBLE_SILENT,
        TROUBLE_DENIED,
        TROUBLE_STRANGE,
        TROUBLE_OTHER,          /* the daemon's own: it has said it best */
} Trouble;

static Trouble trouble_of_error(const sd_bus_error *e) {
        static const char *const absent[] = { SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                             NULL };
        static const char *const silent[] = { SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT, NULL };
        static const char *const denied[] = { SD_BUS_ERROR_ACCESS_DENIED,
                                             SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, NULL };
        static const char *const strange[] = { SD_BUS_ERROR_UNKNOWN_METHOD, SD_BUS_ERROR_UNKNOWN_INTERFACE,
                                               SD_BUS_ERROR_UNKNOWN_PROPERTY, SD_BUS_ERROR_UNKNOWN_OBJECT,
                                               NULL };

        return is_any(e->name, absent) ? TROUBLE_ABSENT :
               is_any(e->name, silent) ? TROUBLE_SILENT :
               is_any(e->name, denied) ? TROUBLE_DENIED :
               is_any(e->name, strange) ? TROUBLE_STRANGE : TROUBLE_OTHER;
}

/* Says it, and returns the errno that stands for it. The bus itself refuses who may not even ask; what the
 * daemon refuses, it explains. */
static int explain(sd_bus_message *reply) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const char *sender = sd_bus_message_get_sender(reply);

        switch (trouble_of_error(e)) {

        case TROUBLE_ABSENT:
                (void) ctl_fail("bezoard is not running. 'systemctl start bezoard' starts it, 'systemctl "
                                "enable --now bezoard' also at every boot; 'systemctl status bezoard' tells "
                                "why it is not.");
                return -ECONNREFUSED;

        case TROUBLE_SILENT:
                (void) ctl_fail("bezoard does not answer. See 'systemctl status bezoard' and 'journalctl -u "
                                "bezoard'.");
                return -ETIMEDOUT;

        case TROUBLE_DENIED:
                if (sender && strcmp(sender, "org.freedesktop.DBus") == 0)
                        (void) ctl_fail("Not allowed: only root and the group adm may ask bezoard.");
                else
                        (void) ctl_fail("%s Root may do this.", e->message);
                return -EACCES;

        case TROUBLE_STRANGE:
                (void) ctl_fail("The running bezoard does not know this, it may be of another version: "
                                "'systemctl restart bezoard'. (%s)", e->message);
                return -EOPNOTSUPP;

        case TROUBLE_OTHER:
        default:
                (void) ctl_fail("%s", e->message && e->message[0] ? e->message : e->name);
                return -EREMOTEIO;
        }
}

bool bus_is_down(int error) {
        return error == -ECONNREFUSED || error == -ETIMEDOUT;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        sd_bus_message **reply = userdata;

        *reply = sd_bus_message_ref(m);
        return 0;
}

/* Until the reply is there. */
static int wait_reply(Ctl *c, const char *waiting, sd_bus_message *const *reply) {
        Progress p = { .text = c->quiet ? NULL : waiting };
        int r = 0;

        while (r >= 0 && !*reply) {
                r = sd_bus_process(c->bus, NULL);
                if (r == 0) {
                        r = sd_bus_wait(c->bus, PROGRESS_USEC);
                        progress_show(&p, now_monotonic());
                }
                if (r == -EINTR)
                        r = 0;
        }
        progress_end(&p);
        return r < 0 ? r : 0;
}

int bus_call(Ctl *c, sd_bus_message *m, const char *waiting, sd_bus_message **ret) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        sd_bus_slot *slot = NULL;
        int r;

        assert(c);
        assert(m);

        r = sd_bus_call_async(c->bus, &slot, m, on_reply, &reply, waiting ? LONG_ANSWER_USEC : ANSWER_USEC);
        if (r >= 0)
                r = wait_reply(c, waiting, &reply);
        sd_bus_slot_unref(slot);
        if (r < 0) {
                (void) ctl_fail("The call to bezoard failed: %s", strerror(-r));
                return r;
        }

        if (sd_bus_message_is_method_error(reply, NULL))
                return explain(reply);
        if (ret)
                *ret = TAKE_PTR(reply);
        return 0;
}

/* Nobody is to start the daemon by looking at it: who has stopped it did so on purpose. */
static int new_call(Ctl *c, const char *interface, const char *method, sd_bus_message **ret) {
        _cleanup_bus_message_ sd_bus_message *m = NULL;
        int r;

        r = bus_connect(c);
        if (r < 0)
                return r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH, interface, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(m, true);
        if (r < 0)
                return bus_bad_call(r);

        *ret = TAKE_PTR(m);
        return 0;
}

int bus_new_call(Ctl *c, const char *method, sd_bus_message **ret) {
        assert(c);
        assert(method);
        assert(ret);

        return new_call(c, BUS_MANAGER, method, ret);
}

int bus_ask(Ctl *c, const char *method, const char *waiting, sd_bus_message **ret, const char *types, ...) {
        _cleanup_bus_message_ sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = bus_new_call(c, method, &m);
        if (r < 0)
                return r;
        if (types) {
                va_start(ap, types);
                r = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
                if (r < 0)
                        return bus_bad_call(r);
        }
        return bus_call(c, m, waiting, ret);
}

int bus_properties(Ctl *c, sd_bus_message **ret) {
        _cleanup_bus_message_ sd_bus_message *m = NULL;
        int r;

        assert(c);
        assert(ret);

        r = new_call(c, "org.freedesktop.DBus.Properties", "GetAll", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", BUS_MANAGER);
        if (r < 0)
                return bus_bad_call(r);
        return bus_call(c, m, NULL, ret);
}

int bus_bad_call(int error) {
        (void) ctl_fail("The call to bezoard could not be put together: %s", strerror(-error));
        return error;
}

int bus_bad_reply(int error) {
        return bus_bad_json(error, NULL);
}

int bus_bad_json(int error, const char *sentence) {
        (void) ctl_fail("The answer of bezoard was not understood: %s. It may be of another version than "
                        "this program: 'systemctl restart bezoard'.",
                        sentence ? sentence : strerror(-error));
        return error;
}

int bus_print_json(Ctl *c, sd_bus_message *m) {
        _cleanup_free_ char *json = NULL;
        size_t n = 0;
        FILE *f;
        int r;

        assert(c);
        assert(m);

        f = open_memstream(&json, &n);
        if (!f)
                return ctl_fail_memory();
        r = bus_json_value(m, f);
        if (fclose(f) != 0)
                return ctl_fail_memory();
        if (r < 0) {
                (void) bus_bad_reply(r);
                return CTL_ERROR;
        }
        return ctl_print_json(c, json);
}
