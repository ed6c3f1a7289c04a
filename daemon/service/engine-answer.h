/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/health.h"
#include "core/job.h"
#include "core/preview.h"
#include "core/topology.h"

/* One line of a worker's answer, or the end of the request without one. All of it belongs to the engine,
 * but for `holds`. */
typedef struct EngineAnswer {
        int error;                      /* 0; -ECHILD: the worker died; -ETIMEDOUT; -EBADMSG: not understood;
                                         * -EREMOTEIO: it failed; -EBUSY: none was started, since the last
                                         * one hangs in the kernel */
        const char *detail;             /* a sentence for an error; NULL */
        const LocateReply *located;     /* locate, plan */
        int *holds;                     /* descriptors that came along; whoever takes one leaves -1 there,
                                         * the rest is closed */
        size_t n_holds;
        const Result *result;           /* repair, settle: progress, results */
        Topology *topology;             /* topology; whoever takes it leaves an empty one there */
        const DimmHealths *health;      /* health */
        Preview *preview;               /* preview; whoever takes it leaves an empty one there */
        bool last;                      /* nothing more comes for this request */
} EngineAnswer;

/* Understands one line of a worker's answer to a request of this verb, and hands it to `tell`, once: it
 * `ends` when no other line of that request comes. 0; or a negative errno, with a sentence in *ret_error
 * perhaps, when it cannot be understood: then nobody was told. */
typedef void (*EngineTellFn)(EngineAnswer *a, bool ends, void *userdata);
int engine_answer_read(Verb verb, const char *line, int *holds, size_t n_holds, EngineTellFn tell,
                       void *userdata, char **ret_error);
