/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STREAM_LINE_MAX 65536

/* Lines and counted bytes over a connected stream socket, with a deadline for all of it. */
typedef struct Stream {
        int fd;
        uint64_t deadline_usec;         /* CLOCK_MONOTONIC; USEC_INFINITY: none */
        char *buffer;                   /* what was received and not taken yet: [start, end) */
        size_t start, end, allocated;
} Stream;

/* Closes the descriptor, too. */
void stream_done(Stream *s);

/* The next line, without its newline; the caller frees it. 0; -EPIPE at the end of the stream; -ETIMEDOUT;
 * -EFBIG for a line longer than STREAM_LINE_MAX; or another negative errno. */
int stream_read_line(Stream *s, char **ret);

/* Exactly n bytes. 0, -EPIPE, -ETIMEDOUT, or another negative errno. */
int stream_read(Stream *s, void *buf, size_t n);
int stream_write(Stream *s, const void *buf, size_t n);

/* A line: adds the newline. */
int stream_write_line(Stream *s, const char *line);
