/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The replicas of bezoar-fetch, which has a network and therefore no rights. */

#include "build-config.h"
#include "replica/replica-backends.h"

const ReplicaOps *const replica_table[] = {
#if BEZOAR_NBD
        &replica_nbd,
#endif
#if BEZOAR_HTTP
        &replica_http,
        &replica_https,
#endif
        &replica_exec,
        NULL,
};
