/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* `bezoar-worker topology`, `health`, and `locate --device … [--range …]`: the request that the daemon would
 * have made, from this machine or a saved topology. `thaw [--state …]`, which the unit file calls: what
 * workers that were killed left frozen. */
typedef struct ByHand {
        const char *verb, *device, *range, *topology;   /* as on the command line; NULL: not given */
        bool no_path;           /* locate */
        const char *state_dir;  /* seal, thaw */
        bool force, quiet;      /* seal */
} ByHand;

/* Is it a verb that asks of the machine, and wants no device? `verb` may be NULL. */
bool by_hand_verb(const char *verb);

/* 0 or a negative errno; what is wrong with the arguments is said on standard error. */
int by_hand(const ByHand *h, int out_fd);

/* `bezoar-worker seal PATH…` (NULL-terminated): tells a person what it does. 0, or -ECANCELED when something
 * could not be sealed, and it was said. */
int by_hand_seal(const ByHand *h, char *const *paths);
