/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/credentials.h"

enum {
        _CREDENTIALS_E_SUCCESS,

        CREDENTIALS_E_UNUSABLE, /* there are some, and they cannot be used: *ret_why */
};

/* The credentials in `dir` with the longest For= that fits `uri`, with what is in the files that they name.
 * 0, with prefix NULL where there are none; CREDENTIALS_E_UNUSABLE, with a sentence without secrets that the
 * caller frees (NULL: no memory for it); or a negative errno. */
int credentials_load(const char *dir, const char *uri, Credentials *ret, char **ret_why);
