/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What each configured replica answered when it was last asked, about whatever file that was. Nobody asks a
 * replica without cause: between losses and rehearsals nothing is known of it, and that is what is said
 * then. In the order of their names, each once. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/manager-internal.h"
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
                        l.items[i].answer = old->answer;
                        l.items[i].time = old->time;
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

int manager_each_replica(const Manager *m, int (*fn)(const char *replica, const char *answer, uint64_t time,
                                                     void *userdata), void *userdata) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->replicas.n; i++) {
                const ReplicaAnswer *a = m->replicas.items + i;

                r = fn(a->replica, a->answer ? a->answer : "unasked", a->time, userdata);
        }
        return r;
}
