/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "util/cleanup.h"

typedef struct AttributeWatch AttributeWatch;

enum {
        _WATCH_E_SUCCESS,

        WATCH_E_IMPOSSIBLE,     /* not there, or nothing that can be waited for */
};

typedef enum Rearm {
        REARM_READ,             /* sysfs: a change is told again and again until the attribute is read */
        REARM_POLL,             /* /proc/self/mountinfo: a change is told once */
} Rearm;

/* Something has changed. `gone`: it cannot be read any more, and nothing will follow. Must not free the
 * watch. */
typedef void (*AttributeWatchFn)(bool gone, void *userdata);

/* Waits for changes of a file that the kernel makes known by EPOLLPRI. What changed before is not told. 0,
 * WATCH_E_IMPOSSIBLE, or a negative errno. */
int attribute_watch_open(sd_event *event, const char *path, Rearm rearm, AttributeWatchFn fn, void *userdata,
                         AttributeWatch **ret);

/* The same for an open descriptor that does not block, which it takes over on 0. `description`: for the
 * event loop's log. */
int attribute_watch_new(sd_event *event, int fd, const char *description, Rearm rearm, AttributeWatchFn fn,
                        void *userdata, AttributeWatch **ret);

/* False: it is gone, though that may not have been told: the kernel wakes nobody when it removes an
 * attribute. A change that is pending may be forgotten. */
bool attribute_watch_is_alive(AttributeWatch *w);

AttributeWatch *attribute_watch_free(AttributeWatch *w);
DEFINE_CLEANUP(AttributeWatch *, attribute_watch_free);
