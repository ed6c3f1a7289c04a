/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/job.h"
#include "service/engine-answer.h"
#include "util/cleanup.h"

/* Runs the workers: one process a device at most, its requests one after another, each with a deadline. A
 * worker that dies or hangs costs its request, never the daemon. One idle worker is kept ready: when
 * poison strikes, nothing has to be loaded first. A worker that says that its search goes on
 * (codec_searching_encode()) has its deadline anew. */

typedef struct sd_event sd_event;
typedef struct Engine Engine;

typedef void (*EngineFn)(const EngineAnswer *a, void *userdata);

/* A worker that hung in the kernel, of this device (or verb), has ended after all: what was refused with
 * -EBUSY can be asked again. */
typedef void (*EngineFreedFn)(const char *device, void *userdata);

/* `worker_path` is started without arguments. 0 or a negative errno. */
int engine_new(sd_event *event, const char *worker_path, EngineFreedFn freed, void *userdata, Engine **ret);
Engine *engine_free(Engine *e);
DEFINE_CLEANUP(Engine *, engine_free);

/* Starts the idle worker that is kept ready; so that it is not paid for at the first request. */
void engine_warm(Engine *e);

/* Sends a request to the worker of request->volume.device; one about no device, and a rehearsal or a preview
 * (which must not hold up the real thing), to a worker of its own. `fn` is called for each answer, never
 * before this returns, and lastly with `last` set. 0 or a negative errno: then fn is not called. */
int engine_submit(Engine *e, const Request *request, uint64_t timeout_usec, EngineFn fn, void *userdata);

/* Ends all requests of a verb that goes to a worker of its own (plan, preview), with -ECANCELED; fn is
 * called. */
void engine_cancel(Engine *e, Verb verb);

/* Is a request for this device on its way? */
bool engine_is_busy(const Engine *e, const char *device);
bool engine_is_idle(const Engine *e);
