/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A device-dax that is opened keeps nobody from taking its namespace apart and making another one there:
 * from then on the descriptor cannot be mapped any more (drivers/dax/device.c, dax_mmap() of a dead device:
 * -ENXIO), but addresses that were computed before would be somebody else's. So it is asked again where it
 * is, before each clearing. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/file.h"
#include "util/sysfs.h"
#include "worker/site.h"

typedef struct Attributes {
        uint64_t size, align, physical;
} Attributes;

/* A decimal or, with 0x, a hexadecimal number. */
static int read_number(const char *disk, const char *name, uint64_t *ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        unsigned long long value;
        char *end;
        size_t n;
        int r;

        r = sysfs_attribute("bus/dax/devices", disk, name, &path);
        if (r >= 0)
                r = file_read(AT_FDCWD, path, 64, &text, &n);
        if (r < 0)
                return r;

        errno = 0;
        value = strtoull(text, &end, 0);
        if (end == text || (*end && *end != '\n') || errno != 0)
                return -EBADMSG;
        *ret = value;
        return 0;
}

static int read_attributes(const char *disk, Attributes *ret) {
        int r;

        r = read_number(disk, "size", &ret->size);
        if (r >= 0)
                r = read_number(disk, "align", &ret->align);
        if (r >= 0)
                r = read_number(disk, "resource", &ret->physical);
        return r;
}

int site_open_dax(const Volume *v, Site *s) {
        Attributes a = {};
        struct stat st;
        int r;

        r = read_attributes(s->disk, &a);
        if (r < 0)
                return r == -ENOENT ? SITE_E_GONE : r;
        if (a.align < REPAIR_UNIT || a.align % REPAIR_UNIT != 0 || a.size % a.align != 0)
                return -EBADMSG;

        s->dax_fd = open(v->device, O_RDONLY | O_CLOEXEC);
        if (s->dax_fd < 0)
                return errno == ENOENT || errno == ENXIO || errno == ENODEV ? SITE_E_GONE : -errno;
        if (fstat(s->dax_fd, &st) < 0)
                return -errno;
        if (!S_ISCHR(st.st_mode))
                return SITE_E_GONE;

        s->size = a.size;
        s->dax_align = a.align;
        s->dax_physical = a.physical;
        return 0;
}

int site_dax_stays(const Site *s) {
        struct stat opened, named;
        Attributes a = {};
        int r;

        r = read_attributes(s->disk, &a);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (fstat(s->dax_fd, &opened) < 0)
                return -errno;
        if (stat(s->volume->device, &named) < 0)
                return errno == ENOENT ? 0 : -errno;
        return named.st_rdev == opened.st_rdev && a.size == s->size && a.align == s->dax_align &&
               a.physical == s->dax_physical;
}
