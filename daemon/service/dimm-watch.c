/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A new case against those of the ledger, open and closed: has a module of it lost bytes before? Once for
 * each new case; what its companions are that it is split into later, was one loss. */

#include "core/recurrence.h"
#include "service/case-log.h"
#include "service/dimm-watch.h"

typedef struct Search {
        const Case *c;
        const Case *last;       /* the latest earlier one; NULL: none */
        size_t n;
} Search;

static int look(const Case *earlier, void *userdata) {
        Search *s = userdata;

        if (earlier == s->c || !case_is_recurrence(s->c, earlier))
                return 0;

        s->n++;
        if (!s->last || case_detected_at(earlier) >= case_detected_at(s->last))
                s->last = earlier;
        return 0;
}

void dimm_watch_case(const Manager *m, const Case *c) {
        Search s = { .c = c };

        (void) manager_each_case(m, true, look, &s);
        if (s.last)
                case_log_dimm_again(c, s.last, s.n);
}
