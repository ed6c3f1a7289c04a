/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "util/cleanup.h"

/* An operator's word, which stands where no proof does: what the lost bytes of a case are to become. */
typedef struct Word {
        char *replica;          /* as configured, or REPLICA_URI_ZEROES */
        char *shown;            /* the token of the preview that he was shown; NULL: he has not been yet */
} Word;

void word_done(Word *w);
#define _cleanup_word_ _cleanup_(word_done)

/* The token: SHA-256, in lower-case hex digits, of what was shown (worker/shown.h). */
#define SHOWN_TOKEN 64
bool shown_token_is_valid(const char *s);

/* As D-Bus has it: "accept:REPLICA", "zero"; once it has been shown, "accept:TOKEN:REPLICA", "zero:TOKEN".
 * 0, -EINVAL (something else), -ENOMEM. */
int word_parse(const char *action, Word *ret);

/* The reverse; the caller frees it. NULL: no memory. */
char *word_format(const Word *w);

/* Are the lost bytes to be zeroes? */
bool word_is_zeroes(const Word *w);
