/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/intent.h"
#include "worker/outcomes.h"

/* Writes that are over, and whose outcome may not have been recorded: adds how each page ended that has
 * such a record of which `ours` says so. 0 or a negative errno. */
int settle_ended(int intents_fd, bool (*ours)(const Intent *i, void *userdata), void *userdata,
                 Outcomes *outcomes);
