/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "worker/guard.h"
#include "worker/site.h"
#include "write/writer.h"

enum {
        _CLONE_E_SUCCESS,

        CLONE_E_DIFFERS,        /* what was read back of a file that shares the page is not right */
        CLONE_E_UNLIKE,         /* no guard can be had that has DAX, or has not, as the file has */
};

/* What the writer `clone` needs: a guard for the bad block, and everybody who has it. */
typedef struct CloneSet {
        const Site *site;
        const Target *page;
        Guard guard;
        struct { CloneTo *items; size_t n, allocated; } others;
        CloneTarget target;     /* points into the above */
} CloneSet;

#define CLONE_SET_NULL ((CloneSet) { .guard = GUARD_NULL })
void clone_set_done(CloneSet *c);
#define _cleanup_clone_set_ _cleanup_(clone_set_done)

/* Can a file system give a page's block to a guard? */
bool clone_possible(const Site *s);

/* For this page. The files that have it are held (site_hold()), so that whoever opened them has kept others
 * out: nothing is opened here. The guard is made; nothing else is changed. 0; CLONE_E_UNLIKE; -ESTALE: the
 * page has become somebody's who is no file, or is not held; or a negative errno. The set must stay where
 * it is. */
int clone_prepare(const Site *s, const Target *t, CloneSet *c);

/* After the write: the guard alone has the bad block, and keeps it, and the others can be read. 0; -ESTALE:
 * others have it still; CLONE_E_DIFFERS: one of them has other bytes; or a negative errno. */
int clone_confirm(const CloneSet *c, const void *page);
