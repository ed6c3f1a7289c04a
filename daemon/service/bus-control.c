/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Methods that are not answered at once: a plan, which a worker makes, and what changes something, which
 * polkit allows. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "service/bus-internal.h"

/* ---- plan ---- */

const char *bus_worker_error(int error) {
        switch (-error) {
        case ETIMEDOUT:
                return BUS_ERROR_WORKER_TIMEOUT;
        case ECANCELED:
                return BUS_ERROR_STOPPING;
        case ENOMEM:
                return SD_BUS_ERROR_NO_MEMORY;
        default:
                return BUS_ERROR_WORKER_FAILED;
        }
}

static void on_forecast(const Forecast *f, int error, const char *detail, void *userdata) {
        _cleanup_free_ char *text = f ? codec_forecast_encode(f) : NULL;
        _cleanup_free_ char *why = detail ? codec_path_escape(detail) : NULL;
        BusCall *c = userdata;

        if (text)
                (void) sd_bus_reply_method_return(c->message, "s", text);
        else
                (void) sd_bus_reply_method_errorf(c->message, bus_worker_error(f ? -ENOMEM : error),
                                                  "The worker that was to look did not answer: %s",
                                                  why ? why : strerror(-error));
        bus_call_free(c);
}

static int plan_error(int r, const char *target, sd_bus_error *error) {
        char quoted[BUS_QUOTE_MAX];

        switch (r) {
        case MANAGER_E_NO_SUCH_VOLUME:
                return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_VOLUME,
                                         "'%s' is not on persistent memory, as far as is known here; a "
                                         "device is named by "
                                         "its node (/dev/pmem0), a file by its path without symbolic "
                                         "links.",
                                         bus_quote(target, quoted));
        case MANAGER_E_RANGE:
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_RANGE,
                                         "The range is too long (%" PRIu64 " bytes are the most), or "
                                                                           "ends behind the end of "
                                         "what can be addressed.", FORECAST_MAX);
        case MANAGER_E_BUSY:
                return sd_bus_error_set(error, BUS_ERROR_BUSY,
                                        "Too many plans are being made; try again when one has been "
                                        "answered.");
        case MANAGER_E_STOPPING:
                return sd_bus_error_set(error, BUS_ERROR_STOPPING, "The daemon stops.");
        default:
                return r;
        }
}

typedef struct Target {
        const char *escaped;
        char *path;
        uint64_t offset, length;
} Target;

static void target_done(Target *t) {
        free(t->path);
}

static int read_plan(sd_bus_message *m, Target *ret, sd_bus_error *error) {
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "stt", &ret->escaped, &ret->offset, &ret->length);
        if (r >= 0)
                r = bus_check_length("target", ret->escaped, error);
        if (r >= 0)
                r = codec_path_unescape(ret->escaped, &ret->path);
        if (r == -EBADMSG || (r >= 0 && ret->path[0] != '/'))
                return sd_bus_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                        "The target is an absolute path, in which a backslash is "
                                        "written \\x5c.");
        return r;
}

static int plan_counted(BusCall *c, sd_bus_error *error) {
        __attribute__((cleanup(target_done))) Target t = {};
        int r;

        r = read_plan(c->message, &t, error);
        if (r < 0)
                return r;
        r = manager_forecast(c->bus->manager, t.path, t.offset, t.length, on_forecast, c);
        return r == 0 ? BUS_LATER : plan_error(r, t.escaped, error);
}

int bus_plan(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        __attribute__((cleanup(target_done))) Target t = {};
        int r;

        r = read_plan(m, &t, error);
        return r < 0 ? r : bus_authorize(userdata, m, NULL, plan_counted);
}

/* ---- what changes something ---- */

static int rescan_allowed(BusCall *c, sd_bus_error *error) {
        manager_rescan(c->bus->manager);
        return sd_bus_reply_method_return(c->message, NULL);
}

int bus_rescan(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return bus_authorize(userdata, m, "org.bezoar1.rescan", rescan_allowed);
}

static int read_mode(sd_bus_message *m, Mode *ret, sd_bus_error *error) {
        char quoted[BUS_QUOTE_MAX];
        const char *word;
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &word);
        if (r >= 0)
                r = bus_check_length("mode", word, error);
        if (r < 0)
                return r;

        *ret = mode_from_string(word);
        if ((int) *ret < 0)
                return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                         "'%s' is no mode; there are repair and observe.",
                                         bus_quote(word, quoted));
        return 0;
}

static int set_mode_allowed(BusCall *c, sd_bus_error *error) {
        Bus *b = c->bus;
        Mode mode;
        int r;

        r = read_mode(c->message, &mode, error);
        if (r < 0)
                return r;
        r = manager_set_mode(b->manager, mode);
        if (r == MANAGER_E_CONFIGURED)
                return sd_bus_error_set(error, BUS_ERROR_MODE_CONFIGURED,
                                        "The configuration says Mode=observe, or has an error (bezoard "
                                        "--check-config tells); "
                                        "change it there, and run 'systemctl reload bezoard'.");
        if (r < 0)
                return sd_bus_error_set_errnof(error, r, "The mode is '%s' now, but that could not be "
                                                         "stored, and will be "
                                               "forgotten at the next start: %m", mode_to_string(mode));
        bus_tell_manager(b);
        return sd_bus_reply_method_return(c->message, NULL);
}

int bus_set_mode(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Mode mode;
        int r;

        r = read_mode(m, &mode, error);
        return r < 0 ? r : bus_authorize(userdata, m, "org.bezoar1.set-mode", set_mode_allowed);
}
