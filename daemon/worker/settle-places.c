/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/strv.h"
#include "util/vec.h"
#include "worker/settle-places.h"

void settle_places_done(SettlePlaces *p) {
        for (size_t i = 0; i < p->n; i++)
                site_close(&p->items[i].site);
        vec_done(p);
}

static int add(SettlePlaces *places, const Volume *v, const MapProgress *progress) {
        _cleanup_spacemap_ SpaceMap space = {};
        SettlePlace p = { .volume = v, .site = SITE_NULL };
        int r;

        p.state = site_open(v, &p.site);
        if (p.state < 0)
                return p.state;
        p.site.progress = progress;
        p.whole = p.state == 0 && (site_is_dax(&p.site) ||
                                   (p.site.mount_fd >= 0 && site_whole(&p.site, &space) >= 0));
        r = vec_push(places, p);
        if (r < 0)
                site_close(&p.site);
        return r;
}

int settle_places_open(const Request *request, const char *boot_id, const MapProgress *progress,
                       SettlePlaces *ret) {
        int r;

        *ret = (SettlePlaces) { .request = request, .boot_id = boot_id };
        r = add(ret, &request->volume, progress);
        for (size_t i = 0; r >= 0 && i < request->others.n; i++)
                r = add(ret, request->others.items + i, progress);
        return r;
}

IntentMemory settle_memory(const SettlePlaces *p, const Intent *i) {
        const Request *q = p->request;
        const Intent now = {
                .boot_id = (char *) p->boot_id,
                .device = q->volume.device,
                .namespace = q->namespace,
                .physical = q->physical_known ? q->physical + i->range.start : 0,
        };

        return intent_memory(i, &now);
}

/* Which of the file systems it is, and which part of it. File systems take their UUIDs along, to other
 * memory too; but a copy of one has its UUID as well. One that is not mounted has none: that it is the same
 * memory must do; and so it must where a file system is on several disks, each of which has other pages. */
SettlePlace *settle_place_of(const SettlePlaces *p, const Intent *i) {
        const IntentMemory m = settle_memory(p, i);

        if (m == INTENT_MEMORY_OTHER)
                return NULL;
        for (size_t k = 0; i->uuid && k < p->n; k++)
                if (streq_ptr(p->items[k].volume->uuid, i->uuid) && p->items[k].volume->part == i->part)
                        return m == INTENT_MEMORY_SAME || p->items[k].whole ? p->items + k : NULL;
        return (!i->uuid || !p->request->volume.uuid) && m == INTENT_MEMORY_SAME ? p->items : NULL;
}
