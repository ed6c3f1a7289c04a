/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The figures and their names. Cases are those that the daemon still knows: open ones, and the last 1000
 * closed ones; what only grows is a counter. */

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/metrics.h"
#include "util/time-util.h"

static void head(FILE *f, const char *name, const char *type, const char *unit, const char *help) {
        (void) fprintf(f, "# TYPE bezoar_%s %s\n", name, type);
        if (unit)
                (void) fprintf(f, "# UNIT bezoar_%s %s\n", name, unit);
        (void) fprintf(f, "# HELP bezoar_%s %s\n", name, help);
}

static void gauge(FILE *f, const char *name, uint64_t value, const char *help) {
        head(f, name, "gauge", NULL, help);
        (void) fprintf(f, "bezoar_%s %" PRIu64 "\n", name, value);
}

static void print_label(FILE *f, const char *s) {
        (void) fputc('"', f);
        for (; *s != '\0'; s++)
                if (*s == '\n')
                        (void) fputs("\\n", f);
                else if (*s == '"' || *s == '\\')
                        (void) fprintf(f, "\\%c", *s);
                else
                        (void) fputc(*s, f);
        (void) fputc('"', f);
}

/* Every state, so that a graph begins at 0; of the reasons those that there are. */
static void print_cases(FILE *f, const Cases *l) {
        size_t n[_CASE_STATE_MAX][_REASON_MAX] = {};

        for (size_t i = 0; i < l->n; i++)
                n[l->items[i]->state][l->items[i]->reason]++;

        head(f, "cases", "gauge", NULL, "Cases that are open or among the last 1000 closed ones.");
        for (CaseState s = 0; s < _CASE_STATE_MAX; s++)
                for (Reason r = 0; r < _REASON_MAX; r++)
                        if (r == REASON_NONE || n[s][r] > 0)
                                (void) fprintf(f, "bezoar_cases{state=\"%s\",reason=\"%s\"} %zu\n",
                                               case_state_to_string(s), reason_to_string(r), n[s][r]);
}

static void print_bytes(FILE *f, const Cases *l) {
        uint64_t restored = 0, lost = 0;

        for (size_t i = 0; i < l->n; i++) {
                const Case *k = l->items[i];

                if (k->state == CASE_HEALED)
                        restored += rangeset_size(&k->bad);
                else if (!case_state_is_closed(k->state) && k->state != CASE_HARMLESS)
                        lost += rangeset_size(&k->bad);
        }

        head(f, "restored_bytes", "gauge", "bytes", "Bytes put back, in the last 1000 closed cases.");
        (void) fprintf(f, "bezoar_restored_bytes %" PRIu64 "\n", restored);
        head(f, "lost_bytes", "gauge", "bytes",
             "Bytes that are lost now, in open cases that are not harmless.");
        (void) fprintf(f, "bezoar_lost_bytes %" PRIu64 "\n", lost);
}

/* From the first time that a worker was sent to write, over what failed in between, to the proof that the
 * bytes are back. False: not healed, or not by a repair. The clock may have been set back. */
static bool repair_usec(const Case *k, uint64_t *ret) {
        const CaseEvent *from = NULL, *to = NULL;

        if (k->state != CASE_HEALED)
                return false;
        for (size_t i = 0; i < k->events.n; i++) {
                const CaseEvent *e = k->events.items + i;

                if (e->state == CASE_REPAIRING && !from)
                        from = e;
                else if (e->state == CASE_HEALED)
                        to = e;
        }
        if (!from || !to)
                return false;
        *ret = to->time > from->time ? to->time - from->time : 0;
        return true;
}

/* How long the file system stood still for it. False: it did not. */
static bool frozen_usec(const Case *k, uint64_t *ret) {
        *ret = k->frozen_usec;
        return k->frozen_usec > 0;
}

typedef struct Limit {
        const char *le;         /* in seconds */
        uint64_t usec;
} Limit;

#define LIMITS_MAX 8

/* Of the cases that `usec_of` knows a time for. Old cases leave it, so its counts may fall; a type for just
 * that (gaugehistogram) only OpenMetrics has. */
static void print_histogram(FILE *f, const char *name, const char *help, const Limit *limits,
                            size_t n_limits, const Cases *l, bool (*usec_of)(const Case *k, uint64_t *ret)) {
        size_t n[LIMITS_MAX] = {}, all = 0;
        uint64_t sum = 0, t;

        assert(n_limits <= LIMITS_MAX);

        for (size_t i = 0; i < l->n; i++) {
                if (!usec_of(l->items[i], &t))
                        continue;
                all++;
                if (__builtin_add_overflow(sum, t, &sum))
                        sum = UINT64_MAX;
                for (size_t j = 0; j < n_limits; j++)
                        n[j] += t <= limits[j].usec;
        }

        head(f, name, "histogram", "seconds", help);
        for (size_t j = 0; j < n_limits; j++)
                (void) fprintf(f, "bezoar_%s_bucket{le=\"%s\"} %zu\n", name, limits[j].le, n[j]);
        (void) fprintf(f, "bezoar_%s_count %zu\n", name, all);
        (void) fprintf(f, "bezoar_%s_sum %" PRIu64 ".%06" PRIu64 "\n", name, sum / USEC_PER_SEC,
                       sum % USEC_PER_SEC);
}

