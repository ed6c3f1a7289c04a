/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/offer.h"
#include "core/owner.h"
#include "core/proof.h"
#include "random.h"
#include "util/vec.h"

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define SEAL PROOF_BIT(PROOF_SEAL)
#define IDENTITY PROOF_BIT(PROOF_IDENTITY)
#define NEIGHBOURS PROOF_BIT(PROOF_NEIGHBOURS)
#define NONE (&(const RangeSet) {})
#define QUORUM PROOF_BIT(PROOF_QUORUM)

/* Every name of every table goes there and back; other words, prefixes and values outside are told apart. */
static void test_names(void **state) {
        for (int i = 0; i < _PROOF_MAX; i++)
                assert_int_equal(proof_from_string(proof_to_string((Proof) i)), i);
        for (int i = 0; i < _OWNER_TYPE_MAX; i++)
                assert_int_equal(owner_type_from_string(owner_type_to_string((OwnerType) i)), i);
        for (int i = 0; i < _OFFER_STATE_MAX; i++)
                assert_int_equal(offer_state_from_string(offer_state_to_string((OfferState) i)), i);
        for (int i = WITNESS_EQUAL; i <= WITNESS_BUSY; i++)
                assert_int_equal(witness_from_string(witness_to_string((Witness) i)), i);

        assert_int_equal(proof_from_string("sea"), -EINVAL);
        assert_int_equal(proof_from_string("seals"), -EINVAL);
        assert_int_equal(proof_from_string(""), -EINVAL);
        assert_int_equal(proof_from_string(NULL), -EINVAL);
        assert_int_equal(owner_type_from_string("File"), -EINVAL);
        assert_int_equal(offer_state_from_string("gone"), -EINVAL);
        assert_int_equal((int) witness_from_string("same"), -EINVAL);
        assert_null(proof_to_string(_PROOF_MAX));
        assert_null(owner_type_to_string(_OWNER_TYPE_INVALID));
        assert_null(offer_state_to_string(_OFFER_STATE_MAX));
}

/* Sets are read in any order, written in one, and never hold a name twice. */
static void test_sets(void **state) {
        static const struct {
                const char *text;
                int r;
                ProofSet set;
        } table[] = {
                { "none", 0, 0 },
                { "seal", 0, SEAL },
                { "identity+neighbours", 0, IDENTITY | NEIGHBOURS },
                { "neighbours+identity", 0, IDENTITY | NEIGHBOURS },
                { "quorum+seal+neighbours+identity", 0, SEAL | IDENTITY | NEIGHBOURS | QUORUM },
                { "", -EINVAL },
                { NULL, -EINVAL },
                { "seal+seal", -EINVAL },
                { "seal+", -EINVAL },
                { "+seal", -EINVAL },
                { "seal++quorum", -EINVAL },
                { "seal+none", -EINVAL },
                { "none+none", -EINVAL },
                { "seal identity", -EINVAL },
                { " seal", -EINVAL },
                { "seal,identity", -EINVAL },
                { "checksum", -EINVAL },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                ProofSet set = 99;

                assert_int_equal(proof_set_from_string(table[i].text, &set), table[i].r);
                assert_int_equal(set, table[i].r < 0 ? 99 : table[i].set);
        }

        for (ProofSet s = 0; s < PROOF_BIT(_PROOF_MAX); s++) {
                char text[PROOF_SET_MAX];
                ProofSet set = 99;

                assert_int_equal(proof_set_from_string(proof_set_to_string(s, text), &set), 0);
                assert_int_equal(set, s);
                if (s == (IDENTITY | NEIGHBOURS))
                        assert_string_equal(text, "identity+neighbours");
        }
}

#define EIGHT "seal,identity,neighbours,quorum,seal+identity,seal+neighbours,seal+quorum,identity+quorum"

/* A policy is a list of sets; nothing that would make it emptier than it looks is taken, above all not
 * "none". */
static void test_policy_parse(void **state) {
        static const struct {
                const char *text;
                int r;
        } table[] = {
                { "seal", 0 },
                { "seal,identity+neighbours", 0 },
                { EIGHT, 0 },
                { EIGHT ",neighbours+quorum", -E2BIG },
                { "", -EINVAL },
                { NULL, -EINVAL },
                { "none", -EINVAL },
                { "seal,none", -EINVAL },
                { "seal,", -EINVAL },
                { ",seal", -EINVAL },
                { "seal,,identity", -EINVAL },
                { "seal,seal", -EINVAL },
                { "seal+identity,identity+seal", -EINVAL },
                { "seal+seal", -EINVAL },
                { "seal, identity", -EINVAL },
                { "sael", -EINVAL },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                ProofPolicy p = { .n = 99 };

                assert_int_equal(proof_policy_parse(table[i].text, &p), table[i].r);
                if (table[i].r == 0) {
                        _cleanup_free_ char *text = proof_policy_format(&p);

                        assert_string_equal(text, table[i].text);
                } else
                        assert_int_equal(p.n, 99);
        }
}

