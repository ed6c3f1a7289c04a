/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* drill: would it work? Pages of files are chosen by chance; the daemon is asked for each what would be
 * done if it were lost (Plan), and its worker compares what the replicas have with the medium, which is
 * good. Nothing is written. The daemon keeps the score too, and says in the journal when a replica begins
 * to fail. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "ctl/arguments.h"
#include "ctl/bus-call.h"
#include "ctl/bus-json.h"
#include "ctl/drill-sample.h"
#include "ctl/progress.h"
#include "ctl/protected.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "util/strv.h"
#include "util/vec.h"

#define PAGES_DEFAULT 64
#define TELL_MAX 10             /* pages that could not be restored */

typedef struct Score {
        char *replica;
        uint64_t pages, good, wrong;
} Score;

typedef struct Drill {
        struct { Score *items; size_t n, allocated; } scores;
        uint64_t pages, good, nothing;  /* asked for; would be restored; hold no data, or are in use */
        uint64_t bad;                   /* the rest */
} Drill;

static void drill_done(Drill *d) {
        for (size_t i = 0; i < d->scores.n; i++)
                free(d->scores.items[i].replica);
        vec_done(&d->scores);
}

static Score *find_score(Drill *d, const char *replica) {
        Score s = {};

        for (size_t i = 0; i < d->scores.n; i++)
                if (streq_ptr(d->scores.items[i].replica, replica))
                        return d->scores.items + i;
        s.replica = strdup(replica);
        if (!s.replica || vec_push(&d->scores, s) < 0) {
                free(s.replica);
                return NULL;
        }
        return d->scores.items + d->scores.n - 1;
}

static int count_offers(Drill *d, const ForecastPart *part) {
        for (size_t i = 0; i < part->found.offers.n; i++) {
                const Offer *o = part->found.offers.items + i;
                Score *s = find_score(d, o->replica);

                if (!s)
                        return -ENOMEM;
                s->pages++;
                s->good += o->enough && o->truth == TRUTH_RIGHT;
                s->wrong += o->enough && o->truth == TRUTH_WRONG;
        }
        return 0;
}

static const Offer *chosen(const ForecastPart *part) {
        for (size_t i = 0; i < part->found.offers.n; i++)
                if (streq_ptr(part->found.offers.items[i].replica, part->plan.replica))
                        return part->found.offers.items + i;
        return NULL;
}

static void tell_bad(Ctl *c, Drill *d, const SamplePage *page, const ForecastPart *part, bool wrong) {
        _cleanup_free_ char *path = text_safe(page->path);
        const char *why = wrong ? "the replica would be believed, and its bytes are wrong"
                : part->plan.detail ? part->plan.detail : reason_to_string(part->plan.reason);
        _cleanup_free_ char *clean = text_clean(why);

        if (d->bad++ < TELL_MAX && !c->quiet && c->json == JSON_OFF)
                (void) fprintf(stderr, "%s, page at %" PRIu64 ": could not be restored: %s\n",
                               path ? path : "?", page->offset, clean ? clean : "?");
}

static int count_page(Ctl *c, Drill *d, const SamplePage *page, const Forecast *f) {
        const ForecastPart *part = f->parts.items;
        const Offer *o;
        int r;

        d->pages++;
        if (f->parts.n != 1 || part->plan.verdict == VERDICT_HARMLESS ||
            part->plan.reason == REASON_NEIGHBOURS_BUSY) {          /* written to meanwhile */
                d->nothing++;
                return 0;
        }
        r = count_offers(d, part);
        if (r < 0)
                return r;
        o = part->plan.verdict == VERDICT_REPAIR ? chosen(part) : NULL;
        if (o && o->truth == TRUTH_RIGHT)
                d->good++;
        else if (o && o->truth == TRUTH_UNKNOWN)
                d->nothing++;   /* written to meanwhile */
        else
                tell_bad(c, d, page, part, o);
        return 0;
}

static int ask(Ctl *c, const SamplePage *page, Forecast *ret) {
        _cleanup_free_ char *path = codec_path_escape(page->path), *error = NULL;
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const char *text;
        int r;

        if (!path) {
                (void) ctl_fail_memory();
                return -ENOMEM;
        }
        r = bus_ask(c, "Plan", NULL, &reply, "stt", path, page->offset, REPAIR_UNIT);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &text);
        if (r < 0)
                return bus_bad_reply(r);
        r = codec_forecast_decode(text, ret, &error);
        return r < 0 ? bus_bad_json(r, error) : 0;
}

