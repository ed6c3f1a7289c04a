/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* http://… and https://…: the same files under the same relative names behind a URL: a web server, an S3
 * bucket.
 *
 * The first request is for two bytes (some servers take 0-0 for all of the file): its answer tells the size,
 * the time, and that the server keeps to ranges. Each later answer must be of the same file: same size, same
 * ETag, same time; else it was replaced meanwhile.
 *
 * Identity: Last-Modified has whole seconds, and most servers cut the fraction off. So it says that two
 * times are the same only for a file whose own time has no fraction; for all others it proves nothing. An
 * object that rclone has stored in S3 keeps the time in full (X-Amz-Meta-Mtime). */

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replica/http-transfer.h"
#include "replica/identity.h"
#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "util/time-util.h"

typedef struct HttpFile {
        Replica replica;
        Http *http;
        HttpAnswer first;
} HttpFile;

static void http_close(Replica *r) {
        HttpFile *f = (HttpFile *) r;

        (void) http_free(f->http);
        free(f);
}

static void http_closep(HttpFile **f) {
        if (*f)
                http_close(&(*f)->replica);
}

/* The name of the file behind the URL: everything but letters, digits, -._~ and slashes as %XX. */
static char *make_url(const char *base, const char *relative) {
        size_t n = strlen(base), k = 0;
        char *url = malloc(n + 3 * strlen(relative) + 2);

        if (!url)
                return NULL;
        memcpy(url, base, n);
        k = n;
        if (*relative)
                url[k++] = '/';
        for (const char *s = relative; *s; s++) {
                unsigned char c = (unsigned char) *s;

                if ((c < 0x80 && isalnum(c)) || strchr("-._~/", c))
                        url[k++] = (char) c;
                else
                        k += (size_t) sprintf(url + k, "%%%02X", c);
        }
        url[k] = '\0';
        return url;
}

/* A component of dots would lead elsewhere: clients and servers take it away. No file has such a name. */
static bool has_dots(const char *relative) {
        for (const char *s = relative; *s; s += strcspn(s, "/"), s += *s == '/') {
                size_t n = strcspn(s, "/");

                if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
                        return true;
        }
        return false;
}

static int refuse_status(Offer *offer, long status) {
        switch (status) {
        case 404:
        case 410:
                return none(offer, OFFER_MISSING, "the server has no file of that name (status %ld)",
                            status);
        case 416:
                return none(offer, OFFER_SHORT, "the server has an empty file of that name");
        case 408:
        case 425:
        case 429:
                return none(offer, OFFER_UNREACHABLE, "the server asks to come back later (status %ld)",
                            status);
        case 401:
        case 403:
        case 407:
                return none(offer, OFFER_UNREADABLE, "the server does not let us have it (status %ld)",
                            status);
        default:
                break;
        }
        if (status >= 500)
                return none(offer, OFFER_UNREACHABLE, "the server is in trouble (status %ld)", status);
        return none(offer, OFFER_UNREADABLE, "the server answers with status %ld", status);
}

static int refuse_get(Offer *offer, int outcome, const HttpAnswer *a) {
        switch (outcome) {
        case HTTP_E_STATUS:
                return refuse_status(offer, a->status);
        case HTTP_E_NO_RANGES:
                return none(offer, OFFER_UNREADABLE,
                            "the server does not answer requests for a range of bytes");
        case HTTP_E_ELSEWHERE:
                return none(offer, OFFER_ESCAPES, "the server redirects to where it is not followed: %s",
                            a->error);
        case HTTP_E_AWAY:
                return none(offer, OFFER_UNREACHABLE, "the server does not answer: %s", a->error);
        case HTTP_E_LIES:
        default:
                return none(offer, OFFER_UNREADABLE,
                            "the server does not send the bytes that were asked for");
        }
}

/* What the answer says of size and time. */
static int judge(const Subject *subject, const HttpAnswer *a, Offer *offer) {
        Likeness l = { .size = a->size };

        offer->state = OFFER_HELD;
        offer->untimed = !a->exact && !(a->dated && subject->mtime.tv_nsec == 0);
        l.mtime = a->exact ? a->mtime : (struct timespec) { .tv_sec = a->modified };
        l.ctime = l.mtime;
        if (!offer->untimed && identity_same(subject, &l)) {
                offer->proofs = PROOF_BIT(PROOF_IDENTITY);
                return 0;
        }
        offer->detail = offer->untimed
                ? strdup(a->dated ? "the server tells the time in whole seconds, which cannot show identity"
                                  : "the server tells no time of the file")
                : identity_explain(subject, &l);
        return offer->detail ? 0 : -ENOMEM;
}

static int open_url(const char *base, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_(http_closep) HttpFile *f = NULL;
        _cleanup_free_ char *url = make_url(base, subject->relative);
        uint8_t bytes[2];
        int r;

        if (!url)
                return -ENOMEM;
        if (has_dots(subject->relative))
                return none(offer, OFFER_ESCAPES, "the name of the file leads out of the URL");
        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        r = http_new(url, subject->credentials, subject->deadline_usec ? subject->deadline_usec
                                                                       : USEC_INFINITY, &f->http);
        if (r < 0)
                return r;
        r = http_get(f->http, (Range) { 0, sizeof(bytes) }, bytes, &f->first);
        if (r < 0)
                return r;
        if (r > 0)
                return refuse_get(offer, r, &f->first);

        r = judge(subject, &f->first, offer);
        if (r < 0)
                return r;
        f->replica.size = f->first.size;
        *ret = &TAKE_PTR(f)->replica;
        return 0;
}

/* offer->replica is the whole URI. */
static int http_open(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        return open_url(offer->replica, subject, ret, offer);
}

static bool same_file(const HttpAnswer *a, const HttpAnswer *b) {
        return a->size == b->size && strcmp(a->tag, b->tag) == 0 && a->dated == b->dated &&
               (!a->dated || a->modified == b->modified) && a->exact == b->exact &&
               (!a->exact || (a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec));
}

static int http_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        HttpFile *f = (HttpFile *) r;
        HttpAnswer a;
        int q;

        q = http_get(f->http, (Range) { offset, offset + n }, buf, &a);
        switch (q) {
        case 0:
                return same_file(&f->first, &a) ? 0 : -ESTALE;
        case HTTP_E_AWAY:
                return -ETIMEDOUT;
        case HTTP_E_STATUS:
                return a.status >= 500 || a.status == 429 ? -EHOSTDOWN : -ESTALE;
        case HTTP_E_NO_RANGES:
        case HTTP_E_LIES:
        case HTTP_E_ELSEWHERE:
                return -EBADMSG;
        default:
                return q;
        }
}

const ReplicaOps replica_http = {
        .kind = REPLICA_HTTP,
        .open = http_open,
        .close = http_close,
        .read = http_read,
};

const ReplicaOps replica_https = {
        .kind = REPLICA_HTTPS,
        .open = http_open,
        .close = http_close,
        .read = http_read,
};
