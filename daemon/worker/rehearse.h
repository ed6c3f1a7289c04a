/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/patience.h"

/* The verb `plan`: as locate, for bytes that are not lost, named on the device or in a file. Nothing is
 * written. 0; a negative errno, and where it was the caller's mistake a sentence in *ret_error, which the
 * caller frees. */
int rehearse(const Request *request, Patience *patience, LocateReply *ret, char **ret_error);
