/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ctl/ctl.h"
#include "util/cleanup.h"

/* A replica, with what it answered last, and when. */
typedef struct InfoReplica {
        char *name, *answer;
        uint64_t time;                          /* as last_scan */
} InfoReplica;

/* How it did in rehearsals. */
typedef struct InfoScore {
        char *name;
        uint64_t pages, good, wrong;
} InfoScore;

/* An alarm that a memory module raises. */
typedef struct InfoAlarm {
        char *dimm, *alarm;
} InfoAlarm;

/* The properties of the daemon, as far as it has them. */
typedef struct DaemonInfo {
        char *version, *mode, *configured_mode; /* NULL: not told */
        uint32_t devices, open, refused, in_doubt, ignored;
        uint64_t healed;
        uint64_t last_scan;                     /* microseconds since the epoch; 0: never */
        struct { InfoReplica *items; size_t n, allocated; } replicas;
        struct { InfoScore *items; size_t n, allocated; } scores;
        struct { InfoAlarm *items; size_t n, allocated; } alarms;
} DaemonInfo;

void daemon_info_done(DaemonInfo *i);
#define _cleanup_daemon_info_ _cleanup_(daemon_info_done)

/* 0, or a negative errno after an error was printed. */
int daemon_info_read(Ctl *c, DaemonInfo *ret);
