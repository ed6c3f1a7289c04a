/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One case as a list of names and values, then its owners and its story. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/remedy.h"
#include "ctl/case-list.h"
#include "ctl/case-show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "util/parse.h"

static void add_name(Table *t, const char *name) {
        table_add(t, name, COLOUR_STRONG);
}

static void add_bytes(Table *t, const char *name, Range r) {
        char size[FORMAT_MAX];

        add_name(t, name);
        if (range_size(r) == 0)
                table_add(t, NULL, COLOUR_NONE);
        else
                table_addf(t, "%" PRIu64 " + %s", r.start, format_size(range_size(r), size));
}

/* Names are shown even without a value: an operator sees what is not known. */
static void add_state(Table *t, const Case *k, uint64_t next_try, uint64_t now) {
        char when[TEXT_TIME_MAX], ago[TEXT_TIME_MAX];
        _cleanup_free_ char *advice = NULL;

        (void) remedy_make(k, &advice);
        add_name(t, "State:");
        table_add(t, case_state_to_string(k->state), colour_of_state(k->state));
        add_name(t, "Reason:");
        table_add(t, reason_to_string(k->reason), COLOUR_NONE);
        if (k->reason != REASON_NONE) {
                add_name(t, " ");
                table_add(t, reason_explain(k->reason), COLOUR_NONE);
        }
        if (advice && !case_state_is_closed(k->state)) {
                add_name(t, "What to do:");
                table_add(t, advice, COLOUR_NONE);
        }
        add_name(t, "Changed:");
        table_addf(t, "%s; %s", text_time(case_changed(k), when), text_ago(case_changed(k), now, ago));
        if (k->ignored) {
                add_name(t, "Ignored:");
                table_addf(t, "yes; 'bezoarctl resolve %" PRIu64 " retry' ends that", k->id);
        }
        if (next_try > 0) {
                add_name(t, "Next try:");
                table_add(t, text_time(next_try, when), COLOUR_NONE);
        }
}

static void add_volume(Table *t, const Volume *v) {
        add_name(t, "Device:");
        table_add_path(t, v->device);
        if (v->fs_device) {
                add_name(t, "Part of:");
                table_add_path(t, v->fs_device);
        }
        add_name(t, "File system:");
        table_add_path(t, v->fs);
        add_name(t, "UUID:");
        table_add_path(t, v->uuid);
        add_name(t, "Mounted at:");
        table_add_path(t, v->mountpoint);
}

static void add_place(Table *t, const Case *k) {
        char size[FORMAT_MAX];

        add_bytes(t, "Pages:", k->range);
        for (size_t i = 0; i < k->bad.n; i++)
                add_bytes(t, i == 0 ? "Bad sectors:" : " ", k->bad.items[i]);
        add_name(t, "Bytes lost:");
        table_add(t, format_size(rangeset_size(&k->bad), size), COLOUR_NONE);

        add_name(t, "Physical:");
        if (range_size(k->physical) > 0)
                table_addf(t, "0x%" PRIx64 " + 0x%" PRIx64, k->physical.start, range_size(k->physical));
        else
                table_add(t, NULL, COLOUR_NONE);
        for (size_t i = 0; k->dimms && k->dimms[i]; i++) {
                add_name(t, i == 0 ? "Modules:" : " ");
                table_add_path(t, k->dimms[i]);
        }
}

static void add_repair(Table *t, const Case *k) {
        char proofs[PROOF_SET_MAX];

        add_name(t, "Replica:");
        table_add_path(t, k->replica);
        add_name(t, "Proof:");
        table_add(t, k->proofs || k->accepted_by ? proof_set_to_string(k->proofs, proofs) : NULL,
                  COLOUR_NONE);
        if (k->accepted_by) {
                add_name(t, "Accepted by:");
                table_add(t, k->accepted_by, COLOUR_NONE);
        }
        add_name(t, "Writer:");
        table_add(t, k->writer != WRITER_AUTO ? writer_to_string(k->writer) : NULL, COLOUR_NONE);
        add_name(t, "Attempts:");
        table_addf(t, "%u", k->attempts);
}

/* A line each, below the one of the path. */
static void add_other_names(Table *t, const Owner *o, size_t columns) {
        for (char *const *name = o->names; name && *name; name++) {
                if (o->path && strcmp(*name, o->path) == 0)
                        continue;
                for (size_t i = 0; i + 1 < columns; i++)
                        table_add(t, NULL, COLOUR_NONE);
                table_add_path(t, *name);
        }
}

static int print_owners(Ctl *c, const Case *k) {
        static const char *const headings[] = { "OWNER", ">OFFSET", ">SIZE", ">INODE", ">IN FILE", "FLAGS",
                                               "PATH" };
        _cleanup_table_ Table *t = table_new(headings, sizeof(headings) / sizeof(headings[0]));
        char size[FORMAT_MAX];

        if (!t)
                return -ENOMEM;
        for (size_t i = 0; i < k->owners.n; i++) {
                const Owner *o = k->owners.items + i;

                table_add(t, owner_type_to_string(o->type), COLOUR_NONE);
                table_addf(t, "%" PRIu64, o->range.start);
                table_add(t, format_size(range_size(o->range), size), COLOUR_NONE);
                if (o->inode > 0) {
                        table_addf(t, "%" PRIu64, o->inode);
                        table_addf(t, "%" PRIu64, o->offset);
                } else {
                        table_add(t, NULL, COLOUR_NONE);
                        table_add(t, NULL, COLOUR_NONE);
                }
                table_addf(t, "%s%s%s", o->shared ? "shared" : "", o->shared && o->unwritten ? "," : "",
                           o->unwritten ? "unwritten" : "");
                table_add_path(t, o->path ? o->path : o->detail);
                add_other_names(t, o, sizeof(headings) / sizeof(headings[0]));
        }
        (void) putchar('\n');
        return table_print(t, stdout, !c->no_legend, c->colours);
}

static int print_events(Ctl *c, const Case *k) {
        static const char *const headings[] = { "TIME", "STATE", "WHAT HAPPENED" };
        _cleanup_table_ Table *t = table_new(headings, sizeof(headings) / sizeof(headings[0]));
        char when[TEXT_TIME_MAX];

        if (!t)
                return -ENOMEM;
        table_wrap(t, c->width);
        for (size_t i = 0; i < k->events.n; i++) {
                const CaseEvent *e = k->events.items + i;

                table_add(t, text_time(e->time, when), COLOUR_NONE);
                table_add(t, case_state_to_string(e->state), colour_of_state(e->state));
                table_add(t, e->detail, COLOUR_NONE);
        }
        (void) putchar('\n');
        return table_print(t, stdout, !c->no_legend, c->colours);
}

int case_show(Ctl *c, const Case *k, uint64_t next_try, uint64_t now) {
        static const char *const headings[] = { "", "" };
        _cleanup_table_ Table *t = NULL;
        int r = 0;

        assert(c);
        assert(k);

        t = table_new(headings, 2);
        if (!t)
                return ctl_fail_memory();
        table_wrap(t, c->width);
        add_name(t, "Case:");
        table_addf(t, "%" PRIu64, k->id);
        add_state(t, k, next_try, now);
        add_volume(t, &k->volume);
        add_place(t, k);
        add_repair(t, k);

        r = table_print(t, stdout, false, c->colours);
        if (r == 0 && k->owners.n > 0)
                r = print_owners(c, k);
        if (r == 0 && k->events.n > 0)
                r = print_events(c, k);
        return r < 0 ? ctl_fail_memory() : CTL_FINE;
}
