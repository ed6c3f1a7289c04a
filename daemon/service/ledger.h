/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/case.h"
#include "util/cleanup.h"

/* The durable record of cases: STATE_DIR/cases/ID.json, one file a case, each replaced as a whole, so that
 * a crash leaves the state before or after. Trouble with it never stops a repair: every call says what went
 * wrong, and the caller goes on with what it has in memory. */
typedef struct Ledger Ledger;

/* How many closed cases are kept. */
#define LEDGER_HISTORY 1000

/* Opens, and creates, the folder below `state_dir`. NULL: a ledger that keeps nothing, for when there is no
 * other; its ids begin at 1. 0, -ENOMEM, or another negative errno. */
int ledger_open(const char *state_dir, size_t history, Ledger **ret);
Ledger *ledger_free(Ledger *l);
DEFINE_CLEANUP(Ledger *, ledger_free);

typedef struct LedgerVisitor {
        /* A case; it belongs to the callee. 0, or a negative errno that ends the loading. */
        int (*found)(Case *c, void *userdata);

        /* A file that holds no case, and why. It is kept beside as ID.json.bad where it could be renamed. */
        void (*set_aside)(const char *path, const char *why, void *userdata);
} LedgerVisitor;

/* Reads all cases, by their ids. 0 also when files had to be set aside; -ENOMEM, or what found()
 * returned. */
int ledger_load(Ledger *l, const LedgerVisitor *visitor, void *userdata);

/* A new id: higher than that of any case ever stored here, also of those that are no longer kept. Store the
 * case before anybody is told of its id: only what is stored is remembered over a restart. */
uint64_t ledger_next_id(Ledger *l);

/* Writes the case, in the place of what there was of it: durable when this returns, but for the states in
 * which nobody has begun anything yet (detected, located), which a process that dies leaves behind and a
 * power cut may not. Then it removes the oldest closed cases beyond the bound. 0; or a
 * negative errno (-ENOSPC, -EROFS, …), and what there was of it is as before. */
int ledger_store(Ledger *l, const Case *c);
