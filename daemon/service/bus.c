/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The connection, and what is told unasked. Nobody listens, or there is no bus: then nothing is told, and
 * nothing is kept for later either, because every listener begins with a question. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "service/bus-internal.h"
#include "service/bus.h"
#include "util/log.h"
#include "util/time-util.h"
#include "util/vec.h"

#define DEFAULT_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define PATIENCE_USEC (10 * USEC_PER_SEC)       /* before it is said that there is no bus */
#define RECONNECT_USEC USEC_PER_SEC
#define RENEW_USEC (60 * USEC_PER_SEC)          /* what has not come about until then will not */

static void bus_connect(Bus *b);

static bool is_ready(const Bus *b) {
        return b->bus && sd_bus_is_ready(b->bus) > 0;
}

/* ---- what is told ---- */

/* Ascending, none twice. */
static int remember(Bus *b, uint64_t id) {
        size_t i = b->changed.n;

        while (i > 0 && b->changed.items[i - 1] >= id)
                i--;
        if (i < b->changed.n && b->changed.items[i] == id)
                return 0;
        return vec_insert(&b->changed, i, id);
}

static void forget(Bus *b, uint64_t id) {
        for (size_t i = 0; i < b->changed.n; i++)
                if (b->changed.items[i] == id) {
                        vec_remove(&b->changed, i, 1);
                        return;
                }
}

static int on_changes(sd_event_source *s, void *userdata) {
        Bus *b = userdata;

        for (size_t i = 0; i < b->changed.n && is_ready(b); i++)
                bus_tell_case(b, b->changed.items[i]);
        b->changed.n = 0;
        return 0;
}

static void emit_step(Bus *b, const char *signal, const Case *c) {
        const char *detail = bus_case_detail(c);
        _cleanup_free_ char *escaped = codec_path_escape(detail ? detail : "");
        char id[24], path[BUS_CASE_PATH_MAX];

        (void) snprintf(id, sizeof(id), "%" PRIu64, c->id);
        (void) sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER, signal, "sosss", id,
                                  bus_case_path(c->id, path), case_state_to_string(c->state),
                                  reason_to_string(c->reason), escaped ? escaped : "");
}

static void on_added(const Case *c, void *userdata) {
        _cleanup_free_ char *device = codec_path_escape(c->volume.device);
        char id[24], path[BUS_CASE_PATH_MAX];
        Bus *b = userdata;

        if (!is_ready(b))
                return;
        (void) snprintf(id, sizeof(id), "%" PRIu64, c->id);
        (void) sd_bus_emit_object_added(b->bus, bus_case_path(c->id, path));
        (void) sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER, "CaseAdded", "sostt", id, path,
                                  device ? device : "", c->range.start, range_size(c->range));
}

static void on_changed(const Case *c, void *userdata) {
        char path[BUS_CASE_PATH_MAX];
        Bus *b = userdata;

        if (!is_ready(b))
                return;
        if (case_state_is_closed(c->state)) {
                forget(b, c->id);
                bus_tell_case(b, c->id);
                emit_step(b, "CaseClosed", c);
                (void) sd_bus_emit_object_removed(b->bus, bus_case_path(c->id, path));
                return;
        }

        emit_step(b, "CaseChanged", c);
        if (remember(b, c->id) >= 0)
                (void) sd_event_source_set_enabled(b->changes, SD_EVENT_ONESHOT);
}

static void on_progress(const Case *c, const char *detail, void *userdata) {
        _cleanup_free_ char *escaped = codec_path_escape(detail);
        char id[24], path[BUS_CASE_PATH_MAX];
        Bus *b = userdata;

        if (!is_ready(b) || !escaped)
                return;
        (void) snprintf(id, sizeof(id), "%" PRIu64, c->id);
        (void) sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER, "CaseProgress", "sos", id,
                                  bus_case_path(c->id, path), escaped);
}

static void on_alert(const Case *c, void *userdata) {
        bus_notify_case(userdata, c->id);
}

static void on_counts(void *userdata) {
        bus_tell_manager(userdata);
}

/* ---- the connection ---- */

static void settle(Bus *b) {
        BusSettledFn fn = b->settled;

        b->settled = NULL;
        if (fn)
                fn(b->userdata);
}

static void set_timer(Bus *b, uint64_t usec) {
        (void) sd_event_source_set_time_relative(b->timer, usec);
        (void) sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
}

static void bus_drop(Bus *b) {
        if (!b->bus)
                return;
        sd_bus_detach_event(b->bus);
        sd_bus_close(b->bus);
        b->bus = sd_bus_unref(b->bus);
}

