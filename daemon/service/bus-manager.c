/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.bezoar1.Manager. A method checks its arguments, asks the manager, and turns what that says into an
 * answer or a sentence. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "build-config.h"
#include "core/codec.h"
#include "service/bus-internal.h"
#include "service/explain.h"
#include "service/ledger.h"
#include "util/parse.h"

/* ---- arguments ---- */

int bus_check_length(const char *argument, const char *value, sd_bus_error *error) {
        if (strnlen(value, BUS_STRING_MAX + 1) <= BUS_STRING_MAX)
                return 0;
        return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                 "The argument '%s' is too long; %d bytes are the most.", argument,
                                 BUS_STRING_MAX);
}

const char *bus_quote(const char *s, char buf[static BUS_QUOTE_MAX]) {
        size_t n = strnlen(s, BUS_QUOTE_MAX);

        if (n >= BUS_QUOTE_MAX) { /* not within a character */
                n = BUS_QUOTE_MAX - sizeof("…");
                while (n > 0 && ((unsigned char) s[n] & 0xc0) == 0x80)
                        n--;
                memcpy(buf, s, n);
                memcpy(buf + n, "…", sizeof("…"));
        } else
                memcpy(buf, s, n + 1);
        return buf;
}

int bus_parse_id(const char *text, uint64_t *ret, sd_bus_error *error) {
        char quoted[BUS_QUOTE_MAX];
        int r = bus_check_length("id", text, error);

        if (r < 0)
                return r;
        if (text[0] >= '1' && text[0] <= '9' && text[strspn(text, "0123456789")] == '\0' &&
            parse_u64(text, ret) >= 0)
                return 0;
        return sd_bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                 "'%s' is no id of a case; an id is a number such as 17.",
                                 bus_quote(text, quoted));
}

int bus_find_case(const Bus *b, const char *id, const Case **ret, sd_bus_error *error) {
        uint64_t n;
        int r;

        r = bus_parse_id(id, &n, error);
        if (r < 0)
                return r;
        *ret = manager_find_case(b->manager, n);
        if (*ret)
                return 0;
        return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_CASE,
                                 "There is no case %s; closed cases are kept until %d newer ones are "
                                 "closed.", id,
                                 LEDGER_HISTORY);
}

/* ---- queries ---- */

static int get_case(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *text = NULL;
        const char *id;
        const Case *c;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r >= 0)
                r = bus_find_case(userdata, id, &c, error);
        if (r < 0)
                return r;

        text = codec_case_encode(c);
        return text ? sd_bus_reply_method_return(m, "s", text) : -ENOMEM;
}

static int explain(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *text = NULL;
        Bus *b = userdata;
        const char *id;
        const Case *c;
        int r;

        r = sd_bus_message_read(m, "s", &id);
        if (r >= 0)
                r = bus_find_case(b, id, &c, error);
        if (r < 0)
                return r;

        text = explain_case(c, manager_find_findings(b->manager, c->id));
        return text ? sd_bus_reply_method_return(m, "s", text) : -ENOMEM;
}

static int get_topology(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *text = codec_topology_encode(manager_topology(((Bus *) userdata)->manager));

        return text ? sd_bus_reply_method_return(m, "s", text) : -ENOMEM;
}

/* ---- properties ---- */

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", BEZOAR_VERSION);
}

static int get_mode(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Manager *m = ((Bus *) userdata)->manager;
        Mode mode = strcmp(property, "Mode") == 0 ? manager_policy(m)->mode : manager_configured_mode(m);

        return sd_bus_message_append(reply, "s", mode_to_string(mode));
}

static uint32_t count_open(const ManagerCounts *n) {
        size_t open = 0;

        for (CaseState s = 0; s < _CASE_STATE_MAX; s++)
                if (!case_state_is_closed(s) && s != CASE_HARMLESS)
                        open += n->by_state[s];
        return (uint32_t) open;
}

static int get_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        ManagerCounts n;
        uint32_t value;

        manager_count(((Bus *) userdata)->manager, &n);
        if (strcmp(property, "Devices") == 0)
                value = (uint32_t) n.devices;
        else if (strcmp(property, "OpenCases") == 0)
                value = count_open(&n);
        else if (strcmp(property, "RefusedCases") == 0)
                value = (uint32_t) n.by_state[CASE_REFUSED];
        else if (strcmp(property, "InDoubtCases") == 0)
                value = (uint32_t) n.by_state[CASE_IN_DOUBT];
        else
                value = (uint32_t) n.ignored;
        return sd_bus_message_append(reply, "u", value);
}

static int get_total(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        ManagerCounts n;

        manager_count(((Bus *) userdata)->manager, &n);
        return sd_bus_message_append(reply, "t", strcmp(property, "LastScan") == 0 ? n.last_scan
                                     : (uint64_t) n.by_state[CASE_HEALED]);
}

