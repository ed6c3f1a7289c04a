/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Folders and files of guards. Where a file system puts a file's blocks follows from where its inode is, and
 * that from its folder; folders are spread over the groups in turn (xfs_dialloc(): the rotor), so as many
 * are made as it takes, and the others are removed. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/volume.h"
#include "util/file.h"
#include "util/openat2.h"
#include "worker/alike.h"
#include "worker/guard.h"
#include "write/writer.h"

#define FOLDERS_MAX 4096        /* made in search of one in the right group */
#define RESOLVE_HERE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

void guard_done(Guard *g) {
        closep(&g->fd);
        closep(&g->folder_fd);
        *g = GUARD_NULL;
}

int boot_id_read(char ret[static 37]) {
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, &n);
        if (r < 0)
                return r;
        (void) snprintf(ret, 37, "%.36s", text);
        return 0;
}

/* A file system that has bytes on another device too could have a guard there that guards what only that
 * device's list names; and who works on the one knows nothing of who works on the other. And guards own
 * blocks of the data: what another part has lost is no reason to keep those. */
int guard_space(const Site *s, SpaceMap *ret) {
        return s->volume->part == FS_PART_DATA ? site_whole(s, ret) : -EOPNOTSUPP;
}

int guard_place(const SpaceMap *space, Range device, Range *ret) {
        uint64_t to;

        if (!volume_page_fits(space, device, &to))
                return -EOPNOTSUPP;
        *ret = (Range) { to, to + range_size(device) };
        return 0;
}

int guard_translate(const SpaceMap *space, const RangeSet *device, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet set = {};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < device->n; i++) {
                _cleanup_spacemap_ SpaceMap pieces = {};

                r = spacemap_forward(space, device->items[i], &pieces);
                for (size_t k = 0; r >= 0 && k < pieces.n; k++)
                        r = rangeset_add(&set, space_segment_to(pieces.items[k]));
        }
        if (r < 0)
                return r;
        *ret = set;
        set = (RangeSet) {};
        return 0;
}

/* A folder that nobody but us can have put anything into. */
static int folder_open(int at, const char *name, int *ret) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        fd = openat2_resolve(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_HERE);
        if (fd < 0)
                return fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV ? -EPERM : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
                return -EPERM;

        *ret = TAKE_FD(fd);
        return 0;
}

int guards_open(int mount_fd, int *ret_fd) {
        return folder_open(mount_fd, GUARD_FOLDER, ret_fd);
}

static int guards_make(int mount_fd, int *ret_fd) {
        if (mkdirat(mount_fd, GUARD_FOLDER, 0700) < 0 && errno != EEXIST)
                return -errno;
        return guards_open(mount_fd, ret_fd);
}

static int group_of(int at, const char *name, const MapGroups *g, uint64_t *ret) {
        struct stat st;

        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        *ret = st.st_ino >> g->inode_shift;
        return 0;
}

/* The folder `name`, in that group; where none can be had there, in any. */
static int group_folder(int guards_fd, const MapGroups *g, uint64_t group, const char *name, int *ret) {
        uint64_t is = UINT64_MAX;
        char trial[32];
        int r;

        r = folder_open(guards_fd, name, ret);
        if (r != -ENOENT)
                return r;

        for (uint64_t i = 0; is != group; i++) {
                (void) snprintf(trial, sizeof(trial), "new%" PRIu64, i);
                if (mkdirat(guards_fd, trial, 0700) < 0 && errno != EEXIST)
                        return -errno;
                r = group_of(guards_fd, trial, g, &is);
                if (r < 0)
                        return r;
                if (i > 4 * g->n || i >= FOLDERS_MAX)
                        break;
                if (is != group && unlinkat(guards_fd, trial, AT_REMOVEDIR) < 0)
                        return -errno;
        }

        if (renameat(guards_fd, trial, guards_fd, name) < 0)
                return -errno;
        return folder_open(guards_fd, name, ret);
}

static int file_make(Guard *g) {
        struct stat st;
        int r;

        g->fd = openat(g->folder_fd, g->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (g->fd < 0 && errno == EEXIST)
                g->fd = openat(g->folder_fd, g->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        else if (g->fd >= 0) {
                r = alike_set_plain(g->fd);
                if (r < 0)
                        return r;
        }
        if (g->fd < 0 || fstat(g->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EPERM;

        g->inode = st.st_ino;
        return 0;
}

int guard_make(const Site *s, const MapGroups *groups, Range target, const char *boot_id, Guard *ret) {
        _cleanup_guard_ Guard g = GUARD_NULL;
        _cleanup_close_ int guards_fd = -1;
        uint64_t group = target.start / groups->size;
        int r;

        g.target = target;
        (void) snprintf(g.folder, sizeof(g.folder), "ag%" PRIu64, group);
        (void) snprintf(g.boot_id, sizeof(g.boot_id), "%s", boot_id);
        (void) snprintf(g.name, sizeof(g.name), "park-%" PRIx64 "-%" PRIx64 "-%s", target.start,
                        range_size(target), boot_id);

        r = guards_make(s->mount_fd, &guards_fd);
        if (r >= 0)
                r = group_folder(guards_fd, groups, group, g.folder, &g.folder_fd);
        if (r >= 0)
                r = file_make(&g);
        /* Before it owns anything: what it owns must be found again. */
        if (r >= 0 && (fsync(g.fd) < 0 || fsync(g.folder_fd) < 0 || fsync(guards_fd) < 0 ||
                       fsync(s->mount_fd) < 0))
                r = -errno;
        if (r < 0)
                return r;

        *ret = g;
        g = GUARD_NULL;
        return 0;
}

int guard_make_alike(Guard *g, bool dax) {
        _cleanup_rangeset_ RangeSet owned = {};
        _cleanup_close_ int fd = -1;
        char name[ALIKE_NAME_MAX];
        struct stat st;
        int r;

        if (file_is_dax(g->fd) == dax)
                return 0;
        r = guard_owned(g, &owned);
        if (r >= 0 && owned.n > 0)
                r = -ENOTEMPTY;
        if (r >= 0)
                r = alike_make(g->folder_fd, dax, &fd, name);
        if (r != 0)
                return r;

        if (fstat(fd, &st) < 0 || renameat(g->folder_fd, name, g->folder_fd, g->name) < 0 || fsync(fd) < 0 ||
            fsync(g->folder_fd) < 0)
                return -errno;
        closep(&g->fd);
        g->fd = TAKE_FD(fd);
        g->inode = st.st_ino;
        return 0;
}
