/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cases as journal entries. A priority says who must act and when: crit, a person, now; err, it was tried in
 * vain; warning, it goes on by itself; notice, it is over. "Poison found" is said once a case, when it is
 * first known how the case stands, whatever that is: who counts what a device lost counts these. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/remedy.h"
#include "service/case-log.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/strv.h"
#include "util/time-util.h"

typedef struct Kind {
        int level;
        const char *id;
} Kind;

static const Kind state_kinds[_CASE_STATE_MAX] = {
        [CASE_DETECTED] = { LOG_DEBUG, NULL }, /* "found" comes when it is known whose bytes they are */
        [CASE_LOCATED] = { LOG_INFO, NULL },
        [CASE_REPAIRING] = { LOG_INFO, NULL },
        [CASE_HEALED] = { LOG_NOTICE, LOG_ID_HEALED },
        [CASE_HARMLESS] = { LOG_NOTICE, NULL },
        [CASE_REFUSED] = { LOG_CRIT, LOG_ID_REFUSED },
        [CASE_WAITING] = { LOG_WARNING, LOG_ID_WAITING },
        [CASE_FAILED] = { LOG_ERR, LOG_ID_REPAIR_FAILED },
        [CASE_IN_DOUBT] = { LOG_CRIT, LOG_ID_IN_DOUBT },
        [CASE_GONE] = { LOG_NOTICE, NULL },
};

/* What was harmless needs nobody's attention when it goes; anything else that somebody cleared does. */
static bool was_harmless(const Case *c) {
        return c->events.n > 1 && c->events.items[c->events.n - 2].state == CASE_HARMLESS;
}

/* Some reasons are things of their own to an operator. */
static Kind kind_of(const Case *c) {
        switch ((int) c->reason) {
        case REASON_METADATA:
        case REASON_LOG:
                return (Kind) { LOG_CRIT, LOG_ID_METADATA_POISONED };
        case REASON_FREE_PAGE_MAY_BE_ABSENT:
        case REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT:
                return (Kind) { LOG_CRIT, LOG_ID_FREE_PAGE_ABSENT };
        case REASON_PARKED:
                return (Kind) { LOG_NOTICE, LOG_ID_PARKED };
        case REASON_PAGE_BUDGET:
                return (Kind) { LOG_CRIT, LOG_ID_PAGE_BUDGET };
        case REASON_REPLICA_STALE:
        case REASON_REPLICA_UNREACHABLE:
                return (Kind) { state_kinds[c->state].level, LOG_ID_REPLICA_STALE };
        default:
                if (c->state == CASE_HEALED && c->accepted_by)
                        return (Kind) { LOG_NOTICE, LOG_ID_HEALED_UNPROVED };
                if (c->state == CASE_GONE && was_harmless(c))
                        return (Kind) { LOG_INFO, NULL };
                return state_kinds[c->state];
        }
}

int case_log_level(const Case *c) {
        return kind_of(c).level;
}

/* Whose bytes are lost is known now, or that nobody can tell. */
static bool is_first_news(const Case *c) {
        if (c->state == CASE_DETECTED || c->state == CASE_GONE)
                return false;
        for (size_t i = 0; i + 1 < c->events.n; i++)
                if (c->events.items[i].state != CASE_DETECTED)
                        return false;
        return true;
}

static const Owner *file_of(const Case *c) {
        for (size_t i = 0; i < c->owners.n; i++)
                if (c->owners.items[i].type == OWNER_FILE)
                        return c->owners.items + i;
        return NULL;
}

static void add_owner(LogEntry *e, const Owner *o) {
        _cleanup_free_ char *path = o->path ? codec_path_escape(o->path) : NULL;

        log_entry_add(e, "BEZOAR_FILE", path);
        log_entry_addf(e, "BEZOAR_INODE", "%" PRIu64, o->inode);
        log_entry_addf(e, "BEZOAR_FILE_OFFSET", "%" PRIu64, o->offset);
}

static void add_place(LogEntry *e, const Case *c) {
        const Owner *o = file_of(c);

        log_entry_addf(e, "BEZOAR_CASE", "%" PRIu64, c->id);
        log_entry_add(e, "BEZOAR_DEVICE", c->volume.device);
        log_entry_addf(e, "BEZOAR_OFFSET", "%" PRIu64, c->range.start);
        log_entry_addf(e, "BEZOAR_LENGTH", "%" PRIu64, range_size(c->range));
        if (c->physical.end > 0)
                log_entry_addf(e, "BEZOAR_PHYSICAL", "0x%" PRIx64, c->physical.start);
        for (char **d = c->dimms; d && *d; d++)
                log_entry_add(e, "BEZOAR_DIMM", *d);
        if (o)
                add_owner(e, o);
}

