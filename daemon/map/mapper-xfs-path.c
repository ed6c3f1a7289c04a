/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Parent pointers: every inode has a record of each of its names and of the folder with it (XFS with `-n
 * parent=1`, Linux 6.10). A file has one for each hard link; each is followed up until it meets the
 * folder that was given, or the root of the file system: then that name lies elsewhere (below a bind
 * mount's root). A folder has exactly one parent. */

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "map/mapper-xfs.h"
#include "map/mapper.h"
#include "util/cleanup.h"
#include "util/strv.h"

#define PARENTS_SIZE 4096U      /* room for several names of the longest kind */

typedef struct Link {
        XfsHandle folder;
        char name[NAME_MAX + 1];
} Link;

/* Walks through the names of one inode. */
typedef struct Links {
        int mount_fd;
        XfsParents request;
        size_t at;              /* of the next record in `buffer`; PARENTS_SIZE: ask for more */
        union {
                char bytes[PARENTS_SIZE];
                uint64_t align;
        } buffer;
} Links;

static void links_init(Links *l, int mount_fd, XfsHandle of) {
        *l = (Links) { .mount_fd = mount_fd, .request.handle = of, .at = PARENTS_SIZE };
}

/* 0; MAP_E_NOT_FOUND: there are no more; or what the file system says. */
static int links_fill(Links *l) {
        if (l->request.oflags & XFS_PARENTS_DONE)
                return MAP_E_NOT_FOUND;

        memset(&l->buffer, 0, sizeof(l->buffer)); /* an inode without names leaves it as it is */
        l->request.size = PARENTS_SIZE;
        l->request.buffer = (uintptr_t) l->buffer.bytes;
        l->at = 0;
        if (ioctl(l->mount_fd, XFS_GET_PARENTS_BY_HANDLE, &l->request) < 0) {
                if (errno == ENOTTY || errno == EOPNOTSUPP)
                        return MAP_E_UNSUPPORTED;
                return errno == ESTALE ? MAP_E_GONE : -errno;
        }
        return 0;
}

static bool name_is_sane(const char *name, size_t size) {
        const char *end = memchr(name, '\0', size);

        return end && end != name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The next name. As links_fill(). */
static int links_next(Links *l, Link *ret) {
        XfsParent rec;
        size_t room;
        int r;

        if (l->at >= PARENTS_SIZE) {
                r = links_fill(l);
                if (r != 0)
                        return r;
        }

        room = PARENTS_SIZE - l->at;
        if (room <= sizeof(rec))
                return -EUCLEAN;
        memcpy(&rec, l->buffer.bytes + l->at, sizeof(rec));
        if (rec.handle.fid_len == 0)
                return MAP_E_NOT_FOUND; /* nothing was filled in */
        if (rec.length <= sizeof(rec) || rec.length > room)
                return -EUCLEAN;

        room = rec.length - sizeof(rec);
        if (room > sizeof(ret->name)) /* the last record reaches to the end */
                room = sizeof(ret->name);
        if (!name_is_sane(l->buffer.bytes + l->at + sizeof(rec), room))
                return -EUCLEAN;

        ret->folder = rec.handle;
        (void) strcpy(ret->name, l->buffer.bytes + l->at + sizeof(rec));
        l->at += rec.length;
        return 0;
}

static bool handle_equal(const XfsHandle *a, const XfsHandle *b) {
        return a->ino == b->ino && a->generation == b->generation;
}

static int prepend(const char *name, char **path) {
        char *longer;

        if (asprintf(&longer, "%s/%s", name, *path) < 0)
                return -ENOMEM;

        free(*path);
        *path = longer;
        return 0;
}

/* From one name of the file up to `top`. 0, MAP_E_NOT_FOUND: not below it, or too deep for a path; or
 * what the file system says. */
static int climb(int mount_fd, const XfsHandle *top, const Link *from, char **ret) {
        _cleanup_free_ char *path = NULL;
        XfsHandle at = from->folder;
        Links links;
        Link link;
        int r;

        path = strdup(from->name);
        if (!path)
                return -ENOMEM;

        while (!handle_equal(&at, top)) {
                links_init(&links, mount_fd, at);
                r = links_next(&links, &link);
                if (r != 0)
                        return r;
                r = prepend(link.name, &path);
                if (r < 0)
                        return r;
                if (strlen(path) >= PATH_MAX) /* also the end of a loop in a corrupt tree */
                        return MAP_E_NOT_FOUND;
                at = link.folder;
        }

        *ret = TAKE_PTR(path);
        return 0;
}

static int handle_of(int fd, XfsHandle *ret) {
        int generation[2] = {};
        struct stat st;

        if (fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_GETVERSION, generation) < 0)
                return -errno;

        *ret = xfs_handle(st.st_ino, (uint32_t) generation[0]);
        return 0;
}

/* All names of one file below `top`. */
static int names_of(int mount_fd, const XfsHandle *top, MapFile *f) {
        Links links;
        Link link;

        links_init(&links, mount_fd, xfs_handle(f->inode, f->generation));
        for (;;) {
                _cleanup_free_ char *path = NULL;
                int r;

                r = links_next(&links, &link);
                if (r != 0)
                        return r;
                r = climb(mount_fd, top, &link, &path);
                if (r == 0)
                        r = strv_extend(&f->names, path);
                if (r < 0 && r != -EUCLEAN)
                        return r;
                /* > 0: this name is not below, or its folder went away meanwhile. */
        }
}

int xfs_names(int mount_fd, MapFile *files, size_t n) {
        XfsHandle top = {};

        if (handle_of(mount_fd, &top) < 0)
                return 0;

        for (size_t i = 0; i < n; i++) {
                int r;

                if (files[i].error != 0)
                        continue;
                r = names_of(mount_fd, &top, &files[i]);
                if (r == -ENOMEM || r == MAP_E_UNSUPPORTED)
                        return r < 0 ? r : 0;
                if (r == MAP_E_GONE)
                        files[i].error = r;
        }
        return 0;
}
