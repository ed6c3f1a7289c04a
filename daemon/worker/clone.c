/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/vec.h"
#include "worker/alike.h"
#include "worker/clone.h"

void clone_set_done(CloneSet *c) {
        guard_done(&c->guard);
        vec_done(&c->others);
        *c = CLONE_SET_NULL;
}

bool clone_possible(const Site *s) {
        const MapSection section = site_section(s);
        _cleanup_spacemap_ SpaceMap space = {};
        MapGroups groups;

        return s->mount_fd >= 0 && !s->read_only && mapper_shares(s->ops, &section) &&
               guard_space(s, &space) >= 0 && mapper_groups(s->ops, &section, &groups) == 0;
}

typedef struct Find {
        const Site *site;
        const Target *target;
        CloneSet *set;
        uint64_t inode;         /* of target->file_fd */
        unsigned files;         /* that are no guards */
} Find;

static int find_other(const Owner *o, void *userdata) {
        Find *f = userdata;
        _cleanup_guard_ Guard g = GUARD_NULL;
        CloneTo to = { .offset = o->offset };

        if (o->type != OWNER_FILE || o->unwritten || !range_equal(o->range, f->target->range))
                return -ESTALE;
        if (guard_find(f->site, o->inode, O_RDONLY, &g) >= 0)
                return 0;
        f->files++;
        if (!f->set || (o->inode == f->inode && o->offset == f->target->offset))
                return 0;

        to.fd = site_held(f->site, o->inode, o->generation);
        return to.fd < 0 ? -ESTALE : vec_push(&f->set->others, to);
}

static int find_others(const Site *s, const Target *t, CloneSet *set, unsigned *ret_files) {
        _cleanup_rangeset_ RangeSet range = {};
        Find f = { .site = s, .target = t, .set = set };
        struct stat st;
        int r;

        if (fstat(t->file_fd, &st) < 0)
                return -errno;
        f.inode = st.st_ino;
        r = rangeset_add(&range, t->range);
        if (r >= 0)
                r = site_walk(s, &range, find_other, &f);
        if (r > 0)
                return -EAGAIN;
        *ret_files = f.files;
        return r;
}

static int has_it(const CloneSet *c, int fd, uint64_t offset) {
        MapOwns owns = MAP_OTHERS;      /* unless the file system says otherwise */
        int r = site_owns(c->site, fd, c->page->range, offset, &owns);

        return r < 0 ? r : owns == MAP_OTHERS ? -ESTALE : 0;
}

static int guarded(void *userdata) {
        const CloneSet *c = userdata;

        return has_it(c, c->guard.fd, 0);
}

/* What only memory has of a file without DAX is newer than the bad block: written back, it has another
 * one. */
static int look(const CloneTo *to, void *userdata) {
        const CloneSet *c = userdata;
        int r;

        r = fault_point(getenv("BEZOAR_FAULT"), "before-clone");
        if (r == 0 && !file_is_dax(to->fd) && fdatasync(to->fd) < 0)
                r = -errno;
        if (r == 0 && c->page->excluded)
                r = c->page->excluded(c->page->userdata);
        return r < 0 ? r : has_it(c, to->fd, to->offset);
}

static int new_file(bool dax, int *ret, void *userdata) {
        const CloneSet *c = userdata;
        _cleanup_close_ int fd = openat(c->guard.folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        char name[ALIKE_NAME_MAX];
        int r;

        if (fd < 0)
                return -errno;
        if (file_is_dax(fd) != dax) {
                closep(&fd);
                r = alike_make(c->guard.folder_fd, dax, &fd, name);
                if (r != 0)
                        return r == ALIKE_E_NONE ? WRITE_E_UNLIKE : r;
                if (unlinkat(c->guard.folder_fd, name, 0) < 0)
                        return -errno;
        }
        *ret = TAKE_FD(fd);
        return 0;
}

/* A try that did not come to its end may have left it the block. *ret_has: it has. */
static int guard_suit(Guard *g, bool dax, bool *ret_has) {
        _cleanup_rangeset_ RangeSet owned = {};
        int r;

        r = guard_owned(g, &owned);
        if (r < 0)
                return r;
        *ret_has = rangeset_contains(&owned, g->target);
        return *ret_has ? 0 : guard_make_alike(g, dax);
}

int clone_prepare(const Site *s, const Target *t, CloneSet *c) {
        const MapSection section = site_section(s);
        _cleanup_spacemap_ SpaceMap space = {};
        char boot_id[37];
        MapGroups groups;
        bool has = false;
        unsigned files;
        Range target = {};
        int r;

        r = find_others(s, t, c, &files);
        if (r >= 0)
                r = guard_space(s, &space);
        if (r >= 0)
                r = guard_place(&space, t->range, &target);
        if (r >= 0)
                r = mapper_groups(s->ops, &section, &groups);
        if (r > 0)
                r = -EOPNOTSUPP;
        if (r >= 0)
                r = boot_id_read(boot_id);
        if (r >= 0)
                r = guard_make(s, &groups, target, boot_id, &c->guard);
        if (r >= 0)
                r = guard_suit(&c->guard, file_is_dax(t->file_fd), &has);
        if (r != 0)
                return r == ALIKE_E_NONE ? CLONE_E_UNLIKE : r;

        c->site = s;
        c->page = t;
        c->target = (CloneTarget) {
                .guard_fd = has ? -1 : c->guard.fd,
                .log_fd = c->guard.fd,
                .others = c->others.items,
                .n_others = c->others.n,
                .guarded = guarded,
                .look = look,
                .new_file = new_file,
                .userdata = c,
        };
        return 0;
}

static int read_back(const Target *t, const CloneTo *to, const uint8_t *page) {
        uint64_t n = t->offset + REPAIR_UNIT <= t->file_size ? REPAIR_UNIT : t->file_size - t->offset;
        uint8_t back[REPAIR_UNIT];
        int r;

        r = pread_full(to->fd, back, n, to->offset);
        return r < 0 ? r : memcmp(back, page, n) == 0 ? 0 : CLONE_E_DIFFERS;
}

int clone_confirm(const CloneSet *c, const void *page) {
        unsigned files = 0;
        int r;

        r = find_others(c->site, c->page, NULL, &files);
        if (r >= 0 && files > 0)
                r = -ESTALE;
        for (size_t i = 0; r == 0 && i < c->others.n; i++)
                r = read_back(c->page, &c->others.items[i], page);
        return r;
}
