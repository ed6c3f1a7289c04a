/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/stream.h"
#include "util/time-util.h"
#include "util/vec.h"

void stream_done(Stream *s) {
        closep(&s->fd);
        free(s->buffer);
        *s = (Stream) { .fd = -1 };
}

/* 0, -ETIMEDOUT, or another negative errno. */
static int wait_for(const Stream *s, short events) {
        for (;;) {
                struct pollfd p = { .fd = s->fd, .events = events };
                uint64_t now = now_monotonic(), left;
                int r;

                if (now >= s->deadline_usec)
                        return -ETIMEDOUT;
                left = s->deadline_usec == USEC_INFINITY ? USEC_PER_HOUR : s->deadline_usec - now;
                if (left > USEC_PER_HOUR)
                        left = USEC_PER_HOUR;
                r = poll(&p, 1, (int) ((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
                if (r > 0)
                        return 0;
                if (r < 0 && errno != EINTR)
                        return -errno;
        }
}

/* The number of bytes, > 0, or a negative errno. */
static ssize_t receive(const Stream *s, void *buf, size_t n) {
        for (;;) {
                ssize_t k = recv(s->fd, buf, n, MSG_DONTWAIT);
                int r;

                if (k > 0)
                        return k;
                if (k == 0)
                        return -EPIPE;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = wait_for(s, POLLIN);
                if (r < 0)
                        return r;
        }
}

int stream_read_line(Stream *s, char **ret) {
        size_t looked = 0;

        assert(ret);

        for (;;) {
                char *from = s->buffer ? s->buffer + s->start : NULL, *newline = NULL;
                size_t n = s->end - s->start;
                ssize_t k;
                int r;

                assert(n == 0 || from);
                if (n > looked)
                        newline = memchr(from + looked, '\n', n - looked);
                if (newline) {
                        char *line = strndup(from, (size_t) (newline - from));

                        if (!line)
                                return -ENOMEM;
                        s->start += (size_t) (newline - from) + 1;
                        *ret = line;
                        return 0;
                }
                if (n > STREAM_LINE_MAX)
                        return -EFBIG;

                looked = n;
                if (from && s->start > 0) {
                        memmove(s->buffer, from, n);
                        s->start = 0;
                        s->end = n;
                }
                r = vec_reserve((void **) &s->buffer, &s->allocated, n + 4096, 1);
                if (r < 0)
                        return r;
                k = receive(s, s->buffer + n, 4096);
                if (k < 0)
                        return (int) k;
                s->end += (size_t) k;
        }
}

int stream_read(Stream *s, void *buf, size_t n) {
        uint8_t *to = buf;
        size_t k = s->end - s->start < n ? s->end - s->start : n;

        assert(k == 0 || s->buffer);
        if (k > 0)
                memcpy(to, s->buffer + s->start, k);
        s->start += k;
        while (k < n) {
                ssize_t got = receive(s, to + k, n - k);

                if (got < 0)
                        return (int) got;
                k += (size_t) got;
        }
        return 0;
}

int stream_write(Stream *s, const void *buf, size_t n) {
        const uint8_t *from = buf;

        while (n > 0) {
                ssize_t k = send(s->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
                int r;

                if (k >= 0) {
                        from += k;
                        n -= (size_t) k;
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = wait_for(s, POLLOUT);
                if (r < 0)
                        return r;
        }
        return 0;
}

int stream_write_line(Stream *s, const char *line) {
        int r = stream_write(s, line, strlen(line));

        return r < 0 ? r : stream_write(s, "\n", 1);
}
