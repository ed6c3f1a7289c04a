/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.bezoar1.Case: read from the case itself at the moment of asking; there is no copy that could be out of
 * date. An object is found by its number, so none is ever registered or forgotten. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/remedy.h"
#include "service/bus-internal.h"
#include "util/strv.h"

const char *bus_case_path(uint64_t id, char buf[static BUS_CASE_PATH_MAX]) {
        (void) snprintf(buf, BUS_CASE_PATH_MAX, BUS_CASES "/%" PRIu64, id);
        return buf;
}

const Owner *bus_case_file(const Case *c) {
        for (size_t i = 0; i < c->owners.n; i++)
                if (c->owners.items[i].type == OWNER_FILE)
                        return c->owners.items + i;
        return NULL;
}

const char *bus_case_detail(const Case *c) {
        return c->events.n > 0 ? c->events.items[c->events.n - 1].detail : NULL;
}

int bus_append_text(sd_bus_message *m, const char *text) {
        _cleanup_free_ char *escaped = codec_path_escape(text ? text : "");

        return escaped ? sd_bus_message_append(m, "s", escaped) : -ENOMEM;
}

/* ---- strings: one getter for all, by the name of the property ---- */

static const char *text_of(const Case *c, const char *property, char proofs[static PROOF_SET_MAX]) {
        const Owner *file = bus_case_file(c);
        bool reason = c->reason != REASON_NONE;
        const struct { const char *name, *value; } table[] = {
                { "State",       case_state_to_string(c->state) },
                { "Reason",      reason_to_string(c->reason) },
                { "Explanation", reason ? reason_explain(c->reason) : NULL },
                { "Detail",      bus_case_detail(c) },
                { "Device",      c->volume.device },
                { "FileSystem",  c->volume.fs },
                { "Uuid",        c->volume.uuid },
                { "MountPoint",  c->volume.mountpoint },
                { "FileSystemDevice", c->volume.fs_device ? c->volume.fs_device : c->volume.device },
                { "Path",        file ? file->path : NULL },
                { "Replica",     c->replica },
                { "Proof",       c->proofs != 0 || c->accepted_by ? proof_set_to_string(c->proofs, proofs)
                                                                  : NULL },
                { "AcceptedBy",  c->accepted_by },
                { "Writer",      c->writer != WRITER_AUTO ? writer_to_string(c->writer) : NULL },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                if (strcmp(table[i].name, property) == 0)
                        return table[i].value;
        return NULL;
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        char proofs[PROOF_SET_MAX];

        return bus_append_text(reply, text_of(((Bus *) userdata)->at, property, proofs));
}

static int get_advice(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *advice = NULL;
        int r = remedy_make(((Bus *) userdata)->at, &advice);

        return r < 0 ? r : bus_append_text(reply, advice);
}

static int get_id(sd_bus *bus, const char *path, const char *interface, const char *property,
                  sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        char digits[24];

        (void) snprintf(digits, sizeof(digits), "%" PRIu64, ((Bus *) userdata)->at->id);
        return sd_bus_message_append(reply, "s", digits);
}

/* ---- numbers ---- */

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Bus *b = userdata;
        const Case *c = b->at;
        const Owner *file = bus_case_file(c);
        uint64_t n = 0;

        if (strcmp(property, "Offset") == 0)
                n = file ? file->offset : 0;
        else if (strcmp(property, "Created") == 0)
                n = c->events.n > 0 ? c->events.items[0].time : 0;
        else if (strcmp(property, "Changed") == 0)
                n = c->events.n > 0 ? c->events.items[c->events.n - 1].time : 0;
        else if (strcmp(property, "FrozenUSec") == 0)
                n = c->frozen_usec;
        else if (strcmp(property, "NextTry") == 0)
                n = manager_next_try(b->manager, c->id);
        return sd_bus_message_append(reply, "t", n);
}

static int get_attempts(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "u", ((Bus *) userdata)->at->attempts);
}

static int get_ignored(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", (int) ((Bus *) userdata)->at->ignored);
}

/* ---- ranges and lists ---- */

static int get_range(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Case *c = ((Bus *) userdata)->at;
        Range r = strcmp(property, "Physical") == 0 ? c->physical : c->range;

        return sd_bus_message_append(reply, "(tt)", r.start, range_size(r));
}

