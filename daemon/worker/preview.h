/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "core/preview.h"

/* The verb `preview`: for a plan to repair by an operator's word, what he is to be shown; nothing is
 * written. Everything is asked again, as for the repair; where the plan no longer holds, or the replica has
 * no bytes, a negative errno and *ret_error (NULL, or the caller frees it) says so. */
int preview(const Request *request, Preview *ret, char **ret_error);
