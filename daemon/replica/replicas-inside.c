/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The replicas of a worker, which has the rights to heal and therefore no network. */

#include "replica/replica-backends.h"

const ReplicaOps *const replica_table[] = {
        &replica_aside_mirror,
        &replica_aside_block,
        &replica_zeroes,
        &replica_remote_nbd,
        &replica_remote_http,
        &replica_remote_https,
        &replica_remote_exec,
        NULL,
};
