/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `bezoar-worker topology`, and `bezoar-worker locate --device … [--range …]`: the request that the
 * daemon would have made, from this machine or a saved topology. */
typedef struct ByHand {
        const char *verb, *device, *range, *topology;   /* as on the command line; NULL: not given */
} ByHand;

/* 0 or a negative errno; what is wrong with the arguments is said on standard error. */
int by_hand(const ByHand *h, int out_fd);
