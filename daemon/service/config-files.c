/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The files of the configuration: which there are, in which order, and their text. They follow
 * systemd.syntax(7): only *.conf counts, names order them, and a link to /dev/null masks one. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/config-files.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/strv.h"
#include "util/vec.h"

typedef struct Names {
        char **items;
        size_t n, allocated;
} Names;

static void names_done(Names *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i]);
        vec_done(l);
}

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static bool is_conf(const char *name) {
        size_t n = strlen(name);

        return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".conf") == 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int open_folder(int root_fd, const char *sub, DIR **ret) {
        _cleanup_close_ int fd = openat(root_fd, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d;

        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d)
                return -errno;
        TAKE_FD(fd);
        *ret = d;
        return 0;
}

/* Everything that counts, and a NULL behind it. */
static int read_names(DIR *d, Names *l) {
        assert(d);

        for (;;) {
                _cleanup_free_ char *name = NULL;
                struct dirent *e;
                int r;

                errno = 0;
                e = readdir(d);
                if (!e && errno != 0)
                        return -errno;
                if (!e)
                        return vec_reserve((void **) &l->items, &l->allocated, l->n + 1, sizeof(*l->items));
                if (!is_conf(e->d_name))
                        continue;

                name = strdup(e->d_name);
                if (!name)
                        return -ENOMEM;
                r = vec_push(l, name);
                if (r < 0)
                        return r;
                TAKE_PTR(name);
        }
}

int config_files_list(int root_fd, const char *sub, char ***ret) {
        _cleanup_(closedirp) DIR *d = NULL;
        _cleanup_(names_done) Names l = {};
        int r;

        assert(sub);
        assert(ret);

        r = open_folder(root_fd, sub, &d);
        if (r == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        r = read_names(d, &l);
        if (r < 0)
                return r;

        if (l.n > 1)
                qsort(l.items, l.n, sizeof(*l.items), compare_names);
        l.items[l.n] = NULL;
        l.n = 0;                        /* the strings go with the array */
        *ret = TAKE_PTR(l.items);
        return 0;
}

void config_text_done(ConfigText *t) {
        free(t->text);
        t->text = NULL;
}

int config_text_read(int root_fd, const char *path, ConfigText *ret) {
        _cleanup_config_text_ ConfigText t = {};
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        assert(path);
        assert(ret);

        fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) {
                *ret = t;
                return 0;
        }
        if (!S_ISREG(st.st_mode))
                return -EBADF;

        r = file_read_fd(fd, CONFIG_FILE_MAX, &t.text, &t.n);
        if (r < 0)
                return r;
        t.open_to_all = st.st_mode & S_IWOTH;
        *ret = t;
        t.text = NULL;
        return 0;
}
