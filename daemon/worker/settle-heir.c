/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/strv.h"
#include "util/vec.h"
#include "worker/guard.h"
#include "worker/settle-heir.h"

void heirs_done(Heirs *h) {
        vec_done(h);
}

typedef struct Find {
        const Site *site;
        Heirs *heirs;
} Find;

static int take_heir(const Owner *o, void *userdata) {
        const Heir heir = { .inode = o->inode, .generation = o->generation, .offset = o->offset };
        const Find *f = userdata;
        _cleanup_guard_ Guard g = GUARD_NULL;

        if (o->type == OWNER_UNKNOWN)   /* a file that could not be looked at, or that moved meanwhile */
                return -EAGAIN;
        if (o->type != OWNER_FILE || o->unwritten || guard_find(f->site, o->inode, O_RDONLY, &g) >= 0)
                return 0;
        return vec_push(f->heirs, heir);
}

int heirs_find(const Site *s, Range page, Heirs *ret) {
        _cleanup_rangeset_ RangeSet pages = {};
        _cleanup_heirs_ Heirs heirs = {};
        int r;

        r = rangeset_add(&pages, page);
        if (r >= 0)
                r = site_walk(s, &pages, take_heir, &(Find) { s, &heirs });
        if (r > 0)
                r = -EAGAIN;
        if (r < 0)
                return r;

        heirs_done(ret);
        *ret = heirs;
        heirs = (Heirs) {};
        return 0;
}

/* *ret: a name of the file, absolute; NULL: none was found. */
static int name_one(const Site *s, const Heir *h, char **ret) {
        char *all[] = { (char *) "", NULL };
        MapFile f = { .inode = h->inode, .generation = h->generation };
        int r;

        r = mapper_names(s->ops, s->mount_fd, &f, 1, all, s->progress);
        if (r >= 0 && f.names && f.names[0])
                r = site_path(s, f.names[0], ret);
        map_file_done(&f);
        return r;
}

static int describe_one(const Site *s, const Heir *h, char **ret) {
        _cleanup_free_ char *name = NULL;
        int r;

        r = name_one(s, h, &name);
        if (r < 0)
                return r;
        if (name)
                r = asprintf(ret, "file offset %" PRIu64 " of '%s'", h->offset, name);
        else
                r = asprintf(ret, "file offset %" PRIu64 " of inode %" PRIu64, h->offset, h->inode);
        return r < 0 ? (*ret = NULL, -ENOMEM) : 0;
}

int heirs_describe(const Site *s, const Heirs *h, char **ret) {
        _cleanup_strv_ char **all = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < h->n; i++) {
                _cleanup_free_ char *one = NULL;

                r = describe_one(s, h->items + i, &one);
                if (r >= 0)
                        r = strv_extend(&all, one);
        }
        if (r < 0)
                return r;
        *ret = strv_join(all, " and ");
        return *ret ? 0 : -ENOMEM;
}
