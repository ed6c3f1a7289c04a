/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Spellings of one and the same thing. In doubt two are alike: then they are no two witnesses, and less is
 * proved than could be. So a path is taken apart more freely than a server must do it. */

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica-uri.h"
#include "util/cleanup.h"

static int hex(char c) {
        if (isdigit((unsigned char) c))
                return c - '0';
        return isxdigit((unsigned char) c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* In place: "%41" is "A". A NUL stays as it is written. */
static void unescape(char *s) {
        char *to = s;

        for (; *s; s++) {
                int high = *s == '%' ? hex(s[1]) : -1, low = high >= 0 ? hex(s[2]) : -1;

                if (low < 0 || (high == 0 && low == 0)) {
                        *to++ = *s;
                        continue;
                }
                *to++ = (char) (high << 4 | low);
                s += 2;
        }
        *to = '\0';
}

/* In place: no empty part, no "." and no "..". */
static void straighten(char *path) {
        char *to = path, *from = path;

        while (*from) {
                size_t n = strcspn(from, "/");
                char *next = from + n + (from[n] == '/');

                if (n == 2 && from[0] == '.' && from[1] == '.') {
                        while (to > path && *--to != '/')
                                ;
                } else if (n > 0 && !(n == 1 && from[0] == '.')) {
                        if (to > path)
                                *to++ = '/';
                        memmove(to, from, n);
                        to += n;
                }
                from = next;
        }
        *to = '\0';
}

typedef struct Parts {
        char *text;             /* what the others point into */
        const char *host, *path, *query;
} Parts;

static void parts_done(Parts *p) {
        free(p->text);
}

/* The end of "HOST:PORT" without a port that goes without saying. */
static void drop_port(char *host, const char *const *ports) {
        char *colon = strrchr(host, ':');

        if (!colon || strchr(colon, ']'))       /* an address of IPv6 has colons of its own */
                return;
        for (; *ports; ports++)
                if (strcmp(colon + 1, *ports) == 0)
                        *colon = '\0';
        if (strcmp(colon, ":") == 0)
                *colon = '\0';
}

/* "SCHEME://USER@HOST:PORT/PATH?QUERY#FRAGMENT". */
static int take_apart(const char *uri, Parts *ret) {
        static const char *const http[] = { "80", "443", NULL }, *const nbd[] = { "10809", NULL };
        const char *begin = strstr(uri, "://");
        bool is_http = strncmp(uri, "http", 4) == 0;
        char *host, *path, *query, *at;
        Parts p;

        p.text = strdup(begin ? begin + 3 : uri);
        if (!p.text)
                return -ENOMEM;

        host = p.text;
        host[strcspn(host, "#")] = '\0';
        query = host + strcspn(host, "?");
        if (*query)
                *query++ = '\0';
        path = host + strcspn(host, "/");
        if (*path)
                *path++ = '\0';
        at = strrchr(host, '@');
        if (at)
                host = at + 1;
        for (char *c = host; *c; c++)
                *c = (char) tolower((unsigned char) *c);
        drop_port(host, is_http ? http : nbd);
        if (*host && host[strlen(host) - 1] == '.')
                host[strlen(host) - 1] = '\0';
        unescape(path);
        straighten(path);
        unescape(query);

        p.host = host;
        p.path = path;
        p.query = query;
        *ret = p;
        return 0;
}

/* The export's name is behind the slash, and over a unix socket where that is, is in the query; keys and
 * the like, which are there too, make no other server. */
static bool same_socket(const char *a, const char *b) {
        const char *x = strstr(a, "socket="), *y = strstr(b, "socket=");
        size_t n;

        if (!x || !y)
                return x == y;
        n = strcspn(x, "&");
        return n == strcspn(y, "&") && strncmp(x, y, n) == 0;
}

static bool is_web(ReplicaKind k) {
        return k == REPLICA_HTTP || k == REPLICA_HTTPS;
}

int replica_uri_alike(const char *a, const char *b) {
        __attribute__((cleanup(parts_done))) Parts x = {}, y = {};
        ReplicaKind ka = replica_kind_of(a, NULL), kb = replica_kind_of(b, NULL);
        bool nbd = ka == REPLICA_NBD && kb == REPLICA_NBD, http = is_web(ka) && is_web(kb);
        int r;

        if (strcmp(a, b) == 0)
                return 1;
        if (!nbd && !http)
                return 0;

        r = take_apart(a, &x);
        if (r >= 0)
                r = take_apart(b, &y);
        if (r < 0)
                return r;
        return strcmp(x.host, y.host) == 0 && strcmp(x.path, y.path) == 0 &&
               (nbd ? same_socket(x.query, y.query) : strcmp(x.query, y.query) == 0);
}
