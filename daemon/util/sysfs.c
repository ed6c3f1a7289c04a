/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Paths of sysfs attributes, below a root that tests can move. */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/sysfs.h"

const char *sysfs_root(void) {
        const char *root = secure_getenv("BEZOAR_SYSFS");

        return root && *root ? root : "/sys";
}

/* The kernel writes a slash in a device's name as "!" (lib/kobject.c), so that no name has one. */
static bool is_device_name(const char *s) {
        return *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

int sysfs_attribute(const char *folder, const char *device, const char *attribute, char **ret) {
        char *path;

        assert(folder);
        assert(device);
        assert(attribute);
        assert(ret);

        if (!is_device_name(device))
                return -EINVAL;
        if (asprintf(&path, "%s/%s/%s/%s", sysfs_root(), folder, device, attribute) < 0)
                return -ENOMEM;

        *ret = path;
        return 0;
}
