/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Queues of requests, and who carries them out. A Job is one request with its deadline, which a search that
 * goes on moves; a Worker (worker-process.c) is one process that serves one job at a time. A device has one
 * worker while it has jobs; afterwards the worker is kept as the spare, or let go. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "core/codec.h"
#include "service/engine-answer.h"
#include "service/engine.h"
#include "service/ghosts.h"
#include "service/worker-process.h"
#include "util/time-util.h"
#include "util/vec.h"

typedef struct Job {
        Verb verb;
        char *line;
        uint64_t timeout_usec;
        EngineFn fn;
        void *userdata;
        struct Job *next;
} Job;

typedef struct Lane {           /* a device with jobs */
        Engine *engine;
        char *device;
        WorkerProcess *worker;
        Job *jobs;              /* the first is with the worker when `sent` */
        bool sent;
        sd_event_source *deadline;
        struct Lane *next;
} Lane;

struct Engine {
        sd_event *event;
        char *worker_path;
        WorkerProcess *spare;
        Ghosts *ghosts;
        Lane *lanes;
        sd_event_source *dispatch;
        EngineFreedFn freed;
        void *userdata;
};

static Job *job_free(Job *j) {
        if (!j)
                return NULL;
        free(j->line);
        free(j);
        return NULL;
}
DEFINE_CLEANUP(Job *, job_free);

static Lane *lane_free(Lane *l) {
        if (!l)
                return NULL;
        while (l->jobs) {
                Job *next = l->jobs->next;

                job_free(l->jobs);
                l->jobs = next;
        }
        sd_event_source_disable_unref(l->deadline);
        worker_process_free(l->worker);
        free(l->device);
        free(l);
        return NULL;
}

/* Answers the job that is with the worker for the last time, and takes it off. The lane looks for its
 * next job from the loop, so that fn may submit again. */
static void lane_end_job(Lane *l, EngineAnswer *a) {
        _cleanup_(job_freep) Job *j = l->jobs;

        assert(j);

        l->jobs = j->next;
        l->sent = false;
        l->deadline = sd_event_source_disable_unref(l->deadline);
        (void) sd_event_source_set_enabled(l->engine->dispatch, SD_EVENT_ONESHOT);

        a->last = true;
        j->fn(a, j->userdata);
}

static void lane_kill_worker(Lane *l) {
        l->worker = ghosts_take(l->engine->ghosts, l->device, l->worker, true);
}

static void lane_fail_job(Lane *l, int error, const char *detail) {
        EngineAnswer a = { .error = error, .detail = detail };

        if (l->sent)
                lane_end_job(l, &a);
}

static void on_gone(int error, const char *detail, void *userdata) {
        Lane *l = userdata;

        lane_kill_worker(l);    /* it may only be its socket that is gone */
        lane_fail_job(l, error, detail);
        (void) sd_event_source_set_enabled(l->engine->dispatch, SD_EVENT_ONESHOT);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata) {
        Lane *l = userdata;

        lane_kill_worker(l);
        lane_fail_job(l, -ETIMEDOUT, "the worker did not answer in time, and was killed");
        return 0;
}

/* The job that is with the worker has this answer, and no other comes where it `ends`. */
static void lane_tell(EngineAnswer *a, bool ends, void *userdata) {
        Lane *l = userdata;

        if (ends)
                lane_end_job(l, a);
        else
                l->jobs->fn(a, l->jobs->userdata);
}

/* Does this verb look through whole file systems? As long as it says that it goes on, it is waited for. */
static bool can_search(Verb v) {
        return v == VERB_LOCATE || v == VERB_PLAN || v == VERB_SETTLE;
}

static void on_line(const char *line, int *holds, size_t n_holds, void *userdata) {
        Lane *l = userdata;
        _cleanup_free_ char *error = NULL, *failure = NULL;
        int r;

        if (!l->sent) { /* nobody asked: whatever it says next cannot be trusted either */
                lane_kill_worker(l);
                return;
        }

        if (can_search(l->jobs->verb) && codec_searching_decode(line)) {
                if (sd_event_source_set_time_relative(l->deadline, l->jobs->timeout_usec) < 0) {
                        lane_kill_worker(l);
                        lane_fail_job(l, -ENOMEM, NULL);
                }
                return;
        }
        if (codec_error_decode(line, &failure) == 0) {
                lane_fail_job(l, -EREMOTEIO, failure);
                return;
        }

        r = engine_answer_read(l->jobs->verb, line, holds, n_holds, lane_tell, l, &error);
        if (r < 0) {
                lane_kill_worker(l);
                lane_fail_job(l, -EBADMSG, error);
        }
}

static const WorkerCallbacks worker_callbacks = { .line = on_line, .gone = on_gone };

static int lane_start_job(Lane *l) {
        Engine *e = l->engine;
        int r;

        if (!l->worker && e->spare)
                l->worker = TAKE_PTR(e->spare);
        else if (!l->worker) {
                r = worker_process_new(e->event, e->worker_path, &l->worker);
                if (r < 0)
                        return r;
        }

        worker_process_set_callbacks(l->worker, &worker_callbacks, l);
        l->sent = true;
        r = worker_process_send(l->worker, l->jobs->line);
        if (r < 0)
                return r;

        r = sd_event_add_time_relative(e->event, &l->deadline, CLOCK_MONOTONIC, l->jobs->timeout_usec, 0,
                                       on_deadline, l);
        if (r >= 0)
                (void) sd_event_source_set_description(l->deadline, "worker-deadline");
        return r;
}

static void spare_gone(int error, const char *detail, void *userdata) {
        Engine *e = userdata;

        e->spare = worker_process_free(e->spare);
}

