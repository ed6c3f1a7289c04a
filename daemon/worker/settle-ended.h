/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/intent.h"
#include "core/job.h"

/* Writes that are over, and whose outcome may not have been recorded. */

typedef struct CaseIds {
        uint64_t *items;
        size_t n, allocated;
} CaseIds;

bool case_ids_contain(const CaseIds *ids, uint64_t id);

/* Tells `fn` how each case ended that has such records of which `ours` says so, once a case. Not of `told`:
 * what was found out about another page of theirs is news of them. 0 or a negative errno. */
int settle_ended(int intents_fd, bool (*ours)(const Intent *i, void *userdata), void *userdata,
                 const CaseIds *told, void (*fn)(const Result *result, void *userdata), void *fn_userdata);
