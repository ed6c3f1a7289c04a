/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <stdint.h>

#include "util/vec.h"

int vec_reserve(void **items, size_t *allocated, size_t n, size_t item_size) {
        size_t want;
        void *p;

        assert(items);
        assert(allocated);

        if (n <= *allocated)
                return 0;

        want = n < 8 ? 8 : n < SIZE_MAX / 2 ? n + n / 2 : n;
        p = reallocarray(*items, want, item_size);
        if (!p)
                return -ENOMEM;

        *items = p;
        *allocated = want;
        return 0;
}
