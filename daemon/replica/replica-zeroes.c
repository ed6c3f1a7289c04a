/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What has zeroes for every byte of every file, and can show nothing for it: what an operator's word may
 * name when there is no copy, or none that is any good. No Replica= can be it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replica/replica-backends.h"

static int zeroes_open(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        Replica *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->size = subject->size;
        offer->state = OFFER_HELD;
        offer->untimed = true;
        *ret = r;
        return 0;
}

static int zeroes_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        memset(buf, 0, n);
        return 0;
}

static void zeroes_close(Replica *r) {
        free(r);
}

const ReplicaOps replica_zeroes = {
        .kind = REPLICA_ZEROES,
        .open = zeroes_open,
        .close = zeroes_close,
        .read = zeroes_read,
};
