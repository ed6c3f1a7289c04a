/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One parser for each kind. What is let pass here names a place; whether there is something in it is found
 * out by who asks. */

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-config.h"
#include "core/range.h"
#include "core/replica-uri.h"
#include "util/cleanup.h"
#include "util/parse.h"
#include "util/path.h"
#include "util/str.h"
#include "util/strv.h"

static const char *const kind_table[_REPLICA_KIND_MAX] = {
        [REPLICA_MIRROR] = "mirror",
        [REPLICA_BLOCK] = "block",
        [REPLICA_NBD] = "nbd",
        [REPLICA_HTTP] = "http",
        [REPLICA_HTTPS] = "https",
        [REPLICA_EXEC] = "exec",
        [REPLICA_ZEROES] = "zero",
};

static const char *const nbd_schemes[] = { "nbd://", "nbds://", "nbd+unix://", "nbds+unix://", NULL };

const char *replica_kind_to_string(ReplicaKind k) {
        return str_at(kind_table, _REPLICA_KIND_MAX, (int) k);
}

/* The argument of nbd: where the URI stands alone is the URI, and not what follows its first colon. */
static bool is_nbd_uri(const char *s) {
        for (const char *const *p = nbd_schemes; *p; p++)
                if (strncmp(s, *p, strlen(*p)) == 0)
                        return true;
        return false;
}

ReplicaKind replica_kind_of(const char *uri, const char **ret_argument) {
        const char *colon;
        int k;

        assert(uri);

        if (is_nbd_uri(uri)) {
                if (ret_argument)
                        *ret_argument = uri;
                return REPLICA_NBD;
        }
        colon = strchr(uri, ':');
        if (!colon)
                return _REPLICA_KIND_INVALID;

        k = str_index_n(kind_table, _REPLICA_KIND_MAX, uri, (size_t) (colon - uri));
        if (k >= 0 && ret_argument)
                *ret_argument = colon + 1;
        return (ReplicaKind) k;
}

bool replica_kind_is_built(ReplicaKind k) {
        switch (k) {
        case REPLICA_NBD:
                return BEZOAR_NBD;
        case REPLICA_HTTP:
        case REPLICA_HTTPS:
                return BEZOAR_HTTP;
        case REPLICA_MIRROR:
        case REPLICA_BLOCK:
        case REPLICA_EXEC:
        case REPLICA_ZEROES:
                return true;
        case _REPLICA_KIND_MAX:
        case _REPLICA_KIND_INVALID:
        default:
                return false;
        }
}

static int refuse(const char **ret_why, const char *why) {
        *ret_why = why;
        return -EINVAL;
}

/* The paths of devices may have an @ in them (/dev/disk/by-path), so only one behind the last slash is that
 * of an offset. */
static char *find_offset(const char *path) {
        return strchr(strrchr(path, '/'), '@') ? strrchr(path, '@') : NULL;
}

int replica_block_parse(const char *argument, char **ret_path, uint64_t *ret_offset, const char **ret_why) {
        _cleanup_free_ char *whole = NULL, *path = NULL;
        uint64_t offset = 0;
        char *at;
        int r;

        assert(argument);

        r = path_make(argument, &whole, ret_why);
        if (r < 0)
                return r;
        at = find_offset(whole);
        if (at) {
                r = parse_size(at + 1, &offset);
                if (r < 0)
                        return refuse(ret_why, "what follows the '@' is no number of bytes");
                if (offset % SECTOR_SIZE != 0 || offset > INT64_MAX)
                        return refuse(ret_why, "the offset is not a multiple of 512");
                *at = '\0';
                if (at[-1] == '/')
                        return refuse(ret_why, "there is no name before the '@'");
        }
        r = path_make(whole, &path, ret_why);   /* again: "/x/.@0" has a '.' only now */
        if (r < 0)
                return r;

        *ret_path = TAKE_PTR(path);
        *ret_offset = offset;
        return 0;
}

int replica_exec_parse(const char *argument, char ***ret_argv, const char **ret_why) {
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        assert(argument);

        for (const char *s = argument; *(s += strspn(s, " \t"));) {
                size_t n = strcspn(s, " \t");
                _cleanup_free_ char *word = strndup(s, n);

                if (!word)
                        return -ENOMEM;
                r = strv_extend(&argv, word);
                if (r < 0)
                        return r;
                s += n;
        }
        if (!argv)
                return refuse(ret_why, "it names no program");

        r = path_make(argv[0], &path, ret_why);
        if (r < 0)
                return r;
        *ret_argv = TAKE_PTR(argv);
        return 0;
}