static void print_times(FILE *f, const Cases *l) {
        static const Limit repair[] = {
                { "0.1", 100 * USEC_PER_MSEC }, { "1.0", USEC_PER_SEC }, { "10.0", 10 * USEC_PER_SEC },
                { "60.0", USEC_PER_MINUTE }, { "600.0", 10 * USEC_PER_MINUTE },
                { "3600.0", 60 * USEC_PER_MINUTE }, { "+Inf", UINT64_MAX },
        };
        static const Limit frozen[] = {
                { "0.01", 10 * USEC_PER_MSEC }, { "0.1", 100 * USEC_PER_MSEC },
                { "0.5", 500 * USEC_PER_MSEC }, { "1.0", USEC_PER_SEC }, { "2.0", 2 * USEC_PER_SEC },
                { "+Inf", UINT64_MAX },
        };

        print_histogram(f, "repair_seconds", "From the first try to healed, in the last 1000 closed cases.",
                        repair, sizeof(repair) / sizeof(repair[0]), l, repair_usec);
        print_histogram(f, "frozen_seconds",
                        "How long a file system was frozen for a case, in the last 1000 closed cases.",
                        frozen, sizeof(frozen) / sizeof(frozen[0]), l, frozen_usec);
}

static void print_daemon(FILE *f, const DaemonInfo *i) {
        head(f, "build_info", "gauge", NULL, "1; the label has the version of the running bezoard.");
        (void) fputs("bezoar_build_info{version=", f);
        print_label(f, i->version ? i->version : "");
        (void) fputs("} 1\n", f);

        gauge(f, "observing", i->mode && strcmp(i->mode, "observe") == 0, "1: nothing is written.");
        gauge(f, "devices", i->devices, "Devices that are watched.");
        gauge(f, "open_cases", i->open, "Cases that are not closed, not harmless, and not ignored.");
        gauge(f, "refused_cases", i->refused, "Open cases that wait for a person: writing would be wrong.");
        gauge(f, "in_doubt_cases", i->in_doubt,
              "Open cases that wait for a person: a crash left bytes that cannot be explained.");
        gauge(f, "ignored_cases", i->ignored, "Cases that a person has decided to leave alone.");

        head(f, "healed_cases", "counter", NULL, "Cases healed, as far back as the ledger goes.");
        (void) fprintf(f, "bezoar_healed_cases_total %" PRIu64 "\n", i->healed);

        head(f, "last_scan_timestamp_seconds", "gauge", "seconds",
             "When a bad-block list was read last; 0: never.");
        (void) fprintf(f, "bezoar_last_scan_timestamp_seconds %" PRIu64 ".%06" PRIu64 "\n",
                       i->last_scan / USEC_PER_SEC, i->last_scan % USEC_PER_SEC);
}

/* Nobody asks a replica without cause, so the time belongs to the answer. */
static void print_replicas(FILE *f, const DaemonInfo *i) {
        head(f, "replica_answer", "gauge", NULL,
             "1; what the replica answered when it was last asked, by the label; unasked: not yet.");
        for (size_t k = 0; k < i->replicas.n; k++) {
                (void) fputs("bezoar_replica_answer{replica=", f);
                print_label(f, i->replicas.items[k].name);
                (void) fputs(",answer=", f);
                print_label(f, i->replicas.items[k].answer);
                (void) fputs("} 1\n", f);
        }

        head(f, "replica_asked_timestamp_seconds", "gauge", "seconds", "When that was; 0: never.");
        for (size_t k = 0; k < i->replicas.n; k++) {
                uint64_t t = i->replicas.items[k].time;

                (void) fputs("bezoar_replica_asked_timestamp_seconds{replica=", f);
                print_label(f, i->replicas.items[k].name);
                (void) fprintf(f, "} %" PRIu64 ".%06" PRIu64 "\n", t / USEC_PER_SEC, t % USEC_PER_SEC);
        }
}

static void print_score(FILE *f, const InfoScore *s, const char *outcome, uint64_t n) {
        (void) fputs("bezoar_replica_rehearsed_total{replica=", f);
        print_label(f, s->name);
        (void) fprintf(f, ",outcome=\"%s\"} %" PRIu64 "\n", outcome, n);
}

static void print_scores(FILE *f, const DaemonInfo *i) {
        head(f, "replica_rehearsed", "counter", NULL,
             "Pages that the replica was asked for in rehearsals: good, wrong (it would have been "
             "believed), or failed.");
        for (size_t k = 0; k < i->scores.n; k++) {
                const InfoScore *s = i->scores.items + k;

                print_score(f, s, "good", s->good);
                print_score(f, s, "wrong", s->wrong);
                print_score(f, s, "failed", s->pages - s->good - s->wrong);
        }
}

static void print_alarms(FILE *f, const DaemonInfo *i) {
        head(f, "dimm_alarm", "gauge", NULL, "1: the memory module raises this alarm.");
        for (size_t k = 0; k < i->alarms.n; k++) {
                (void) fputs("bezoar_dimm_alarm{dimm=", f);
                print_label(f, i->alarms.items[k].dimm);
                (void) fputs(",alarm=", f);
                print_label(f, i->alarms.items[k].alarm);
                (void) fputs("} 1\n", f);
        }
}

void metrics_print(const DaemonInfo *i, const Cases *cases, FILE *f) {
        assert(!i == !cases);
        assert(f);

        gauge(f, "up", i ? 1 : 0, "1: bezoard answers.");
        if (i) {
                print_daemon(f, i);
                print_cases(f, cases);
                print_bytes(f, cases);
                print_times(f, cases);
                print_replicas(f, i);
                print_scores(f, i);
                print_alarms(f, i);
        }
        (void) fputs("# EOF\n", f);
}
