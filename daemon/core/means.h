/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/findings.h"
#include "core/policy.h"
#include "core/reason.h"

#define MEANS_WRITERS_MAX 3

/* How pages are written: by the first writer that works of those that suit the exclusion that could be
 * had (writer_suits()). */
typedef struct Means {
        WriterKind writers[MEANS_WRITERS_MAX];
        size_t n_writers;
        ExclusionList exclusion;
} Means;

/* What could write these pages, whose first owner is a file or device-dax of this protect. Each writer that
 * is left suits one of the exclusions that are left, and the other way round. REASON_NONE; or the reason why
 * nothing will do, with a sentence. */
Reason means_choose(const Protect *protect, const Findings *f, Means *ret, const char **ret_why);

/* Why the bad sectors may not be written through the block device; NULL: they may, in a frozen file
 * system. */
const char *means_block_obstacle(const Findings *f);

/* Why no hole may be punched into the file at these pages; NULL: it may, under a lease. `tail`: the file
 * ends in one of them. */
const char *means_punch_obstacle(const Findings *f, bool shared, bool tail);
