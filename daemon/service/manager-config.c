/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the administrator allows, taken over as it is now. Errors in it are told, the rest is in force. */

#include <errno.h>

#include "service/config.h"
#include "service/manager-internal.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/time-util.h"

static void log_diagnostics(const Diagnostics *d) {
        for (size_t i = 0; i < d->n; i++) {
                const Diagnostic *x = d->items + i;
                LogEntry *e = log_entry_new();

                _cleanup_free_ char *text = diagnostic_format(x);

                log_entry_add(e, "CONFIG_FILE", x->file);
                log_entry_addf(e, "CONFIG_LINE", "%u", x->line);
                log_entry_commit(e, x->severity == SEVERITY_ERROR ? LOG_ERR : LOG_WARNING, LOG_ID_CONFIG_BAD,
                                 "%s", text ? text : x->text);
        }
}

/* What could not be read just now is tried again: nobody reloads a daemon at night because of one EIO. */
static void arm_policy_retry(Manager *m, bool wanted) {
        m->policy_tries = wanted ? m->policy_tries + 1 : 0;
        m->policy_retry_at = wanted ? now_monotonic() + backoff(m->policy_tries) : USEC_INFINITY;
        manager_poke(m);
}

int manager_load_policy(Manager *m) {
        _cleanup_diagnostics_ Diagnostics d = {};
        _cleanup_policy_ Policy p = {};
        Budget b;
        int r;

        r = config_load(m->options->config_dir, &p, &d);
        log_diagnostics(&d);
        arm_policy_retry(m, r < 0 || d.passing > 0);
        if (r < 0)
                return log_error_errno(r, "The configuration in '%s' could not be read: %m",
                                       m->options->config_dir);

        r = budget_init(&b, p.budget_n, p.budget_usec);
        if (r < 0)
                return log_error_errno(r, "The repair budget could not be set up: %m");

        budget_done(&m->budget);
        m->budget = b;
        m->configured_mode = p.mode;
        if (m->brake)
                p.mode = MODE_OBSERVE;
        policy_done(&m->policy);
        m->policy = p;
        p = (Policy) {};
        manager_set_replicas(m, &m->policy);
        if (m->policy.protects.n == 0)
                log_notice("No protect file in '%s/protect.d': poison will be reported, nothing will be "
                           "repaired.", m->options->config_dir);
        return 0;
}
