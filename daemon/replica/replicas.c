/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The front of the replicas. It finds the backend by the kind of the URI, and keeps both sides to the
 * contract: an offer is always filled in, only bytes that are held carry a proof, and a read is complete or
 * it has failed. Where the backend has an image of the device, file offsets are translated here, so that
 * whoever asks need not know. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "replica/refuse.h"
#include "replica/replica.h"
#include "replica/silent.h"
#include "util/str.h"

static const ReplicaOps *find(ReplicaKind kind) {
        for (const ReplicaOps *const *ops = replica_table; *ops; ops++)
                if ((*ops)->kind == kind)
                        return *ops;
        return NULL;
}

/* Keeps the places that the subject lends. */
static int keep_places(Replica *r, const Subject *subject) {
        return r->ops->image && subject->places ? spacemap_copy(subject->places, &r->places) : 0;
}

/* Under one name. *offer is new. As replica_open(). */
static int open_one(const ReplicaOps *ops, const char *uri, const char *argument, const Subject *subject,
                    Replica **ret, Offer *offer) {
        int r;

        *offer = (Offer) { .state = OFFER_MISSING, .witness = WITNESS_FEW };
        r = str_copy(uri, &offer->replica);
        if (r < 0)
                return r;
        if (!ops)
                return -EOPNOTSUPP;
        if (silent_is(uri))
                return none(offer, OFFER_UNREACHABLE,
                            "it has not answered in time, and is not asked again yet");

        r = ops->open(argument, subject, ret, offer);
        assert(r != 0 || (*ret && offer->state == OFFER_HELD));
        assert(r == 0 || !*ret);
        assert(r != REPLICA_E_NONE || (offer->state != OFFER_HELD && offer->proofs == 0));
        assert(r != 0 || !ops->image || offer->proofs == 0);
        offer->untimed = offer->untimed || ops->image || subject->untimed;
        if (subject->untimed)
                offer->proofs &= ~PROOF_BIT(PROOF_IDENTITY);
        if (r != 0)
                offer->proofs = 0;
        return r;
}

/* Under another of its names. The offer stays as it is where there is none either. */
static int open_other(const ReplicaOps *ops, const char *uri, const char *argument, const Subject *subject,
                      Replica **ret, Offer *offer) {
        int r = REPLICA_E_NONE;

        for (char *const *name = subject->others; name && *name && r == REPLICA_E_NONE; name++) {
                Subject again = *subject;
                Offer o;

                again.relative = *name;
                r = open_one(ops, uri, argument, &again, ret, &o);
                if (r == 0 || (r == REPLICA_E_NONE && o.state != OFFER_MISSING)) {
                        offer_done(offer);
                        *offer = o;
                        return r;
                }
                offer_done(&o);
        }
        return r;
}

int replica_open(const char *uri, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_(replica_freep) Replica *rep = NULL;
        const char *argument = NULL;
        const ReplicaOps *ops;
        int r;

        assert(uri);
        assert(subject && subject->relative && subject->relative[0] != '/');
        assert(ret);
        assert(offer);

        ops = find(replica_kind_of(uri, &argument));
        r = open_one(ops, uri, argument, subject, &rep, offer);
        if (r == REPLICA_E_NONE && offer->state == OFFER_MISSING && !ops->image)
                r = open_other(ops, uri, argument, subject, &rep, offer);
        if (r != 0)
                return r;

        rep->ops = ops;
        r = str_copy(uri, &rep->uri);
        if (r >= 0)
                r = keep_places(rep, subject);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(rep);
        return 0;
}

static int image_extent(const Replica *r, Range part, RangeSet *should, RangeSet *has) {
        _cleanup_(spacemap_done) SpaceMap map = {};
        int q;

        q = spacemap_forward(&r->places, part, &map);
        for (size_t i = 0; q >= 0 && i < map.n; i++) {
                SpaceSegment s = map.items[i];
                uint64_t left = r->size > s.to ? r->size - s.to : 0;
                Range there = s.from;

                q = rangeset_add(should, s.from);
                if (q >= 0 && left > 0) {
                        if (left < range_size(there))
                                there.end = there.start + left;
                        q = rangeset_add(has, there);
                }
        }
        return q;
}

int replica_extent(const Replica *r, Range part, RangeSet *ret_should, RangeSet *ret_has) {
        _cleanup_rangeset_ RangeSet should = {}, has = {};
        Range there;
        int q;

        assert(r);

        if (r->ops->image)
                q = image_extent(r, part, &should, &has);
        else {
                q = rangeset_add(&should, part);
                if (q >= 0 && r->size > 0 && range_intersect(part, (Range) { 0, r->size }, &there))
                        q = rangeset_add(&has, there);
        }
        if (q < 0)
                return q;

        *ret_should = should;
        *ret_has = has;
        should = has = (RangeSet) {};
        return 0;
}

int replica_read_own(Replica *r, uint64_t offset, void *buf, size_t n) {
        int q;

        assert(r);
        assert(buf || n == 0);

        if (offset > r->size || n > r->size - offset)
                return -ENODATA;
        q = n == 0 ? 0 : r->ops->read(r, offset, buf, n);
        if (q == -ETIMEDOUT)
                (void) silent_add(r->uri, false);
        return q;
}

static int read_image(Replica *r, uint64_t offset, uint8_t *buf, size_t n) {
        _cleanup_(spacemap_done) SpaceMap map = {};
        uint64_t at = offset, end;
        int q;

        if (__builtin_add_overflow(offset, n, &end))
                return -ENODATA;
        q = spacemap_forward(&r->places, (Range) { offset, end }, &map);
        for (size_t i = 0; q >= 0 && i < map.n; i++) {
                SpaceSegment s = map.items[i];
                size_t k = range_size(s.from);

                if (s.from.start != at)
                        return -ENXIO;
                q = replica_read_own(r, s.to, buf + (at - offset), k);
                at = s.from.end;
        }
        if (q < 0)
                return q;
        return at == end ? 0 : -ENXIO;
}

int replica_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        assert(r);
        assert(buf || n == 0);

        if (n > 0 && r->ops->image)
                return read_image(r, offset, buf, n);
        return replica_read_own(r, offset, buf, n);
}

void replica_new_request(void) {
        silent_forget();
}

bool replica_is_away(int error) {
        /* A handle that is stale says that what was opened is gone; opened again, it is something else. */
        return is_away(error) && error != -ESTALE;
}

Replica *replica_free(Replica *r) {
        if (!r)
                return NULL;

        spacemap_done(&r->places);
        free(r->uri);
        r->ops->close(r);
        return NULL;
}
