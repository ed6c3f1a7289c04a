/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The names of the files that have lost bytes. All of them are looked for at once, and all names of each: a
 * replica may have the file under any of them. First the protected folders are searched, then all of the
 * mount, for the report. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/strv.h"
#include "util/vec.h"
#include "worker/locate-internal.h"

/* Where below the mount to look for names of files that this protect file holds: its path within the
 * mount; "" for all of the mount when the mount lies within the protected folder; NULL when the two have
 * nothing to do with each other. */
static const char *protect_below(const Protect *p, const char *mountpoint) {
        Protect mount = { .path = (char *) mountpoint };

        if (!p->path)
                return NULL;
        if (protect_relative(p, mountpoint))
                return "";
        return protect_relative(&mount, p->path);
}

static int by_inode(const void *a, const void *b) {
        const MapFile *x = a, *y = b;

        if (x->inode != y->inode)
                return x->inode < y->inode ? -1 : 1;
        return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static int collect_files(Locator *l) {
        size_t kept = 0;

        for (size_t i = 0; i < l->owners.n; i++) {
                const Owner *o = l->owners.items + i;
                int r;

                if (o->type != OWNER_FILE)
                        continue;
                r = vec_push(&l->files, ((MapFile) { .inode = o->inode, .generation = o->generation }));
                if (r < 0)
                        return r;
        }

        if (l->files.n > 1)
                qsort(l->files.items, l->files.n, sizeof(*l->files.items), by_inode);
        for (size_t i = 0; i < l->files.n; i++)
                if (i == 0 || by_inode(&l->files.items[i], &l->files.items[kept - 1]) != 0)
                        l->files.items[kept++] = l->files.items[i];
        l->files.n = kept;
        return 0;
}

int locate_names(Locator *l) {
        const Policy *policy = &l->request->policy;
        _cleanup_strv_ char **folders = NULL;
        int r;

        r = collect_files(l);
        if (r < 0 || l->files.n == 0)
                return r;

        for (size_t i = 0; r >= 0 && i < policy->protects.n; i++) {
                const char *below = protect_below(policy->protects.items + i,
                                                  l->request->volume.mountpoint);

                if (below && *below && !strv_contains(folders, below))
                        r = strv_extend(&folders, below);
        }
        if (r >= 0)
                r = strv_extend(&folders, "");
        return r < 0 ? r : mapper_names(l->site.ops, l->site.mount_fd, l->files.items, l->files.n, folders,
                                        l->site.progress);
}

static int take_names(const Locator *l, const MapFile *f, Owner *o) {
        const char *best = NULL;
        int r;

        for (size_t i = 0; i < OWNER_NAMES_MAX && f->names[i]; i++) {
                _cleanup_free_ char *path = NULL;

                r = site_path(&l->site, f->names[i], &path);
                if (r >= 0)
                        r = strv_extend(&o->names, path);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; o->names[i] && !best; i++)
                if (policy_find_path(&l->request->policy, o->names[i]))
                        best = o->names[i];

        o->path = strdup(best ? best : o->names[0]);
        if (!o->path)
                return -ENOMEM;
        if (!o->names[1]) /* `path` says it all */
                o->names = strv_free(o->names);
        return 0;
}

int locate_name(const Locator *l, Owner *o) {
        const MapFile key = { .inode = o->inode, .generation = o->generation };
        const MapFile *f;

        if (l->files.n == 0)
                return 0;
        f = bsearch(&key, l->files.items, l->files.n, sizeof(key), by_inode);
        if (!f)
                return 0;
        if (f->names && f->names[0])
                return take_names(l, f, o);

        if (f->error < 0 &&
            asprintf(&o->detail, "the search for its name failed: %s", strerror(-f->error)) < 0) {
                o->detail = NULL;
                return -ENOMEM;
        }
        return 0;
}