/* The text of the default is what the manual says, and reads back as the default. */
static void test_policy_default(void **state) {
        ProofPolicy p = PROOF_POLICY_DEFAULT;
        _cleanup_free_ char *text = proof_policy_format(&p), *none = proof_policy_format(&(ProofPolicy) {});
        ProofPolicy back;

        assert_string_equal(text, "seal,identity+neighbours");
        assert_int_equal(proof_policy_parse(text, &back), 0);
        assert_memory_equal(&back, &p, sizeof(p));
        assert_string_equal(none, "");
}

/* For every pair of alternatives and everything that may be shown: satisfied is exactly by the first
 * alternative shown as a whole; by nothing when nothing is shown; and never by an empty alternative. */
static void test_satisfied(void **state) {
        for (ProofSet a = 0; a < PROOF_BIT(_PROOF_MAX); a++)
                for (ProofSet b = 0; b < PROOF_BIT(_PROOF_MAX); b++)
                        for (ProofSet have = 0; have < PROOF_BIT(_PROOF_MAX); have++) {
                                ProofPolicy p = { .any_of = { a, b }, .n = 2 };
                                ProofSet expected = 0;

                                if (a != 0 && (a & have) == a)
                                        expected = a;
                                else if (b != 0 && (b & have) == b)
                                        expected = b;
                                assert_int_equal(proof_policy_satisfied(&p, have), expected);
                        }
        assert_int_equal(proof_policy_satisfied(&(ProofPolicy) {}, PROOF_BIT(_PROOF_MAX) - 1), 0);
}

/* The model: one byte after another. */
static Witness witness_model(const uint8_t *medium, const uint8_t *replica, uint64_t base, size_t size,
                             const RangeSet *surviving, const RangeSet *moving, uint64_t *at,
                             uint64_t *bytes) {
        *bytes = 0;
        for (size_t i = 0; i < size; i++) {
                if (!rangeset_contains(surviving, (Range) { base + i, base + i + 1 }) ||
                    rangeset_contains(moving, (Range) { base + i, base + i + 1 }))
                        continue;
                ++*bytes;
                if (medium[i] != replica[i]) {
                        *at = base + i;
                        return WITNESS_DIFFER;
                }
        }
        if (moving->n > 0) {
                *at = moving->items[0].start;
                return WITNESS_BUSY;
        }
        return *bytes < 512 ? WITNESS_FEW : WITNESS_EQUAL;
}

/* Some pieces of the window, and sometimes one that begins before it or ends behind it. */
static void random_surviving(Random *random, uint64_t base, uint64_t size, RangeSet *s, size_t round) {
        for (uint64_t i = random_below(random, 6); i > 0; i--) {
                uint64_t start = random_below(random, size), length = 1 + random_below(random, size - start);

                check(rangeset_add(s, (Range) { base + start, base + start + length }) == 0, round);
        }

        if (base > 0 && random_below(random, 2))
                check(rangeset_add(s, (Range) { 0, base + random_below(random, size) }) == 0, round);
        if (base + size < UINT64_MAX && random_below(random, 2))
                check(rangeset_add(s, (Range) { base + random_below(random, size), base + 2 * size }) == 0,
                      round);
}

/* Neighbours agree with a loop over bytes: bytes that did not survive count for nothing, however they
 * look, and every other byte of the window counts. */
static void test_witness_model(void **state) {
        enum { SIZE = 2048 };
        static const uint64_t bases[] = { 0, 1 << 20, UINT64_MAX - SIZE };
        uint8_t medium[SIZE], replica[SIZE];
        Random random = { RANDOM_SEED };
        size_t seen[4] = {};

        for (size_t round = 0; round < 1500; round++) {
                uint64_t base = bases[round % 3], at = 77, bytes = 77, expected_at = 77, expected_bytes;
                _cleanup_rangeset_ RangeSet surviving = {}, moving = {};
                Witness w;

                for (size_t i = 0; i < SIZE; i++)
                        medium[i] = replica[i] = (uint8_t) random_next(&random);
                for (uint64_t i = random_below(&random, 4); i > 0; i--)
                        replica[random_below(&random, SIZE)] ^= 1;
                random_surviving(&random, base, SIZE, &surviving, round);
                for (uint64_t i = random_below(&random, 2) * random_below(&random, 4); i > 0; i--) {
                        uint64_t start = base + random_below(&random, SIZE / 512) * 512;

                        check(rangeset_add(&moving, (Range) { start, start + 512 }) == 0, round);
                }

                w = witness_model(medium, replica, base, SIZE, &surviving, &moving, &expected_at,
                                  &expected_bytes);
                seen[w]++;
                check(proof_witness(medium, replica, base, SIZE, &surviving, &moving, &at, &bytes) == w,
                      round);
                check(at == expected_at && bytes == expected_bytes, round);
                check(proof_witness(medium, replica, base, SIZE, &surviving, &moving, NULL, NULL) == w,
                      round);
        }
        for (size_t i = 0; i < 4; i++)
                assert_true(seen[i] > 20);
}

