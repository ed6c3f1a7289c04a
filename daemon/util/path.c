/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "util/path.h"

int path_make(const char *value, char **ret, const char **ret_why) {
        size_t n;

        assert(value);
        assert(ret);
        assert(ret_why);

        n = strlen(value);
        if (value[0] != '/') {
                *ret_why = "it does not begin with '/'";
                return -EINVAL;
        }
        while (n > 1 && value[n - 1] == '/')
                n--;

        for (size_t i = 1; i < n;) {
                size_t k = strcspn(value + i, "/");

                if (k == 0 || (k == 1 && value[i] == '.') ||
                    (k == 2 && value[i] == '.' && value[i + 1] == '.')) {
                        *ret_why = "it has an empty, '.' or '..' component";
                        return -EINVAL;
                }
                i += k + 1;
        }

        *ret = strndup(value, n);
        return *ret ? 0 : -ENOMEM;
}
