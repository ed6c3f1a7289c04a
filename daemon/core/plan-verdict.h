/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/findings.h"
#include "core/plan.h"

/* Between the files of the plan only: each rule is a function that either says nothing, 0, and the next one
 * is asked, or has the last word, JUDGE_DONE. */
enum {
        _JUDGE_GO_ON,

        JUDGE_DONE,             /* the verdict is in the plan */
};

/* The last word; `format` NULL: without a sentence. JUDGE_DONE or -ENOMEM. */
__attribute__((format(printf, 4, 5)))
int plan_say(Plan *p, Verdict v, Reason reason, const char *format, ...);

/* A step for each page of which something is lost. JUDGE_DONE or -ENOMEM. */
int plan_make_steps(const Findings *f, const Owner *o, Plan *p);
