/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/policy.h"
#include "replica/replica.h"
#include "worker/site.h"

struct stat;

/* What to ask a replica for, about the file that is `st` and has `path` below the protect. `path` and
 * `places` must outlive the Subject. */
void subject_init(Subject *s, const Site *site, const Protect *protect, const char *path,
                  const struct stat *st, const SpaceMap *places);
