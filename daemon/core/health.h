/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

/* What memory modules say of themselves: their alarms (SMART), and what the firmware noted when it started.
 * Nothing is repaired for it; somebody is told. */

typedef enum DimmAlarm {
        DIMM_ALARM_FATAL,               /* the health as a whole */
        DIMM_ALARM_CRITICAL,
        DIMM_ALARM_NON_CRITICAL,
        DIMM_ALARM_SPARES,              /* spare blocks, temperatures: past their thresholds */
        DIMM_ALARM_MEDIA_TEMPERATURE,
        DIMM_ALARM_CONTROLLER_TEMPERATURE,
        DIMM_ALARM_SAVE_FAILED,         /* the last time that power was lost */
        DIMM_ALARM_RESTORE_FAILED,
        DIMM_ALARM_FLUSH_FAILED,
        DIMM_ALARM_MAP_FAILED,          /* the firmware left the module out */
        DIMM_ALARM_NOT_ARMED,           /* what is written will not survive the next loss of power */
        DIMM_ALARM_SEEN_AT_BOOT,        /* the firmware saw some event of health */
        _DIMM_ALARM_MAX,
        _DIMM_ALARM_INVALID = -EINVAL,
} DimmAlarm;

typedef uint32_t DimmAlarmSet;          /* 1 << DimmAlarm */

typedef struct DimmHealth {
        char *dimm;                     /* "nmem0" */
        bool known;                     /* it answered; else only what the firmware noted is in `alarms` */
        bool failed;                    /* it can be asked, but did not answer */
        DimmAlarmSet alarms;
} DimmHealth;

typedef struct DimmHealths {
        DimmHealth *items;
        size_t n, allocated;
} DimmHealths;

void dimm_health_done(DimmHealth *h);
void dimm_healths_done(DimmHealths *l);
#define _cleanup_dimm_healths_ _cleanup_(dimm_healths_done)

const DimmHealth *dimm_healths_find(const DimmHealths *l, const char *dimm);    /* NULL: none */

/* Data is lost, or will be: a person must act now. The others can wait for the day. */
bool dimm_alarms_are_urgent(DimmAlarmSet s);

/* What holds now, given what held before: a module that did not answer has still what it said last. */
DimmAlarmSet dimm_alarms_now(const DimmHealth *h, DimmAlarmSet before);

const char *dimm_alarm_to_string(DimmAlarm a);
DimmAlarm dimm_alarm_from_string(const char *s);

/* "spares,media-temperature"; "" for none. */
#define DIMM_ALARM_SET_MAX 256
const char *dimm_alarm_set_to_string(DimmAlarmSet s, char buf[static DIMM_ALARM_SET_MAX]);
