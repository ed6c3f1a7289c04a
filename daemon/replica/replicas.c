/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The front of the replicas. It finds the backend by the word before the colon, exactly, and keeps both
 * sides to the contract: an offer is always filled in, only bytes that are held carry a proof, and a read
 * is complete or it has failed. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replica/replica-backends.h"
#include "replica/replica.h"
#include "util/str.h"

const ReplicaOps *const replica_table[] = {
        &replica_mirror,
        NULL,
};

/* The backend, and in *ret_argument what follows the colon; NULL when no backend has that name. */
static const ReplicaOps *find(const char *uri, const char **ret_argument) {
        const char *colon = strchr(uri, ':');

        if (!colon)
                return NULL;

        for (const ReplicaOps *const *ops = replica_table; *ops; ops++)
                if (strlen((*ops)->name) == (size_t) (colon - uri) &&
                    memcmp((*ops)->name, uri, (size_t) (colon - uri)) == 0) {
                        *ret_argument = colon + 1;
                        return *ops;
                }
        return NULL;
}

/* "mirror:…, block:…": for a sentence about what is allowed. The caller frees it; NULL: no memory. */
static char *allowed(void) {
        char *list = strdup("");

        for (const ReplicaOps *const *ops = replica_table; *ops && list; ops++) {
                char *longer;

                if (asprintf(&longer, "%s%s%s:…", list, *list ? ", " : "", (*ops)->name) < 0)
                        longer = NULL;
                free(list);
                list = longer;
        }
        return list;
}

int replica_check(const char *uri, char **ret_error) {
        _cleanup_free_ char *list = NULL;
        const char *argument = NULL;
        const ReplicaOps *ops;
        char *error;

        assert(uri);
        assert(ret_error);

        ops = find(uri, &argument);
        if (ops)
                return ops->check(argument, ret_error);

        list = allowed();
        if (!list || asprintf(&error, "is no known kind of replica; allowed: %s", list) < 0)
                error = NULL;
        *ret_error = error;
        return -EINVAL;
}

int replica_open(const char *uri, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_(replica_freep) Replica *rep = NULL;
        const char *argument = NULL;
        const ReplicaOps *ops;
        int r;

        assert(uri);
        assert(subject && subject->relative && subject->relative[0] != '/');
        assert(ret);
        assert(offer);

        *offer = (Offer) { .state = OFFER_MISSING, .witness = WITNESS_FEW };
        r = str_copy(uri, &offer->replica);
        if (r < 0)
                return r;
        ops = find(uri, &argument);
        if (!ops)
                return -EOPNOTSUPP;

        r = ops->open(argument, subject, &rep, offer);
        assert(r != 0 || (rep && offer->state == OFFER_HELD));
        assert(r == 0 || !rep);
        assert(r != REPLICA_E_NONE || (offer->state != OFFER_HELD && offer->proofs == 0));
        if (r != 0) {
                offer->proofs = 0;
                return r;
        }

        rep->ops = ops;
        *ret = TAKE_PTR(rep);
        return 0;
}

int replica_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        assert(r);
        assert(buf || n == 0);

        if (offset > r->size || n > r->size - offset)
                return -ENODATA;
        if (n == 0)
                return 0;
        return r->ops->read(r, offset, buf, n);
}

Replica *replica_free(Replica *r) {
        if (r)
                r->ops->close(r);
        return NULL;
}
