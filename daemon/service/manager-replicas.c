/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each configured replica answered when it was last asked, about whatever file that was. Nobody asks a
 * replica without cause: between losses and rehearsals nothing is known of it, and that is what is said
 * then. In the order of their names, each once. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/choice.h"
#include "core/codec.h"
#include "service/manager-internal.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/time-util.h"
#include "util/vec.h"

static int by_name(const void *a, const void *b) {
        return strcmp(((const ReplicaAnswer *) a)->replica, ((const ReplicaAnswer *) b)->replica);
}

static ReplicaAnswer *find(const ReplicaAnswers *l, const char *replica) {
        const ReplicaAnswer key = { .replica = (char *) replica };

        return l->n > 0 ? bsearch(&key, l->items, l->n, sizeof(*l->items), by_name) : NULL;
}

static void replicas_done(ReplicaAnswers *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].replica);
        vec_done(l);
}

static int collect(const Policy *p, ReplicaAnswers *l) {
        for (size_t i = 0; i < p->protects.n; i++)
                for (char **s = p->protects.items[i].replicas; s && *s; s++) {
                        ReplicaAnswer a = { .replica = strdup(*s) };
                        int r = a.replica ? vec_push(l, a) : -ENOMEM;

                        if (r < 0) {
                                free(a.replica);
                                return r;
                        }
                }
        return 0;
}

static void sort(ReplicaAnswers *l) {
        size_t n = 0;

        if (l->n > 0)
                qsort(l->items, l->n, sizeof(*l->items), by_name);
        for (size_t i = 0; i < l->n; i++)
                if (n > 0 && by_name(l->items + n - 1, l->items + i) == 0)
                        free(l->items[i].replica);
                else
                        l->items[n++] = l->items[i];
        l->n = n;
}

void manager_set_replicas(Manager *m, const Policy *p) {
        ReplicaAnswers l = {};

        if (p && collect(p, &l) < 0)    /* for want of memory there are no such figures */
                replicas_done(&l);
        sort(&l);
        for (size_t i = 0; i < l.n; i++) {
                const ReplicaAnswer *old = find(&m->replicas, l.items[i].replica);

                if (old) {
                        char *name = l.items[i].replica;

                        l.items[i] = *old;
                        l.items[i].replica = name;
                }
        }
        replicas_done(&m->replicas);
        m->replicas = l;
}

void manager_take_offers(Manager *m, const LocateReply *reply) {
        for (size_t i = 0; i < reply->found.n; i++) {
                const Offers *offers = &reply->found.items[i].offers;

                for (size_t j = 0; j < offers->n; j++) {
                        const Offer *o = offers->items + j;
                        ReplicaAnswer *a = find(&m->replicas, o->replica);
                        bool stale = o->state == OFFER_HELD && offer_reason(o) == REASON_REPLICA_STALE;

                        if (!a)
                                continue;
                        a->answer = stale ? "stale" : offer_state_to_string(o->state);
                        a->time = now_realtime();
                }
        }
}

/* What is failed in a rehearsal would fail in earnest: told when it begins, not for each page. That a wrong
 * page would have been believed is told each time. */
static void tell_failing(const ReplicaAnswer *a, const Offer *o, const char *path, bool believed) {
        _cleanup_free_ char *escaped = codec_path_escape(path);
        const char *why = believed ? "it would have been believed, and its bytes are wrong"
                : o->detail ? o->detail : reason_explain(offer_reason(o));
        LogEntry *e = log_entry_new();

        log_entry_add(e, "BEZOAR_REPLICA", a->replica);
        log_entry_add(e, "BEZOAR_FILE", escaped);
        log_entry_add(e, "BEZOAR_REASON", reason_to_string(offer_reason(o)));
        log_entry_commit(e, believed ? LOG_CRIT : LOG_WARNING, LOG_ID_REHEARSAL_FAILED,
                         "Replica %s could not restore %s if bytes of it were lost: %s", a->replica,
                         escaped ? escaped : "a file", why);
}

static void take_score(ReplicaAnswer *a, const Protect *protect, const Offer *o, const char *path) {
        bool enough = offer_is_enough(protect, o);
        bool good = enough && o->truth == TRUTH_RIGHT, wrong = enough && o->truth == TRUTH_WRONG;

        /* Nothing is known of a file that was written to meanwhile. */
        if ((enough && o->truth == TRUTH_UNKNOWN) || o->witness == WITNESS_BUSY)
                return;
        a->score.pages++;
        a->score.good += good;
        a->score.wrong += wrong;
        if (wrong || (!good && !a->failing))
                tell_failing(a, o, path, wrong);
        a->failing = !good;
}

void manager_take_rehearsal(Manager *m, const LocateReply *reply) {
        for (size_t i = 0; i < reply->found.n; i++) {
                const Findings *f = reply->found.items + i;
                const char *path = f->owners.n == 1 ? f->owners.items[0].path : NULL;
                const Protect *protect = path ? policy_find_path(&m->policy, path) : NULL;

                for (size_t j = 0; protect && j < f->offers.n; j++) {
                        ReplicaAnswer *a = find(&m->replicas, f->offers.items[j].replica);

                        if (a)
                                take_score(a, protect, f->offers.items + j, path);
                }
        }
}

int manager_each_replica(const Manager *m, ReplicaFn fn, void *userdata) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->replicas.n; i++) {
                const ReplicaAnswer *a = m->replicas.items + i;

                r = fn(a->replica, a->answer ? a->answer : "unasked", a->time, &a->score, userdata);
        }
        return r;
}
