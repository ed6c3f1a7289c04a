/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "service/resolution.h"

void resolution_done(Resolution *r) {
        word_done(&r->word);
        *r = (Resolution) {};
}

int resolution_parse(const char *text, Resolution *ret) {
        Resolution q = {};
        int r = 0;

        if (strcmp(text, "retry") == 0)
                q.action = RESOLVE_RETRY;
        else if (strcmp(text, "ignore") == 0)
                q.action = RESOLVE_IGNORE;
        else {
                q.action = RESOLVE_WORD;
                r = word_parse(text, &q.word);
        }
        if (r >= 0)
                *ret = q;
        return r;
}
