/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A slow periodic look at everything, in case all else failed. The time may be late by a quarter, so that it
 * can be had together with other wake-ups of the machine. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "source/source-backends.h"
#include "util/time-util.h"

typedef struct TimerSource {
        Source source;
        sd_event_source *time;  /* NULL: never */
} TimerSource;

static int on_time(sd_event_source *time, uint64_t usec, void *userdata) {
        TimerSource *t = userdata;

        /* an interval that began now did not fail before, and cannot now */
        (void) sd_event_source_set_time_relative(time, t->source.config.rescan_usec);
        (void) sd_event_source_set_enabled(time, SD_EVENT_ONESHOT);
        source_hint(&t->source, HINT_DEVICE, NULL);
        return 0;
}

static void timer_close(Source *s) {
        TimerSource *t = (TimerSource *) s;

        (void) sd_event_source_disable_unref(t->time);
        free(t);
}

static int timer_open(const SourceConfig *config, Source **ret) {
        _cleanup_free_ TimerSource *t = malloc(sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;

        *t = (TimerSource) { .source = { .ops = &source_timer_ops, .config = *config } };
        if (config->rescan_usec > 0 && config->rescan_usec < USEC_INFINITY) {
                r = sd_event_add_time_relative(config->event, &t->time, CLOCK_MONOTONIC, config->rescan_usec,
                                               config->rescan_usec / 4, on_time, t);
                if (r < 0)
                        return r;
                (void) sd_event_source_set_description(t->time, "rescan");
        }

        *ret = &TAKE_PTR(t)->source;
        return 0;
}

const SourceOps source_timer_ops = {
        .name = "timer",
        .description = "A slow periodic look at everything",
        .open = timer_open,
        .close = timer_close,
};
