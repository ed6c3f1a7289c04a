/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What targets need in order to hand an input over as a string, as a file, or as a folder of files. */

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "util/cleanup.h"
#include "util/file.h"

static char folder[] = "/dev/shm/bezoar-fuzz-XXXXXX";
static pid_t owner;

char *fuzz_string(const uint8_t *data, size_t size) {
        char *s = malloc(size + 1);

        must(s);
        if (size > 0)
                memcpy(s, data, size);
        s[size] = '\0';
        return s;
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw) {
        (void) remove(path);
        return 0;
}

static void remove_folder(void) {
        if (getpid() == owner)
                (void) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void) {
        if (owner == 0) {
                must(mkdtemp(folder));
                owner = getpid();
                must(atexit(remove_folder) == 0);
        }
        return folder;
}

void fuzz_file(const char *name, const void *data, size_t size) {
        char path[PATH_MAX];
        _cleanup_close_ int fd = -1;

        (void) snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
        for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
                *slash = '\0';
                (void) mkdir(path, 0700);
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        must(fd >= 0);
        must(size == 0 || write(fd, data, size) == (ssize_t) size);
}

int fuzz_memory(const void *data, size_t size) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC);

        must(fd >= 0);
        must(size == 0 || write(fd, data, size) == (ssize_t) size);
        must(lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}