static void spare_line(const char *line, int *holds, size_t n_holds, void *userdata) {
        Engine *e = userdata;

        e->spare = ghosts_take(e->ghosts, NULL, e->spare, true);
}

static const WorkerCallbacks spare_callbacks = { .line = spare_line, .gone = spare_gone };

static void engine_keep_spare(Engine *e, WorkerProcess *w) {
        if (w && !e->spare) {
                e->spare = w;
                worker_process_set_callbacks(w, &spare_callbacks, e);
        } else
                (void) ghosts_take(e->ghosts, NULL, w, false);
}

/* All that waits, if it must not wait: what would be started for it hangs. True: there is nothing to start
 * now. */
static bool lane_is_haunted(Lane *l) {
        _cleanup_free_ char *detail = NULL;
        int r;

        if (l->worker)
                return false;
        r = ghosts_check(l->engine->ghosts, l->device, &detail);
        if (r == 0 || r == GHOSTS_E_WAIT)
                return r;

        while (l->jobs) {
                l->sent = true;
                lane_fail_job(l, r < 0 ? r : -EBUSY, detail);
        }
        return true;
}

/* Hands on what can go on: jobs to lanes that wait, workers of lanes without jobs to the spare place. */
static int on_dispatch(sd_event_source *s, void *userdata) {
        Engine *e = userdata;

        for (Lane **p = &e->lanes; *p;) {
                Lane *l = *p;

                if (!l->jobs) {
                        *p = l->next;
                        engine_keep_spare(e, TAKE_PTR(l->worker));
                        lane_free(l);
                        continue;
                }

                if (!l->sent && !lane_is_haunted(l)) {
                        int r = lane_start_job(l);

                        if (r < 0) {
                                lane_kill_worker(l);
                                l->sent = true;
                                lane_fail_job(l, r, "a worker could not be started");
                        }
                }
                p = &l->next;
        }
        return 0;
}

static void on_ghost(const char *freed, void *userdata) {
        Engine *e = userdata;

        (void) sd_event_source_set_enabled(e->dispatch, SD_EVENT_ONESHOT);
        if (freed && e->freed)
                e->freed(freed, e->userdata);
}

int engine_new(sd_event *event, const char *worker_path, EngineFreedFn freed, void *userdata, Engine **ret) {
        _cleanup_(engine_freep) Engine *e = NULL;
        int r;

        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->event = sd_event_ref(event);
        e->freed = freed;
        e->userdata = userdata;
        r = ghosts_new(event, on_ghost, e, &e->ghosts);
        if (r < 0)
                return r;
        e->worker_path = strdup(worker_path);
        if (!e->worker_path)
                return -ENOMEM;

        r = sd_event_add_defer(event, &e->dispatch, on_dispatch, e);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(e->dispatch, "engine-dispatch");
        (void) sd_event_source_set_enabled(e->dispatch, SD_EVENT_OFF);

        *ret = TAKE_PTR(e);
        return 0;
}

Engine *engine_free(Engine *e) {
        if (!e)
                return NULL;
        while (e->lanes) {
                Lane *next = e->lanes->next;

                lane_free(e->lanes);
                e->lanes = next;
        }
        worker_process_free(e->spare);
        ghosts_free(e->ghosts);
        sd_event_source_disable_unref(e->dispatch);
        sd_event_unref(e->event);
        free(e->worker_path);
        free(e);
        return NULL;
}

void engine_warm(Engine *e) {
        WorkerProcess *w;

        if (!e->spare && worker_process_new(e->event, e->worker_path, &w) >= 0)
                engine_keep_spare(e, w);
}

static int lane_for(Engine *e, const char *device, Lane **ret) {
        Lane *l;

        for (l = e->lanes; l; l = l->next)
                if (strcmp(l->device, device) == 0) {
                        *ret = l;
                        return 0;
                }

        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->device = strdup(device);
        if (!l->device) {
                free(l);
                return -ENOMEM;
        }
        l->engine = e;
        l->next = e->lanes;
        e->lanes = l;
        *ret = l;
        return 0;
}

int engine_submit(Engine *e, const Request *request, uint64_t timeout_usec, EngineFn fn, void *userdata) {
        bool aside = request->verb == VERB_PLAN || request->verb == VERB_PREVIEW || !request->volume.device;
        const char *device = aside ? verb_to_string(request->verb) : request->volume.device;
        _cleanup_(job_freep) Job *j = NULL;
        Job **p;
        Lane *l;
        int r;

        assert(fn);

        j = calloc(1, sizeof(*j));
        if (!j)
                return -ENOMEM;
        *j = (Job) { .verb = request->verb, .timeout_usec = timeout_usec, .fn = fn, .userdata = userdata };
        j->line = codec_request_encode(request);
        if (!j->line)
                return -ENOMEM;

        r = lane_for(e, device, &l);
        if (r < 0)
                return r;

        for (p = &l->jobs; *p; p = &(*p)->next)
                ;
        *p = TAKE_PTR(j);
        (void) sd_event_source_set_enabled(e->dispatch, SD_EVENT_ONESHOT);
        return 0;
}

void engine_cancel(Engine *e, Verb verb) {
        for (Lane *l = e->lanes; l; l = l->next) {
                if (strcmp(l->device, verb_to_string(verb)) != 0)
                        continue;
                lane_kill_worker(l);
                while (l->jobs) {
                        l->sent = true;
                        lane_fail_job(l, -ECANCELED, "the daemon stops");
                }
        }
}

bool engine_is_busy(const Engine *e, const char *device) {
        for (const Lane *l = e->lanes; l; l = l->next)
                if (strcmp(l->device, device) == 0)
                        return l->jobs;
        return false;
}

bool engine_is_idle(const Engine *e) {
        for (const Lane *l = e->lanes; l; l = l->next)
                if (l->jobs)
                        return false;
        return true;
}
