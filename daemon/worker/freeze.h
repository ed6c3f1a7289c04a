/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/site.h"

/* A frozen file system (FIFREEZE): nobody writes to it, not through mappings either, and no block changes
 * its owner, until it is thawed. Whoever forgets to thaw stops the machine, so three look after it, besides
 * the worker itself:
 *
 * - the guardian, a process that the worker has made before, which thaws when the worker ends without having
 *   done so, and which kills the worker after FREEZE_MAX_USEC;
 * - systemd, after the daemon and all its processes have ended: ExecStopPost=bezoar-worker thaw;
 * - the next settlement.
 *
 * The latter two know by a note in the intent folder, which is written before and removed after. */

#define FREEZE_MAX_USEC UINT64_C(2000000)

typedef struct Freeze {
        const Site *site;
        int dir_fd;             /* of the intents: where the note is */
        int guardian_fd;
        pid_t guardian;
        uint64_t began;         /* monotonic, microseconds */
        bool frozen;
} Freeze;

#define FREEZE_NULL ((Freeze) { .guardian_fd = -1, .dir_fd = -1 })

/* May the mounted file system be frozen? Not one that this program or the machine writes to or runs from:
 * root, log, state. */
bool freeze_possible(const Site *s, const char *state_dir);

/* Freezes it. Nothing may be read or written below the mount from here on but through descriptors that are
 * open. 0; -EBUSY: somebody else has frozen it; or a negative errno. */
int freeze_begin(const Site *s, int intents_fd, Freeze *ret);

/* Thaws it; fine when it was never frozen. *ret_usec: how long it was. 0; -ESTALE: somebody else had thawed
 * it before; or a negative errno. */
int freeze_end(Freeze *f, uint64_t *ret_usec);

/* Thaws what was left frozen in this boot: of `disk`, or of all (NULL). The number of those that were, or a
 * negative errno. */
int freeze_end_left(int intents_fd, const char *disk);
