/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_INFINITY UINT64_MAX

/* Microseconds; core/ never calls these, its functions take `now` as an argument. */
uint64_t now_realtime(void);
uint64_t now_monotonic(void);
