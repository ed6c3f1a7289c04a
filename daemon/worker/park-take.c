/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Free blocks whose pages may be absent become the unwritten extents of a guard file, so that nobody is
 * given them; nothing is written to them. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "worker/park-parts.h"

typedef struct Look {
        Park *park;
        bool others;            /* some of it is neither free nor a guard's */
} Look;

static int look_at_owner(const Owner *o, void *userdata) {
        Look *l = userdata;
        _cleanup_guard_ Guard g = GUARD_NULL;

        if (o->type == OWNER_FREE)
                return rangeset_add(&l->park->wanted, o->range);
        if (o->type != OWNER_FILE || guard_find(&l->park->site, o->inode, O_RDONLY, &g) < 0)
                l->others = true;
        return 0;
}

/* What of the plan is free now, in the group that the first of it is in. */
static int look_again(Park *p) {
        const MapSection section = site_section(&p->site);
        _cleanup_rangeset_ RangeSet pages = {}, here = {}, part = {};
        Look l = { .park = p };
        uint64_t group;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < p->request->plan.steps.n; i++)
                r = rangeset_add(&pages, p->request->plan.steps.items[i].range);
        if (r >= 0)
                r = guard_translate(&p->space, &pages, &here);
        if (r >= 0)
                r = mapper_walk(p->site.ops, &section, &here, look_at_owner, &l);
        if (r < 0)
                return r;
        if (r > 0 || l.others)
                return ended(p, CASE_DETECTED, REASON_CHANGED, "the space is no longer free");
        if (p->wanted.n == 0)
                return ended(p, CASE_HARMLESS, REASON_PARKED, NULL);

        group = p->wanted.items[0].start / p->groups.size;
        r = rangeset_clip(&p->wanted, (Range) { group * p->groups.size, (group + 1) * p->groups.size },
                          &part);
        if (r < 0)
                return r;
        rangeset_done(&p->wanted);
        p->wanted = part;
        part = (RangeSet) {};
        return 0;
}

typedef struct Confirm {
        const Park *park;
        bool wrong;
} Confirm;

static int confirm_owner(const Owner *o, void *userdata) {
        Confirm *c = userdata;

        if (o->type != OWNER_FILE || o->inode != c->park->guard.inode || !o->unwritten)
                c->wrong = true;
        return 0;
}

/* The file system itself says that the guard has it, and nobody else. */
static int confirm(Park *p, const RangeSet *found) {
        const MapSection section = site_section(&p->site);
        Confirm c = { .park = p };
        int r;

        r = mapper_walk(p->site.ops, &section, found, confirm_owner, &c);
        if (r < 0)
                return r;
        return r > 0 || c.wrong ? ended(p, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT,
                                        "the file system does not say that the guard file owns the block")
                                : 0;
}

static int keep_found(Park *p, const RangeSet *found) {
        _cleanup_rangeset_ RangeSet keep = {};
        int r;

        r = park_listed_pages(p, &keep);
        if (r >= 0)
                r = rangeset_add_all(&keep, found);
        return r < 0 ? r : guard_keep(&p->site, &p->guard, &keep);
}

int park_take(Park *p) {
        const MapSection section = site_section(&p->site);
        _cleanup_rangeset_ RangeSet found = {};
        int r, k;

        r = mapper_groups(p->site.ops, &section, &p->groups);
        if (r > 0)
                return ended(p, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT,
                             "this file system cannot do it");
        if (r == 0)
                r = look_again(p);
        if (r != 0)
                return r;

        r = guard_make(&p->site, &p->groups, p->target, p->boot_id, &p->guard);
        if (r < 0)
                return ended(p, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT, "no guard file: %s",
                             r == -EPERM ? "'" GUARD_FOLDER "' there is not root's alone" : strerror(-r));
        park_tell(p, "a guard file is given the block");
        r = park_fault(p, "park-made");
        if (r >= 0)
                r = park_search(p, &found);
        if (r >= 0)
                r = park_fault(p, "park-taken");
        if (r >= 0 && found.n > 0)
                r = confirm(p, &found);

        k = keep_found(p, &found);
        if (r == 0)
                r = k;
        if (r == 0)
                r = park_fault(p, "park-kept");
        if (r != 0)
                return r;
        if (found.n == 0)
                return ended(p, CASE_WAITING, REASON_FREE_PAGE_MAY_BE_ABSENT,
                             "the file system did not give the block to a guard file, which took all that "
                             "ParkReserve= allows");

        p->result.writer = WRITER_PARK;
        if (!rangeset_equal(&found, &p->wanted))
                return ended(p, CASE_DETECTED, REASON_NONE, "a part of it is parked");
        return ended(p, CASE_HARMLESS, REASON_PARKED, NULL);
}
