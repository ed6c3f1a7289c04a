/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/credentials.h"
#include "core/range.h"

/* One request for a range of bytes, over HTTP(S). */

#define HTTP_TAG_MAX 256

enum {
        _HTTP_E_SUCCESS,

        HTTP_E_STATUS,    /* the server says no, or something else than was asked: `status` */
        HTTP_E_NO_RANGES, /* it sends the whole instead of the range */
        HTTP_E_LIES,      /* the range that it names, or the number of bytes, is not what was asked for */
        HTTP_E_AWAY,      /* no connection, no certificate that is trusted, no answer in time */
        HTTP_E_ELSEWHERE, /* it redirects too often, or to something that is no (or less safe) HTTP */
};

/* What came with the bytes. */
typedef struct HttpAnswer {
        long status;
        bool ranged;                    /* it named the range: */
        uint64_t start, end;            /* half-open */
        uint64_t size;                  /* of the whole */
        bool dated;
        time_t modified;                /* Last-Modified */
        bool exact;
        struct timespec mtime;          /* X-Amz-Meta-Mtime: the time of the original, as rclone keeps it */
        char tag[HTTP_TAG_MAX];         /* ETag; "": none */
        char error[256];                /* for HTTP_E_AWAY and HTTP_E_ELSEWHERE: in words */
} HttpAnswer;

typedef struct Http Http;

/* A connection that is kept for further requests. `credentials` (may be NULL) must outlive it. 0 or -ENOMEM.
 */
int http_new(const char *url, const Credentials *credentials, uint64_t deadline_usec, Http **ret);
Http *http_free(Http *h);

/* Asks for exactly these bytes, into buf; fewer only where the whole ends before them (ret->size). 0,
 * HTTP_E_*, with what is known in *ret; or -ENOMEM. */
int http_get(Http *h, Range range, void *buf, HttpAnswer *ret);
