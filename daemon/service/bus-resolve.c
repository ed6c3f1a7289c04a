/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Resolve and Preview: what an operator decides about a case, and what he is shown before. Both are for whom
 * polkit lets resolve cases: a preview has bytes of files. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "service/bus-internal.h"

#define ACTION "org.bezoar1.resolve"

/* `word`: the action is one that is shown before. */
static int resolve_error(int r, const Case *c, bool word, const char *why, sd_bus_error *error) {
        _cleanup_free_ char *escaped = why ? codec_path_escape(why) : NULL;

        switch (r) {
        case MANAGER_E_CLOSED:
                return sd_bus_error_setf(error, BUS_ERROR_NOT_APPLICABLE,
                                         "Case %" PRIu64 " is closed (%s); there is nothing left to be "
                                         "decided.", c->id, case_state_to_string(c->state));
        case MANAGER_E_NOT_APPLICABLE:
                return sd_bus_error_setf(error, BUS_ERROR_NOT_APPLICABLE,
                                         "Case %" PRIu64 " is %s; this is for cases that are refused, "
                                         "waiting, failed or in-doubt%s.", c->id,
                                         case_state_to_string(c->state),
                                         word ? ", and whose bytes the kernel still lists as lost" : "");
        case MANAGER_E_BUSY:
                return sd_bus_error_setf(error, BUS_ERROR_BUSY,
                                         "A worker has case %" PRIu64 " in hand, or there is too much to be "
                                         "shown; wait until that has ended.", c->id);
        case MANAGER_E_NOT_LOCATED:
                return sd_bus_error_setf(error, BUS_ERROR_BUSY,
                                         "It is not known yet whose the bytes of case %" PRIu64 " are; wait "
                                         "until that has been found out.", c->id);
        case MANAGER_E_STOPPING:
                return sd_bus_error_set(error, BUS_ERROR_STOPPING, "The daemon stops.");
        case MANAGER_E_OBSERVING:
                return sd_bus_error_set(error, BUS_ERROR_NOT_APPLICABLE,
                                        "The daemon only observes, and writes for nobody: 'bezoarctl mode "
                                        "repair' ends that, where the configuration does not say it.");
        case MANAGER_E_NOT_SHOWN:
                return sd_bus_error_set(error, BUS_ERROR_NOT_SHOWN,
                                        "What would be written has to be seen first: the method Preview "
                                        "shows it, and says which action then has it written.");
        case MANAGER_E_REFUSED:
                return sd_bus_error_setf(error, BUS_ERROR_NOT_APPLICABLE,
                                         "Case %" PRIu64 " cannot be written, whatever anybody says: %s",
                                         c->id, escaped ? escaped : "?");
        default:
                return r;
        }
}

static int parse_action(const char *escaped, Resolution *ret, sd_bus_error *error) {
        _cleanup_free_ char *text = NULL;
        char quoted[BUS_QUOTE_MAX];
        int r;

        r = bus_check_length("action", escaped, error);
        if (r < 0)
                return r;
        r = codec_path_unescape(escaped, &text);
        if (r >= 0)
                r = resolution_parse(text, ret);
        if (r == -EINVAL || r == -EBADMSG)
                return sd_bus_error_setf(error, BUS_ERROR_UNKNOWN_ACTION,
                                         "'%s' is no action for a case; there are retry, ignore, "
                                         "accept:REPLICA and zero.",
                                         bus_quote(escaped, quoted));
        return r;
}

static int read_resolve(Bus *b, sd_bus_message *m, const Case **ret, Resolution *ret_resolution,
                        sd_bus_error *error) {
        const char *id, *action;
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "ss", &id, &action);
        if (r < 0)
                return r;
        r = bus_find_case(b, id, ret, error);
        return r < 0 ? r : parse_action(action, ret_resolution, error);
}

static int resolve_allowed(BusCall *call, sd_bus_error *error) {
        _cleanup_resolution_ Resolution resolution = {};
        _cleanup_operator_ Operator operator = {};
        const Case *c;
        int r;

        r = read_resolve(call->bus, call->message, &c, &resolution, error);    /* again: time has gone by */
        if (r < 0)
                return r;
        bus_operator(call, &operator);
        r = manager_resolve(call->bus->manager, c->id, &resolution, &operator);
        if (r != 0)
                return resolve_error(r, c, resolution.action == RESOLVE_WORD, NULL, error);
        return sd_bus_reply_method_return(call->message, NULL);
}

int bus_resolve(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_resolution_ Resolution resolution = {};
        const Case *c;
        int r;

        r = read_resolve(userdata, m, &c, &resolution, error);
        return r < 0 ? r : bus_authorize(userdata, m, ACTION, resolve_allowed);
}

/* ---- what is shown before ---- */

typedef struct Asked {
        const Case *c;
        Resolution resolution;
        uint64_t limit;
} Asked;

static void asked_done(Asked *a) {
        resolution_done(&a->resolution);
}

static int read_preview(Bus *b, sd_bus_message *m, Asked *ret, sd_bus_error *error) {
        const char *id, *action;
        int all, r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "ssb", &id, &action, &all);
        if (r >= 0)
                r = bus_find_case(b, id, &ret->c, error);
        if (r >= 0)
                r = parse_action(action, &ret->resolution, error);
        if (r < 0)
                return r;
        if (ret->resolution.action != RESOLVE_WORD)
                return sd_bus_error_set(error, BUS_ERROR_UNKNOWN_ACTION,
                                        "Only what writes is shown before: accept:REPLICA and zero.");
        ret->limit = all ? UINT64_MAX : PREVIEW_SHORT;
        return 0;
}

static char *encode(Preview *p) {
        Word word = { .replica = p->replica, .shown = p->shown };       /* lent */

        p->action = word_format(&word);
        return p->action ? codec_preview_encode(p) : NULL;
}

static void on_shown(Preview *p, int error, const char *detail, void *userdata) {
        _cleanup_free_ char *text = p ? encode(p) : NULL, *why = detail ? codec_path_escape(detail) : NULL;
        BusCall *call = userdata;

        if (text)
                (void) sd_bus_reply_method_return(call->message, "s", text);
        else if (error == -EREMOTEIO)
                (void) sd_bus_reply_method_errorf(call->message, BUS_ERROR_CANNOT_SHOW,
                                                  "It could not be shown: %s.", why ? why : "?");
        else
                (void) sd_bus_reply_method_errorf(call->message, bus_worker_error(p ? -ENOMEM : error),
                                                  "The worker that was to look did not answer: %s",
                                                  why ? why : strerror(-error));
        bus_call_free(call);
}

static int preview_allowed(BusCall *call, sd_bus_error *error) {
        __attribute__((cleanup(asked_done))) Asked a = {};
        _cleanup_free_ char *why = NULL;
        int r;

        r = read_preview(call->bus, call->message, &a, error);
        if (r < 0)
                return r;
        r = manager_preview(call->bus->manager, a.c->id, &a.resolution.word, a.limit, on_shown, call, &why);
        return r == 0 ? BUS_LATER : resolve_error(r, a.c, true, why, error);
}

int bus_preview(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        __attribute__((cleanup(asked_done))) Asked a = {};
        int r;

        r = read_preview(userdata, m, &a, error);
        return r < 0 ? r : bus_authorize(userdata, m, ACTION, preview_allowed);
}
