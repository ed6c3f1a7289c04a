/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdarg.h>
#include <stdio.h>

#include "core/plan-verdict.h"
#include "util/vec.h"

int plan_say(Plan *p, Verdict v, Reason reason, const char *format, ...) {
        p->verdict = v;
        p->reason = reason;

        if (format) {
                va_list ap;
                int n;

                va_start(ap, format);
                n = vasprintf(&p->detail, format, ap);
                va_end(ap);
                if (n < 0) {
                        p->detail = NULL;
                        return -ENOMEM;
                }
        }
        return JUDGE_DONE;
}

int plan_make_steps(const Findings *f, const Owner *o, Plan *p) {
        for (uint64_t at = f->range.start; at < f->range.end; at += REPAIR_UNIT) {
                Step s = { .range = { at, at + REPAIR_UNIT } };
                int r;

                if (!rangeset_overlaps(&f->bad, s.range))
                        continue;

                if (o->type == OWNER_FILE || o->type == OWNER_DEVICE_DAX)
                        s.offset = o->offset + (at - o->range.start);
                r = rangeset_clip(&f->bad, s.range, &s.bad);
                if (r >= 0)
                        r = vec_push(&p->steps, s);
                if (r < 0) {
                        rangeset_done(&s.bad);
                        return r;
                }
        }
        return JUDGE_DONE;
}
