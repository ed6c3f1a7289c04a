/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Proofs are facts about bytes that were read once: what is compared here is what is written later, from
 * the same buffer, so a replica that changes between two reads cannot slip anything in. */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"
#include "worker/evidence.h"
#include "write/writer.h"

void evidence_done(Evidence *e) {
        offer_done(&e->offer);
        free(e->bytes);
        rangeset_done(&e->should);
        rangeset_done(&e->has);
        *e = (Evidence) {};
}

void evidences_done(Evidences *l) {
        for (size_t i = 0; i < l->n; i++)
                evidence_done(l->items + i);
        vec_done(l);
}

int lost_bytes(const Window *w, Range pages, uint64_t file_size, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet lost = {};
        Range inside;
        int r;

        if (!range_intersect(pages, (Range) { 0, file_size }, &inside))
                return -EINVAL;

        r = rangeset_add(&lost, inside);
        if (r >= 0)
                r = rangeset_subtract_all(&lost, &w->surviving);
        if (r < 0)
                return r;

        *ret = lost;
        lost = (RangeSet) {};
        return 0;
}

/* What of the surviving bytes is in `set`. */
static int surviving_in(const Window *w, const RangeSet *set, RangeSet *ret) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < set->n; i++) {
                _cleanup_rangeset_ RangeSet part = {};

                r = rangeset_clip(&w->surviving, set->items[i], &part);
                if (r >= 0)
                        r = rangeset_add_all(ret, &part);
        }
        return r;
}

/* Compares what the replica has. Surviving bytes that it should have and has not are neighbours that
 * differ. */
static int evidence_compare(Evidence *e, const Window *w, const RangeSet *moving) {
        _cleanup_rangeset_ RangeSet there = {}, lacking = {};
        int r;

        r = surviving_in(w, &e->has, &there);
        if (r >= 0)
                r = surviving_in(w, &e->should, &lacking);
        if (r >= 0)
                r = rangeset_subtract_all(&lacking, &e->has);
        if (r < 0)
                return r;

        e->offer.witness = proof_witness(w->bytes, e->bytes, w->range.start, range_size(w->range), &there,
                                         moving, &e->offer.witness_at, NULL);
        if (e->offer.witness != WITNESS_DIFFER && lacking.n > 0) {
                e->offer.witness = WITNESS_DIFFER;
                e->offer.witness_at = lacking.items[0].start;
        }
        if (e->offer.witness == WITNESS_EQUAL)
                e->offer.proofs |= PROOF_BIT(PROOF_NEIGHBOURS);
        else
                e->offer.proofs &= ~PROOF_BIT(PROOF_NEIGHBOURS);
        return 0;
}

/* Size and time were looked at before the bytes were read. A copy that is being replaced meanwhile shows
 * other ones afterwards. */
static int evidence_recheck(Evidence *e, const Subject *subject) {
        _cleanup_(replica_freep) Replica *rep = NULL;
        _cleanup_offer_ Offer again = {};
        int r;

        if (!(e->offer.proofs & PROOF_BIT(PROOF_IDENTITY)))
                return 0;

        r = replica_open(e->offer.replica, subject, &rep, &again);
        if (r < 0)
                return r;
        if (again.state == OFFER_UNREACHABLE)
                return offer_set(&e->offer, OFFER_UNREACHABLE, "%s", again.detail ? again.detail
                                 : "it did not answer a second time");
        if (!(again.proofs & PROOF_BIT(PROOF_IDENTITY)))
                return offer_set(&e->offer, OFFER_UNREADABLE, "it changed while it was read");
        return 0;
}

/* Reads what there is of the window. 0, with e->bytes NULL and the offer saying why where that failed; or a
 * negative errno. */
