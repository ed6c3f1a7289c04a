/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a web server answers, as libcurl hands it over: headers, line by line, then, behind an empty line,
 * the body, cut into pieces. An answer counts only when it has exactly the bytes that were asked for. */

#include "replica/http-transfer.c" // IWYU pragma: keep

#include "fuzz.h"

#define ASKED ((Range) { 4096, 4352 })

static const uint8_t *give_headers(Transfer *t, const uint8_t *at, const uint8_t *end) {
        while (at < end) {
                const uint8_t *newline = memchr(at, '\n', (size_t) (end - at)),
                              *stop = newline ? newline + 1 : end;
                size_t n = (size_t) (stop - at);
                char *line = malloc(n);

                must(line);
                memcpy(line, at, n);
                must(on_header(line, 1, n, t) == n);
                free(line);
                at = stop;
                if (n <= 1 || (n == 2 && stop[-2] == '\r'))
                        break;
        }
        return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *at, *end = data + size;
        uint8_t *buf = malloc(range_size(ASKED));
        HttpAnswer a = {};
        Transfer t = { .answer = &a, .buf = buf, .size = range_size(ASKED) };

        must(buf);
        at = give_headers(&t, data, end);
        for (size_t n; at < end; at += n) {
                n = (size_t) (end - at) < 100 ? (size_t) (end - at) : 100;
                if (on_body((char *) at, 1, n, &t) != n)
                        break;
        }

        must(t.n <= range_size(ASKED));
        must(strlen(a.tag) < HTTP_TAG_MAX);
        must(!a.exact || (a.mtime.tv_nsec >= 0 && a.mtime.tv_nsec < 1000000000));
        must(!a.ranged || (a.start < a.end && a.end <= a.size));
        a.status = 206;
        if (judge(&t, ASKED) == 0)
                must(a.ranged && a.start == ASKED.start && !t.encoded && !t.too_much &&
                     t.n == a.end - a.start && (a.end == ASKED.end || a.end == a.size));
        free(buf);
        return 0;
}
