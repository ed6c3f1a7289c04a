/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A name for an inode. An inode of ext4 does not know its folder, but it was made near it: in the same flex
 * group, if there was room (find_group_other()). So the folders whose inodes are there are looked through
 * for it; if none has it, the caller walks the tree. What is found is a hint, as everything that is read
 * below a running file system: the caller asks the kernel whether the name leads to the inode. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "map/mapper-ext4.h"

typedef struct Search {
        Ext4 *e;
        uint32_t wanted, folder;
        char *name;             /* in folder; NULL: not found yet */
        bool no_memory;
} Search;

static void search_done(Search *s) {
        free(s->name);
}

static int see_entry(ext2_ino_t folder, int which, struct ext2_dir_entry *entry, int offset, int block_size,
                     char *block, void *userdata) {
        const size_t length = (size_t) ext2fs_dirent_name_len(entry);
        Search *s = userdata;

        if (entry->inode != s->wanted || which == DIRENT_DOT_FILE || which == DIRENT_DOT_DOT_FILE)
                return 0;
        if (length == 0 || memchr(entry->name, '/', length) || memchr(entry->name, 0, length))
                return 0;

        s->folder = folder;
        s->name = strndup(entry->name, length);
        s->no_memory = !s->name;
        return DIRENT_ABORT;
}

static int see_inode(uint32_t number, const struct ext2_inode_large *raw, void *userdata) {
        Search *s = userdata;

        if (!S_ISDIR(ext2fs_le16_to_cpu(raw->i_mode)))
                return 0;
        (void) ext2fs_flush_icache(s->e->fs);
        (void) ext2fs_dir_iterate2(s->e->fs, number, 0, NULL, see_entry, s);
        return s->no_memory ? -ENOMEM : s->name != NULL;
}

/* First the inode's own group, then those that share its flex group. */
static int search_near(Search *s) {
        _cleanup_ext4_tables_ Ext4Tables t = { .e = s->e };
        struct ext2_super_block *super = s->e->fs->super;
        const uint32_t own = (s->wanted - 1) / super->s_inodes_per_group,
                       flex = ext4_flex_size(super), first = own / flex * flex;
        int r;

        if (own >= s->e->fs->group_desc_count)
                return 0;
        r = ext4_read_table(&t, own, see_inode, s);
        for (uint32_t g = first; r == 0 && g - first < flex && g < s->e->fs->group_desc_count; g++)
                if (g != own)
                        r = ext4_read_table(&t, g, see_inode, s);
        return r < 0 ? r : 0;
}

static int join(const char *folder, const char *name, char **ret) {
        char *path;

        while (*folder == '/')
                folder++;
        if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", name) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

int ext4_path(int mount_fd, uint64_t inode, uint32_t generation, char **ret) {
        _cleanup_ext4_ Ext4 e = { .device_fd = -1 };
        _cleanup_(search_done) Search s = { .e = &e, .wanted = (uint32_t) inode };
        _cleanup_free_ char *folder = NULL;
        const char *why;
        struct stat st;
        int r;

        if (fstat(mount_fd, &st) < 0)
                return -errno;
        if (st.st_ino != EXT2_ROOT_INO) /* a bind mount: names from the root are of no use */
                return MAP_E_UNSUPPORTED;

        r = ext4_open_device(mount_fd, &(RangeSet) {}, &e, &why);
        if (r == 0)
                r = ext4_open_fs(&e, &why);
        if (r == 0)
                r = search_near(&s);
        if (r != 0)
                return r;
        if (!s.name || ext2fs_get_pathname(e.fs, s.folder, 0, &folder) != 0)
                return MAP_E_NOT_FOUND;
        return join(folder, s.name, ret);
}
