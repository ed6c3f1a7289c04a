/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What those outside may ask of the manager, and tell it. Answers come from memory; what an operator says
 * leaves marks, as hints do, and the work follows from the loop. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "service/manager-internal.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

/* Its presence is the brake. */
#define BRAKE_FILE "observe"

/* ---- cases ---- */

const Case *manager_find_case(const Manager *m, uint64_t id) {
        const Tracked *t = manager_find_tracked(m, id);
        size_t i;

        if (t)
                return t->c;
        i = manager_closed_index(m, id);
        return i < m->closed.n && m->closed.items[i]->id == id ? m->closed.items[i] : NULL;
}

int manager_each_case(const Manager *m, bool closed, int (*fn)(const Case *c, void *userdata),
                      void *userdata) {
        size_t i = 0, k = closed ? 0 : m->closed.n;

        while (i < m->cases.n || k < m->closed.n) {
                const Case *c;
                int r;

                if (k == m->closed.n ||
                    (i < m->cases.n && m->cases.items[i]->c->id < m->closed.items[k]->id)) {
                        c = m->cases.items[i++]->c;
                        if (!closed && case_state_is_closed(c->state))
                                continue;       /* about to leave */
                } else
                        c = m->closed.items[k++];

                r = fn(c, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

const Findings *manager_find_findings(const Manager *m, uint64_t id) {
        const Tracked *t = manager_find_tracked(m, id);

        return t && t->found.range.end > 0 ? &t->found : NULL;
}

uint64_t manager_next_try(const Manager *m, uint64_t id) {
        const Tracked *t = manager_find_tracked(m, id);
        uint64_t now = now_monotonic(), at;

        if (!t || t->retry_at == USEC_INFINITY || t->c->ignored || case_state_is_closed(t->c->state) ||
            __builtin_add_overflow(now_realtime(), t->retry_at > now ? t->retry_at - now : 0, &at))
                return 0;
        return at;
}

const Topology *manager_topology(const Manager *m) {
        return &m->topology;
}

const Policy *manager_policy(const Manager *m) {
        return &m->policy;
}

Mode manager_configured_mode(const Manager *m) {
        return m->configured_mode;
}

/* ---- the brake ---- */

static int open_state(const Manager *m) {
        int fd = open(m->options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

void manager_load_brake(Manager *m) {
        _cleanup_close_ int fd = open_state(m);

        m->brake = fd >= 0 && faccessat(fd, BRAKE_FILE, F_OK, 0) == 0;
        if (m->brake)
                log_notice("Observing only, as an operator has said: 'bezoarctl mode repair' ends it.");
}

static int store_brake(const Manager *m) {
        static const char text[] = "An operator has said to observe only; bezoarctl mode repair ends it.\n";
        _cleanup_close_ int fd = open_state(m);

        if (fd < 0)
                return fd;
        return m->brake ? file_replace(fd, BRAKE_FILE, text, sizeof(text) - 1, 0600)
                        : file_remove(fd, BRAKE_FILE);
}

/* What has a plan is judged again by the mode that is in force now. */
static void judge_all_again(Manager *m) {
        for (size_t i = 0; i < m->cases.n; i++) {
                Tracked *t = m->cases.items[i];

                if (t->wants_repair) {
                        t->wants_repair = false;
                        t->wants_locate = true;
                }
                if (t->c->state == CASE_WAITING && t->c->reason == REASON_OBSERVE)
                        tracked_want_again(t);
        }
}

int manager_set_mode(Manager *m, Mode mode) {
        if (mode == MODE_REPAIR && m->configured_mode != MODE_REPAIR)
                return MANAGER_E_CONFIGURED;

        if (m->brake != (mode == MODE_OBSERVE))
                log_notice("The mode is '%s' now, as an operator has said.", mode_to_string(mode));
        m->brake = mode == MODE_OBSERVE;
        m->policy.mode = mode;
        judge_all_again(m);
        manager_poke(m);
        return store_brake(m);
}
