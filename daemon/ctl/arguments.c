/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Arguments are looked at here as far as a client can, so that a slip of the finger gets a sentence at once,
 * also while the daemon is not running. What is allowed in the end, the daemon says. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/case.h"
#include "core/codec.h"
#include "ctl/arguments.h"
#include "ctl/ctl.h"
#include "util/parse.h"
#include "util/strv.h"

int argument_id(const char *s) {
        uint64_t id;

        assert(s);

        if (s[0] != '\0' && strspn(s, "0123456789") == strlen(s) && parse_u64(s, &id) == 0 && id > 0)
                return 0;
        (void) ctl_fail("'%.64s' is no id of a case: a number is wanted, such as 'bezoarctl history' shows "
                        "them.", s);
        return -EINVAL;
}

static int make_absolute(const char *s, bool exists, char **ret) {
        _cleanup_free_ char *folder = NULL, *path = NULL;

        path = realpath(s, NULL);
        if (!path && exists && errno != EACCES)
                return -errno;
        if (!path && s[0] == '/') /* not for our eyes, perhaps for the daemon's */
                path = strdup(s);
        if (!path) {
                folder = getcwd(NULL, 0);
                if (!folder || asprintf(&path, "%s/%s", folder, s) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(path);
        return 0;
}

int argument_word(const char *s, char **ret) {
        char *escaped;

        assert(s);
        assert(ret);

        escaped = codec_path_escape(s);
        if (!escaped) {
                (void) ctl_fail_memory();
                return -ENOMEM;
        }
        *ret = escaped;
        return 0;
}

int argument_path(const char *s, bool exists, char **ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        assert(s);
        assert(ret);

        r = s[0] ? make_absolute(s, exists, &path) : -ENOENT;
        if (r < 0) {
                (void) ctl_fail("'%.4096s': %s", s, strerror(-r));
                return r;
        }
        return argument_word(path, ret);
}

static int argument_size(const char *what, const char *s, uint64_t *ret) {
        int r = parse_size(s, ret);

        if (r < 0)
                (void) ctl_fail("%s '%.64s' is %s: bytes are wanted, in decimal or 0x..., K, M, G or T "
                                "after them (powers of 1024).",
                                what, s, r == -ERANGE ? "too large" : "no number");
        return r;
}

int argument_range(const char *offset, const char *length, uint64_t *ret_offset, uint64_t *ret_length) {
        uint64_t start = 0, size = 0, end;
        int r = 0;

        assert(ret_offset);
        assert(ret_length);

        if (offset)
                r = argument_size("OFFSET", offset, &start);
        if (r == 0 && length)
                r = argument_size("LENGTH", length, &size);
        if (r < 0)
                return r;
        if (length && size == 0) {
                (void) ctl_fail("LENGTH is 0: at least one byte is wanted; without LENGTH, one page of 4096 "
                                "bytes.");
                return -EINVAL;
        }
        if (__builtin_add_overflow(start, size, &end)) {
                (void) ctl_fail("OFFSET and LENGTH together are more than 18446744073709551615.");
                return -EOVERFLOW;
        }

        *ret_offset = start;
        *ret_length = size;
        return 0;
}

/* "detected, located, …" */
static char *state_words(void) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        if (!f)
                return NULL;
        for (CaseState s = 0; s < _CASE_STATE_MAX; s++)
                (void) fprintf(f, "%s%s", s > 0 ? ", " : "", case_state_to_string(s));
        return fclose(f) == 0 ? text : NULL;
}

int argument_states(const char *s, char ***states) {
        _cleanup_free_ char *copy = NULL, *all = NULL;
        char *rest, *word;

        assert(s);
        assert(states);

        copy = rest = strdup(s);
        if (!copy) {
                (void) ctl_fail_memory();
                return -ENOMEM;
        }
        while ((word = strsep(&rest, ","))) {
                if (case_state_from_string(word) < 0) {
                        all = state_words();
                        (void) ctl_fail("'%.64s' is no state of a case: one of %s.", word,
                                        all ? all : "those of bezoard(8)");
                        return -EINVAL;
                }
                if (strv_extend(states, word) < 0) {
                        (void) ctl_fail_memory();
                        return -ENOMEM;
                }
        }
        return 0;
}

int argument_count(const char *option, const char *s, uint64_t max, uint64_t *ret) {
        uint64_t n;
        int r;

        assert(s);
        assert(ret);

        r = parse_u64(s, &n);
        if (r < 0 || n == 0 || n > max) {
                (void) ctl_fail("%s=%.64s: a number from 1 to %" PRIu64 " is wanted.", option, s, max);
                return -EINVAL;
        }
        *ret = n;
        return 0;
}
