/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/case.h"
#include "service/manager.h"

/* Alerts when a module of this new case is one that lost bytes before, as far as the ledger knows. */
void dimm_watch_case(const Manager *m, const Case *c);