static int evidence_read(Evidence *e, Replica *rep, const Window *w) {
        _cleanup_free_ uint8_t *bytes = calloc(1, range_size(w->range));

        if (!bytes)
                return -ENOMEM;

        for (size_t i = 0; i < e->has.n; i++) {
                Range part = e->has.items[i];
                int r = replica_read(rep, part.start, bytes + (part.start - w->range.start),
                                     range_size(part));

                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        return offer_set(&e->offer,
                                         replica_is_away(r) ? OFFER_UNREACHABLE : OFFER_UNREADABLE,
                                         "reading it at byte %" PRIu64 " failed: %s", part.start,
                                         strerror(-r));
        }

        e->bytes = TAKE_PTR(bytes);
        return 0;
}

static bool has_all(const RangeSet *has, const RangeSet *lost) {
        for (size_t i = 0; i < lost->n; i++)
                if (!rangeset_contains(has, lost->items[i]))
                        return false;
        return true;
}

/* What contradicts a current seal is wrong, whatever else speaks for it. */
static int evidence_seal(Evidence *e, const Sealed *sealed, const Window *w, const RangeSet *lost) {
        int r = sealed_check(sealed, w, e->bytes, lost);

        if (r == 0)
                e->offer.proofs |= PROOF_BIT(PROOF_SEAL);
        if (r == SEALED_E_DIFFERS)
                return offer_set(&e->offer, OFFER_NOT_AS_SEALED,
                                 "with its bytes the page is not what was sealed");
        return r < 0 ? r : 0;
}

/* What could be shown before it turned out to be nothing to write from. */
static void evidence_drop_bytes(Evidence *e) {
        if (e->offer.state == OFFER_HELD)
                return;
        free(e->bytes);
        e->bytes = NULL;
}

static int evidence_gather(Evidence *e, Replica *rep, const Subject *subject, const Window *w,
                           const RangeSet *lost) {
        int r;

        e->source = rep->source;
        r = replica_extent(rep, w->range, &e->should, &e->has);
        if (r < 0)
                return r;
        if (!has_all(&e->has, lost))
                return offer_set(&e->offer, OFFER_SHORT,
                                 "it ends at byte %" PRIu64 ", the lost bytes reach to %" PRIu64, rep->size,
                                 lost->items[lost->n - 1].end);

        r = evidence_read(e, rep, w);
        if (r < 0 || !e->bytes)
                return r;
        r = fault_point(getenv("BEZOAR_FAULT"), "replica-read");
        if (r >= 0)
                r = evidence_recheck(e, subject);
        evidence_drop_bytes(e);
        return r;
}

static int evidence_take(const char *replica, const Subject *subject, const Window *w, const RangeSet *lost,
                         Evidence *ret) {
        _cleanup_evidence_ Evidence e = {};
        _cleanup_(replica_freep) Replica *rep = NULL;
        int r;

        assert(lost->n > 0);

        r = replica_open(replica, subject, &rep, &e.offer);
        if (r == 0)
                r = evidence_gather(&e, rep, subject, w, lost);
        if (r < 0)
                return r;

        *ret = e;
        e = (Evidence) {};
        return 0;
}

/* Do two of them hold the same bytes at `lost`? */
static bool evidence_agree(const Evidence *a, const Evidence *b, const Window *w, const RangeSet *lost) {
        for (size_t i = 0; i < lost->n; i++) {
                Range l = lost->items[i];

                if (memcmp(a->bytes + (l.start - w->range.start), b->bytes + (l.start - w->range.start),
                           range_size(l)) != 0)
                        return false;
        }
        return true;
}

/* Equal bytes, equal group: 1, 2, …; 0 for those that were not read. */
static void evidences_group(Evidences *l, const Window *w, const RangeSet *lost) {
        unsigned groups = 0;

        for (size_t i = 0; i < l->n; i++) {
                Evidence *e = l->items + i;

                if (!e->bytes)
                        continue;
                for (size_t k = 0; k < i && e->offer.group == 0; k++)
                        if (l->items[k].bytes && evidence_agree(e, l->items + k, w, lost))
                                e->offer.group = l->items[k].offer.group;
                if (e->offer.group == 0)
                        e->offer.group = ++groups;
        }
}

/* Two or more that agree, and are not one and the same. What is refuted is no copy of this file as it is: it
 * vouches for nothing. */
