/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a replica can show, and whether that is enough. Proof is never counted or weighed: the
 * administrator names sets, and one of them must be shown as a whole. The empty set is shown by everybody
 * and therefore never enough. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/proof.h"
#include "util/str.h"

static const char *const proof_table[_PROOF_MAX] = {
        [PROOF_SEAL] = "seal",
        [PROOF_IDENTITY] = "identity",
        [PROOF_NEIGHBOURS] = "neighbours",
        [PROOF_QUORUM] = "quorum",
};

const char *proof_to_string(Proof p) {
        return str_at(proof_table, _PROOF_MAX, (int) p);
}

Proof proof_from_string(const char *s) {
        return (Proof) str_index(proof_table, _PROOF_MAX, s);
}

const char *proof_set_to_string(ProofSet s, char buf[static PROOF_SET_MAX]) {
        char *p = buf;

        assert(s < PROOF_BIT(_PROOF_MAX));

        if (s == 0)
                return strcpy(buf, "none");

        for (int i = 0; i < _PROOF_MAX; i++) {
                if (!(s & PROOF_BIT(i)))
                        continue;
                if (p > buf)
                        *p++ = '+';
                p = stpcpy(p, proof_table[i]);
        }
        return buf;
}

/* "a+b" of `n` bytes. */
static int set_parse(const char *s, size_t n, ProofSet *ret) {
        const char *end = s + n;
        ProofSet set = 0;

        for (;;) {
                const char *plus = memchr(s, '+', (size_t) (end - s));
                size_t word = (size_t) ((plus ?: end) - s);
                int p = str_index_n(proof_table, _PROOF_MAX, s, word);

                if (p < 0 || (set & PROOF_BIT(p)))
                        return -EINVAL;
                set |= PROOF_BIT(p);
                if (!plus)
                        break;
                s = plus + 1;
        }

        *ret = set;
        return 0;
}

int proof_set_from_string(const char *s, ProofSet *ret) {
        assert(ret);

        if (!s)
                return -EINVAL;
        if (strcmp(s, "none") == 0) {
                *ret = 0;
                return 0;
        }
        return set_parse(s, strlen(s), ret);
}

int proof_policy_parse(const char *s, ProofPolicy *ret) {
        ProofPolicy p = {};

        assert(ret);

        if (!s)
                return -EINVAL;

        for (;;) {
                size_t word = strcspn(s, ",");
                ProofSet set;
                int r;

                r = set_parse(s, word, &set);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < p.n; i++)
                        if (p.any_of[i] == set)
                                return -EINVAL;
                if (p.n == PROOF_ALTERNATIVES_MAX)
                        return -E2BIG;
                p.any_of[p.n++] = set;
                if (s[word] == '\0')
                        break;
                s += word + 1;
        }

        *ret = p;
        return 0;
}

char *proof_policy_format(const ProofPolicy *p) {
        char *text, *end;

        assert(p);
        assert(p->n <= PROOF_ALTERNATIVES_MAX);

        /* with its NUL, each set has room for the comma before it */
        text = end = malloc(p->n * PROOF_SET_MAX + 1);
        if (!text)
                return NULL;

        *end = '\0';
        for (size_t i = 0; i < p->n; i++) {
                char set[PROOF_SET_MAX];

                if (i > 0)
                        *end++ = ',';
                end = stpcpy(end, proof_set_to_string(p->any_of[i], set));
        }
        return text;
}

ProofSet proof_policy_satisfied(const ProofPolicy *p, ProofSet have) {
        assert(p);

        for (size_t i = 0; i < p->n; i++)
                if (p->any_of[i] != 0 && (p->any_of[i] & ~have) == 0)
                        return p->any_of[i];
        return 0;
}

/* Index of the first byte that differs, or n. */
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n) {
        size_t i = 0;

        if (memcmp(a, b, n) == 0)
                return n;
        while (a[i] == b[i])
                i++;
        return i;
}

/* Is a sector the same in both, as far as it can be read? 1, 0, or -ENOMEM. */
static int sector_stays(const uint8_t *a, const RangeSet *sa, const uint8_t *b, const RangeSet *sb,
                        uint64_t base, Range sector) {
        _cleanup_rangeset_ RangeSet in_a = {}, in_b = {};
        int r;

        r = rangeset_clip(sa, sector, &in_a);
        if (r >= 0)
                r = rangeset_clip(sb, sector, &in_b);
        if (r < 0)
                return r;
        if (!rangeset_equal(&in_a, &in_b))
                return 0;

        for (size_t i = 0; i < in_a.n; i++) {
                size_t at = (size_t) (in_a.items[i].start - base);

                if (memcmp(a + at, b + at, (size_t) range_size(in_a.items[i])) != 0)
                        return 0;
        }
        return 1;
}

int proof_moving(const uint8_t *a, const RangeSet *sa, const uint8_t *b, const RangeSet *sb, uint64_t base,
                 size_t size, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet moving = {};

        assert(base % SECTOR_SIZE == 0);

        for (size_t at = 0; at < size; at += SECTOR_SIZE) {
                size_t n = size - at < SECTOR_SIZE ? size - at : SECTOR_SIZE;
                Range sector = { base + at, base + at + n };
                int r;

                r = sector_stays(a, sa, b, sb, base, sector);
                if (r == 0)
                        r = rangeset_add(&moving, sector);
                if (r < 0)
                        return r;
        }

        *ret = moving;
        moving = (RangeSet) {};
        return 0;
}

/* The part of `r` from `at` on that comes before the next byte of `skip`; *ret_next: where to go on. */
static Range next_still(Range r, uint64_t at, const RangeSet *skip, uint64_t *ret_next) {
        Range still = { at, r.end };

        *ret_next = r.end;
        for (size_t i = 0; i < skip->n; i++) {
                Range s = skip->items[i];

                if (s.end <= at)
                        continue;
                if (s.start < r.end) {
                        still.end = s.start > at ? s.start : at;
                        *ret_next = s.end;
                }
                break;
        }
        return still;
}

Witness proof_witness(const uint8_t *medium, const uint8_t *replica, uint64_t base, size_t size,
                      const RangeSet *surviving, const RangeSet *moving, uint64_t *ret_at,
                      uint64_t *ret_bytes) {
        uint64_t compared = 0, next;
        Witness w = WITNESS_EQUAL;
        Range window, part;

        assert(surviving);
        assert(moving);

        /* a window that is empty, or that no file can have, bears no witness */
        for (size_t i = 0;
             w == WITNESS_EQUAL && range_init(base, size, &window) == 0 && i < surviving->n; i++) {
                if (!range_intersect(surviving->items[i], window, &part))
                        continue;
                for (uint64_t from = part.start; from < part.end; from = next) {
                        Range still = next_still(part, from, moving, &next);
                        size_t at = (size_t) (still.start - base), n = (size_t) (still.end - still.start);
                        size_t same;

                        same = n > 0 ? first_difference(medium + at, replica + at, n) : 0;
                        compared += same;
                        if (same == n)
                                continue;
                        w = WITNESS_DIFFER;
                        compared++;
                        if (ret_at)
                                *ret_at = still.start + same;
                        break;
                }
        }

        if (w == WITNESS_EQUAL && moving->n > 0) {
                w = WITNESS_BUSY;
                if (ret_at)
                        *ret_at = moving->items[0].start;
        }
        if (w == WITNESS_EQUAL && compared < NEIGHBOURS_MIN)
                w = WITNESS_FEW;
        if (ret_bytes)
                *ret_bytes = compared;
        return w;
}
