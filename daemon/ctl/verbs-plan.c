/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* plan: what would be done if some good bytes were lost; to be tried on a good day. Nothing is written by
 * it, and no case is opened. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "ctl/arguments.h"
#include "ctl/bus-call.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "util/parse.h"
#include "util/str.h"

typedef struct Words {
        const char *text;
        Colour colour;
} Words;

static Words words_of_verdict(Verdict v) {
        switch (v) {

        case VERDICT_REPAIR:
                return (Words) { "would be repaired", COLOUR_GOOD };

        case VERDICT_PARK:
                return (Words) { "would be parked: no data is lost, but the block must not be given out",
                                 COLOUR_GOOD };

        case VERDICT_UNPARK:
                return (Words) { "would be cleaned and given back", COLOUR_GOOD };

        case VERDICT_MEND:
                return (Words) { "would be rebuilt by the file system", COLOUR_GOOD };

        case VERDICT_HARMLESS:
                return (Words) { "nothing would be lost", COLOUR_DIM };

        case VERDICT_REFUSE:
                return (Words) { "would be refused", COLOUR_BAD };

        case VERDICT_WAIT:
                return (Words) { "would wait", COLOUR_PENDING };

        case _VERDICT_MAX:
        case _VERDICT_INVALID:
        default:
                return (Words) { "?", COLOUR_NONE };
        }
}

static void add(Table *t, const char *name, const char *text) {
        if (!text || !text[0])
                return;
        table_add(t, name, COLOUR_STRONG);
        table_add(t, text, COLOUR_NONE);
}

static void add_path(Table *t, const char *name, const char *path) {
        if (!path)
                return;
        table_add(t, name, COLOUR_STRONG);
        table_add_path(t, path);
}

static void add_owners(Table *t, const Findings *f) {
        for (size_t i = 0; i < f->owners.n; i++) {
                const Owner *o = f->owners.items + i;

                table_add(t, i == 0 ? "  Owner:" : " ", COLOUR_STRONG);
                if (o->path)
                        table_add_path(t, o->path);
                else if (o->type == OWNER_FILE)
                        table_addf(t, "inode %" PRIu64, o->inode);
                else
                        table_addf(t, "%s%s%s", owner_type_to_string(o->type), o->detail ? ": " : "",
                                   o->detail ? o->detail : "");
        }
}

/* What each replica had to show, chosen or not. */
static void add_offers(Table *t, const Findings *f) {
        char proofs[PROOF_SET_MAX];

        for (size_t i = 0; i < f->offers.n; i++) {
                const Offer *o = f->offers.items + i;
                const bool held = o->state == OFFER_HELD;

                add_path(t, i == 0 ? "  Replica:" : " ", o->replica);
                table_add(t, " ", COLOUR_NONE);
                table_addf(t, "  %s%s%s%s%s", offer_state_to_string(o->state), held ? ", shows: " : "",
                           held ? proof_set_to_string(o->proofs, proofs) : "", o->detail ? "; " : "",
                           o->detail ? o->detail : "");
        }
}

#define WRITERS_LINE_MAX 64

/* "pwrite, else revive" */
static const char *format_writers(const Means *m, char buf[static WRITERS_LINE_MAX]) {
        size_t at = 0;

        for (size_t i = 0; i < m->n_writers && at < WRITERS_LINE_MAX; i++)
                at += (size_t) snprintf(buf + at, WRITERS_LINE_MAX - at, "%s%s", i > 0 ? ", else " : "",
                                        writer_to_string(m->writers[i]));
        return m->n_writers > 0 ? buf : "-";
}

static int add_repair(Table *t, const Plan *p) {
        _cleanup_free_ char *exclusion = exclusion_list_format(&p->means.exclusion);
        char proofs[PROOF_SET_MAX], writers[WRITERS_LINE_MAX];

        if (!exclusion)
                return -ENOMEM;
        add_path(t, "  From:", p->replica);
        add(t, "  Proof:", proof_set_to_string(p->proofs, proofs));
        table_add(t, "  Writer:", COLOUR_STRONG);
        table_addf(t, "%s", format_writers(&p->means, writers));
        add(t, "  Exclusion:", exclusion);
        table_add(t, "  Pages:", COLOUR_STRONG);
        table_addf(t, "%zu", p->steps.n);
        return 0;
}

static int add_part(Table *t, const ForecastPart *part) {
        const Words verdict = words_of_verdict(part->plan.verdict);
        const Range range = part->found.range;
        char size[FORMAT_MAX];

        table_addf(t, "%" PRIu64 " + %s", range.start, format_size(range_size(range), size));
        table_add(t, verdict.text, verdict.colour);
        add_owners(t, &part->found);
        add_offers(t, &part->found);
        if (part->plan.verdict == VERDICT_REPAIR)
                return add_repair(t, &part->plan);

        add(t, "  Reason:", reason_to_string(part->plan.reason));
        add(t, " ", reason_explain(part->plan.reason));
        add(t, "  Detail:", part->plan.detail);
        add(t, "  What to do:", reason_advice(part->plan.reason));
        return 0;
}

static int print_forecast(Ctl *c, const Forecast *f) {
        static const char *const headings[] = { "", "" };
        _cleanup_table_ Table *t = table_new(headings, 2);
        int r = 0;

        if (!t)
                return ctl_fail_memory();
        table_wrap(t, c->width);
        add_path(t, "Target:", f->target);
        add_path(t, "Device:", f->device);
        for (size_t i = 0; r == 0 && i < f->parts.n; i++)
                r = add_part(t, f->parts.items + i);

        ctl_page(c);
        if (r < 0 || table_print(t, stdout, false, c->colours) < 0)
                return ctl_fail_memory();
        if (f->parts.n == 0)
                ctl_say(c, "A hole: there is nothing that could be lost.");
        if (f->mode == MODE_OBSERVE && !c->no_legend)
                ctl_say(c, "The daemon only observes: nothing would be written.");
        return CTL_FINE;
}

int verb_plan(Ctl *c, int argc, char *argv[]) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *path = NULL, *error = NULL;
        _cleanup_forecast_ Forecast f = {};
        uint64_t offset, length;
        const char *text;
        int r;

        if (argument_range(argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL, &offset, &length) < 0 ||
            argument_path(argv[1], true, &path) < 0 ||
            bus_ask(c, "Plan", "Asking the file system and the replicas", &reply, "stt", path, offset,
                    length) < 0)
                return CTL_ERROR;

        r = sd_bus_message_read(reply, "s", &text);
        if (r < 0) {
                (void) bus_bad_reply(r);
                return CTL_ERROR;
        }
        if (c->json != JSON_OFF)
                return ctl_print_json(c, text);
        r = codec_forecast_decode(text, &f, &error);
        if (r < 0) {
                (void) bus_bad_json(r, error);
                return CTL_ERROR;
        }
        return print_forecast(c, &f);
}
