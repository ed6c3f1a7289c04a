/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2(2), which has no wrapper in the C library before glibc 2.42. `resolve`: RESOLVE_*. The
 * descriptor (always O_CLOEXEC) or a negative errno. The kernel says EAGAIN when a rename somewhere kept
 * it from proving that ".." stays beneath: asked again, a few times. */
static inline int openat2_resolve(int dir_fd, const char *path, int flags, uint64_t resolve) {
        struct open_how how = { .flags = (uint64_t) (unsigned) flags | O_CLOEXEC, .resolve = resolve };
        long fd = -1;

        for (int i = 0; i < 16; i++) {
                fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
                if (fd >= 0 || errno != EAGAIN)
                        break;
        }
        return fd >= 0 ? (int) fd : -errno;
}
