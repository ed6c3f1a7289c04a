/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "core/job.h"
#include "core/offer.h"
#include "core/word.h"
#include "service/operator.h"

/* The one place that turns a case into journal entries: sentence, priority, MESSAGE_ID and BEZOAR_*
 * fields. */

/* A new state (the last event's detail goes along). `offers`: what replicas were asked, and said; NULL. */
void case_log(const Case *c, const Offers *offers);

/* With what priority case_log() tells how the case stands now. */
int case_log_level(const Case *c);

/* An operator has said what the lost bytes of the case are to become. */
void case_log_word(const Case *c, const Word *word, const Operator *op);

/* RepairBudget=n/usec is used up, and this is the first case that waits for it. */
void case_log_budget(const Case *c, uint64_t n, uint64_t usec);

/* A module of this new case was in n earlier ones; `last` is the latest of them. */
void case_log_dimm_again(const Case *c, const Case *last, size_t n);

/* What became of an intent whose case `id` is over. `c`: that case; NULL: it is not kept any more. */
void case_log_settled(const Case *c, uint64_t id, const char *disk, const Result *result);

/* The bad-block list of a disk was cut off: there is more poison than it shows. */
void case_log_list_full(const char *device);

/* The case could not be stored; the daemon goes on with what it has in memory. */
void case_log_ledger_failed(const Case *c, int error);
