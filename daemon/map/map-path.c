/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A search for names of inodes through the folders: one for all that are asked for, by several threads. Each
 * folder is opened by its whole path from the mount, with a kernel that refuses to leave the mount or to
 * follow a link, and closed before the next: one descriptor a thread however deep the tree is, and a folder
 * that is renamed meanwhile cannot lead the search out.
 *
 * d_ino is only a hint: it is the inode below a mount point, and it is read before the name may be
 * changed. What counts is statx(2). */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "map/map-folders.h"
#include "map/map-path.h"
#include "map/mapper.h"
#include "util/cleanup.h"
#include "util/openat2.h"
#include "util/parallel.h"
#include "util/strv.h"
#include "util/vec.h"

#define RESOLVE_HERE (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)

typedef struct Search {
        int mount_fd;
        struct statx mount;
        MapSought sought;
        const MapProgress *progress;
        struct { uint64_t *items; size_t n, allocated; } begun; /* folders that it was begun at */

        pthread_mutex_t lock;           /* of all that follows, and of the names of the files */
        pthread_cond_t more;
        MapFolders pending;
        unsigned busy;                  /* threads that may still find folders */
        size_t missing;                 /* files that are looked for still */
        int fatal;                      /* ends the search; 0 */
        int error;                      /* of the first folder that could not be read; 0 */
} Search;

static void search_done(Search *s) {
        map_folders_done(&s->pending);
        vec_done(&s->begun);
        map_sought_done(&s->sought);
}

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int statx_fd(int dir_fd, const char *name, struct statx *ret) {
        if (statx(dir_fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                  STATX_TYPE | STATX_INO | STATX_MNT_ID, ret) < 0)
                return -errno;
        return 0;
}

/* The same device, and the same mount where the kernel tells (since 5.8). */
static bool same_mount(const struct statx *a, const struct statx *b) {
        if (a->stx_dev_major != b->stx_dev_major || a->stx_dev_minor != b->stx_dev_minor)
                return false;
        return !(a->stx_mask & b->stx_mask & STATX_MNT_ID) || a->stx_mnt_id == b->stx_mnt_id;
}

static bool is_here(const Search *s, const struct statx *stx) {
        return S_ISREG(stx->stx_mode) && same_mount(stx, &s->mount);
}

/* `path` is a name of that inode. 0; 1: and the last one that was missing; or -ENOMEM. */
static int add_name(Search *s, uint64_t inode, const char *path) {
        int r = 0;

        (void) pthread_mutex_lock(&s->lock);
        for (size_t i = map_sought_find(&s->sought, inode);
             i < s->sought.n && s->sought.items[i]->inode == inode; i++) {
                MapFile *f = s->sought.items[i];

                if (map_file_is_complete(f) || strv_contains(f->names, path))
                        continue;
                r = strv_extend(&f->names, path);
                if (r < 0)
                        break;
                if (map_file_is_complete(f))
                        s->missing--;
        }
        if (r == 0)
                r = s->missing == 0;
        (void) pthread_mutex_unlock(&s->lock);
        return r;
}

/* The folder vanished, is none any more, is a mount point, or lies deeper than a path can say: it holds
 * no name that could be used. */
static bool is_skipped(int error) {
        return error == -ENOENT || error == -ENOTDIR || error == -EXDEV || error == -ELOOP ||
               error == -ENAMETOOLONG;
}

