/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/patience.h"

/* One request carried out, its answer on `out_fd`, one JSON value a line; holds go along where out_fd is
 * a Unix socket. 0, or a negative errno after a line {"error":…} has been written where that was
 * possible. `patience`: NULL,
 * or lines may come before the answer that tell of a search. */
int serve_request(const Request *request, Patience *patience, int out_fd);

/* Requests from `in_fd`, a line each, until it ends. 0 or a negative errno (a request that failed is
 * none: the answer says so). */
int serve(int in_fd, int out_fd);
