/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "replica/replica.h"

/* What stands in replica_table. For the two tables only: everybody else goes through the front.
 *
 * Files of this machine … */
extern const ReplicaOps replica_mirror;
extern const ReplicaOps replica_block;
extern const ReplicaOps replica_zeroes;

/* … and how a worker has them asked, which must not hang with what they lie on. */
extern const ReplicaOps replica_aside_mirror;
extern const ReplicaOps replica_aside_block;

/* Asked by bezoar-fetch … */
extern const ReplicaOps replica_nbd;
extern const ReplicaOps replica_http;
extern const ReplicaOps replica_https;
extern const ReplicaOps replica_exec;

/* … and how a worker has them asked. */
extern const ReplicaOps replica_remote_nbd;
extern const ReplicaOps replica_remote_http;
extern const ReplicaOps replica_remote_https;
extern const ReplicaOps replica_remote_exec;
