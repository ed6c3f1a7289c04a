/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Alarms of memory modules, as values. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/health.h"
#include "util/str.h"
#include "util/vec.h"

#define BIT(a) (UINT32_C(1) << (a))

/* What the firmware noted when it started; the rest is told by the module. */
#define NOTED                                                                                   \
        (BIT(DIMM_ALARM_SAVE_FAILED) | BIT(DIMM_ALARM_RESTORE_FAILED) | BIT(DIMM_ALARM_FLUSH_FAILED) |  \
         BIT(DIMM_ALARM_MAP_FAILED) | BIT(DIMM_ALARM_NOT_ARMED) | BIT(DIMM_ALARM_SEEN_AT_BOOT))

static const char *const alarm_table[_DIMM_ALARM_MAX] = {
        [DIMM_ALARM_FATAL] = "fatal",
        [DIMM_ALARM_CRITICAL] = "critical",
        [DIMM_ALARM_NON_CRITICAL] = "non-critical",
        [DIMM_ALARM_SPARES] = "spares",
        [DIMM_ALARM_MEDIA_TEMPERATURE] = "media-temperature",
        [DIMM_ALARM_CONTROLLER_TEMPERATURE] = "controller-temperature",
        [DIMM_ALARM_SAVE_FAILED] = "save-failed",
        [DIMM_ALARM_RESTORE_FAILED] = "restore-failed",
        [DIMM_ALARM_FLUSH_FAILED] = "flush-failed",
        [DIMM_ALARM_MAP_FAILED] = "map-failed",
        [DIMM_ALARM_NOT_ARMED] = "not-armed",
        [DIMM_ALARM_SEEN_AT_BOOT] = "seen-at-boot",
};

void dimm_health_done(DimmHealth *h) {
        assert(h);

        free(h->dimm);
        *h = (DimmHealth) {};
}

void dimm_healths_done(DimmHealths *l) {
        assert(l);

        for (size_t i = 0; i < l->n; i++)
                dimm_health_done(l->items + i);
        vec_done(l);
}

const DimmHealth *dimm_healths_find(const DimmHealths *l, const char *dimm) {
        assert(l);
        assert(dimm);

        for (size_t i = 0; i < l->n; i++)
                if (strcmp(l->items[i].dimm, dimm) == 0)
                        return l->items + i;
        return NULL;
}

bool dimm_alarms_are_urgent(DimmAlarmSet s) {
        static const DimmAlarmSet urgent = BIT(DIMM_ALARM_FATAL) | BIT(DIMM_ALARM_CRITICAL) |
                                           (NOTED & ~BIT(DIMM_ALARM_SEEN_AT_BOOT));

        return s & urgent;
}

DimmAlarmSet dimm_alarms_now(const DimmHealth *h, DimmAlarmSet before) {
        assert(h);

        return h->failed ? (h->alarms & NOTED) | (before & ~NOTED) : h->alarms;
}

const char *dimm_alarm_to_string(DimmAlarm a) {
        return str_at(alarm_table, _DIMM_ALARM_MAX, a);
}

DimmAlarm dimm_alarm_from_string(const char *s) {
        return str_index(alarm_table, _DIMM_ALARM_MAX, s);
}

const char *dimm_alarm_set_to_string(DimmAlarmSet s, char buf[static DIMM_ALARM_SET_MAX]) {
        char *end = buf;

        for (DimmAlarm a = 0; a < _DIMM_ALARM_MAX; a++)
                if (s & BIT(a)) {
                        if (end > buf)
                                *end++ = ',';
                        end = stpcpy(end, alarm_table[a]);
                }
        *end = '\0';
        return buf;
}