/* Printable ASCII without blanks: what is to be in a URI otherwise is escaped there. */
static bool is_uri_text(const char *s) {
        for (; *s; s++)
                if (*s <= ' ' || *s > '~')
                        return false;
        return true;
}

/* "http" and "//host/path". */
static int check_url(const char *rest, const char **ret_why) {
        const char *host = rest + 2;
        size_t n;

        if (strncmp(rest, "//", 2) != 0)
                return refuse(ret_why, "it is no URL: '//' and a host must follow");
        if (!is_uri_text(rest))
                return refuse(ret_why, "it has a character that a URL cannot have; such are written as %XX");
        if (strpbrk(rest, "?#"))
                return refuse(ret_why, "a URL with '?' or '#' cannot have the name of a file behind it");
        n = strcspn(host, "/");
        if (n == 0)
                return refuse(ret_why, "it names no host");
        if (memchr(host, '@', n))
                return refuse(ret_why, "user and password belong into a file in credentials.d");
        return 0;
}

static int make_url(const char *value, const char *rest, char **ret, const char **ret_why) {
        size_t n = strlen(value);
        int r;

        r = check_url(rest, ret_why);
        if (r < 0)
                return r;
        while (n > 0 && value[n - 1] == '/')
                n--;
        *ret = strndup(value, n);
        return *ret ? 0 : -ENOMEM;
}

static int make_nbd(const char *uri, char **ret, const char **ret_why) {
        if (!is_nbd_uri(uri))
                return refuse(ret_why, "it is no URI that begins with nbd://, nbds://, nbd+unix:// or "
                              "nbds+unix://");
        if (!is_uri_text(uri))
                return refuse(ret_why, "it has a character that a URI cannot have; such are written as %XX");
        return asprintf(ret, "nbd:%s", uri) < 0 ? -ENOMEM : 0;
}

static int make_mirror(const char *argument, char **ret, const char **ret_why) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_make(argument, &path, ret_why);
        if (r < 0)
                return r;
        if (strlen(path) >= PATH_MAX)
                return refuse(ret_why, "the path is too long");
        return asprintf(ret, "mirror:%s", path) < 0 ? -ENOMEM : 0;
}

static int make_block(const char *argument, char **ret, const char **ret_why) {
        _cleanup_free_ char *path = NULL;
        char size[FORMAT_MAX];
        uint64_t offset;
        int r;

        r = replica_block_parse(argument, &path, &offset, ret_why);
        if (r < 0)
                return r;
        /* Left out where there is none, unless another @ would be taken for its. */
        r = offset == 0 && !find_offset(path)
                ? asprintf(ret, "block:%s", path)
                : asprintf(ret, "block:%s@%s", path, format_size(offset, size));
        return r < 0 ? -ENOMEM : 0;
}

static int make_exec(const char *argument, char **ret, const char **ret_why) {
        _cleanup_strv_ char **argv = NULL;
        int r;

        r = replica_exec_parse(argument, &argv, ret_why);
        if (r < 0)
                return r;
        return asprintf(ret, "exec:%s", argument + strspn(argument, " \t")) < 0 ? -ENOMEM : 0;
}

int replica_uri_make(const char *value, char **ret, const char **ret_why) {
        const char *argument = NULL;
        ReplicaKind k;

        assert(value);
        assert(ret);
        assert(ret_why);

        k = replica_kind_of(value, &argument);
        if (k >= 0 && !replica_kind_is_built(k))
                return refuse(ret_why, "this kind of replica was left out when this version was built");

        switch (k) {
        case REPLICA_MIRROR:
                return make_mirror(argument, ret, ret_why);
        case REPLICA_BLOCK:
                return make_block(argument, ret, ret_why);
        case REPLICA_NBD:
                return make_nbd(argument, ret, ret_why);
        case REPLICA_HTTP:
        case REPLICA_HTTPS:
                return make_url(value, argument, ret, ret_why);
        case REPLICA_EXEC:
                return make_exec(argument, ret, ret_why);
        case REPLICA_ZEROES:
                return refuse(ret_why, "zeroes are no copy of anything; an operator may say 'bezoarctl "
                              "resolve ID --zero'");
        case _REPLICA_KIND_MAX:
        case _REPLICA_KIND_INVALID:
        default:
                return refuse(ret_why, "there is no such kind of replica");
        }
}