static int run(Ctl *c, const Sample *sample, Drill *d) {
        Progress progress = { .text = c->quiet ? NULL : "Asking the replicas" };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sample->n; i++) {
                _cleanup_forecast_ Forecast f = {};

                progress_show(&progress, now_monotonic());
                r = ask(c, sample->items + i, &f);
                progress_end(&progress);
                if (r >= 0 && count_page(c, d, sample->items + i, &f) < 0) {
                        (void) ctl_fail_memory();
                        r = -ENOMEM;
                }
        }
        return r;
}

static int print_json(Ctl *c, const Drill *d) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return ctl_fail_memory();
        (void) fprintf(f, "{\"pages\":%" PRIu64 ",\"good\":%" PRIu64 ",\"bad\":%" PRIu64 ",\"replicas\":[",
                       d->pages - d->nothing, d->good, d->bad);
        for (size_t i = 0; i < d->scores.n; i++) {
                const Score *s = d->scores.items + i;

                (void) fputs(i > 0 ? ",{\"replica\":" : "{\"replica\":", f);
                bus_json_string(s->replica, f);
                (void) fprintf(f, ",\"pages\":%" PRIu64 ",\"good\":%" PRIu64 ",\"wrong\":%" PRIu64 "}",
                               s->pages, s->good, s->wrong);
        }
        (void) fputs("]}", f);
        return fclose(f) == 0 ? ctl_print_json(c, text) : ctl_fail_memory();
}

static int print_table(Ctl *c, const Drill *d) {
        static const char *const headings[] = { "REPLICA", ">PAGES", ">GOOD", ">FAILED", ">WRONG" };
        _cleanup_table_ Table *t = table_new(headings, 5);

        if (!t)
                return ctl_fail_memory();
        for (size_t i = 0; i < d->scores.n; i++) {
                const Score *s = d->scores.items + i;

                table_add_path(t, s->replica);
                table_addf(t, "%" PRIu64, s->pages);
                table_addf(t, "%" PRIu64, s->good);
                table_addf(t, "%" PRIu64, s->pages - s->good - s->wrong);
                table_addf(t, "%" PRIu64, s->wrong);
        }
        if (d->scores.n > 0 && table_print(t, stdout, !c->no_legend, c->colours) < 0)
                return ctl_fail_memory();
        if (d->bad > TELL_MAX)
                ctl_say(c, "… and %" PRIu64 " more pages that could not be restored.", d->bad - TELL_MAX);
        ctl_say(c, "%" PRIu64 " of %" PRIu64 " pages would be restored.", d->good, d->pages - d->nothing);
        return CTL_FINE;
}

static void unreadable(const char *path, int error) {
        _cleanup_free_ char *safe = text_safe(path);

        (void) fprintf(stderr, "%s: %s\n", safe ? safe : "?", strerror(error));
}

int verb_drill(Ctl *c, int argc, char *argv[]) {
        __attribute__((cleanup(drill_done))) Drill d = {};
        _cleanup_sample_ Sample sample = {};
        _cleanup_strv_ char **paths = NULL;
        _cleanup_free_ char *escaped = NULL, *path = NULL;
        int r;

        if (argc > 1 &&
            (argument_path(argv[1], true, &escaped) < 0 || codec_path_unescape(escaped, &path) < 0))
                return CTL_ERROR;
        if (path)
                r = strv_extend(&paths, path);
        else if (protected_paths(c, "tried", &paths) < 0)
                return CTL_ERROR;
        else
                r = 0;
        if (r >= 0)
                r = sample_init(&sample, c->pages > 0 ? c->pages : PAGES_DEFAULT);
        for (char **p = paths; r >= 0 && p && *p; p++)
                r = sample_add(&sample, *p, unreadable);
        if (r < 0)
                return ctl_fail_memory();
        if (sample.n == 0)
                return ctl_fail("There is no file with a page to be tried.");

        if (run(c, &sample, &d) < 0)
                return CTL_ERROR;
        r = c->json != JSON_OFF ? print_json(c, &d) : print_table(c, &d);
        return r != CTL_FINE ? r : d.bad > 0 ? CTL_ERROR : CTL_FINE;
}
