/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A scrub of all memory modules, as 'ndctl start-scrub' asks for one (drivers/acpi/nfit/core.c
 * scrub_store()). At its end the kernel lists again all that the firmware knows of and it has no room for
 * before. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "topo/topo.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/sysfs.h"

static void dir_closep(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

/* 1, 0 where it cannot be asked for, or a negative errno. */
static int start(const char *bus) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = sysfs_attribute("bus/nd/devices", bus, "nfit/scrub", &path);
        if (r < 0)
                return r;
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        r = write_full(fd, "1\n", 2);
        if (r == -ENOTTY)       /* no scrubs here */
                return 0;
        return r < 0 && r != -EBUSY ? r : 1;    /* or one is on its way */
}

int topo_start_scrub(void) {
        _cleanup_free_ char *folder = NULL;
        __attribute__((cleanup(dir_closep))) DIR *d = NULL;
        struct dirent *de;
        int n = 0, error = 0;

        if (asprintf(&folder, "%s/bus/nd/devices", sysfs_root()) < 0)
                return -ENOMEM;
        d = opendir(folder);
        if (!d)
                return errno == ENOENT ? 0 : -errno;
        while ((de = readdir(d)))
                if (strncmp(de->d_name, "ndbus", 5) == 0) {
                        int r = start(de->d_name);

                        if (r < 0)
                                error = r;
                        else
                                n += r;
                }
        return n > 0 ? n : error;
}
