/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* metrics: OpenMetrics text, which the textfile collector of the Prometheus node exporter reads as well; so
 * no type that only one of them knows (info, stateset). A daemon that is not running is an answer too. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl/bus-call.h"
#include "ctl/case-list.h"
#include "ctl/daemon-info.h"
#include "ctl/metrics.h"

int verb_metrics(Ctl *c, int argc, char *argv[]) {
        static const CaseFilter all = { .closed = true };
        _cleanup_daemon_info_ DaemonInfo i = {};
        _cleanup_cases_ Cases cases = {};
        int r;

        if (c->json != JSON_OFF)
                return ctl_fail("metrics has no --json: it prints OpenMetrics text; 'bezoarctl status "
                                "--json=short' has figures as JSON.");
        r = daemon_info_read(c, &i);
        if (r >= 0)
                r = cases_fetch(c, &all, &cases);
        if (r < 0 && !bus_is_down(r))
                return CTL_ERROR;
        metrics_print(r < 0 ? NULL : &i, r < 0 ? NULL : &cases, stdout);
        return CTL_FINE;
}