/* A sector moves when a byte of it that could be read both times is another one, or can be read in one look
 * only; no byte that could not be read is looked at, and no other sector is blamed. */
static void test_moving(void **state) {
        enum { SIZE = 2048 + 100, BASE = 4096 };
        uint8_t a[SIZE] = {}, b[SIZE] = {};
        _cleanup_rangeset_ RangeSet all = {}, gap = {};

        assert_int_equal(rangeset_add(&all, (Range) { 0, BASE + SIZE }), 0);
        assert_int_equal(rangeset_add_all(&gap, &all), 0);
        assert_int_equal(rangeset_subtract(&gap, (Range) { BASE + 600, BASE + 700 }), 0);

        for (uint64_t i = 0; i < SIZE; i++) {
                _cleanup_rangeset_ RangeSet whole = {}, both = {}, one = {};
                bool in_gap = i >= 600 && i < 700;
                Range sector = { BASE + i / 512 * 512, BASE + (i < 2048 ? i / 512 * 512 + 512 : SIZE) };

                a[i] = 1;
                assert_int_equal(proof_moving(a, &all, b, &all, BASE, SIZE, &whole), 0);
                assert_true(rangeset_equal(&whole, RANGESET_ONE(sector)));
                assert_int_equal(proof_moving(a, &gap, b, &gap, BASE, SIZE, &both), 0);
                assert_true(rangeset_equal(&both, in_gap ? &(const RangeSet) {} : RANGESET_ONE(sector)));
                assert_int_equal(proof_moving(a, &all, b, &gap, BASE, SIZE, &one), 0);
                assert_true(rangeset_contains(&one, sector));
                assert_true(rangeset_contains(&one, (Range) { BASE + 512, BASE + 1024 }));
                a[i] = 0;
        }
}

/* One sector that moves is enough for a window to bear no witness, whatever the replica has there, and
 * however much else is equal; a difference elsewhere is told as such. */
static void test_witness_busy(void **state) {
        enum { SIZE = 8192 };
        uint8_t medium[SIZE] = {}, replica[SIZE] = {};
        const RangeSet *all = RANGESET_ONE({ 0, SIZE });

        for (uint64_t at = 0; at < SIZE; at += 512) {
                const RangeSet *moving = RANGESET_ONE({ at, at + 512 });
                uint64_t seen = 77;

                assert_int_equal(proof_witness(medium, replica, 0, SIZE, all, moving, &seen, NULL),
                                 WITNESS_BUSY);
                assert_int_equal(seen, at);
                replica[at + 511] = 1;
                assert_int_equal(proof_witness(medium, replica, 0, SIZE, all, moving, NULL, NULL),
                                 WITNESS_BUSY);
                replica[at + 511] = 0;
                replica[(at + 512) % SIZE] = 1;
                assert_int_equal(proof_witness(medium, replica, 0, SIZE, all, moving, &seen, NULL),
                                 WITNESS_DIFFER);
                assert_int_equal(seen, (at + 512) % SIZE);
                replica[(at + 512) % SIZE] = 0;
        }
        assert_int_equal(proof_witness(medium, replica, 0, SIZE, all, all, NULL, NULL), WITNESS_BUSY);
}

/* One wrong byte is found wherever it survives, at every edge too, and no byte that did not survive is
 * looked at. */
