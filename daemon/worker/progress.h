/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"

/* Told of each step before it begins. */
typedef void (*ProgressFn)(const Result *progress, void *userdata);
