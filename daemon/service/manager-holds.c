/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Descriptors that keep the blocks of files allocated. Where the page may be absent the hold must outlive
 * the daemon: a copy of it is handed to who starts us again, and comes back with the next start. */

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/manager-internal.h"
#include "util/log.h"
#include "util/vec.h"

static bool same_file(int a, int b) {
        struct stat x, y;

        return fstat(a, &x) >= 0 && fstat(b, &y) >= 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

void tracked_hold(Tracked *t, int fd) {
        if (t->hold >= 0 && same_file(t->hold, fd)) {
                closep(&fd);
                return;
        }
        tracked_release(t);
        t->hold = fd;
}

void tracked_store_hold(Tracked *t) {
        const HoldStore *s = t->manager->options->holds;

        if (t->hold < 0 || t->hold_stored || !s)
                return;
        s->keep(t->c->id, t->hold, s->userdata);
        t->hold_stored = true;
}

void tracked_release(Tracked *t) {
        const HoldStore *s = t->manager->options->holds;

        closep(&t->hold);
        t->hold = -1;
        if (t->hold_stored && s)
                s->drop(t->c->id, s->userdata);
        t->hold_stored = false;
}

int manager_give_hold(Manager *m, uint64_t id, int fd) {
        return vec_push(&m->given_holds, ((GivenHold) { id, fd }));
}

/* One that belongs to no open case is let go if its case is over. If the ledger knows nothing of it, it is
 * kept as it is: the ledger may be lost, the page may be absent. */
void manager_adopt_holds(Manager *m) {
        const HoldStore *s = m->options->holds;

        for (size_t i = 0; i < m->given_holds.n; i++) {
                GivenHold *g = m->given_holds.items + i;
                Tracked *t = manager_find_tracked(m, g->id);

                if (t) {
                        tracked_hold(t, g->fd);
                        t->hold_stored = true;
                        continue;
                }
                closep(&g->fd);
                if (manager_find_case(m, g->id) && s)
                        s->drop(g->id, s->userdata);
                else
                        log_warning("A file is kept open for case %" PRIu64 ", of which nothing is "
                                    "recorded: it is left to the service manager, until this unit is "
                                    "stopped.", g->id);
        }
        vec_done(&m->given_holds);
}
