/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Counts in the good sectors of a mapped page (all but number `bad`) as fast as it can, each with a counter
 * of its own, and looks before each store whether the last one is there still. Ends with SIGTERM: "STORES
 * stores, LOST lost, longest pause USEC, N bus errors". */
_Noreturn void count_stores(volatile void *page, unsigned bad);
