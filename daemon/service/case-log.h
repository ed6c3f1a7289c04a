/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"

/* The one place that turns a case into journal entries: sentence, priority, MESSAGE_ID and BEZOAR_*
 * fields. */

/* A new state (the last event's detail goes along). */
void case_log(const Case *c);

/* The bad-block list of a disk was cut off: there is more poison than it shows. */
void case_log_list_full(const char *device);

/* The case could not be stored; the daemon goes on with what it has in memory. */
void case_log_ledger_failed(const Case *c, int error);