static int evidences_quorum(Evidences *l) {
        for (size_t i = 0; i < l->n; i++)
                for (size_t k = 0; k < i; k++) {
                        Offer *a = &l->items[i].offer, *b = &l->items[k].offer;
                        int r;

                        if (a->group == 0 || a->group != b->group)
                                continue;
                        r = replica_same_source(a->replica, &l->items[i].source, b->replica,
                                                &l->items[k].source);
                        if (r < 0)
                                return r;
                        if (r > 0 && !a->same_as)
                                r = str_copy(b->replica, &a->same_as);
                        else if (r == 0 && !offer_refuted(a) && !offer_refuted(b)) {
                                a->proofs |= PROOF_BIT(PROOF_QUORUM);
                                b->proofs |= PROOF_BIT(PROOF_QUORUM);
                        }
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int evidences_compare(Evidences *l, const Window *w, const RangeSet *moving) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < l->n; i++)
                if (l->items[i].bytes)
                        r = evidence_compare(l->items + i, w, moving);
        return r;
}

static bool any_differs(const Evidences *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].bytes && l->items[i].offer.witness == WITNESS_DIFFER)
                        return true;
        return false;
}

/* Time enough for what is stored to all the time to be seen to change. */
#define MOMENT_USEC (20 * USEC_PER_MSEC)

static void rest(uint64_t *patience) {
        const struct timespec moment = { .tv_nsec = (long) (MOMENT_USEC * 1000) };

        (void) nanosleep(&moment, NULL);
        *patience = *patience > MOMENT_USEC ? *patience - MOMENT_USEC : 0;
}

/* The replicas have been read. That the window is as it was before they were is what makes the comparison
 * one of a single moment. A difference refutes in any case; whether somebody makes it right now is worth
 * waiting for, since it is another thing to tell. */
static int evidences_witness(Evidences *l, const Outlook *o, const Window *w, uint64_t *patience) {
        _cleanup_rangeset_ RangeSet moving = {}, more = {};
        int r;

        r = window_moving(o, w, &moving);
        if (r >= 0)
                r = evidences_compare(l, w, &moving);
        if (r < 0 || !any_differs(l) || *patience == 0)
                return r;

        rest(patience);
        r = window_moving(o, w, &more);
        if (r >= 0)
                r = rangeset_add_all(&moving, &more);
        return r < 0 ? r : evidences_compare(l, w, &moving);
}

static int evidences_seal(Evidences *l, const Sealed *sealed, const Window *w, const RangeSet *lost) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < l->n; i++) {
                if (!l->items[i].bytes)
                        continue;
                r = evidence_seal(l->items + i, sealed, w, lost);
                evidence_drop_bytes(l->items + i);
        }
        return r;
}

/* The same, with a share of the time that is left: one replica that does not answer must not cost the time
 * of those behind it, nor of what else was asked. */
static Subject hurried(const Subject *subject, size_t replicas) {
        Subject s = *subject;
        uint64_t now = now_monotonic();

        if (s.deadline_usec > now)
                s.deadline_usec = now + (s.deadline_usec - now) / (replicas + 1);
        return s;
}

int evidences_take(char *const *replicas, const Subject *subject, const Sealed *sealed, const Outlook *o,
                   const Window *w, const RangeSet *lost, uint64_t *patience, Evidences *ret) {
        _cleanup_evidences_ Evidences l = {};
        int r;

        for (; replicas && *replicas; replicas++) {
                const Subject one = hurried(subject, strv_length(replicas));
                _cleanup_evidence_ Evidence e = {};

                r = evidence_take(*replicas, &one, w, lost, &e);
                if (r >= 0)
                        r = vec_push(&l, e);
                if (r < 0)
                        return r;
                e = (Evidence) {};
        }

        r = evidences_witness(&l, o, w, patience);
        if (r >= 0)
                r = evidences_seal(&l, sealed, w, lost);
        if (r < 0)
                return r;
        evidences_group(&l, w, lost);
        r = evidences_quorum(&l);
        if (r < 0)
                return r;

        *ret = l;
        l = (Evidences) {};
        return 0;
}
