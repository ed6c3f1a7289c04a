/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "source/source.h"

extern const SourceOps source_badblocks_ops;
extern const SourceOps source_health_ops;
extern const SourceOps source_mounts_ops;
extern const SourceOps source_scrub_ops;
extern const SourceOps source_timer_ops;
extern const SourceOps source_trace_ops;        /* BEZOAR_TRACE */
extern const SourceOps source_udev_ops;

/* Can a uevent of this device change the Topology? */
bool source_udev_matters(const char *subsystem, const char *name);
