/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A search for an inode's name through the folders. Each folder is opened by its whole path from the
 * mount, with a kernel that refuses to leave the mount or to follow a link, and closed before the next:
 * one descriptor at a time however deep the tree is, and a folder that is renamed meanwhile cannot lead
 * the search out.
 *
 * What is still to be searched is a stack of paths. XFS and ext4 put a file near its folder: so among those
 * on top of the stack the one whose own inode number is nearest comes next; and in turn with it the one that
 * has waited longest, because the folders on the way are not near. That is a matter of time only: all have
 * their turn, and near the top the stack is as shallow as a search depth first.
 *
 * d_ino is only a hint: it is the inode below a mount point, and it is read before the name may be
 * changed. What counts is statx(2). */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "map/map-path.h"
#include "map/mapper.h"
#include "util/cleanup.h"
#include "util/openat2.h"
#include "util/vec.h"

#define RESOLVE_HERE (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)

#define CHOICE 1024     /* how many folders are compared */

typedef struct Folder {
        char *path;             /* below mount_fd; "": itself */
        uint64_t inode;
} Folder;

typedef struct Search {
        int mount_fd;
        uint64_t inode;
        struct statx mount;
        struct { Folder *items; size_t n, allocated; } pending;
        bool longest;           /* the next one is the one that has waited longest */
        char *found;
        int error;              /* of the first folder that could not be read; 0 */
} Search;

static void search_done(Search *s) {
        for (size_t i = 0; i < s->pending.n; i++)
                free(s->pending.items[i].path);
        vec_done(&s->pending);
        free(s->found);
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

static bool is_wanted(const Search *s, const struct statx *stx) {
        return stx->stx_ino == s->inode && S_ISREG(stx->stx_mode) && same_mount(stx, &s->mount);
}

static char *path_join(const char *folder, const char *name) {
        char *path;

        if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", name) < 0)
                return NULL;
        return path;
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

static int search_push(Search *s, const char *folder, const char *name, uint64_t inode) {
        _cleanup_free_ char *path = path_join(folder, name);
        int r;

        if (!path)
                return -ENOMEM;
        r = vec_push(&s->pending, ((Folder) { path, inode }));
        if (r == 0)
                (void) TAKE_PTR(path);
        return r;
}

static uint64_t distance(uint64_t a, uint64_t b) {
        return a > b ? a - b : b - a;
}

/* The next folder; the caller frees it. */
static char *search_pop(Search *s) {
        const size_t n = s->pending.n, first = n > CHOICE ? n - CHOICE : 0;
        size_t best = first;
        char *path;

        for (size_t i = first + 1; i < n && !s->longest; i++)
                if (distance(s->pending.items[i].inode, s->inode) <
                    distance(s->pending.items[best].inode, s->inode))
                        best = i;

        s->longest = !s->longest;
        path = s->pending.items[best].path;
        vec_remove(&s->pending, best, 1);
        return path;
}

static int search_entry(Search *s, DIR *d, const char *folder, const struct dirent *e) {
        struct statx stx;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                return 0;
        if (e->d_type == DT_DIR)
                return search_push(s, folder, e->d_name, e->d_ino);
        if (e->d_type != DT_UNKNOWN && e->d_ino != s->inode)
                return 0;

        if (statx_fd(dirfd(d), e->d_name, &stx) < 0)
                return 0; /* vanished */
        if (S_ISDIR(stx.stx_mode))
                return search_push(s, folder, e->d_name, stx.stx_ino);
        if (!is_wanted(s, &stx))
                return 0;

        s->found = path_join(folder, e->d_name);
        return s->found ? 0 : -ENOMEM;
}

static int search_folder(Search *s, const char *folder) {
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        r = open_folder(s->mount_fd, folder, &d);
        if (r < 0)
                return r;

        while (!s->found) {
                const struct dirent *e;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return -errno;
                r = search_entry(s, d, folder, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int search_run(Search *s) {
        while (!s->found && s->pending.n > 0) {
                _cleanup_free_ char *folder = search_pop(s);
                int r = search_folder(s, folder);

                if (is_our_lack(r))
                        return r;
                if (r < 0 && !is_skipped(r) && s->error == 0)
                        s->error = r;
        }
        if (s->found)
                return 0;
        return s->error < 0 ? s->error : MAP_E_NOT_FOUND;
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

int map_path_search(int mount_fd, uint64_t inode, const char *below, char **ret) {
        _cleanup_(search_done) Search s = { .mount_fd = mount_fd, .inode = inode };
        _cleanup_free_ char *start = NULL;
        struct statx stx;
        int r;

        assert(below);
        assert(ret);

        start = below_normalise(below);
        if (!start)
                return -ENOMEM;
        r = statx_fd(mount_fd, "", &s.mount);
        if (r < 0)
                return r;
        r = look(mount_fd, *start ? start : ".", &stx);
        if (r < 0)
                return is_skipped(r) ? MAP_E_NOT_FOUND : r;
        if (is_wanted(&s, &stx)) { /* a file is protected by its own name */
                *ret = TAKE_PTR(start);
                return 0;
        }

        r = vec_push(&s.pending, ((Folder) { start, stx.stx_ino }));
        if (r < 0)
                return r;
        (void) TAKE_PTR(start);
        r = search_run(&s);
        if (r == 0)
                *ret = TAKE_PTR(s.found);
        return r;
}

bool map_path_names(int mount_fd, const char *path, uint64_t inode) {
        Search s = { .mount_fd = mount_fd, .inode = inode };
        struct statx stx;

        assert(path);

        if (statx_fd(mount_fd, "", &s.mount) < 0 || look(mount_fd, path, &stx) < 0)
                return false;
        return is_wanted(&s, &stx);
}
