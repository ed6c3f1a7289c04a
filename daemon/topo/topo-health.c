/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The health of memory modules. Two things tell of it: flags that the firmware left in the NFIT when it
 * started (drivers/acpi/nfit/core.c flags_show(); libndctl reads them from sysfs), which every module on
 * such a bus has; and SMART, a question to the firmware through /dev/nmemN, which only some families of
 * modules answer (libndctl knows them). A module that is not asked, because nobody knows how, is no
 * failure: most have none, and every emulated one. */

#include <assert.h>
#include <errno.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>

#include "topo/topo-parts.h"
#include "topo/topo.h"
#include "util/str.h"
#include "util/vec.h"

static inline void cmd_unrefp(struct ndctl_cmd **cmd) {
        if (*cmd)
                ndctl_cmd_unref(*cmd);
}

static void set(DimmHealth *h, bool on, DimmAlarm a) {
        if (on)
                h->alarms |= UINT32_C(1) << a;
}

static void read_flags(struct ndctl_dimm *dimm, DimmHealth *h) {
        set(h, ndctl_dimm_failed_save(dimm) > 0, DIMM_ALARM_SAVE_FAILED);
        set(h, ndctl_dimm_failed_restore(dimm) > 0, DIMM_ALARM_RESTORE_FAILED);
        set(h, ndctl_dimm_failed_flush(dimm) > 0, DIMM_ALARM_FLUSH_FAILED);
        set(h, ndctl_dimm_failed_map(dimm) > 0, DIMM_ALARM_MAP_FAILED);
        set(h, ndctl_dimm_failed_arm(dimm) > 0, DIMM_ALARM_NOT_ARMED);
        set(h, ndctl_dimm_smart_pending(dimm) > 0, DIMM_ALARM_SEEN_AT_BOOT);
}

/* What a module does not say, it does not complain of. */
static void read_smart(struct ndctl_cmd *cmd, DimmHealth *h) {
        unsigned int valid = ndctl_cmd_smart_get_flags(cmd), health = 0, trip = 0;

        if (valid & ND_SMART_HEALTH_VALID)
                health = ndctl_cmd_smart_get_health(cmd);
        if (valid & ND_SMART_ALARM_VALID)
                trip = ndctl_cmd_smart_get_alarm_flags(cmd);

        set(h, health & ND_SMART_FATAL_HEALTH, DIMM_ALARM_FATAL);
        set(h, health & ND_SMART_CRITICAL_HEALTH, DIMM_ALARM_CRITICAL);
        set(h, health & ND_SMART_NON_CRITICAL_HEALTH, DIMM_ALARM_NON_CRITICAL);
        set(h, trip & ND_SMART_SPARE_TRIP, DIMM_ALARM_SPARES);
        set(h, trip & ND_SMART_MTEMP_TRIP, DIMM_ALARM_MEDIA_TEMPERATURE);
        set(h, trip & ND_SMART_CTEMP_TRIP, DIMM_ALARM_CONTROLLER_TEMPERATURE);
}

static int add_dimm(struct ndctl_dimm *dimm, DimmHealths *l) {
        _cleanup_(cmd_unrefp) struct ndctl_cmd *cmd = NULL;
        DimmHealth *h;
        int r;

        r = vec_push(l, ((DimmHealth) {}));
        if (r < 0)
                return r;
        h = l->items + l->n - 1;
        r = str_copy(ndctl_dimm_get_devname(dimm), &h->dimm);
        if (r < 0)
                return r;

        read_flags(dimm, h);
        if (!ndctl_dimm_is_cmd_supported(dimm, ND_CMD_SMART))
                return 0;
        cmd = ndctl_dimm_cmd_new_smart(dimm);
        if (!cmd)
                return 0;
        /* > 0: fewer bytes came than there was room for, by the kernel; the firmware's own status is in
         * what libndctl translates. */
        h->failed = ndctl_cmd_submit_xlat(cmd) < 0;
        h->known = !h->failed;
        if (h->known)
                read_smart(cmd, h);
        return 0;
}

int topo_read_health(DimmHealths *ret) {
        _cleanup_(ndctl_unrefp) struct ndctl_ctx *ctx = NULL;
        _cleanup_dimm_healths_ DimmHealths l = {};
        struct ndctl_bus *bus;
        int r;

        assert(ret);

        r = topo_open_ndctl(&ctx);
        if (r < 0)
                return r;

        ndctl_bus_foreach(ctx, bus) {
                struct ndctl_dimm *dimm;

                ndctl_dimm_foreach(bus, dimm) {
                        r = add_dimm(dimm, &l);
                        if (r < 0)
                                return r;
                }
        }

        *ret = l;
        l = (DimmHealths) {};
        return 0;
}
