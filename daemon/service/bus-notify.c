/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* NotifyUnit=: the service manager is asked to start a unit for a case, and nobody waits for it. At boot the
 * daemon is ready before the bus is: what happens until then is kept, as numbers. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/bus-internal.h"
#include "util/log.h"
#include "util/vec.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"

#define ALERTS_MAX 1000         /* without a bus; nobody reads more mail than that */

static void notify_failed(Bus *b, const char *why) {
        if (!b->notify_failed)
                log_error("NotifyUnit= could not be started, which is not said again until it works: %s",
                          why);
        b->notify_failed = true;
}

static int on_started(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        Bus *b = userdata;

        if (e)
                notify_failed(b, e->message ? e->message : e->name);
        else
                b->notify_failed = false;
        return 0;
}

/* "NAME@.service" with the case's number before the dot. */
static int start_unit(Bus *b, const char *template, uint64_t id) {
        _cleanup_free_ char *unit = NULL;
        int stem = (int) (strlen(template) - strlen(".service"));

        if (asprintf(&unit, "%.*s%" PRIu64 ".service", stem, template, id) < 0)
                return -ENOMEM;
        return sd_bus_call_method_async(b->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartUnit",
                                        on_started, b, "ss", unit, "replace");
}

void bus_notify_flush(Bus *b) {
        const char *template = manager_policy(b->manager)->notify_unit;

        if (!b->bus || sd_bus_is_ready(b->bus) <= 0)
                return;

        for (size_t i = 0; template && i < b->alerts.n; i++) {
                int r = start_unit(b, template, b->alerts.items[i]);

                if (r < 0)
                        notify_failed(b, strerror(-r));
        }
        b->alerts.n = 0;
}

void bus_notify_case(Bus *b, uint64_t id) {
        if (!manager_policy(b->manager)->notify_unit)
                return;

        if (b->alerts.n >= ALERTS_MAX)
                notify_failed(b, "too much has happened while there was no D-Bus");
        else if (vec_push(&b->alerts, id) < 0)
                notify_failed(b, strerror(ENOMEM));
        bus_notify_flush(b);
}
