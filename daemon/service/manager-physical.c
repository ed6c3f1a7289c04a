/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From physical addresses, as machine checks have them, to disks; most machine checks are about memory that
 * is no business of ours. The bad-block list is asked at once, and it is the truth as always. But where it
 * does not show the loss after some time, somebody should know: that is a case too, which waits, and for
 * which nothing is ever planned. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/manager-internal.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

#define PATIENCE_USEC (10 * USEC_PER_SEC)
#define SLACK_USEC USEC_PER_MINUTE      /* the list may have been quicker than the trace */
#define SUSPECTS_MAX 256

static bool overlap(Range a, Range b) {
        return a.start < b.end && b.start < a.end;
}

static bool is_suspect(const Manager *m, const char *disk, Range range) {
        for (size_t i = 0; i < m->suspects.n; i++)
                if (streq_ptr(m->suspects.items[i].disk, disk) &&
                    range_contains(m->suspects.items[i].range, range))
                        return true;
        return false;
}

/* Beyond the bound, the hint to look at the list is all that there is. */
static void add_suspect(Manager *m, const TopoNamespace *n, Range physical) {
        uint64_t start = physical.start > n->data.start ? physical.start - n->data.start : 0;
        uint64_t end = (physical.end < n->data.end ? physical.end : n->data.end) - n->data.start;
        Suspect s = { .range = { start / REPAIR_UNIT * REPAIR_UNIT,
                                 (end + REPAIR_UNIT - 1) / REPAIR_UNIT * REPAIR_UNIT } };

        if (m->suspects.n >= SUSPECTS_MAX || is_suspect(m, n->disk, s.range))
                return;
        s.disk = strdup(n->disk);
        s.since = now_realtime();
        s.due = now_monotonic() + PATIENCE_USEC;
        if (!s.disk || vec_push(&m->suspects, s) < 0)
                free(s.disk);
}

void manager_hint_physical(Manager *m, Range physical) {
        const Topology *t = &m->topology;

        for (size_t i = 0; i < t->namespaces.n; i++) {
                const TopoNamespace *n = t->namespaces.items + i;

                if (!n->disk || !overlap(n->data, physical) || !manager_find_device(m, n->disk))
                        continue;
                add_suspect(m, n, physical);
                manager_want_scan(m, n->disk);
        }
}

uint64_t manager_next_suspect(const Manager *m) {
        return m->suspects.n > 0 ? m->suspects.items[0].due : USEC_INFINITY;
}

void manager_drop_suspects(Manager *m) {
        for (size_t i = 0; i < m->suspects.n; i++)
                free(m->suspects.items[i].disk);
        vec_done(&m->suspects);
}

typedef struct Account {
        const Suspect *s;
} Account;

/* 1: this case is about it, and is open, or was when it happened. */
static int accounts_for(const Case *c, void *userdata) {
        const Suspect *s = ((Account *) userdata)->s;
        const char *disk = strrchr(c->volume.device, '/');

        if (!streq_ptr(disk ? disk + 1 : c->volume.device, s->disk) || !overlap(c->range, s->range))
                return 0;
        return !case_state_is_closed(c->state) ||
               (c->events.n > 0 && c->events.items[c->events.n - 1].time + SLACK_USEC >= s->since);
}

static int open_unlisted(Manager *m, const Suspect *s) {
        _cleanup_rangeset_ RangeSet bad = {};
        Tracked *t;
        int r;

        r = rangeset_add(&bad, s->range);
        if (r >= 0)
                r = tracked_new(m, s->disk, s->range, &bad, "from a machine check", &t);
        if (r < 0)
                return r;

        t->listed = false;
        t->wants_locate = false;
        tracked_move(t, CASE_WAITING, REASON_UNLISTED, NULL);
        return 0;
}

static void judge_suspect(Manager *m, const Suspect *s) {
        Device *d = manager_find_device(m, s->disk);
        Account account = { s };
        int r;

        if (!d)
                return;
        manager_scan(m, d);
        if (manager_each_case(m, true, accounts_for, &account) != 0)
                return;
        r = open_unlisted(m, s);
        if (r < 0)
                log_error_errno(r, "A machine check on %s could not be taken up: %m", s->disk);
}

void manager_judge_suspects(Manager *m) {
        while (m->suspects.n > 0 && m->suspects.items[0].due <= now_monotonic()) {
                Suspect s = m->suspects.items[0];

                vec_remove(&m->suspects, 0, 1);
                judge_suspect(m, &s);
                free(s.disk);
        }
}