static bool is_our_lack(int error) {
        return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

static int open_folder(int mount_fd, const char *path, DIR **ret) {
        _cleanup_close_ int fd = -1;
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        DIR *d;

        fd = openat2_resolve(mount_fd, *path ? path : ".", flags | O_NOATIME, RESOLVE_HERE);
        if (fd == -EPERM) /* not ours, and no CAP_FOWNER */
                fd = openat2_resolve(mount_fd, *path ? path : ".", flags, RESOLVE_HERE);
        if (fd < 0)
                return fd;

        d = fdopendir(fd);
        if (!d)
                return -errno;

        (void) TAKE_FD(fd);
        *ret = d;
        return 0;
}

static int see_folder(const Search *s, const char *folder, const char *name, uint64_t inode,
                      MapFolders *found) {
        for (size_t i = 0; i < s->begun.n; i++)
                if (s->begun.items[i] == inode)
                        return 0; /* has been searched already, or is being */
        return map_folders_push(found, folder, name, inode);
}

static int see_entry(Search *s, DIR *d, const char *folder, const struct dirent *e, MapFolders *found) {
        _cleanup_free_ char *path = NULL;
        struct statx stx;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                return 0;
        if (e->d_type == DT_DIR)
                return see_folder(s, folder, e->d_name, e->d_ino, found);
        if (e->d_type != DT_UNKNOWN && !map_sought_has(&s->sought, e->d_ino))
                return 0;

        if (statx_fd(dirfd(d), e->d_name, &stx) < 0)
                return 0; /* vanished */
        if (S_ISDIR(stx.stx_mode))
                return see_folder(s, folder, e->d_name, stx.stx_ino, found);
        if (!map_sought_has(&s->sought, stx.stx_ino) || !is_here(s, &stx))
                return 0;

        path = map_folders_join(folder, e->d_name);
        return path ? add_name(s, stx.stx_ino, path) : -ENOMEM;
}

static int search_folder(Search *s, const char *folder, MapFolders *found) {
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        r = open_folder(s->mount_fd, folder, &d);
        if (r < 0)
                return r;

        for (;;) {
                const struct dirent *e;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return -errno;
                r = see_entry(s, d, folder, e, found);
                if (r != 0)
                        return r;
        }
}

/* With the lock: waits until there is a folder, or nobody can find one any more. The caller frees it. */
static char *next(Search *s) {
        while (s->pending.n == 0 && s->busy > 0 && s->missing > 0 && s->fatal == 0)
                (void) pthread_cond_wait(&s->more, &s->lock);
        return s->pending.n > 0 && s->missing > 0 && s->fatal == 0 ? map_folders_pop(&s->pending, &s->sought)
                                                                     : NULL;
}

/* With the lock: what came of one folder. */
static void take_result(Search *s, int r, MapFolders *found) {
        if (r != -ENOMEM && map_folders_move(&s->pending, found) < 0)
                r = -ENOMEM;
        if (is_our_lack(r))
                s->fatal = r;
        else if (r < 0 && !is_skipped(r) && s->error == 0)
                s->error = r;
}

static int search_thread(unsigned thread, size_t i, void *userdata) {
        Search *s = userdata;

        (void) pthread_mutex_lock(&s->lock);
        for (;;) {
                _cleanup_free_ char *folder = next(s);
                _cleanup_map_folders_ MapFolders found = {};
                int r;

                if (!folder)
                        break;
                s->busy++;
                (void) pthread_mutex_unlock(&s->lock);
                if (thread == 0)
                        map_progress_tell(s->progress);
                r = search_folder(s, folder, &found);
                (void) pthread_mutex_lock(&s->lock);
                s->busy--;
                take_result(s, r, &found);
                (void) pthread_cond_broadcast(&s->more);
        }
        (void) pthread_mutex_unlock(&s->lock);
        return 0;
}

/* Opens what `path` names without reading it. *ret_stx is of that very object. */
static int look(int mount_fd, const char *path, struct statx *ret_stx) {
        _cleanup_close_ int fd = -1;

        fd = openat2_resolve(mount_fd, path, O_PATH | O_NOFOLLOW, RESOLVE_HERE);
        if (fd < 0)
                return fd;
        return statx_fd(fd, "", ret_stx);
}

/* `below` without what means nothing: slashes at its end, and the name "." for all. The caller frees it. */
static char *below_normalise(const char *below) {
        size_t n = strlen(below);

        while (n > 0 && below[n - 1] == '/')
                n--;
        if (n == 1 && below[0] == '.')
                n = 0;
        return strndup(below, n);
}

/* At and below one folder. */
static int search_below(Search *s, const char *below) {
        _cleanup_free_ char *start = below_normalise(below);
        const unsigned threads = parallel_threads();
        struct statx stx;
        int r;

        if (!start)
                return -ENOMEM;
        r = look(s->mount_fd, *start ? start : ".", &stx);
        if (r < 0)
                return is_skipped(r) ? 0 : r;
        if (is_here(s, &stx)) /* a file is protected by its own name */
                return map_sought_has(&s->sought, stx.stx_ino) ? add_name(s, stx.stx_ino, start) : 0;

        r = map_folders_push(&s->pending, "", start, stx.stx_ino);
        if (r < 0)
                return r;
        (void) parallel_for(threads, threads, search_thread, s);
        if (s->fatal < 0)
                return s->fatal;
        return vec_push(&s->begun, stx.stx_ino);
}

int map_names_search(int mount_fd, MapFile *files, size_t n, char *const *folders,
                     const MapProgress *progress) {
        _cleanup_(search_done) Search s = {
                .mount_fd = mount_fd,
                .progress = progress,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .more = PTHREAD_COND_INITIALIZER,
        };
        int r;

        r = map_sought_init(&s.sought, files, n, UINT64_MAX);
        if (r < 0)
                return r;
        s.missing = s.sought.n;

        r = statx_fd(mount_fd, "", &s.mount);
        for (; r >= 0 && s.missing > 0 && folders && *folders; folders++)
                r = search_below(&s, *folders);
        return r < 0 ? r : s.error;
}

bool map_path_names(int mount_fd, const char *path, uint64_t inode) {
        Search s = { .mount_fd = mount_fd };
        struct statx stx;

        assert(path);

        if (statx_fd(mount_fd, "", &s.mount) < 0 || look(mount_fd, path, &stx) < 0)
                return false;
        return stx.stx_ino == inode && is_here(&s, &stx);
}
