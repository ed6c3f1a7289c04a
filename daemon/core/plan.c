/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include "core/plan.h"
#include "util/strv.h"
#include "util/vec.h"

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->steps.n; i++)
                rangeset_done(&p->steps.items[i].bad);
        vec_done(&p->steps);
        free(p->detail);
        free(p->replica);
        free(p->shown);
        *p = (Plan) {};
}

static const char *const verdict_table[_VERDICT_MAX] = {
        [VERDICT_REPAIR] = "repair",
        [VERDICT_PARK] = "park",
        [VERDICT_UNPARK] = "unpark",
        [VERDICT_MEND] = "mend",
        [VERDICT_HARMLESS] = "harmless",
        [VERDICT_REFUSE] = "refuse",
        [VERDICT_WAIT] = "wait",
};

bool verdict_acts(Verdict v) {
        return v == VERDICT_REPAIR || v == VERDICT_PARK || v == VERDICT_UNPARK || v == VERDICT_MEND;
}

const char *verdict_to_string(Verdict v) {
        return v >= 0 && v < _VERDICT_MAX ? verdict_table[v] : NULL;
}

Verdict verdict_from_string(const char *s) {
        for (Verdict v = 0; s && v < _VERDICT_MAX; v++)
                if (streq_ptr(verdict_table[v], s))
                        return v;
        return _VERDICT_INVALID;
}
