/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which system calls change something. Those that are not in this table (reads, waits, memory of the
 * caller, its own rights) leave nothing behind when the caller is killed. A store through a mapping is no
 * call: the worker makes its own by pread(2) from a memfd into the mapping (write/mapped.c), which is
 * counted. */

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/ndctl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kill-points.h"

typedef struct Known {
        const char *name;
        long nr;
        bool (*changes)(const Call *c);         /* NULL: always */
        int fd;                                 /* which argument the descriptor is; -1: none */
} Known;

static bool not_standard_error(const Call *c) {
        return c->args[0] != STDERR_FILENO;
}

static bool open_creates(uint64_t flags) {
        return flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
}

static bool openat_changes(const Call *c) {
        return open_creates(c->args[2]);
}

static bool openat2_changes(const Call *c) {
        struct open_how how;
        struct iovec ours = { &how, sizeof(how) }, its = { (void *) (uintptr_t) c->args[2], sizeof(how) };

        return process_vm_readv(c->pid, &ours, 1, &its, 1, 0) == (ssize_t) sizeof(how) &&
               open_creates(how.flags);
}

static bool fcntl_changes(const Call *c) {
        return c->args[1] == F_SETLEASE;
}

static bool ioctl_changes(const Call *c) {
        switch ((uint32_t) c->args[1]) {
        case (uint32_t) FICLONE:
        case (uint32_t) FICLONERANGE:
        case (uint32_t) FIFREEZE:
        case (uint32_t) FITHAW:
        case (uint32_t) FS_IOC_FSSETXATTR:
        case (uint32_t) FS_IOC_SETFLAGS:
        case (uint32_t) ND_IOCTL_CLEAR_ERROR:
                return true;
        default:
                return false;
        }
}

static bool mmap_changes(const Call *c) {
        return c->args[2] & PROT_WRITE && (c->args[3] & MAP_TYPE) == MAP_SHARED && (int) c->args[4] >= 0;
}

static bool is_memfd(const Call *c) {
        char path[64], target[256];
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) c->pid, (int) c->args[0]);
        n = readlink(path, target, sizeof(target) - 1);
        return n > 0 && strncmp(target, "/memfd:", 7) == 0;
}

#define CALL(name, changes, fd) { #name, SYS_##name, changes, fd }

static const Known known[] = {
        CALL(write, not_standard_error, 0),
        CALL(writev, not_standard_error, 0),
        CALL(pwrite64, NULL, 0),
        CALL(pwritev, NULL, 0),
        CALL(pwritev2, NULL, 0),
        CALL(pread64, is_memfd, 0),
        CALL(sendto, NULL, 0),
        CALL(sendmsg, NULL, 0),
        CALL(sendfile, NULL, 0),
        CALL(copy_file_range, NULL, 2),
        CALL(openat, openat_changes, -1),
        CALL(openat2, openat2_changes, -1),
        CALL(fsync, NULL, 0),
        CALL(fdatasync, NULL, 0),
        CALL(syncfs, NULL, 0),
        CALL(sync_file_range, NULL, 0),
        CALL(msync, NULL, -1),
        CALL(mmap, mmap_changes, 4),
        CALL(ftruncate, NULL, 0),
        CALL(truncate, NULL, -1),
        CALL(fallocate, NULL, 0),
        CALL(renameat, NULL, -1),
        CALL(renameat2, NULL, -1),
        CALL(linkat, NULL, -1),
        CALL(symlinkat, NULL, -1),
        CALL(unlinkat, NULL, -1),
        CALL(mkdirat, NULL, -1),
        CALL(fchmod, NULL, 0),
        CALL(fchmodat, NULL, -1),
        CALL(fchown, NULL, 0),
        CALL(fchownat, NULL, -1),
        CALL(utimensat, NULL, 0),
        CALL(fsetxattr, NULL, 0),
        CALL(setxattr, NULL, -1),
        CALL(fcntl, fcntl_changes, 0),
        CALL(flock, NULL, 0),
        CALL(ioctl, ioctl_changes, 0),
        CALL(kill, NULL, -1),
#ifdef SYS_rename
        CALL(rename, NULL, -1),
        CALL(unlink, NULL, -1),
        CALL(mkdir, NULL, -1),
        CALL(rmdir, NULL, -1),
        CALL(link, NULL, -1),
        CALL(symlink, NULL, -1),
        CALL(chmod, NULL, -1),
        CALL(creat, NULL, -1),
#endif
};

#undef CALL
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

long call_number(size_t i) {
        return i < N_KNOWN ? known[i].nr : -1;
}

bool call_changes(const Call *c, char *ret_what) {
        char path[64], target[200] = "";
        ssize_t n = 0;

        for (size_t i = 0; i < N_KNOWN; i++) {
                if (known[i].nr != c->nr)
                        continue;
                if (known[i].changes && !known[i].changes(c))
                        return false;
                if (known[i].fd >= 0) {
                        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) c->pid,
                                        (int) c->args[known[i].fd]);
                        n = readlink(path, target, sizeof(target) - 1);
                }
                target[n > 0 ? n : 0] = '\0';
                (void) snprintf(ret_what, 256, "%s %s", known[i].name, target);
                return true;
        }
        return false;
}
