/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

#include "util/strv.h"
#include "worker/gather.h"
#include "worker/places.h"
#include "worker/subject.h"

void gathered_done(Gathered *g) {
        window_done(&g->window);
        rangeset_done(&g->lost);
        sealed_done(&g->sealed);
        evidences_done(&g->evidences);
}

static int gather_window(Gathered *g) {
        const Outlook *o = &g->outlook;
        Range pages = { o->extent.offset, 0 }, wide;
        int r;

        if (__builtin_add_overflow(pages.start, range_size(o->extent.range), &pages.end))
                return -EOVERFLOW;
        wide = pages;
        wide.start = wide.start > NEIGHBOURS_WINDOW ? wide.start - NEIGHBOURS_WINDOW : 0;
        if (__builtin_add_overflow(wide.end, NEIGHBOURS_WINDOW, &wide.end))
                return -EOVERFLOW;

        r = window_read(o, wide, &g->window);
        return r < 0 ? r : lost_bytes(&g->window, pages, o->file_size, &g->lost);
}

int gather(const Request *request, const Site *site, const Protect *protect, const Owner *owner,
           const Findings *f, int fd, const struct stat *st, char *const *replicas, uint64_t *patience,
           Gathered *ret) {
        _cleanup_gathered_ Gathered g = GATHERED_NULL;
        _cleanup_spacemap_ SpaceMap places = {};
        _cleanup_strv_ char **others = NULL;
        Subject subject;
        int r;

        assert(protect);

        g.outlook = (Outlook) {
                .site = site,
                .file_fd = fd,
                .file_size = (uint64_t) st->st_size,
                .extent = { .range = f->range, .offset = owner->offset },
                .bad = &f->bad,
        };
        r = gather_window(&g);
        if (r >= 0 && g.lost.n > 0) {
                r = places_find(site, fd, g.window.range, &g.outlook.extent, &places);
                /* Of a device-dax nobody can tell that it is as it was; a word may contradict a seal. */
                if (r >= 0 && !site_is_dax(site) && !request->plan.by_word)
                        r = sealed_open(request->state_dir, request->volume.uuid, owner->inode,
                                        owner->generation, st, &g.sealed);
                if (r >= 0)
                        r = subject_init(&subject, request, site, protect, owner, st, &places, &others);
                if (r >= 0)
                        r = evidences_take(replicas, &subject, &g.sealed, &g.outlook, &g.window, &g.lost,
                                           patience, &g.evidences);
        }
        if (r < 0)
                return r;

        *ret = g;
        g = GATHERED_NULL;
        return 0;
}
