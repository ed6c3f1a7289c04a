/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/word.h"

/* What an operator decides about a case. */
typedef enum ResolveAction {
        RESOLVE_RETRY,          /* look at it again now */
        RESOLVE_IGNORE,         /* leave it alone */
        RESOLVE_WORD,           /* write, by `word` */
} ResolveAction;

typedef struct Resolution {
        ResolveAction action;
        Word word;
} Resolution;

void resolution_done(Resolution *r);
#define _cleanup_resolution_ _cleanup_(resolution_done)

/* "retry", "ignore", or what word_parse() reads. 0, -EINVAL, -ENOMEM. */
int resolution_parse(const char *text, Resolution *ret);
