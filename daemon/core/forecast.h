/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"

/* What would be done if some bytes were lost that are not. */

typedef struct ForecastPart {
        Findings found;
        Plan plan;              /* as if in MODE_REPAIR */
} ForecastPart;

typedef struct Forecast {
        char *target;           /* a path or a device node, as it was asked for */
        char *device;           /* "/dev/pmem0" */
        Mode mode;              /* in force: in MODE_OBSERVE nothing would be written all the same */
        struct { ForecastPart *items; size_t n, allocated; } parts;    /* in the order of the device */
} Forecast;

void forecast_done(Forecast *f);
#define _cleanup_forecast_ _cleanup_(forecast_done)

/* Judges what was found by the policy. *ret, not initialised before, is untouched on failure. 0 or
 * -ENOMEM. */
int forecast_make(const char *target, const char *device, const Policy *policy, const LocateReply *reply,
                  Forecast *ret);
