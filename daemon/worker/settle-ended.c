/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker that has written a page, read it back and forgotten its intent may be killed before it has said
 * so, or the daemon before it has written it down. Then nothing on the medium tells whether the bytes were
 * put back or were somebody's new ones; the record, under the name that it has been given, does. The medium
 * is not looked at for it. */

#include <errno.h>
#include <string.h>

#include "core/rangeset.h"
#include "worker/intents.h"
#include "worker/page.h"
#include "worker/settle-ended.h"

typedef struct Ended {
        Outcomes *outcomes;
        bool (*ours)(const Intent *i, void *userdata);
        void *userdata;
} Ended;

static int visit(const Intent *i, IntentEnd end, void *userdata) {
        _cleanup_result_ Result result = { .id = i->case_id, .writer = end.writer,
                                           .exclusion = _EXCLUSION_INVALID, .proofs = i->proofs,
                                           .bytes = rangeset_size(&i->bad) };
        Ended *e = userdata;

        if (!e->ours(i, e->userdata))
                return 0;
        if (i->replica && !(result.replica = strdup(i->replica)))
                return -ENOMEM;
        result_set(&result, end.state,
                   end.state == CASE_WAITING ? REASON_PAGE_NOT_PRESENT : REASON_NONE, NULL);
        return outcomes_add(e->outcomes, &result);
}

int settle_ended(int intents_fd, bool (*ours)(const Intent *i, void *userdata), void *userdata,
                 Outcomes *outcomes) {
        return intents_walk_ended(intents_fd, visit,
                                  &(Ended) { .outcomes = outcomes, .ours = ours, .userdata = userdata });
}
