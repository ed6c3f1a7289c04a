/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

/* The attributes that a source watches, each for the sake of a device. They follow the Topology: begin, want
 * each that is to be watched, end. What is wanted again stays as it is. */
typedef struct Watch Watch;

typedef struct WatchSet {
        sd_event *event;
        void (*fn)(const char *device, bool gone, void *userdata);     /* as AttributeWatchFn */
        void *userdata;
        struct { Watch **items; size_t n, allocated; } watches;
} WatchSet;

void watch_set_begin(WatchSet *s);

/* 0, also when it cannot be watched, or a negative errno. */
int watch_set_want(WatchSet *s, const char *path, const char *device);

/* Closes what was not wanted since watch_set_begin(). */
void watch_set_end(WatchSet *s);

void watch_set_done(WatchSet *s);
