/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "replica/replica.h"

/* What a replica's file is like, as far as its identity with the file that lost bytes is concerned. */
typedef struct Likeness {
        uint64_t size;
        struct timespec mtime;
        struct timespec ctime;          /* set by the replica's own file system, at its own resolution */
} Likeness;

/* Do two modification times name the same moment, as finely as the replica can keep it? The rules are in
 * identity.c. */
bool identity_same_time(const struct timespec *original, const Likeness *replica);

/* Same size and same modification time? */
bool identity_same(const Subject *subject, const Likeness *replica);

/* What differs, in one sentence; for a replica that is not the same. The caller frees it; NULL: no
 * memory. */
char *identity_explain(const Subject *subject, const Likeness *replica);
