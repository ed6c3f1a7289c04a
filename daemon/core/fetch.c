/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include "core/fetch.h"

void fetch_request_done(FetchRequest *r) {
        free(r->replica);
        free(r->relative);
        credentials_done(&r->credentials);
        *r = (FetchRequest) {};
}

void fetch_reply_done(FetchReply *r) {
        offer_done(&r->offer);
        *r = (FetchReply) {};
}
