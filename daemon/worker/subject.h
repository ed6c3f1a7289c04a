/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "replica/replica.h"
#include "worker/site.h"

struct stat;

/* What to ask a replica for, about the file that is `st` and has `path` below the protect; or about the
 * device-dax, whose size is in `st`. `path`,
 * `places` and the request must outlive the Subject. */
void subject_init(Subject *s, const Request *request, const Site *site, const Protect *protect,
                  const char *path, const struct stat *st, const SpaceMap *places);
