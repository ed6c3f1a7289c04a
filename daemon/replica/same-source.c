/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Two replicas that are read from one place agree about everything, also about what is wrong. What is
 * compared is what was opened, not what it was called: links, bind mounts and several names make no second
 * copy. */

#include <errno.h>
#include <string.h>

#include "replica/replica.h"
#include "replica/same-device.h"
#include "util/strv.h"

static const char *name_of(const char *path) {
        return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

/* A program of the same name in two places. It is not looked at: what it lies on may hang. */
static int same_program(const char *a, const char *b) {
        _cleanup_strv_ char **x = NULL, **y = NULL;
        const char *why = NULL;
        size_t i = 1;
        int r;

        r = replica_exec_parse(a, &x, &why);
        if (r >= 0)
                r = replica_exec_parse(b, &y, &why);
        if (r < 0)
                return r == -ENOMEM ? r : 1;

        for (; x[i] && y[i] && strcmp(x[i], y[i]) == 0; i++)
                ;
        return !x[i] && !y[i] && strcmp(name_of(x[0]), name_of(y[0])) == 0;
}

int replica_same_source(const char *uri_a, const ReplicaSource *a, const char *uri_b,
                        const ReplicaSource *b) {
        const char *x, *y;

        if (replica_kind_of(uri_a, &x) == REPLICA_EXEC && replica_kind_of(uri_b, &y) == REPLICA_EXEC)
                return same_program(x, y);
        if (a->device == 0 || b->device == 0)
                return replica_uri_alike(uri_a, uri_b);
        if (a->inode != 0 && b->inode != 0)
                return a->device == b->device && a->inode == b->inode;
        return same_device(a->device, b->device) != 0;
}