/* Which replicas could not help is known only from what they offered. */
static void add_replicas(LogEntry *e, const Case *c, const Offers *offers) {
        if (c->replica || !offers) {
                log_entry_add(e, "BEZOAR_REPLICA", c->replica);
                return;
        }
        if (c->state != CASE_REFUSED && c->state != CASE_WAITING)
                return;
        for (size_t i = 0; i < offers->n; i++)
                log_entry_add(e, "BEZOAR_REPLICA", offers->items[i].replica);
}

static LogEntry *entry_for(const Case *c, const Offers *offers) {
        _cleanup_free_ char *advice = NULL;
        LogEntry *e = log_entry_new();
        char proofs[PROOF_SET_MAX];

        add_place(e, c);
        log_entry_add(e, "BEZOAR_STATE", case_state_to_string(c->state));
        if (c->reason != REASON_NONE) {
                log_entry_add(e, "BEZOAR_REASON", reason_to_string(c->reason));
                log_entry_add(e, "BEZOAR_ADVICE", remedy_make(c, &advice) >= 0 ? advice : NULL);
        }
        add_replicas(e, c, offers);
        if (c->proofs != 0 || c->accepted_by)
                log_entry_add(e, "BEZOAR_PROOF", proof_set_to_string(c->proofs, proofs));
        log_entry_add(e, "BEZOAR_OPERATOR", c->accepted_by);
        if (c->writer != WRITER_AUTO)
                log_entry_add(e, "BEZOAR_WRITER", writer_to_string(c->writer));
        if (c->frozen_usec > 0)
                log_entry_addf(e, "BEZOAR_FROZEN_USEC", "%" PRIu64, c->frozen_usec);
        return e;
}

/* "bytes 4096 to 8192 of '/srv/pmem/db' (inode 131 on /dev/pmem0)", or of the device alone. */
static char *place_of(const Case *c) {
        const Owner *o = file_of(c);
        _cleanup_free_ char *path = o && o->path ? codec_path_escape(o->path) : NULL;
        char *s = NULL;
        int n;

        if (path)
                n = asprintf(&s, "bytes %" PRIu64 " to %" PRIu64 " of '%s'", o->offset,
                             o->offset + range_size(c->range), path);
        else if (o)
                n = asprintf(&s, "bytes %" PRIu64 " to %" PRIu64 " of inode %" PRIu64 " on %s", o->offset,
                             o->offset + range_size(c->range), o->inode, c->volume.device);
        else
                n = asprintf(&s, "bytes %" PRIu64 " to %" PRIu64 " of %s", c->range.start, c->range.end,
                             c->volume.device);
        return n < 0 ? NULL : s;
}

static void log_found(const Case *c, const char *place) {
        LogEntry *e = log_entry_new();

        add_place(e, c);
        log_entry_add(e, "BEZOAR_STATE",
                      case_state_to_string(c->state == CASE_LOCATED ? c->state : CASE_DETECTED));
        log_entry_commit(e, LOG_WARNING, LOG_ID_POISON_FOUND, "Poison found: case %" PRIu64 ", %s", c->id,
                         place ? place : c->volume.device);
}

