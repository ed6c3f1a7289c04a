/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Once somebody wants to open the file, F_GETLEASE tells only what the lease will be (target_leasetype(),
 * fs/locks.c), and not when it will be taken away: that is fs.lease-break-time after he came
 * (__break_lease()), which is a second at least, or 0: never. For so long from when nobody wanted it, it
 * holds in any case. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/parse.h"
#include "util/time-util.h"
#include "worker/lease.h"

#define BREAK_MIN_USEC UINT64_C(1000000)

/* What cannot be read is taken for the least. */
static uint64_t break_usec(void) {
        _cleanup_free_ char *text = NULL;
        uint64_t seconds;
        size_t n;

        if (file_read(AT_FDCWD, "/proc/sys/fs/lease-break-time", 64, &text, &n) < 0)
                return BREAK_MIN_USEC;
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(text, &seconds) < 0 || seconds > UINT32_MAX)
                return BREAK_MIN_USEC;
        return seconds == 0 ? UINT64_MAX : seconds * USEC_PER_SEC;
}

int lease_take(int fd, Lease *ret) {
        *ret = (Lease) { .fd = fd, .taken = fcntl(fd, F_SETLEASE, F_WRLCK) >= 0, .seen = now_monotonic() };
        return ret->taken;
}

void lease_end(Lease *l) {
        if (l->taken)
                (void) fcntl(l->fd, F_SETLEASE, F_UNLCK);
        l->taken = false;
}

static bool holds(Lease *l, uint64_t usec) {
        uint64_t now = now_monotonic();

        if (!l->taken)
                return false;
        if (fcntl(l->fd, F_GETLEASE) == F_WRLCK) {
                l->seen = now;
                return true;
        }
        return now - l->seen < usec / 2;
}

bool lease_holds(Lease *l) {
        return holds(l, BREAK_MIN_USEC);
}

bool lease_held(Lease *l) {
        return holds(l, break_usec());
}
