/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include "core/codec.h"
#include "ctl/bus-call.h"
#include "ctl/case-fetch.h"
#include "util/str.h"

int case_fetch_text(Ctl *c, const char *id, char **ret) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const char *text;
        int r;

        r = bus_ask(c, "GetCase", NULL, &reply, "s", id);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &text);
        if (r >= 0)
                r = str_copy(text, ret);
        return r < 0 ? bus_bad_reply(r) : 0;
}

int case_fetch(Ctl *c, const char *id, Case **ret) {
        _cleanup_free_ char *text = NULL, *error = NULL;
        int r;

        r = case_fetch_text(c, id, &text);
        if (r < 0)
                return r;
        r = codec_case_decode(text, ret, &error);
        return r < 0 ? bus_bad_json(r, error) : 0;
}
