/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who maps a file: /proc/PID/maps has a line "start-end perms offset major:minor inode path" for each
 * mapping (fs/proc/task_mmu.c, show_map_vma()). The device there is that of the superblock (s_dev), as
 * fstat(2) has it on XFS and ext4. */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/range.h"
#include "util/cleanup.h"
#include "write/mappers-of.h"

static void file_closep(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

static void dir_closep(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static bool line_maps(const char *line, const struct stat *st, Range wanted) {
        uint64_t start, end, offset, inode;
        unsigned maj, min;
        Range mapped, both;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %x:%x %" SCNu64, &start, &end, &offset,
                   &maj, &min, &inode) != 6)
                return false;
        if (inode != st->st_ino || maj != major(st->st_dev) || min != minor(st->st_dev) || end <= start)
                return false;

        return range_init(offset, end - start, &mapped) >= 0 && range_intersect(mapped, wanted, &both);
}

static int process_maps(int proc_fd, const char *pid, const struct stat *st, Range wanted) {
        __attribute__((cleanup(file_closep))) FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        char path[NAME_MAX + 8];
        size_t size = 0;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/maps", pid);
        fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT || errno == ESRCH ? 0 : -errno;
        f = fdopen(fd, "re");
        if (!f) {
                (void) close(fd);
                return -ENOMEM;
        }

        while (getline(&line, &size, f) > 0)
                if (line_maps(line, st, wanted))
                        return 1;
        return 0;
}

int mapped_by_others(int file_fd, uint64_t offset, uint64_t size) {
        __attribute__((cleanup(dir_closep))) DIR *proc = NULL;
        struct dirent *de;
        struct stat st;
        Range wanted;
        int r;

        r = range_init(offset, size, &wanted);
        if (r < 0)
                return r;
        if (fstat(file_fd, &st) < 0)
                return -errno;

        proc = opendir("/proc");
        if (!proc)
                return -errno;

        while ((de = readdir(proc))) {
                if (!isdigit((unsigned char) de->d_name[0]) || strtol(de->d_name, NULL, 10) == getpid())
                        continue;
                r = process_maps(dirfd(proc), de->d_name, &st, wanted);
                if (r != 0)
                        return r;
        }
        return 0;
}
