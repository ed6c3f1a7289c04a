/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/strv.h"

char **strv_free(char **l) {
        for (char **s = l; s && *s; s++)
                free(*s);
        free(l);
        return NULL;
}

size_t strv_length(char *const *l) {
        size_t n = 0;

        while (l && l[n])
                n++;
        return n;
}

int strv_extend(char ***l, const char *s) {
        size_t n = strv_length(*l);
        _cleanup_free_ char *copy = NULL;
        char **p;

        assert(s);

        copy = strdup(s);
        if (!copy)
                return -ENOMEM;
        p = reallocarray(*l, n + 2, sizeof(*p));
        if (!p)
                return -ENOMEM;

        p[n] = TAKE_PTR(copy);
        p[n + 1] = NULL;
        *l = p;
        return 0;
}

int strv_copy(char *const *l, char ***ret) {
        _cleanup_strv_ char **copy = NULL;

        assert(ret);

        for (; l && *l; l++) {
                int r = strv_extend(&copy, *l);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(copy);
        return 0;
}

char *strv_join(char *const *l, const char *separator) {
        size_t size = 1, between = strlen(separator);
        char *s, *p;

        for (char *const *i = l; i && *i; i++)
                size += strlen(*i) + between;
        s = p = malloc(size);
        if (!s)
                return NULL;
        *p = '\0';
        for (char *const *i = l; i && *i; i++)
                p = stpcpy(i == l ? p : stpcpy(p, separator), *i);
        return s;
}

bool strv_contains(char *const *l, const char *s) {
        for (; l && *l; l++)
                if (strcmp(*l, s) == 0)
                        return true;
        return false;
}

bool strv_equal(char *const *a, char *const *b) {
        size_t n = strv_length(a);

        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (strcmp(a[i], b[i]) != 0)
                        return false;
        return true;
}

bool streq_ptr(const char *a, const char *b) {
        if (!a || !b)
                return !a && !b;
        return strcmp(a, b) == 0;
}
