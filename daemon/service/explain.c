/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The long answer to "why?". One section for each question that somebody asks who was woken up by this. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/choice.h"
#include "core/codec.h"
#include "core/remedy.h"
#include "service/explain.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"

/* The rules that decide, in the very words of the README (tests/style/check-docs). */
static const char rule_truth[] =
        "The kernel's bad-block lists are the truth; every event is only a hint to read them again.";
static const char rule_proof[] =
        "Never write a byte that no replica has proved. When in doubt, refuse, say why, keep the poison: "
        "an I/O error is honest, wrong data is not.";
static const char rule_owner[] =
        "Write only to bytes that a file owns, and only after asking the file system again, at the moment "
        "of writing, that it still does.";
static const char rule_done[] =
        "A repair is done when it has been read back, and the kernel's list no longer has it; not when "
        "write(2) returned.";
static const char rule_crash[] =
        "A crash at any moment leaves either the poison or the right data, and the daemon can tell which.";
static const char rule_absent[] =
        "Never set a block free whose page is not present, nor let it be set free: where a page may be "
        "absent, an open case keeps its file open, so that deleting it does not arm the kernel.";

/* Not one of them, but no less true. */
static const char rule_allowed[] = "Nothing is written but what the configuration allows.";

static const char *rule_of(Reason r) {
        switch (r) {
        case REASON_CLEARED:
        case REASON_UNLISTED:
        case REASON_UNWRITTEN:
        case REASON_FREE:
                return rule_truth;
        case REASON_METADATA:
        case REASON_LOG:
        case REASON_UNKNOWN_OWNER:
        case REASON_UNMOUNTED:
        case REASON_CHANGED:
        case REASON_SHARED_EXTENT:
        case REASON_PATH_UNKNOWN:
                return rule_owner;
        case REASON_FREE_PAGE_MAY_BE_ABSENT:
        case REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT:
        case REASON_PARKED:
                return rule_absent;
        case REASON_READ_ONLY:
        case REASON_OBSERVE:
        case REASON_NOT_PROTECTED:
        case REASON_NO_REPLICA:
        case REASON_WRITER_NOT_ALLOWED:
        case REASON_BUDGET:
        case REASON_PAGE_BUDGET:
        case REASON_FILE_BUSY:
                return rule_allowed;
        case REASON_REPLICA_MISSING:
        case REASON_REPLICA_SHORT:
        case REASON_REPLICA_NOT_REGULAR:
        case REASON_REPLICA_ESCAPES:
        case REASON_REPLICA_UNREADABLE:
        case REASON_REPLICA_UNREACHABLE:
        case REASON_REPLICA_SAME_DEVICE:
        case REASON_REPLICA_STALE:
        case REASON_REPLICAS_DISAGREE:
        case REASON_NEIGHBOURS_BUSY:
        case REASON_PROOF_MISSING:
        case REASON_NOT_AS_SHOWN:
                return rule_proof;
        case REASON_PAGE_NOT_PRESENT:
        case REASON_WRITE_FAILED:
        case REASON_READ_BACK_FAILED:
        case REASON_STILL_LISTED:
                return rule_done;
        case REASON_IN_DOUBT:
        case REASON_WORKER_DIED:
        case REASON_WORKER_TIMEOUT:
                return rule_crash;
        case REASON_NONE:
        case REASON_INTERNAL:
        case _REASON_MAX:
        case _REASON_INVALID:
        default:
                return NULL;
        }
}

/* In the words of its owner, but without what would move a cursor. */
static void put_text(FILE *f, const char *s) {
        _cleanup_free_ char *escaped = codec_path_escape(s);

        (void) fputs(escaped ? escaped : "?", f);
}

static const Owner *file_of(const Case *c) {
        for (size_t i = 0; i < c->owners.n; i++)
                if (c->owners.items[i].type == OWNER_FILE)
                        return c->owners.items + i;
        return NULL;
}

static void put_owner(FILE *f, const Owner *o, uint64_t length) {
        (void) fputs("  Owner: ", f);
        if (o->type == OWNER_FILE) {
                (void) fprintf(f, "bytes %" PRIu64 " to %" PRIu64 " of ", o->offset, o->offset + length);
                if (o->path) {
                        (void) fputc('\'', f);
                        put_text(f, o->path);
                        (void) fprintf(f, "' (inode %" PRIu64 ")", o->inode);
                } else
                        (void) fprintf(f, "inode %" PRIu64 ", which has no known name", o->inode);
        } else
                (void) fputs(owner_type_to_string(o->type), f);
        if (o->shared)
                (void) fputs(", shared with other files", f);
        if (o->unwritten)
                (void) fputs(", allocated but never written", f);
        if (o->detail) {
                (void) fputs("; ", f);
                put_text(f, o->detail);
        }
        (void) fputc('\n', f);
}

static void put_lost(FILE *f, const Case *c) {
        uint64_t bad = rangeset_size(&c->bad);

        (void) fprintf(f, "\nWhat was lost\n  %" PRIu64 " bytes", bad);
        (void) fprintf(f, " within %" PRIu64 " to %" PRIu64 " of ", c->range.start, c->range.end);
        put_text(f, c->volume.device);
        if (c->physical.end > 0)
                (void) fprintf(f, ", physical address 0x%" PRIx64, c->physical.start);
        for (char **d = c->dimms; d && *d; d++) {
                (void) fputs(d == c->dimms ? ", on " : " ", f);
                put_text(f, *d);
        }
        (void) fputs(".\n", f);

        if (c->owners.n == 0)
                (void) fputs("  Owner: not known yet.\n", f);
        for (size_t i = 0; i < c->owners.n; i++)
                put_owner(f, c->owners.items + i, range_size(c->owners.items[i].range));
}

