/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/findings.h"
#include "core/plan.h"
#include "core/policy.h"

/* Who owns the range decides whether it is ours to write at all. 0: it is written data of a file, *ret, and
 * perhaps of others that share it, or of a device-dax; else as in plan-verdict.h. */
int plan_judge_owner(const Policy *policy, const Findings *f, Plan *p, const Owner **ret);
