/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "service/worker-process.h"

/* Workers that the engine has parted with, until they have ended. As a rule that is a moment. One that hangs
 * in the kernel does not even end by SIGKILL, and whoever asks the same again in its place hangs as well: so
 * its lane starts no other before it is gone. */

typedef struct sd_event sd_event;
typedef struct Ghosts Ghosts;

/* Something has changed that the lanes should look at. `freed`: a worker of this lane that was taken for
 * hanging has ended after all; else NULL. */
typedef void (*GhostsFn)(const char *freed, void *userdata);

int ghosts_new(sd_event *event, GhostsFn fn, void *userdata, Ghosts **ret);
Ghosts *ghosts_free(Ghosts *g);
DEFINE_CLEANUP(Ghosts *, ghosts_free);

/* Takes the worker over; it ends. `lane`: whose it was; NULL: nobody's. `kill_it`: it is not to be trusted
 * any more, else it is only not needed. NULL. */
WorkerProcess *ghosts_take(Ghosts *g, const char *lane, WorkerProcess *w, bool kill_it);

enum {
        _GHOSTS_E_SUCCESS,

        GHOSTS_E_WAIT,          /* one of that lane has been killed just now: later, when fn is called */
        GHOSTS_E_STUCK,         /* it hangs, or so many do that none is started: *ret_detail says which */
};

/* May this lane start a worker? 0; the above; -ENOMEM. */
int ghosts_check(const Ghosts *g, const char *lane, char **ret_detail);
