/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "core/case.h"
#include "ctl/daemon-info.h"

/* OpenMetrics text. Both NULL: the daemon does not answer. */
void metrics_print(const DaemonInfo *i, const Cases *cases, FILE *f);