static void test_witness_each_byte(void **state) {
        enum { SIZE = 1536, BASE = 8192 };
        uint8_t medium[SIZE] = {}, replica[SIZE] = {};
        _cleanup_rangeset_ RangeSet surviving = {};

        assert_int_equal(rangeset_add(&surviving, (Range) { BASE - 512, BASE + 600 }), 0);
        assert_int_equal(rangeset_add(&surviving, (Range) { BASE + 700, BASE + 701 }), 0);
        assert_int_equal(rangeset_add(&surviving, (Range) { BASE + 1000, BASE + SIZE + 512 }), 0);

        for (uint64_t i = 0; i < SIZE; i++) {
                bool survives = rangeset_contains(&surviving, (Range) { BASE + i, BASE + i + 1 });
                uint64_t at = 77;

                medium[i] ^= 0x80;
                assert_int_equal(proof_witness(medium, replica, BASE, SIZE, &surviving, NONE, &at, NULL),
                                 survives ? WITNESS_DIFFER : WITNESS_EQUAL);
                assert_int_equal(at, survives ? BASE + i : 77);
                medium[i] ^= 0x80;
        }
}

/* One byte less than a sector proves nothing; a sector does; an empty or impossible window never does. */
static void test_witness_few(void **state) {
        static const uint8_t medium[1024], replica[1024];
        _cleanup_rangeset_ RangeSet surviving = {};
        uint64_t bytes;

        assert_int_equal(proof_witness(medium, replica, 0, 1024, &surviving, NONE, NULL, &bytes),
                         WITNESS_FEW);
        assert_int_equal(bytes, 0);
        assert_int_equal(rangeset_add(&surviving, (Range) { 100, 611 }), 0);
        assert_int_equal(proof_witness(medium, replica, 0, 1024, &surviving, NONE, NULL, &bytes),
                         WITNESS_FEW);
        assert_int_equal(bytes, 511);
        assert_int_equal(rangeset_add(&surviving, (Range) { 611, 612 }), 0);
        assert_int_equal(proof_witness(medium, replica, 0, 1024, &surviving, NONE, NULL, &bytes),
                         WITNESS_EQUAL);
        assert_int_equal(bytes, 512);
        assert_int_equal(proof_witness(medium, replica, 0, 0, &surviving, NONE, NULL, &bytes),
                         WITNESS_FEW);
        assert_int_equal(rangeset_add(&surviving, (Range) { 0, UINT64_MAX }), 0);
        assert_int_equal(proof_witness(medium, replica, UINT64_MAX - 1000, 1024, &surviving, NONE, NULL,
                                       &bytes),
                         WITNESS_FEW);
        assert_int_equal(bytes, 0);
}

/* Copies of owners and offers are equal, own their strings, and survive the original. */
static void test_copies(void **state) {
        Owners owners = {};
        _cleanup_owners_ Owners copy = {};
        Owner file = { .type = OWNER_FILE, .range = { 4096, 8192 }, .inode = 7, .generation = 9,
                       .offset = 512, .shared = true, .path = strdup("/srv/a"), .detail = strdup("b") };
        Owner unnamed = { .type = OWNER_FREE, .range = { 8192, 12288 } };
        Offer offer = { .replica = strdup("mirror:/m"), .state = OFFER_HELD, .proofs = IDENTITY,
                        .witness = WITNESS_DIFFER, .witness_at = 5 };
        _cleanup_offer_ Offer offer2 = {};

        assert_int_equal(vec_push(&owners, file), 0);
        assert_int_equal(vec_push(&owners, unnamed), 0);
        assert_int_equal(owners_copy(&owners, &copy), 0);
        owners_done(&owners);
        assert_int_equal(owners.n, 0);
        assert_int_equal(copy.n, 2);
        assert_string_equal(copy.items[0].path, "/srv/a");
        assert_string_equal(copy.items[0].detail, "b");
        assert_true(copy.items[0].type == OWNER_FILE && copy.items[0].shared && !copy.items[0].unwritten);
        assert_true(copy.items[0].inode == 7 && copy.items[0].generation == 9);
        assert_int_equal(copy.items[0].offset, 512);
        assert_true(range_equal(copy.items[0].range, (Range) { 4096, 8192 }));
        assert_null(copy.items[1].path);

        assert_int_equal(offer_copy(&offer, &offer2), 0);
        offer_done(&offer);
        assert_null(offer.replica);
        assert_string_equal(offer2.replica, "mirror:/m");
        assert_null(offer2.detail);
        assert_true(offer2.proofs == IDENTITY && offer2.witness == WITNESS_DIFFER && offer2.witness_at == 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_sets),
                cmocka_unit_test(test_policy_parse),
                cmocka_unit_test(test_policy_default),
                cmocka_unit_test(test_satisfied),
                cmocka_unit_test(test_witness_model),
                cmocka_unit_test(test_witness_each_byte),
                cmocka_unit_test(test_moving),
                cmocka_unit_test(test_witness_busy),
                cmocka_unit_test(test_witness_few),
                cmocka_unit_test(test_copies),
        };

        return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
