/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "replica/replica.h"

/* What stands in replica_table. For replicas.c only: everybody else goes through the front. */
extern const ReplicaOps replica_mirror;
extern const ReplicaOps replica_block;
