/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Names for inodes. An inode of ext4 does not know its folder, but it was made near it: in the same flex
 * group, if there was room (find_group_other()). So the folders whose inodes are there are looked through
 * for it, once for all that are asked for; whatever they do not have, the caller looks for in the tree. What
 * is found is a hint, as everything that is read below a running file system: the caller asks the kernel
 * whether the name leads to the inode. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "map/map-sought.h"
#include "map/mapper-ext4.h"
#include "util/strv.h"

typedef struct Search {
        Ext4 *e;
        MapSought sought;
        MapFile **here;         /* those of them that are looked for now */
        size_t n_here;
        uint32_t folder;        /* that is looked through */
        char *prefix;           /* its path, with a slash at the end; NULL: not asked for yet */
        bool no_memory;
} Search;

static void search_done(Search *s) {
        map_sought_done(&s->sought);
        free(s->prefix);
}

/* The path of the folder, once for all names that are in it. */
static int find_prefix(Search *s) {
        char *path = NULL;
        const char *p;
        int n;

        if (s->prefix)
                return 0;
        if (ext2fs_get_pathname(s->e->fs, s->folder, 0, &path) != 0)
                return MAP_E_NOT_FOUND;
        for (p = path; *p == '/'; p++)
                ;
        n = asprintf(&s->prefix, "%s%s", p, *p ? "/" : "");
        free(path);
        if (n < 0)
                s->prefix = NULL;
        return n < 0 ? -ENOMEM : 0;
}

static int add_name(Search *s, MapFile *f, const char *name, size_t length) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = find_prefix(s);
        if (r != 0)
                return r < 0 ? r : 0;
        if (asprintf(&path, "%s%.*s", s->prefix, (int) length, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return strv_contains(f->names, path) ? 0 : strv_extend(&f->names, path);
}

/* Have all been found that are looked for now? */
static bool is_done(const Search *s) {
        for (size_t i = 0; i < s->n_here; i++)
                if (!map_file_is_complete(s->here[i]))
                        return false;
        return true;
}

static int see_entry(ext2_ino_t folder, int which, struct ext2_dir_entry *entry, int offset, int block_size,
                     char *block, void *userdata) {
        const size_t length = (size_t) ext2fs_dirent_name_len(entry);
        Search *s = userdata;
        bool found = false;
        int r = 0;

        if (which == DIRENT_DOT_FILE || which == DIRENT_DOT_DOT_FILE)
                return 0;
        if (length == 0 || memchr(entry->name, '/', length) || memchr(entry->name, 0, length))
                return 0;

        for (size_t i = map_sought_find(&s->sought, entry->inode);
             r == 0 && i < s->sought.n && s->sought.items[i]->inode == entry->inode; i++) {
                r = add_name(s, s->sought.items[i], entry->name, length);
                found = true;
        }
        s->no_memory = r < 0;
        return r < 0 || (found && is_done(s)) ? DIRENT_ABORT : 0;
}

static int see_inode(uint32_t number, const struct ext2_inode_large *raw, void *userdata) {
        Search *s = userdata;

        if (!S_ISDIR(ext2fs_le16_to_cpu(raw->i_mode)))
                return 0;
        s->folder = number;
        free(TAKE_PTR(s->prefix));
        (void) ext2fs_flush_icache(s->e->fs);
        (void) ext2fs_dir_iterate2(s->e->fs, number, 0, NULL, see_entry, s);
        return s->no_memory ? -ENOMEM : is_done(s);
}

/* How many groups have their tables in one place, and their files' blocks near each other. */
static uint32_t flex_size(struct ext2_super_block *super) {
        if (!ext2fs_has_feature_flex_bg(super) || super->s_log_groups_per_flex >= 32)
                return 1;
        return UINT32_C(1) << super->s_log_groups_per_flex;
}

/* What is looked for now is of one flex group: first the group of the first of them, then the others. */
static int search_near(Search *s, Ext4Tables *t, uint32_t flex) {
        const uint32_t count = s->e->fs->group_desc_count,
                       own = (uint32_t) (s->here[0]->inode - 1) / s->e->fs->super->s_inodes_per_group,
                       first = own / flex * flex;
        int r;

        r = ext4_read_table(t, own, see_inode, s);
        for (uint32_t g = first; r == 0 && g - first < flex && g < count; g++)
                if (g != own)
                        r = ext4_read_table(t, g, see_inode, s);
        return r < 0 ? r : 0;
}

static int search(Search *s) {
        _cleanup_ext4_tables_ Ext4Tables t = { .e = s->e };
        struct ext2_super_block *super = s->e->fs->super;
        const uint32_t flex = flex_size(super), together = super->s_inodes_per_group * flex;
        const MapSought *l = &s->sought;
        int r = 0;

        for (size_t i = 0, next; r == 0 && i < l->n; i = next) {
                const uint64_t here = (l->items[i]->inode - 1) / together;

                for (next = i; next < l->n && (l->items[next]->inode - 1) / together == here; next++)
                        ;
                s->here = l->items + i;
                s->n_here = next - i;
                r = search_near(s, &t, flex);
        }
        return r;
}

int ext4_names(int mount_fd, MapFile *files, size_t n) {
        _cleanup_ext4_ Ext4 e = EXT4_NULL;
        _cleanup_(search_done) Search s = { .e = &e };
        const char *why;
        struct stat st;
        int r;

        if (fstat(mount_fd, &st) < 0 || st.st_ino != EXT2_ROOT_INO)
                return 0; /* a bind mount: names from the root are of no use */
        if (ext4_open_device(mount_fd, &(RangeSet) {}, &e, &why) != 0 || ext4_open_fs(&e, &why) != 0)
                return 0;

        r = map_sought_init(&s.sought, files, n, e.fs->super->s_inodes_count);
        return r < 0 ? r : search(&s);
}
