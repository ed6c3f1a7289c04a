/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asks the daemon on the system bus for a count ten times a second, and how long it took. Ends with SIGTERM:
 * "N asked, N unanswered, median USEC us, worst USEC us". */
int ask_for_counts(void);
