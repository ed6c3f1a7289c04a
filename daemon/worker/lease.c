/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Once somebody wants to open the file, F_GETLEASE tells only what the lease will be (target_leasetype(),
 * fs/locks.c), and not when it will be taken away: fs.lease-break-time later, which is a second at least
 * (0: never). Within a second from when nobody wanted it, it holds in any case. */

#include <fcntl.h>

#include "util/time-util.h"
#include "worker/lease.h"

#define BREAK_MIN_USEC UINT64_C(1000000)

int lease_take(int fd, Lease *ret) {
        *ret = (Lease) { .fd = fd, .taken = fcntl(fd, F_SETLEASE, F_WRLCK) >= 0, .seen = now_monotonic() };
        return ret->taken;
}

void lease_end(Lease *l) {
        if (l->taken)
                (void) fcntl(l->fd, F_SETLEASE, F_UNLCK);
        l->taken = false;
}

bool lease_holds(Lease *l) {
        uint64_t now = now_monotonic();

        if (!l->taken)
                return false;
        if (fcntl(l->fd, F_GETLEASE) == F_WRLCK) {
                l->seen = now;
                return true;
        }
        return now - l->seen < BREAK_MIN_USEC / 2;
}