/* A connection that has begun and comes to nothing is begun anew: what it waits for may be lost. */
static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Bus *b = userdata;

        if (!b->bus || (!is_ready(b) && b->absent)) {
                bus_drop(b);
                bus_connect(b);
        } else if (!is_ready(b)) {
                log_notice("There is no D-Bus: bezoarctl cannot ask. Going on without, until it appears.");
                b->absent = true;
                set_timer(b, RENEW_USEC);
        }
        settle(b);
        return 0;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;

        log_debug("Connected to D-Bus.");
        b->absent = false;
        bus_notify_flush(b);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;

        log_notice("D-Bus has gone; going on without, until it is back.");
        bus_drop(b);
        set_timer(b, RECONNECT_USEC);
        return 0;
}

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        uint32_t got = 0;
        Bus *b = userdata;

        if (e)
                log_error("The name " BUS_NAME " could not be had, so bezoarctl cannot ask: %s",
                          e->message ? e->message : e->name);
        else if (sd_bus_message_read(reply, "u", &got) < 0 || got != 1)
                log_error("The name " BUS_NAME " is taken by another program, so bezoarctl cannot ask.");
        settle(b);
        return 0;
}

static int bus_publish(Bus *b, sd_bus *bus) {
        int r;

        r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_MANAGER, bus_manager_vtable, b);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, BUS_CASES, BUS_CASE, bus_case_vtable,
                                               bus_case_find, b);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, BUS_CASES, bus_case_enumerate, b);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, NULL, BUS_PATH);
        return r;
}

/* With `wait`, a socket that is not there yet is waited for. */
static int bus_open(Bus *b, bool wait, sd_bus **ret) {
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_description(bus, "system");
        if (r >= 0)
                r = sd_bus_set_address(bus, address ? address : DEFAULT_ADDRESS);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_set_watch_bind(bus, wait);
        if (r >= 0)
                r = sd_bus_set_connected_signal(bus, true);
        if (r >= 0)
                r = bus_publish(b, bus);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, b->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

static int bus_listen(Bus *b) {
        int r;

        r = sd_bus_match_signal_async(b->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                      "org.freedesktop.DBus.Local", "Connected", on_connected, NULL, b);
        if (r >= 0)
                r = sd_bus_match_signal_async(b->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
                                              NULL, b);
        if (r >= 0)
                r = sd_bus_request_name_async(b->bus, NULL, BUS_NAME, 0, on_name, b);
        return r;
}

static void bus_connect(Bus *b) {
        int r;

        r = bus_open(b, false, &b->bus);
        if (r == -ENOENT || r == -ECONNREFUSED) {
                r = bus_open(b, true, &b->bus);
                settle(b);
        }
        if (r >= 0)
                r = bus_listen(b);
        if (r < 0) {
                if (!b->absent)
                        log_error_errno(r, "D-Bus cannot be used, so bezoarctl cannot ask: %m");
                b->absent = true;
                bus_drop(b);
                settle(b);
        }
        set_timer(b, b->absent ? RENEW_USEC : PATIENCE_USEC);
}

/* ---- life ---- */

int bus_new(sd_event *event, Manager *manager, BusSettledFn settled, void *userdata, Bus **ret) {
        static const ManagerObserver observer = { .case_added = on_added, .case_changed = on_changed,
                                                 .case_alert = on_alert, .case_progress = on_progress,
                                                 .counts_changed = on_counts };
        _cleanup_(bus_freep) Bus *b = NULL;
        int r;

        b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;
        b->event = sd_event_ref(event);
        b->manager = manager;
        b->settled = settled;
        b->userdata = userdata;

        r = sd_event_add_time_relative(event, &b->timer, CLOCK_MONOTONIC, 0, 0, on_timer, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &b->changes, on_changes, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->changes, SD_EVENT_OFF);
        if (r >= 0) /* after all that may change something */
                r = sd_event_source_set_priority(b->changes, SD_EVENT_PRIORITY_NORMAL + 20);
        if (r >= 0)
                r = manager_add_observer(manager, &observer, b);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(b->timer, "bus-timer");
        (void) sd_event_source_set_description(b->changes, "bus-changes");

        bus_connect(b);
        *ret = TAKE_PTR(b);
        return 0;
}

Bus *bus_free(Bus *b) {
        if (!b)
                return NULL;
        while (b->calls)
                bus_call_free(b->calls);
        sd_event_source_disable_unref(b->timer);
        sd_event_source_disable_unref(b->changes);
        if (is_ready(b))
                (void) sd_bus_flush(b->bus);
        sd_bus_close_unref(b->bus);
        sd_event_unref(b->event);
        vec_done(&b->changed);
        vec_done(&b->alerts);
        free(b);
        return NULL;
}