static int get_bad(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const RangeSet *bad = &((Bus *) userdata)->at->bad;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(tt)");
        for (size_t i = 0; r >= 0 && i < bad->n; i++)
                r = sd_bus_message_append(reply, "(tt)", bad->items[i].start, range_size(bad->items[i]));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_dimms(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        char **dimms = ((Bus *) userdata)->at->dimms;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && dimms && dimms[i]; i++)
                r = bus_append_text(reply, dimms[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_owner(sd_bus_message *m, const Owner *o) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "stttutsbbs");
        if (r >= 0)
                r = sd_bus_message_append(m, "stttut", owner_type_to_string(o->type), o->range.start,
                                          range_size(o->range), o->inode, o->generation, o->offset);
        if (r >= 0)
                r = bus_append_text(m, o->path);
        if (r >= 0)
                r = sd_bus_message_append(m, "bb", (int) o->shared, (int) o->unwritten);
        if (r >= 0)
                r = bus_append_text(m, o->detail);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int get_owners(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Owners *owners = &((Bus *) userdata)->at->owners;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(stttutsbbs)");
        for (size_t i = 0; r >= 0 && i < owners->n; i++)
                r = append_owner(reply, owners->items + i);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Of files that have more than one. */
static int get_names(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Owners *owners = &((Bus *) userdata)->at->owners;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && i < owners->n; i++)
                for (char *const *n = owners->items[i].names; r >= 0 && n && *n; n++)
                        r = bus_append_text(reply, *n);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_event(sd_bus_message *m, const CaseEvent *e) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "tss");
        if (r >= 0)
                r = sd_bus_message_append(m, "ts", e->time, case_state_to_string(e->state));
        if (r >= 0)
                r = bus_append_text(m, e->detail);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int get_events(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Case *c = ((Bus *) userdata)->at;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(tss)");
        for (size_t i = 0; r >= 0 && i < c->events.n; i++)
                r = append_event(reply, c->events.items + i);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define CONSTANT SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define INVALIDATES SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION

const sd_bus_vtable bus_case_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", get_id, 0, CONSTANT),
        SD_BUS_PROPERTY("State", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Reason", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Explanation", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Advice", "s", get_advice, 0, CHANGES),
        SD_BUS_PROPERTY("Detail", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Ignored", "b", get_ignored, 0, CHANGES),
        SD_BUS_PROPERTY("Device", "s", get_text, 0, CONSTANT),
        SD_BUS_PROPERTY("FileSystem", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Uuid", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("MountPoint", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("FileSystemDevice", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Range", "(tt)", get_range, 0, CHANGES),
        SD_BUS_PROPERTY("Bad", "a(tt)", get_bad, 0, INVALIDATES),
        SD_BUS_PROPERTY("Physical", "(tt)", get_range, 0, CHANGES),
        SD_BUS_PROPERTY("Dimms", "as", get_dimms, 0, CHANGES),
        SD_BUS_PROPERTY("Path", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Offset", "t", get_number, 0, CHANGES),
        SD_BUS_PROPERTY("Owners", "a(stttutsbbs)", get_owners, 0, INVALIDATES),
        SD_BUS_PROPERTY("Names", "as", get_names, 0, INVALIDATES),
        SD_BUS_PROPERTY("Replica", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Proof", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("AcceptedBy", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("Writer", "s", get_text, 0, CHANGES),
        SD_BUS_PROPERTY("FrozenUSec", "t", get_number, 0, CHANGES),
        SD_BUS_PROPERTY("Attempts", "u", get_attempts, 0, CHANGES),
        SD_BUS_PROPERTY("Created", "t", get_number, 0, CONSTANT),
        SD_BUS_PROPERTY("Changed", "t", get_number, 0, CHANGES),
        SD_BUS_PROPERTY("NextTry", "t", get_number, 0, 0),
        SD_BUS_PROPERTY("Events", "a(tss)", get_events, 0, INVALIDATES),
        SD_BUS_VTABLE_END,
};

void bus_tell_case(Bus *b, uint64_t id) {
        char path[BUS_CASE_PATH_MAX];

        (void) sd_bus_emit_properties_changed(b->bus, bus_case_path(id, path), BUS_CASE,
                                              "State", "Reason", "Explanation", "Advice", "Detail",
                                              "Ignored", "FileSystem", "Uuid", "MountPoint",
                                              "FileSystemDevice", "Range", "Bad",
                                              "Physical", "Dimms", "Path", "Offset", "Owners", "Names",
                                              "Replica", "Proof", "AcceptedBy", "Writer", "FrozenUSec",
                                              "Attempts", "Changed", "Events", NULL);
}

/* ---- objects ---- */

int bus_case_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                  sd_bus_error *error) {
        sd_bus_error unused = SD_BUS_ERROR_NULL;
        Bus *b = userdata;
        uint64_t id;

        if (strncmp(path, BUS_CASES "/", strlen(BUS_CASES "/")) != 0)
                return 0;
        if (bus_parse_id(path + strlen(BUS_CASES "/"), &id, &unused) < 0) {
                sd_bus_error_free(&unused);
                return 0;
        }
        b->at = manager_find_case(b->manager, id);
        if (!b->at)
                return 0;
        *ret_found = b;
        return 1;
}

static int add_node(const Case *c, void *userdata) {
        char path[BUS_CASE_PATH_MAX];

        return strv_extend(userdata, bus_case_path(c->id, path));
}

int bus_case_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                       sd_bus_error *error) {
        _cleanup_strv_ char **nodes = NULL;
        const Bus *b = userdata;
        int r;

        r = manager_each_case(b->manager, false, add_node, &nodes);
        if (r < 0)
                return r;
        *ret_nodes = TAKE_PTR(nodes);
        return 0;
}