static void put_why(FILE *f, const Case *c) {
        const char *explanation = c->reason != REASON_NONE ? reason_explain(c->reason) : NULL;
        const CaseEvent *last = c->events.n > 0 ? c->events.items + c->events.n - 1 : NULL;
        const char *rule = rule_of(c->reason);

        (void) fputs("\nWhy it is so\n", f);
        if (explanation)
                (void) fprintf(f, "  %s\n", explanation);
        if (last && last->detail && !streq_ptr(last->detail, explanation)) {
                (void) fputs("  ", f);
                put_text(f, last->detail);
                (void) fputc('\n', f);
        }
        if (rule)
                (void) fprintf(f, "  The rule: %s\n", rule);
        if (c->ignored)
                (void) fputs("  An operator has said to leave it alone; it is not tried again.\n", f);
}

static void put_offer(FILE *f, const Offer *o) {
        char proofs[PROOF_SET_MAX];

        (void) fputs("  ", f);
        put_text(f, o->replica);
        if (o->state != OFFER_HELD)
                (void) fprintf(f, ": %s", reason_explain(offer_reason(o)));
        else if (o->witness == WITNESS_DIFFER)
                (void) fprintf(f, ": holds the file, but differs at %" PRIu64 " from what survives on "
                                                                              "the medium.",
                               o->witness_at);
        else if (o->witness == WITNESS_BUSY)
                (void) fprintf(f, ": holds the file, but while it was compared somebody stored to bytes "
                                  "around the lost ones (at %" PRIu64 ").", o->witness_at);
        else
                (void) fprintf(f, ": holds the bytes, and can show: %s.",
                               o->proofs != 0 ? proof_set_to_string(o->proofs, proofs) : "nothing");
        if (o->same_as) {
                (void) fputs(" It is read from where ", f);
                put_text(f, o->same_as);
                (void) fputs(" is, and counts with it as one.", f);
        }
        if (o->detail) {
                (void) fputs(" (", f);
                put_text(f, o->detail);
                (void) fputc(')', f);
        }
        (void) fputc('\n', f);
}

static void put_replicas(FILE *f, const Case *c, const Findings *found) {
        char proofs[PROOF_SET_MAX];

        if (c->state == CASE_HEALED && c->replica) {
                (void) fputs("\nWhere the bytes came from\n  ", f);
                put_text(f, c->replica);
                (void) fprintf(f, ", which showed: %s; written by %s.\n",
                               proof_set_to_string(c->proofs, proofs), writer_to_string(c->writer));
                return;
        }
        if (!found || found->offers.n == 0)
                return;

        (void) fputs("\nWhat the replicas had to show\n", f);
        for (size_t i = 0; i < found->offers.n; i++)
                put_offer(f, found->offers.items + i);
}

static void put_advice(FILE *f, const Case *c) {
        _cleanup_free_ char *advice = NULL;

        (void) remedy_make(c, &advice);
        if (case_state_is_closed(c->state) && !advice)
                return;
        (void) fputs("\nWhat you can do\n", f);
        if (advice)
                (void) fprintf(f, "  %s\n", advice);
        else if (c->state == CASE_REFUSED || c->state == CASE_IN_DOUBT)
                (void) fputs("  Look at the bytes and the replicas by hand.\n", f);
        else
                (void) fputs("  Nothing: the daemon goes on by itself.\n", f);
        if (c->ignored || case_state_wants_operator(c->state))
                (void) fprintf(f, "  When something has changed: bezoarctl resolve %" PRIu64 " retry\n",
                               c->id);
}

/* In UTC: the reader may sit elsewhere. */
static void put_events(FILE *f, const Case *c) {
        (void) fputs("\nWhat has happened (UTC)\n", f);
        for (size_t i = 0; i < c->events.n; i++) {
                const CaseEvent *e = c->events.items + i;
                time_t t = (time_t) (e->time / USEC_PER_SEC);
                char text[32] = "?";
                struct tm tm;

                if (gmtime_r(&t, &tm))
                        (void) strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
                (void) fprintf(f, "  %s  %-9s  ", text, case_state_to_string(e->state));
                put_text(f, e->detail ? e->detail : "");
                (void) fputc('\n', f);
        }
}

char *explain_case(const Case *c, const Findings *found) {
        const Owner *file = file_of(c);
        char *text = NULL;
        size_t size;
        FILE *f;

        assert(c);

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        (void) fprintf(f, "Case %" PRIu64 " is %s%s", c->id, case_state_to_string(c->state),
                       c->ignored ? " (ignored)" : "");
        if (file && file->path) {
                (void) fputs(": '", f);
                put_text(f, file->path);
                (void) fputc('\'', f);
        }
        (void) fputc('\n', f);

        put_lost(f, c);
        put_why(f, c);
        put_replicas(f, c, found);
        put_advice(f, c);
        put_events(f, c);

        if (ferror(f) | (fclose(f) == EOF)) {
                free(text);
                return NULL;
        }
        return text;
}
