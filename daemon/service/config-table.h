/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"

/* Every setting there is, one line each. */
typedef struct Setting Setting;

struct Setting {
        const char *section, *key;

        /* Sets the value in `object`, a Policy for [Bezoar] or a Protect for [Protect]; "" sets the
         * default again, and in a list empties it. 0; -EINVAL (*ret_why may become a sentence that lives
         * for ever), -ERANGE, -E2BIG: no such value, nothing has changed; -ENOMEM. */
        int (*parse)(const Setting *s, const char *value, void *object, const char **ret_why);

        size_t offset;                  /* of the field in the object */
        uint64_t min, max;              /* of a time span */
        const char *allowed;            /* what is, in words */
};

#define SECTION_BEZOAR "Bezoar"
#define SECTION_PROTECT "Protect"

extern const Setting setting_table[];   /* ends with a NULL section */

/* NULL: there is none of that name. */
const Setting *setting_find(const char *section, const char *key);

enum {
        _SETTING_E_SUCCESS,

        SETTING_E_INVALID,              /* *ret_problem: a sentence; the caller frees it */
};

/* 0, SETTING_E_INVALID or -ENOMEM. */
int setting_apply(const Setting *s, const char *value, void *object, char **ret_problem);
