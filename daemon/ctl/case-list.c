/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lists of cases: the filter on its way to the daemon, and the table. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "ctl/bus-call.h"
#include "ctl/case-list.h"
#include "ctl/text.h"
#include "util/parse.h"
#include "util/str.h"

static int append_filter(sd_bus_message *m, const CaseFilter *f) {
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0 && f->closed)
                r = sd_bus_message_append(m, "{sv}", "closed", "b", true);
        if (r >= 0 && f->device)
                r = sd_bus_message_append(m, "{sv}", "device", "s", f->device);
        if (r >= 0 && f->path)
                r = sd_bus_message_append(m, "{sv}", "path", "s", f->path);
        if (r >= 0 && f->limit > 0)
                r = sd_bus_message_append(m, "{sv}", "limit", "t", f->limit);
        if (r >= 0 && f->states) {
                r = sd_bus_message_open_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", "state");
                if (r >= 0)
                        r = sd_bus_message_open_container(m, SD_BUS_TYPE_VARIANT, "as");
                if (r >= 0)
                        r = sd_bus_message_append_strv(m, f->states);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int cases_fetch_json(Ctl *c, const CaseFilter *f, char **ret) {
        _cleanup_bus_message_ sd_bus_message *m = NULL, *reply = NULL;
        const char *text;
        int r;

        assert(c);
        assert(f);
        assert(ret);

        r = bus_new_call(c, "ListCasesJson", &m);
        if (r < 0)
                return r;
        r = append_filter(m, f);
        if (r < 0)
                return bus_bad_call(r);
        r = bus_call(c, m, NULL, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &text);
        if (r >= 0)
                r = str_copy(text, ret);
        return r < 0 ? bus_bad_reply(r) : 0;
}

int cases_fetch(Ctl *c, const CaseFilter *f, Cases *ret) {
        _cleanup_free_ char *text = NULL, *error = NULL;
        int r;

        assert(ret);

        r = cases_fetch_json(c, f, &text);
        if (r < 0)
                return r;
        r = codec_cases_decode(text, ret, &error);
        return r < 0 ? bus_bad_json(r, error) : 0;
}

uint64_t case_changed(const Case *k) {
        assert(k);

        return k->events.n > 0 ? k->events.items[k->events.n - 1].time : 0;
}

static int format_owner(const Owner *o, char **ret) {
        switch (o->type) {

        case OWNER_FILE:
                return o->path ? str_copy(o->path, ret) : asprintf(ret, "inode %" PRIu64, o->inode);

        case OWNER_METADATA:
                return asprintf(ret, "metadata%s%s", o->detail ? ": " : "", o->detail ? o->detail : "");

        case OWNER_FREE:
                return str_copy("free space", ret);

        case OWNER_LOG:
                return str_copy("journal of the file system", ret);

        case OWNER_UNMOUNTED:
                return str_copy("not mounted", ret);

        case OWNER_UNKNOWN:
        case OWNER_DEVICE_DAX:
        case _OWNER_TYPE_MAX:
        case _OWNER_TYPE_INVALID:
        default:
                return str_copy(owner_type_to_string(o->type), ret);
        }
}

char *case_where(const Case *k) {
        _cleanup_free_ char *first = NULL;
        char *text = NULL;

        assert(k);

        if (k->owners.n == 0)
                return strdup("");
        if (format_owner(k->owners.items, &first) < 0 || !first)
                return NULL;
        if (k->owners.n == 1)
                return TAKE_PTR(first);
        return asprintf(&text, "%s and %zu more", first, k->owners.n - 1) < 0 ? NULL : text;
}

static int add_case(Table *t, const Case *k, uint64_t now) {
        _cleanup_free_ char *where = case_where(k);
        char size[FORMAT_MAX], ago[TEXT_TIME_MAX];

        if (!where)
                return -ENOMEM;
        table_addf(t, "%" PRIu64, k->id);
        if (k->ignored)
                table_addf(t, "%s (ignored)", case_state_to_string(k->state));
        else
                table_add(t, case_state_to_string(k->state), colour_of_state(k->state));
        table_add(t, reason_to_string(k->reason), COLOUR_NONE);
        table_add(t, text_ago(case_changed(k), now, ago), COLOUR_NONE);
        table_add_path(t, k->volume.device);
        table_addf(t, "%" PRIu64, k->range.start);
        table_add(t, format_size(range_size(k->range), size), COLOUR_NONE);
        table_add_path(t, where);
        return 0;
}

int cases_print(Ctl *c, const Cases *l, uint64_t now) {
        static const char *const headings[] = { ">ID", "STATE", "REASON", "CHANGED", "DEVICE", ">OFFSET",
                                               ">SIZE", "WHOSE" };
        _cleanup_table_ Table *t = NULL;

        assert(c);
        assert(l);

        t = table_new(headings, sizeof(headings) / sizeof(headings[0]));
        if (!t)
                return ctl_fail_memory();
        for (size_t i = 0; i < l->n; i++)
                if (add_case(t, l->items[i], now) < 0)
                        return ctl_fail_memory();
        if (table_rows(t) > 0 && table_print(t, stdout, !c->no_legend, c->colours) < 0)
                return ctl_fail_memory();
        return 0;
}
