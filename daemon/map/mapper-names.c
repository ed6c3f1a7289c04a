/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The front of the search for names. While it goes on each file is held open: meanwhile no other one can get
 * its inode number, and a name that leads to the number leads to the file. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "map/map-path.h"
#include "map/mapper.h"
#include "util/strv.h"
#include "util/vec.h"

void map_file_done(MapFile *f) {
        f->names = strv_free(f->names);
}

void map_files_done(MapFiles *l) {
        for (size_t i = 0; i < l->n; i++)
                map_file_done(&l->items[i]);
        vec_done(l);
}

bool map_file_is_complete(const MapFile *f) {
        return strv_length(f->names) >= f->links;
}

typedef struct Pins {
        int *items;
        size_t n, allocated;
} Pins;

static void pins_done(Pins *l) {
        for (size_t i = 0; i < l->n; i++)
                closep(&l->items[i]);
        vec_done(l);
}

/* Of a file without a mapper it is not known how many names it has: one is enough. */
static int pin(const MapperOps *ops, int mount_fd, MapFile *f, Pins *pins) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        f->links = 1;
        if (!ops || !ops->open)
                return 0;

        r = mapper_open(ops, mount_fd, f->inode, f->generation, O_PATH, &fd);
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r == 0 && st.st_nlink == 0)
                r = MAP_E_NOT_FOUND; /* deleted, and somebody still has it open */
        if (r == -ENOMEM)
                return r;
        f->error = r;
        if (r != 0)
                return 0;

        f->links = (uint32_t) st.st_nlink;
        r = vec_push(pins, fd);
        if (r == 0)
                (void) TAKE_FD(fd);
        return r;
}

/* Leaves those that are true: renamed meanwhile, or behind another mount, they are not. */
static void check_names(int mount_fd, MapFile *f) {
        size_t kept = 0;

        for (size_t i = 0; f->names && f->names[i]; i++) {
                char *name = f->names[i];
                bool again = false;

                for (size_t k = 0; k < kept; k++)
                        again = again || strcmp(f->names[k], name) == 0;
                if (!again && map_path_names(mount_fd, name, f->inode))
                        f->names[kept++] = name;
                else
                        free(name);
        }
        if (f->names)
                f->names[kept] = NULL;
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void finish(MapFile *f, int error) {
        const size_t n = strv_length(f->names);

        if (n > 1)
                qsort(f->names, n, sizeof(*f->names), by_name);
        if (n > 0)
                f->error = 0;
        else if (f->error == 0)
                f->error = error < 0 ? error : MAP_E_NOT_FOUND;
}

int mapper_names(const MapperOps *ops, int mount_fd, MapFile *files, size_t n, char *const *folders,
                 const MapProgress *progress) {
        _cleanup_(pins_done) Pins pins = {};
        bool complete = true;
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = pin(ops, mount_fd, &files[i], &pins);
        if (r == 0 && ops && ops->names)
                r = ops->names(mount_fd, files, n);
        if (r == -ENOMEM)
                return r;

        for (size_t i = 0; i < n; i++) {
                check_names(mount_fd, &files[i]);
                complete = complete && (files[i].error != 0 || map_file_is_complete(&files[i]));
        }
        if (!complete)
                r = map_names_search(mount_fd, files, n, folders, progress);
        if (r == -ENOMEM)
                return r;
        for (size_t i = 0; i < n; i++)
                finish(&files[i], r);
        return 0;
}
