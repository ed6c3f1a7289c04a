/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "fetch/serve.h"
#include "replica/replica.h"
#include "util/stream.h"
#include "util/time-util.h"

#define REQUEST_USEC (10 * USEC_PER_SEC)        /* until it is there */
#define TIMEOUT_MAX_USEC USEC_PER_HOUR

static void stream_donep(Stream *s) {
        stream_done(s);
}

static int read_request(Stream *s, FetchRequest *ret) {
        char *text;
        int r;

        r = stream_read_line(s, &text);
        if (r < 0)
                return r;
        r = codec_fetch_request_decode(text, ret, NULL);
        explicit_bzero(text, strlen(text));
        free(text);
        return r;
}

static int answer_request(Stream *s, const FetchRequest *q, Replica **ret) {
        const Subject subject = {
                .relative = q->relative,
                .size = q->size,
                .mtime = { .tv_sec = (time_t) q->mtime_sec, .tv_nsec = q->mtime_nsec },
                .untimed = q->untimed,
                .deadline_usec = s->deadline_usec,
                .credentials = q->credentials.prefix ? &q->credentials : NULL,
        };
        _cleanup_fetch_reply_ FetchReply reply = {};
        _cleanup_(replica_freep) Replica *rep = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = replica_open(q->replica, &subject, &rep, &reply.offer);
        if (r < 0)
                return r;
        if (rep)
                reply.size = rep->size;
        text = codec_fetch_reply_encode(&reply);
        if (!text)
                return -ENOMEM;
        r = stream_write_line(s, text);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(rep);
        return 0;
}

static int answer_range(Stream *s, Replica *rep, const char *question) {
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_free_ char *text = NULL;
        Range range;
        int r;

        r = codec_fetch_range_decode(question, &range);
        if (r < 0)
                return r;
        if (range_size(range) > FETCH_PIECE_MAX)
                return -EBADMSG;
        bytes = malloc(range_size(range));
        if (!bytes)
                return -ENOMEM;

        r = replica_read_own(rep, range.start, bytes, range_size(range));
        text = codec_fetch_piece_encode(range_size(range), r);
        if (!text)
                return -ENOMEM;
        if (r < 0)
                return stream_write_line(s, text);
        r = stream_write_line(s, text);
        return r < 0 ? r : stream_write(s, bytes, range_size(range));
}

int fetch_serve(int fd) {
        _cleanup_(stream_donep) Stream s = { .fd = fd, .deadline_usec = now_monotonic() + REQUEST_USEC };
        _cleanup_fetch_request_ FetchRequest q = {};
        _cleanup_(replica_freep) Replica *rep = NULL;
        int r;

        r = read_request(&s, &q);
        if (r < 0)
                return r;
        s.deadline_usec = now_monotonic() +
                          (q.timeout_usec < TIMEOUT_MAX_USEC ? q.timeout_usec : TIMEOUT_MAX_USEC);
        r = answer_request(&s, &q, &rep);

        while (r >= 0 && rep) {
                _cleanup_free_ char *question = NULL;

                r = stream_read_line(&s, &question);
                if (r == -EPIPE)
                        return 0;
                if (r >= 0)
                        r = answer_range(&s, rep, question);
        }
        return r;
}