static int get_counts(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        ManagerCounts n;
        int r;

        manager_count(((Bus *) userdata)->manager, &n);
        r = sd_bus_message_open_container(reply, 'a', "{st}");
        for (CaseState s = 0; r >= 0 && s < _CASE_STATE_MAX; s++)
                if (n.by_state[s] > 0)
                        r = sd_bus_message_append(reply, "{st}", case_state_to_string(s),
                                                  (uint64_t) n.by_state[s]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

void bus_tell_manager(Bus *b) {
        Mode mode = manager_policy(b->manager)->mode, configured = manager_configured_mode(b->manager);
        ManagerCounts n;
        char *names[10];
        size_t i = 0;

        manager_count(b->manager, &n);
        if (mode != b->told.mode)
                names[i++] = (char *) "Mode";
        if (configured != b->told.configured)
                names[i++] = (char *) "ConfiguredMode";
        if (n.devices != b->told.counts.devices)
                names[i++] = (char *) "Devices";
        if (count_open(&n) != count_open(&b->told.counts))
                names[i++] = (char *) "OpenCases";
        if (n.by_state[CASE_REFUSED] != b->told.counts.by_state[CASE_REFUSED])
                names[i++] = (char *) "RefusedCases";
        if (n.by_state[CASE_IN_DOUBT] != b->told.counts.by_state[CASE_IN_DOUBT])
                names[i++] = (char *) "InDoubtCases";
        if (n.ignored != b->told.counts.ignored)
                names[i++] = (char *) "IgnoredCases";
        if (n.by_state[CASE_HEALED] != b->told.counts.by_state[CASE_HEALED])
                names[i++] = (char *) "HealedCases";
        if (memcmp(n.by_state, b->told.counts.by_state, sizeof(n.by_state)) != 0)
                names[i++] = (char *) "CaseCounts";
        if (n.last_scan != b->told.counts.last_scan)
                names[i++] = (char *) "LastScan";
        names[i] = NULL;

        b->told.mode = mode;
        b->told.configured = configured;
        b->told.counts = n;
        if (i > 0 && b->bus && sd_bus_is_ready(b->bus) > 0)
                (void) sd_bus_emit_properties_changed_strv(b->bus, BUS_PATH, BUS_MANAGER, names);
}

/* The policy of the bus says who may ask; polkit, who may do more. */
#define QUERY SD_BUS_VTABLE_UNPRIVILEGED
#define CONSTANT SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ListCases", SD_BUS_ARGS("a{sv}", filter),
                                SD_BUS_RESULT("a(sosssttstt)", cases), bus_list_cases, QUERY),
        SD_BUS_METHOD_WITH_ARGS("ListCasesJson", SD_BUS_ARGS("a{sv}", filter), SD_BUS_RESULT("s", cases),
                                bus_list_cases_json, QUERY),
        SD_BUS_METHOD_WITH_ARGS("GetCase", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", case), get_case, QUERY),
        SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", text), explain, QUERY),
        SD_BUS_METHOD_WITH_ARGS("ListVolumes", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", volumes),
                                bus_list_volumes, QUERY),
        SD_BUS_METHOD_WITH_ARGS("ListProtected", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssas)", protects),
                                bus_list_protected, QUERY),
        SD_BUS_METHOD_WITH_ARGS("GetTopology", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", topology), get_topology,
                                QUERY),
        SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_ARGS("s", target, "t", offset, "t", length),
                                SD_BUS_RESULT("s", plan), bus_plan, QUERY),
        SD_BUS_METHOD_WITH_ARGS("Rescan", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, bus_rescan, QUERY),
        SD_BUS_METHOD_WITH_ARGS("Resolve", SD_BUS_ARGS("s", id, "s", action), SD_BUS_NO_RESULT, bus_resolve,
                                QUERY),
        SD_BUS_METHOD_WITH_ARGS("Preview", SD_BUS_ARGS("s", id, "s", action, "b", all),
                                SD_BUS_RESULT("s", preview), bus_preview, QUERY),
        SD_BUS_METHOD_WITH_ARGS("SetMode", SD_BUS_ARGS("s", mode), SD_BUS_NO_RESULT, bus_set_mode, QUERY),
        SD_BUS_SIGNAL_WITH_ARGS("CaseAdded", SD_BUS_ARGS("s", id, "o", object, "s", device, "t", start, "t",
                                                         length), 0),
        SD_BUS_SIGNAL_WITH_ARGS("CaseChanged", SD_BUS_ARGS("s", id, "o", object, "s", state, "s", reason,
                                                           "s", detail), 0),
        SD_BUS_SIGNAL_WITH_ARGS("CaseProgress", SD_BUS_ARGS("s", id, "o", object, "s", detail), 0),
        SD_BUS_SIGNAL_WITH_ARGS("CaseClosed", SD_BUS_ARGS("s", id, "o", object, "s", state, "s", reason,
                                                          "s", detail), 0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, CONSTANT),
        SD_BUS_PROPERTY("Mode", "s", get_mode, 0, CHANGES),
        SD_BUS_PROPERTY("ConfiguredMode", "s", get_mode, 0, CHANGES),
        SD_BUS_PROPERTY("Devices", "u", get_count, 0, CHANGES),
        SD_BUS_PROPERTY("OpenCases", "u", get_count, 0, CHANGES),
        SD_BUS_PROPERTY("RefusedCases", "u", get_count, 0, CHANGES),
        SD_BUS_PROPERTY("InDoubtCases", "u", get_count, 0, CHANGES),
        SD_BUS_PROPERTY("IgnoredCases", "u", get_count, 0, CHANGES),
        SD_BUS_PROPERTY("HealedCases", "t", get_total, 0, CHANGES),
        SD_BUS_PROPERTY("CaseCounts", "a{st}", get_counts, 0, CHANGES),
        SD_BUS_PROPERTY("LastScan", "t", get_total, 0, CHANGES),
        SD_BUS_PROPERTY("Replicas", "a(sst)", bus_get_replicas, 0, 0),
        SD_BUS_PROPERTY("Rehearsals", "a(sttt)", bus_get_rehearsals, 0, 0),
        SD_BUS_PROPERTY("DimmAlarms", "a(ss)", bus_get_alarms, 0, 0),
        SD_BUS_VTABLE_END,
};
