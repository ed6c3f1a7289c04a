/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cutting what was found into parts that can be judged on their own. A run of bad pages may cross from
 * one file into another, into free space or into metadata; each of these ends differently, so each
 * becomes a case of its own. */

#include <assert.h>
#include <stdlib.h>

#include "core/findings.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

void findings_done(Findings *f) {
        rangeset_done(&f->bad);
        owners_done(&f->owners);
        offers_done(&f->offers);
        free(f->fs);
        free(f->mended);
        *f = (Findings) {};
}

int findings_copy(const Findings *f, Findings *ret) {
        _cleanup_findings_ Findings copy = {
                .range = f->range,
                .read_only = f->read_only,
                .file_size = f->file_size,
                .part = f->part,
                .absent = f->absent,
                .present = f->present,
                .readable = f->readable,
                .coarse = f->coarse,
                .clonable = f->clonable,
                .freezable = f->freezable,
                .mend = f->mend,
                .held = f->held,
        };
        int r;

        r = rangeset_copy(&f->bad, &copy.bad);
        if (r >= 0)
                r = owners_copy(&f->owners, &copy.owners);
        if (r >= 0)
                r = str_copy(f->fs, &copy.fs);
        if (r >= 0)
                r = str_copy(f->mended, &copy.mended);
        for (size_t i = 0; r >= 0 && i < f->offers.n; i++) {
                _cleanup_offer_ Offer o = {};

                r = offer_copy(f->offers.items + i, &o);
                if (r >= 0)
                        r = vec_push(&copy.offers, o);
                if (r >= 0)
                        o = (Offer) {};
        }
        if (r < 0)
                return r;

        *ret = copy;
        copy = (Findings) {};
        return 0;
}

bool findings_has_whole_page(const Findings *f) {
        for (uint64_t at = f->range.start; at < f->range.end; at += REPAIR_UNIT)
                if (rangeset_contains(&f->bad, (Range) { at, at + REPAIR_UNIT }))
                        return true;
        return false;
}

bool findings_page_may_be_absent(const Findings *f) {
        return f->absent || (!f->present && findings_has_whole_page(f));
}

/* Does `b`, which begins where `a` ends, go on with the same owner? */
static bool owner_continues(const Owner *a, const Owner *b) {
        if (a->type != b->type || a->range.end != b->range.start || a->inode != b->inode ||
            a->generation != b->generation || a->shared != b->shared || a->unwritten != b->unwritten ||
            !streq_ptr(a->detail, b->detail))
                return false;

        return a->type != OWNER_FILE || a->offset + range_size(a->range) == b->offset;
}

static bool owners_continue(const Owners *a, const Owners *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (!owner_continues(a->items + i, b->items + i))
                        return false;
        return true;
}

static int findings_part(const Findings *f, Range window, const Owners *owners, Findings *ret) {
        _cleanup_findings_ Findings part = {};
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_owners_ Owners own = {};
        int r;

        r = rangeset_clip(&f->bad, window, &bad);
        if (r >= 0)
                r = owners_copy(owners, &own);
        if (r >= 0)
                r = findings_copy(f, &part);
        if (r < 0)
                return r;

        rangeset_done(&part.bad);
        part.bad = bad;
        bad = (RangeSet) {};
        owners_done(&part.owners);
        part.owners = own;
        own = (Owners) {};
        part.range = window;

        *ret = part;
        part = (Findings) {};
        return 0;
}

int findings_split(const Findings *f, int (*fn)(const Findings *part, void *userdata), void *userdata) {
        _cleanup_owners_ Owners so_far = {};    /* of [start, at) */
        uint64_t start;
        int r;

        assert(f);
        assert(fn);
        assert(range_is_aligned(f->range, REPAIR_UNIT));

        start = f->range.start;
        for (uint64_t at = f->range.start; at <= f->range.end; at += REPAIR_UNIT) {
                _cleanup_owners_ Owners here = {};
                bool last = at == f->range.end;

                if (!last) {
                        r = owners_clip(&f->owners, (Range) { at, at + REPAIR_UNIT }, &here);
                        if (r < 0)
                                return r;
                }

                if (at > start && !last && owners_continue(&so_far, &here)) {
                        for (size_t i = 0; i < so_far.n; i++)
                                so_far.items[i].range.end = here.items[i].range.end;
                        continue;
                }

                if (at > start && rangeset_overlaps(&f->bad, (Range) { start, at })) {
                        _cleanup_findings_ Findings part = {};

                        r = findings_part(f, (Range) { start, at }, &so_far, &part);
                        if (r >= 0)
                                r = fn(&part, userdata);
                        if (r != 0)
                                return r;
                }

                owners_done(&so_far);
                so_far = here;
                here = (Owners) {};
                start = at;
        }

        return 0;
}
