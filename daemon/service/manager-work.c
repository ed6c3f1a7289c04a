/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Handing out requests. For each device that has none on its way, in this order: settle what an earlier
 * worker left, locate what has no owner yet, repair what has a plan, locate once more what has failed
 * before. */

#include <errno.h>
#include <string.h>

#include "service/manager-internal.h"
#include "util/log.h"

static void dispatch_device(Manager *m, Device *d) {
        _cleanup_free_ char *node = NULL;
        int r = 0;

        if (manager_device_node(m, d->disk, &node) < 0 || engine_is_busy(m->engine, node) ||
            d->scanned_in_part || manager_is_judging(m, d))
                return;

        if (d->wants_settle)
                r = manager_start_settle(m, d);
        if (r == 0)
                r = manager_start_locate(m, d, true);
        if (r == 0)
                r = manager_start_repairs(m, d);
        if (r == 0)
                r = manager_start_locate(m, d, false);
        if (r < 0)
                log_error_errno(r, "A request about %s could not be made, trying again later: %m", d->disk);
}

void manager_dispatch(Manager *m) {
        if (m->stopping)
                return;
        for (size_t i = 0; i < m->devices.n; i++)
                dispatch_device(m, m->devices.items[i]);
}
