/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/vec.h"
#include "worker/clone.h"

void clone_set_done(CloneSet *c) {
        guard_done(&c->guard);
        for (size_t i = 0; i < c->others.n; i++)
                closep(&c->others.items[i].fd);
        vec_done(&c->others);
        *c = CLONE_SET_NULL;
}

bool clone_possible(const Site *s) {
        MapGroups groups;
        Range space;

        return s->mount_fd >= 0 && !s->read_only && mapper_shares(s->ops, s->mount_fd) &&
               guard_space(s, &space) >= 0 && mapper_groups(s->ops, s->mount_fd, &groups) == 0;
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
        int r;

        if (o->type != OWNER_FILE || o->unwritten || !range_equal(o->range, f->target->range))
                return -ESTALE;
        if (guard_find(f->site, o->inode, O_RDONLY, &g) >= 0)
                return 0;
        f->files++;
        if (!f->set || (o->inode == f->inode && o->offset == f->target->offset))
                return 0;

        r = mapper_open(f->site->ops, f->site->mount_fd, o->inode, o->generation, O_RDWR, &to.fd);
        if (r != 0)
                return r > 0 ? -ESTALE : r;
        r = vec_push(&f->set->others, to);
        if (r < 0)
                closep(&to.fd);
        return r;
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
                r = site_walk(s, &range, NULL, find_other, &f);
        if (r > 0)
                return -EAGAIN;
        *ret_files = f.files;
        return r;
}

int clone_prepare(const Site *s, const Target *t, CloneSet *c) {
        char boot_id[37];
        MapGroups groups;
        unsigned files;
        Range space;
        int r;

        r = find_others(s, t, c, &files);
        if (r >= 0)
                r = guard_space(s, &space);
        if (r >= 0)
                r = mapper_groups(s->ops, s->mount_fd, &groups);
        if (r > 0)
                r = -EOPNOTSUPP;
        if (r >= 0)
                r = boot_id_read(boot_id);
        if (r >= 0)
                r = guard_make(s, &groups, (Range) { t->range.start - space.start,
                                                     t->range.end - space.start }, boot_id, &c->guard);
        if (r < 0)
                return r;

        c->target = (CloneTarget) {
                .guard_fd = c->guard.fd,
                .folder_fd = c->guard.folder_fd,
                .others = c->others.items,
                .n_others = c->others.n,
        };
        return 0;
}

int clone_confirm(const Site *s, const Target *t, CloneSet *c) {
        unsigned files = 0;
        int r;

        r = find_others(s, t, NULL, &files);
        return r < 0 ? r : files > 0 ? -EBUSY : 0;
}