void case_log(const Case *c, const Offers *offers) {
        static const char *const words[_CASE_STATE_MAX] = {
                [CASE_DETECTED] = "Poison detected",
                [CASE_LOCATED] = "Located",
                [CASE_REPAIRING] = "Repairing",
                [CASE_HEALED] = "Healed",
                [CASE_HARMLESS] = "Harmless",
                [CASE_REFUSED] = "Refused to write",
                [CASE_WAITING] = "Waiting",
                [CASE_FAILED] = "Repair failed",
                [CASE_IN_DOUBT] = "In doubt",
                [CASE_GONE] = "Gone",
        };
        const char *detail = c->events.n > 0 ? c->events.items[c->events.n - 1].detail : NULL;
        const char *explanation = c->reason != REASON_NONE ? reason_explain(c->reason) : NULL;
        _cleanup_free_ char *place = NULL;
        Kind kind = kind_of(c);

        if (!log_is_enabled(kind.level) && !is_first_news(c))
                return;
        place = place_of(c);
        if (is_first_news(c)) {
                log_found(c, place);
                if (c->state == CASE_LOCATED)
                        return;
        }

        /* The detail is the explanation itself where there is no other. */
        if (detail && streq_ptr(detail, explanation))
                detail = NULL;

        log_entry_commit(entry_for(c, offers), kind.level, kind.id, "%s: case %" PRIu64 ", %s%s%s%s%s%s",
                         words[c->state], c->id, place ? place : c->volume.device,
                         explanation ? ": " : "", explanation ? explanation : "",
                         detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
}

void case_log_list_full(const char *device) {
        LogEntry *e = log_entry_new();

        log_entry_addf(e, "BEZOAR_DEVICE", "/dev/%s", device);
        log_entry_commit(e, LOG_CRIT, LOG_ID_BADBLOCKS_FULL,
                         "The kernel's bad-block list of /dev/%s is cut off: there may be poison that it "
                         "does not name.", device);
}

void case_log_ledger_failed(const Case *c, int error) {
        LogEntry *e = entry_for(c, NULL);

        log_entry_commit(e, LOG_ERR, LOG_ID_LEDGER_FAILED,
                         "Case %" PRIu64 " could not be recorded, going on without: %s", c->id,
                         strerror(-error));
}

void case_log_budget(const Case *c, uint64_t n, uint64_t usec) {
        log_entry_commit(entry_for(c, NULL), LOG_CRIT, LOG_ID_BUDGET_EXHAUSTED,
                         "RepairBudget= is used up: %" PRIu64 " pages in %" PRIu64 " s; case %" PRIu64
                         " on %s and what comes after it waits",
                         n, usec / USEC_PER_SEC, c->id, c->volume.device);
}

void case_log_dimm_again(const Case *c, const Case *last, size_t n) {
        _cleanup_free_ char *names = strv_join(c->dimms, ", ");

        log_entry_commit(entry_for(c, NULL), LOG_ERR, LOG_ID_DIMM_AGAIN,
                         "%s%s lost bytes again: case %" PRIu64 " on %s; in the last 30 days it was in %zu "
                         "earlier case%s, last in case %" PRIu64,
                         c->dimms[1] ? "One of the memory modules " : "Memory module ", names ? names : "",
                         c->id, c->volume.device, n, n == 1 ? "" : "s", last->id);
}

void case_log_settled(const Case *c, uint64_t id, const char *disk, const Result *result) {
        LogEntry *e = log_entry_new();
        bool doubt = result->state == CASE_IN_DOUBT;

        if (c)
                add_place(e, c);
        else {
                log_entry_addf(e, "BEZOAR_CASE", "%" PRIu64, id);
                log_entry_addf(e, "BEZOAR_DEVICE", "/dev/%s", disk);
        }
        log_entry_commit(e, doubt ? LOG_CRIT : case_state_is_closed(result->state) ? LOG_NOTICE : LOG_ERR,
                         doubt ? LOG_ID_IN_DOUBT : NULL,
                         "An intent of case %" PRIu64 ", which is closed, was settled: %s%s%s", id,
                         case_state_to_string(result->state), result->detail ? ": " : "",
                         result->detail ? result->detail : "");
}

static void add_operator(LogEntry *e, const Operator *op) {
        _cleanup_free_ char *comm = op->comm ? codec_path_escape(op->comm) : NULL;

        log_entry_addf(e, "BEZOAR_UID", "%" PRIu32, op->uid);
        if (op->login_uid != OPERATOR_NOBODY)
                log_entry_addf(e, "BEZOAR_LOGINUID", "%" PRIu32, op->login_uid);
        log_entry_add(e, "BEZOAR_SESSION", op->session);
        if (op->pid > 0)
                log_entry_addf(e, "BEZOAR_PID", "%" PRIu32, op->pid);
        log_entry_add(e, "BEZOAR_COMM", comm);
}

void case_log_word(const Case *c, const Word *word, const Operator *op) {
        _cleanup_free_ char *place = place_of(c);
        LogEntry *e = log_entry_new();

        add_place(e, c);
        log_entry_add(e, "BEZOAR_STATE", case_state_to_string(c->state));
        log_entry_add(e, "BEZOAR_REPLICA", word->replica);
        log_entry_add(e, "BEZOAR_OPERATOR", c->accepted_by);
        add_operator(e, op);
        log_entry_commit(e, LOG_NOTICE, LOG_ID_ACCEPTED,
                         "Case %" PRIu64 ", %s: what is lost is to become %s%s, without a proof, says %s",
                         c->id, place ? place : c->volume.device,
                         word_is_zeroes(word) ? "zeroes" : "what it is in ",
                         word_is_zeroes(word) ? "" : word->replica, c->accepted_by);
}
