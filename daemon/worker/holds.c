/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/vec.h"
#include "worker/holds.h"

void holds_done(Holds *h) {
        for (size_t i = 0; i < h->n; i++)
                closep(h->items + i);
        vec_done(h);
}
