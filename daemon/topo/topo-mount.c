/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where the file systems on persistent memory are mounted, by device number: what mountinfo calls the source
 * is any string. One mount is kept for a disk, the one through which most can be reached. The UUID comes
 * from udev, which looked for it already; looking for it here would mean to read the medium. */

#include <assert.h>
#include <errno.h>
#include <libmount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "topo/topo-parts.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

static inline void mnt_unref_tablep(struct libmnt_table **p) {
        mnt_unref_table(*p);
}

static inline void mnt_free_iterp(struct libmnt_iter **p) {
        mnt_free_iter(*p);
}

static bool has_option(const char *options, const char *name) {
        return options && mnt_optstr_get_option(options, name, NULL, NULL) == 0;
}

/* The mount or the file system. */
static bool is_read_only(struct libmnt_fs *fs) {
        return has_option(mnt_fs_get_vfs_options(fs), "ro") || has_option(mnt_fs_get_fs_options(fs), "ro");
}

/* How good a way to the files this mount is: not hidden below a later one, of the whole file system,
 * writable; in this order. */
static unsigned mount_rank(struct libmnt_table *table, struct libmnt_fs *fs) {
        const char *target = mnt_fs_get_target(fs);
        bool visible = target && mnt_table_find_target(table, target, MNT_ITER_BACKWARD) == fs;
        bool whole = streq_ptr(mnt_fs_get_root(fs), "/");

        return (visible ? 4U : 0U) + (whole ? 2U : 0U) + (is_read_only(fs) ? 0U : 1U);
}

static bool is_mount_of(struct libmnt_fs *fs, const TopoDisk *disk, const char *option) {
        return mnt_fs_get_devno(fs) == makedev(disk->major, disk->minor);
}

/* XFS says in its options what else it has its bytes on, by the name that it was given
 * (xfs_fs_show_options()). */
static bool is_part_of(struct libmnt_fs *fs, const TopoDisk *disk, const char *option) {
        _cleanup_free_ char *node = NULL;
        char *value = NULL;
        struct stat st;
        size_t n = 0;

        if (!streq_ptr(mnt_fs_get_fstype(fs), "xfs") || !mnt_fs_get_fs_options(fs) ||
            mnt_optstr_get_option(mnt_fs_get_fs_options(fs), option, &value, &n) != 0 || !value)
                return false;
        node = strndup(value, n);
        if (!node)
                return false;
        return streq_ptr(node, disk->node) || (stat(node, &st) == 0 && S_ISBLK(st.st_mode) &&
                                               st.st_rdev == makedev(disk->major, disk->minor));
}

/* The best of those for which `is` is true. *ret NULL: there is none. */
static int find_best(struct libmnt_table *table, const TopoDisk *disk, const char *option,
                     bool (*is)(struct libmnt_fs *fs, const TopoDisk *disk, const char *option),
                     struct libmnt_fs **ret) {
        _cleanup_(mnt_free_iterp) struct libmnt_iter *i = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs, *best = NULL;
        unsigned best_rank = 0;

        if (!i)
                return -ENOMEM;

        while (mnt_table_next_fs(table, i, &fs) == 0) {
                unsigned rank;

                if (!is(fs, disk, option))
                        continue;
                rank = mount_rank(table, fs);
                if (!best || rank > best_rank) {
                        best = fs;
                        best_rank = rank;
                }
        }

        *ret = best;
        return 0;
}

static int read_uuid(struct udev *udev, dev_t device, char **ret) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;

        d = udev_device_new_from_devnum(udev, 'b', device);
        return str_copy(d ? udev_device_get_property_value(d, "ID_FS_UUID") : NULL, ret);
}

static int read_mount(struct udev *udev, const TopoDisk *disk, struct libmnt_fs *fs, TopoMount *m) {
        int r;

        m->read_only = is_read_only(fs);
        r = str_copy(disk->name, &m->disk);
        if (r < 0)
                return r;
        r = str_copy(mnt_fs_get_target(fs), &m->mountpoint);
        if (r < 0)
                return r;
        r = str_copy(mnt_fs_get_root(fs), &m->root);
        if (r < 0)
                return r;
        r = str_copy(mnt_fs_get_fstype(fs), &m->fs);
        if (r < 0)
                return r;
        r = str_copy(mnt_fs_get_fs_options(fs), &m->options);
        if (r < 0)
                return r;
        return read_uuid(udev, makedev(disk->major, disk->minor), &m->uuid);
}

/* Filled in its place, so that half of it is freed with the Topology. */
static int add_mount(struct libmnt_table *table, struct udev *udev, const TopoDisk *disk, Topology *t) {
        struct libmnt_fs *fs;
        int r;

        r = find_best(table, disk, NULL, is_mount_of, &fs);
        if (r < 0 || !fs)
                return r;
        r = vec_push(&t->mounts, ((TopoMount) {}));
        if (r < 0)
                return r;
        return read_mount(udev, disk, fs, &t->mounts.items[t->mounts.n - 1]);
}

static int read_part(struct udev *udev, const TopoDisk *disk, struct libmnt_fs *fs, TopoPart *p) {
        _cleanup_(udev_device_unrefp) struct udev_device *d = NULL;
        const char *node;
        int r;

        d = udev_device_new_from_devnum(udev, 'b', mnt_fs_get_devno(fs));
        node = d ? udev_device_get_devnode(d) : NULL;
        r = str_copy(disk->name, &p->disk);
        if (r >= 0)
                r = str_copy(node ? node : mnt_fs_get_source(fs), &p->node);
        if (r >= 0)
                r = str_copy(mnt_fs_get_target(fs), &p->mountpoint);
        if (r >= 0)
                r = str_copy(mnt_fs_get_fstype(fs), &p->fs);
        return r < 0 ? r : read_uuid(udev, mnt_fs_get_devno(fs), &p->uuid);
}

static int add_part(struct libmnt_table *table, struct udev *udev, const TopoDisk *disk, const char *option,
                    FsPart part, Topology *t) {
        struct libmnt_fs *fs;
        int r;

        r = find_best(table, disk, option, is_part_of, &fs);
        if (r < 0 || !fs)
                return r;
        r = vec_push(&t->parts, ((TopoPart) { .part = part }));
        return r < 0 ? r : read_part(udev, disk, fs, &t->parts.items[t->parts.n - 1]);
}

int topo_read_mounts(const char *mountinfo, struct udev *udev, Topology *t) {
        _cleanup_(mnt_unref_tablep) struct libmnt_table *table = NULL;
        int r;

        assert(mountinfo);
        assert(udev);
        assert(t);

        if (t->disks.n == 0)
                return 0;

        table = mnt_new_table();
        if (!table)
                return -ENOMEM;
        r = mnt_table_parse_file(table, mountinfo);
        if (r != 0)
                return r < 0 ? r : -EBADMSG;

        for (size_t i = 0; i < t->disks.n; i++) {
                if (t->disks.items[i].character)
                        continue;
                r = add_mount(table, udev, &t->disks.items[i], t);
                if (r >= 0)
                        r = add_part(table, udev, &t->disks.items[i], "logdev", FS_PART_LOG, t);
                if (r >= 0)
                        r = add_part(table, udev, &t->disks.items[i], "rtdev", FS_PART_REALTIME, t);
                if (r < 0)
                        return r;
        }
        return 0;
}
