/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

#include "service/ghosts.h"
#include "util/log.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

#define PATIENCE_USEC (5 * USEC_PER_SEC)        /* what is killed and has not ended by then hangs */
#define GHOSTS_MAX 16                           /* whatever they were for: more are not left behind */

typedef struct Ghost {
        Ghosts *all;
        WorkerProcess *worker;
        char *lane;                             /* NULL: nobody's */
        sd_event_source *patience;
        bool stuck;
} Ghost;

struct Ghosts {
        sd_event *event;
        GhostsFn fn;
        void *userdata;
        Ghost **items;
        size_t n, allocated;
};

static Ghost *ghost_free(Ghost *g) {
        if (!g)
                return NULL;
        sd_event_source_disable_unref(g->patience);
        worker_process_free(g->worker);
        free(g->lane);
        free(g);
        return NULL;
}
DEFINE_CLEANUP(Ghost *, ghost_free);

static void on_gone(int error, const char *detail, void *userdata) {
        _cleanup_(ghost_freep) Ghost *g = userdata;
        Ghosts *all = g->all;

        for (size_t i = 0; i < all->n; i++)
                if (all->items[i] == g) {
                        vec_remove(all, i, 1);
                        break;
                }
        if (g->stuck)
                log_notice("The worker %ld, which hung in the kernel, has ended.",
                           (long) worker_process_pid(g->worker));
        all->fn(g->stuck ? g->lane : NULL, all->userdata);
}

static const WorkerCallbacks callbacks = { .gone = on_gone };

static int on_patience(sd_event_source *s, uint64_t usec, void *userdata) {
        Ghost *g = userdata;

        g->stuck = true;
        log_error("The worker %ld%s%s was to end and does not: it hangs in the kernel (/proc/%ld/stack says "
                  "where). No other is started in its place before it has ended.",
                  (long) worker_process_pid(g->worker), g->lane ? " of " : "", g->lane ? g->lane : "",
                  (long) worker_process_pid(g->worker));
        g->all->fn(NULL, g->all->userdata);
        return 0;
}

int ghosts_new(sd_event *event, GhostsFn fn, void *userdata, Ghosts **ret) {
        Ghosts *g = calloc(1, sizeof(*g));

        if (!g)
                return -ENOMEM;
        g->event = sd_event_ref(event);
        g->fn = fn;
        g->userdata = userdata;
        *ret = g;
        return 0;
}

Ghosts *ghosts_free(Ghosts *g) {
        if (!g)
                return NULL;
        for (size_t i = 0; i < g->n; i++)
                ghost_free(g->items[i]);
        vec_done(g);
        sd_event_unref(g->event);
        free(g);
        return NULL;
}

static int ghost_new(Ghosts *all, const char *lane, Ghost **ret) {
        _cleanup_(ghost_freep) Ghost *g = calloc(1, sizeof(*g));
        int r;

        if (!g)
                return -ENOMEM;
        g->all = all;
        r = str_copy(lane, &g->lane);
        if (r >= 0)
                r = sd_event_add_time_relative(all->event, &g->patience, CLOCK_MONOTONIC, PATIENCE_USEC, 0,
                                               on_patience, g);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(g->patience, "worker-ghost");
        *ret = TAKE_PTR(g);
        return 0;
}

WorkerProcess *ghosts_take(Ghosts *g, const char *lane, WorkerProcess *w, bool kill_it) {
        _cleanup_(ghost_freep) Ghost *ghost = NULL;

        if (!w)
                return NULL;
        worker_process_part(w, kill_it);
        if (worker_process_has_ended(w) || ghost_new(g, lane, &ghost) < 0 || vec_push(g, ghost) < 0)
                return worker_process_free(w);  /* reaped all the same, only not waited for */

        ghost->worker = w;
        worker_process_set_callbacks(w, &callbacks, ghost);
        (void) TAKE_PTR(ghost);
        return NULL;
}

int ghosts_check(const Ghosts *g, const char *lane, char **ret_detail) {
        const Ghost *of_lane = NULL;
        size_t stuck = 0;

        for (size_t i = 0; i < g->n; i++) {
                stuck += g->items[i]->stuck;
                if (streq_ptr(g->items[i]->lane, lane))
                        of_lane = g->items[i];
        }
        if (of_lane && !of_lane->stuck)
                return GHOSTS_E_WAIT;
        if (!of_lane && stuck < GHOSTS_MAX)
                return 0;

        if (asprintf(ret_detail,
                     of_lane ? "the worker %ld hangs in the kernel; no other is started before it has ended"
                             : "%ld workers hang in the kernel, and no more are started",
                     of_lane ? (long) worker_process_pid(of_lane->worker) : (long) stuck) < 0)
                return -ENOMEM;
        return GHOSTS_E_STUCK;
}
