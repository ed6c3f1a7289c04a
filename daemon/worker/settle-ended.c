/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker that has written a page, read it back and forgotten its intent may be killed before it has said
 * so, or the daemon before it has written it down. Then nothing on the medium tells whether the bytes were
 * put back or were somebody's new ones; the record, under the name that it has been given, does. The medium
 * is not looked at for it. */

#include <string.h>

#include "core/rangeset.h"
#include "util/vec.h"
#include "worker/intents.h"
#include "worker/page.h"
#include "worker/settle-ended.h"

typedef struct Ended {
        struct { Result *items; size_t n, allocated; } results;
        bool (*ours)(const Intent *i, void *userdata);
        void *userdata;
        const CaseIds *told;
} Ended;

static void ended_done(Ended *e) {
        for (size_t i = 0; i < e->results.n; i++)
                result_done(e->results.items + i);
        vec_done(&e->results);
}

bool case_ids_contain(const CaseIds *ids, uint64_t id) {
        for (size_t i = 0; i < ids->n; i++)
                if (ids->items[i] == id)
                        return true;
        return false;
}

static int result_of(Ended *e, const Intent *i, Result **ret) {
        Result new = { .id = i->case_id, .writer = WRITER_AUTO, .exclusion = _EXCLUSION_INVALID,
                       .proofs = i->proofs };

        for (size_t k = 0; k < e->results.n; k++)
                if (e->results.items[k].id == i->case_id) {
                        *ret = e->results.items + k;
                        return 0;
                }

        if (i->replica && !(new.replica = strdup(i->replica)))
                return -ENOMEM;
        result_set(&new, CASE_HEALED, REASON_NONE, NULL);
        if (vec_push(&e->results, new) < 0) {
                result_done(&new);
                return -ENOMEM;
        }
        *ret = e->results.items + e->results.n - 1;
        return 0;
}

/* Of several pages, one that is not present says how the case is. */
static int visit(const Intent *i, IntentEnd end, void *userdata) {
        Ended *e = userdata;
        Result *result;
        int r;

        if (case_ids_contain(e->told, i->case_id) || !e->ours(i, e->userdata))
                return 0;
        r = result_of(e, i, &result);
        if (r < 0)
                return r;
        result->bytes += rangeset_size(&i->bad);
        if (result->state != CASE_WAITING)
                result->writer = end.writer;
        if (end.state == CASE_WAITING)
                result_set(result, CASE_WAITING, REASON_PAGE_NOT_PRESENT, NULL);
        return 0;
}

int settle_ended(int intents_fd, bool (*ours)(const Intent *i, void *userdata), void *userdata,
                 const CaseIds *told, void (*fn)(const Result *result, void *userdata), void *fn_userdata) {
        __attribute__((cleanup(ended_done))) Ended e = { .ours = ours, .userdata = userdata, .told = told };
        int r;

        r = intents_walk_ended(intents_fd, visit, &e);
        for (size_t i = 0; r >= 0 && i < e.results.n; i++)
                fn(e.results.items + i, fn_userdata);
        return r;
}
