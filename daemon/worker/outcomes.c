/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "util/cleanup.h"
#include "util/vec.h"
#include "worker/outcomes.h"

/* The higher, the less a case is over. */
static const int weights[_CASE_STATE_MAX] = {
        [CASE_HEALED] = 1,
        [CASE_DETECTED] = 2,
        [CASE_WAITING] = 3,
        [CASE_FAILED] = 4,
        [CASE_IN_DOUBT] = 5,
};

void outcomes_done(Outcomes *o) {
        for (size_t i = 0; i < o->results.n; i++)
                result_done(o->results.items + i);
        vec_done(&o->results);
}

static Result *find(Outcomes *o, uint64_t id) {
        for (size_t i = 0; i < o->results.n; i++)
                if (o->results.items[i].id == id)
                        return o->results.items + i;
        return NULL;
}

int outcomes_add(Outcomes *o, Result *r) {
        Result *known = find(o, r->id);
        uint64_t bytes, frozen;

        if (!known) {
                if (vec_push(&o->results, *r) < 0)
                        return -ENOMEM;
                *r = (Result) {};
                return 0;
        }

        bytes = known->bytes + r->bytes;
        frozen = known->frozen_usec + r->frozen_usec;
        if (weights[r->state] > weights[known->state]) {
                Result worse = *r;

                *r = *known;
                *known = worse;
        }
        known->bytes = bytes;
        known->frozen_usec = frozen;
        return 0;
}

void outcomes_tell(const Outcomes *o, void (*fn)(const Result *result, void *userdata), void *userdata) {
        for (size_t i = 0; i < o->results.n; i++)
                fn(o->results.items + i, userdata);
}
