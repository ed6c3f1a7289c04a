/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A list has room for 512 entries, and what the kernel could not enter is forgotten there, though the
 * firmware and the kernel's own record (struct badrange) have it still (block/badblocks.c badblocks_set(),
 * drivers/nvdimm/badrange.c). It tries again after a scrub only. So when a list that was cut off is whole
 * again, one is asked for, and again, until nothing more comes. */

#include <errno.h>
#include <string.h>

#include "service/manager-internal.h"
#include "util/log.h"

static void on_scrub(const EngineAnswer *a, void *userdata) {
        Manager *m = userdata;

        m->scrub_asked = false;
        if (a->error < 0)
                log_warning("A scrub of the memory modules could not be asked for: %s",
                            a->detail ? a->detail : strerror(-a->error));
        manager_poke(m);
}

void manager_want_scrub(Manager *m, const char *disk) {
        log_notice("The bad-block list of %s was cut off and has room again: the firmware is asked to "
                   "search the memory modules, since there may be poison that the kernel could not list.",
                   disk);
        m->wants_scrub = true;
        manager_poke(m);
}

void manager_ask_scrub(Manager *m) {
        const Request q = { .verb = VERB_SCRUB };

        if (!m->wants_scrub || m->scrub_asked || m->stopping || !manager_is_of_machine(m))
                return;
        m->wants_scrub = false;
        m->scrub_asked = engine_submit(m->engine, &q, m->policy.worker_timeout_usec, on_scrub, m) >= 0;
}
