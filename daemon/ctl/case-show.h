/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "ctl/ctl.h"

/* Everything about one case. `next_try`: microseconds since the epoch; 0: it is not tried again by itself.
 * An exit status. */
int case_show(Ctl *c, const Case *k, uint64_t next_try, uint64_t now);
