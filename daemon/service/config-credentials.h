/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/diagnostics.h"

/* Looks through credentials.d below root_fd, whose path is `root`, and complains of what would not be used.
 * Nothing is kept: a worker reads the files again when it asks a replica. 0, -ENOMEM. */
int config_credentials_check(int root_fd, const char *root, Diagnostics *d);
