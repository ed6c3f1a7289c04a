/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rehearsal of a decision: the same findings, the same plan_make(), no case and no write. */

#include <assert.h>

#include "core/choice.h"
#include "core/forecast.h"
#include "util/str.h"
#include "util/vec.h"

static void part_done(ForecastPart *p) {
        findings_done(&p->found);
        plan_done(&p->plan);
}

void forecast_done(Forecast *f) {
        assert(f);

        free(f->target);
        free(f->device);
        for (size_t i = 0; i < f->parts.n; i++)
                part_done(f->parts.items + i);
        vec_done(&f->parts);
        *f = (Forecast) {};
}

static void mark_enough(const Policy *policy, Findings *f) {
        const char *path = f->owners.n > 0 ? f->owners.items[0].path : NULL;
        const Protect *protect = path ? policy_find_path(policy, path) : NULL;

        for (size_t i = 0; i < f->offers.n; i++)
                f->offers.items[i].enough = protect && offer_is_enough(protect, f->offers.items + i);
}

static int add_part(Forecast *f, const Policy *policy, const Findings *found) {
        __attribute__((cleanup(part_done))) ForecastPart p = {};
        int r;

        r = findings_copy(found, &p.found);
        if (r >= 0)
                mark_enough(policy, &p.found);
        if (r >= 0)
                r = plan_make(policy, found, &p.plan);
        if (r >= 0)
                r = vec_push(&f->parts, p);
        if (r >= 0)
                p = (ForecastPart) {};
        return r;
}

int forecast_make(const char *target, const char *device, const Policy *policy, const LocateReply *reply,
                  Forecast *ret) {
        _cleanup_forecast_ Forecast f = { .mode = policy->mode };
        Policy repair = *policy;        /* lent */
        int r;

        assert(target);
        assert(device);
        assert(ret);

        repair.mode = MODE_REPAIR;
        r = str_copy(target, &f.target);
        if (r >= 0)
                r = str_copy(device, &f.device);
        for (size_t i = 0; r >= 0 && i < reply->found.n; i++)
                r = add_part(&f, &repair, reply->found.items + i);
        if (r < 0)
                return r;

        *ret = f;
        f = (Forecast) {};
        return 0;
}
