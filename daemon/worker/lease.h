/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A write lease: as long as it holds, nobody else has the file open, nor mapped. It ends with its
 * descriptor. */
typedef struct Lease {
        int fd;
        bool taken;
        uint64_t seen;          /* monotonic, microseconds: when nobody wanted it yet */
} Lease;

/* > 0: taken; 0: somebody has the file open, or it may not be had. */
int lease_take(int fd, Lease *ret);

/* Gives it back; fine when there is none. */
void lease_end(Lease *l);

/* Does it hold still, and nobody is kept waiting by it? One who opens the file waits until it is given back,
 * but no longer than fs.lease-break-time. Who is asked for it gives it back soon: then it is said to hold
 * for half a second more. */
bool lease_holds(Lease *l);

/* Has it held until now, even if somebody waits for it? Then nobody else can have touched the file. Said no
 * later than half of fs.lease-break-time after it was last seen to be wanted by nobody. */
bool lease_held(Lease *l);
