/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/plan.h"

/* A case in plain words, some lines of text: what was lost, what was done about it and why, what the
 * replicas had to show, what a person can do. `found`: what was found last; NULL: not known. Text that came
 * from outside is escaped. The caller frees it; NULL: no memory. */
char *explain_case(const Case *c, const Findings *found);
