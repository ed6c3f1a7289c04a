/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/credentials.h"
#include "core/offer.h"
#include "core/range.h"
#include "util/cleanup.h"

/* What crosses between a worker and bezoar-fetch, which asks the replicas that are reached over a network or
 * by running a program. Lines of JSON (core/codec): one request, one reply; then, where bytes are held, any
 * number of ranges ({"start","length"}), each answered by {"length"} and that many bytes, or by {"errno"}.
 * Whoever closes the connection ends it. */

typedef struct FetchRequest {
        char *replica;          /* the URI */
        char *relative;         /* as in a Subject, like the next */
        uint64_t size;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        bool untimed;           /* it is a device-dax, which has no time */
        uint64_t timeout_usec;  /* for all that is asked over this connection */
        Credentials credentials;        /* loaded; prefix NULL: none */
} FetchRequest;

void fetch_request_done(FetchRequest *r);
#define _cleanup_fetch_request_ _cleanup_(fetch_request_done)

typedef struct FetchReply {
        Offer offer;
        uint64_t size;          /* OFFER_HELD: of the file, or of the image */
} FetchReply;

void fetch_reply_done(FetchReply *r);
#define _cleanup_fetch_reply_ _cleanup_(fetch_reply_done)

/* At most this much in one range. */
#define FETCH_PIECE_MAX (UINT64_C(1) << 20)
