/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/cleanup.h"

/* One worker process and the socket to it: lines out, lines (with descriptors) in. */

typedef struct sd_event sd_event;
typedef struct WorkerProcess WorkerProcess;

typedef struct WorkerCallbacks {
        /* A whole line, without its newline. Descriptors that are taken are replaced by -1; the rest is
         * closed afterwards. */
        void (*line)(const char *line, int *fds, size_t n_fds, void *userdata);

        /* It ended, by itself or by a signal (`detail` says how), or its socket failed. Called once; the
         * callee frees the WorkerProcess. */
        void (*gone)(int error, const char *detail, void *userdata);
} WorkerCallbacks;

/* Starts `path`, with one end of a socket pair as its standard input and output. 0 or a negative errno. */
int worker_process_new(sd_event *event, const char *path, WorkerProcess **ret);
void worker_process_set_callbacks(WorkerProcess *w, const WorkerCallbacks *callbacks, void *userdata);

/* Sends a line (without its newline). Never blocks: what the socket does not take now goes later. 0 or a
 * negative errno. */
int worker_process_send(WorkerProcess *w, const char *line);

/* Closes the socket, which ends a worker that waits for a request, and kills it where that is asked for.
 * Then nothing is called any more but gone(), when it has been reaped, which may be at once or never: not
 * even SIGKILL ends what hangs in the kernel. Not for one that has ended. */
void worker_process_part(WorkerProcess *w, bool kill_it);

bool worker_process_has_ended(const WorkerProcess *w);
pid_t worker_process_pid(const WorkerProcess *w);

/* Lets it end: its input is closed, it is reaped whenever it goes, nothing is called any more. NULL. */
WorkerProcess *worker_process_free(WorkerProcess *w);
DEFINE_CLEANUP(WorkerProcess *, worker_process_free);
