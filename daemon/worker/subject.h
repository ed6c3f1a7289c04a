/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "replica/replica.h"
#include "worker/site.h"

struct stat;

/* What to ask a replica for, about the file that is `st` and has owner->path below the protect; or about the
 * device-dax, whose size is in `st`. *ret_others: other names of the file there (NULL-terminated). Owner,
 * names, `places` and the request must outlive the Subject. 0 or -ENOMEM. */
int subject_init(Subject *s, const Request *request, const Site *site, const Protect *protect,
                 const Owner *owner, const struct stat *st, const SpaceMap *places, char ***ret_others);
