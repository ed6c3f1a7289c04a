/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/plan.h"
#include "util/strv.h"
#include "util/vec.h"

#define PAGE REPAIR_UNIT

/* A policy with one protect file for /srv/db, defaults otherwise. */
static void policy_for_db(Policy *p) {
        Protect protect;

        policy_init(p);
        protect_init(&protect);
        protect.name = strdup("db");
        protect.path = strdup("/srv/db");
        assert_int_equal(strv_extend(&protect.replicas, "mirror:/m"), 0);
        assert_int_equal(vec_push(&p->protects, protect), 0);

        protect_init(&protect);
        protect.name = strdup("dax");
        protect.device = strdup("/dev/dax0.0");
        assert_int_equal(strv_extend(&protect.replicas, "block:/m"), 0);
        assert_int_equal(vec_push(&p->protects, protect), 0);
}

static void add_owner(Findings *f, Owner o) {
        if (o.path)
                o.path = strdup(o.path);
        assert_int_equal(vec_push(&f->owners, o), 0);
}

static void add_offer(Findings *f, Offer o) {
        if (!o.replica)
                o.replica = (char *) "mirror:/m";
        o.replica = strdup(o.replica);
        assert_int_equal(vec_push(&f->offers, o), 0);
}

/* One page at 1 MiB, its second sector bad, data of /srv/db/a at offset 8192, and a replica that shows all
 * that it should. */
static void findings_good(Findings *f) {
        *f = (Findings) { .range = { 1 << 20, (1 << 20) + PAGE }, .file_size = 1 << 20,
                          .fs = strdup("xfs") };
        assert_int_equal(rangeset_add(&f->bad, (Range) { (1 << 20) + 512, (1 << 20) + 1024 }), 0);
        add_owner(f, (Owner) { .type = OWNER_FILE, .range = f->range, .inode = 7, .generation = 1,
                               .offset = 8192, .path = (char *) "/srv/db/a" });
        add_offer(f, (Offer) { .state = OFFER_HELD, .witness = WITNESS_EQUAL, .group = 1,
                               .proofs = PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS) });
}

static void expect(const Policy *policy, const Findings *f, Verdict verdict, Reason reason) {
        _cleanup_plan_ Plan p = {};

        assert_int_equal(plan_make(policy, f, &p), 0);
        assert_string_equal(verdict_to_string(p.verdict), verdict_to_string(verdict));
        assert_string_equal(reason_to_string(p.reason), reason_to_string(reason));
        assert_int_equal(p.steps.n > 0, verdict_acts(verdict));
        if (verdict != VERDICT_REPAIR) {
                assert_int_equal(p.means.n_writers, 0);
                assert_null(p.replica);
        }
}

/* Proves that the ordinary case ends in one step, with everything that the repair must check again. */
static void test_repair(void **state) {
        _cleanup_policy_ Policy policy = {};
        _cleanup_findings_ Findings f = {};
        _cleanup_plan_ Plan p = {};

        policy_for_db(&policy);
        findings_good(&f);
        assert_int_equal(plan_make(&policy, &f, &p), 0);
        assert_int_equal(p.verdict, VERDICT_REPAIR);
        assert_int_equal(p.steps.n, 1);
        assert_int_equal(p.steps.items[0].offset, 8192);
        assert_int_equal(rangeset_size(&p.steps.items[0].bad), 512);
        assert_int_equal(p.proofs, PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS));
        assert_int_equal(p.means.n_writers, 2);
        assert_int_equal(p.means.writers[0], WRITER_PWRITE);
        assert_int_equal(p.means.writers[1], WRITER_REVIVE);
        assert_int_equal(p.means.exclusion.n, 2);
        assert_string_equal(p.replica, "mirror:/m");
}

/* Proves that each kind of owner but written, unshared file data is left alone, for its own reason. */
static void test_owners(void **state) {
        static const struct {
                Owner owner;
                bool whole_page;
                Verdict verdict;
                Reason reason;
        } table[] = {
                { { .type = OWNER_FREE }, false, VERDICT_HARMLESS, REASON_FREE },
                { { .type = OWNER_FREE }, true, VERDICT_PARK, REASON_NONE },
                { { .type = OWNER_FILE, .unwritten = true }, false, VERDICT_HARMLESS, REASON_UNWRITTEN },
                { { .type = OWNER_FILE, .unwritten = true }, true,
                  VERDICT_WAIT, REASON_UNWRITTEN_PAGE_MAY_BE_ABSENT },
                { { .type = OWNER_FILE, .unwritten = true, .guard = true }, false,
                  VERDICT_UNPARK, REASON_NONE },
                { { .type = OWNER_FILE, .unwritten = true, .guard = true }, true,
                  VERDICT_HARMLESS, REASON_PARKED },
                { { .type = OWNER_FILE, .guard = true }, true, VERDICT_HARMLESS, REASON_PARKED },
                /* behind the end */
                { { .type = OWNER_FILE, .offset = 1 << 20 }, false, VERDICT_HARMLESS, REASON_UNWRITTEN },
                /* shared, and the file system may not be frozen */
                { { .type = OWNER_FILE, .shared = true, .path = (char *) "/srv/db/a" }, false,
                  VERDICT_REFUSE, REASON_SHARED_EXTENT },
                { { .type = OWNER_FILE, .path = NULL }, false, VERDICT_REFUSE, REASON_PATH_UNKNOWN },
                { { .type = OWNER_METADATA, .detail = (char *) "inode btree" }, false,
                  VERDICT_REFUSE, REASON_METADATA },
                { { .type = OWNER_LOG }, true, VERDICT_REFUSE, REASON_LOG },
                { { .type = OWNER_UNKNOWN }, false, VERDICT_WAIT, REASON_UNKNOWN_OWNER },
                { { .type = OWNER_DEVICE_DAX, .offset = 1 << 20 }, false,
                  VERDICT_REFUSE, REASON_NOT_PROTECTED },
                { { .type = OWNER_DEVICE_DAX, .offset = 1 << 20, .path = (char *) "/dev/dax1.0" }, false,
                  VERDICT_REFUSE, REASON_NOT_PROTECTED },
                { { .type = OWNER_DEVICE_DAX, .offset = 8192, .path = (char *) "/dev/dax0.0" }, false,
                  VERDICT_WAIT, REASON_UNKNOWN_OWNER },         /* an address is an offset */
                { { .type = OWNER_DEVICE_DAX, .offset = 1 << 20, .path = (char *) "/dev/dax0.0" }, false,
                  VERDICT_WAIT, REASON_UNKNOWN_OWNER },         /* behind its end */
                { { .type = OWNER_UNMOUNTED }, false, VERDICT_WAIT, REASON_UNMOUNTED },
        };
        _cleanup_policy_ Policy policy = {};

        policy_for_db(&policy);
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_findings_ Findings f = {};
                Owner o = table[i].owner;

                findings_good(&f);
                owners_done(&f.owners);
                o.range = f.range;
                o.detail = o.detail ? strdup(o.detail) : NULL;
                add_owner(&f, o);
                if (table[i].whole_page)
                        assert_int_equal(rangeset_add(&f.bad, f.range), 0);
                expect(&policy, &f, table[i].verdict, table[i].reason);
        }
}

/* Proves that a device-dax is written by `clear` only, only optimistically, whether or not good sectors
 * are left beside the bad ones, and only with the proof that its protect file asks for: which, where that
 * says nothing, no image can show. */
static void test_device(void **state) {
        static const struct {
                const char *proof;
                ProofSet shown;
                const char *exclusion;
                WriterKind writer;
                bool whole_page;
                Verdict verdict;
                Reason reason;
        } table[] = {
#define BY_NEIGHBOURS "neighbours", PROOF_BIT(PROOF_NEIGHBOURS)
#define BY_DEFAULT "seal,identity+neighbours", PROOF_BIT(PROOF_NEIGHBOURS)
                { BY_NEIGHBOURS, "lease,freeze,optimistic", WRITER_AUTO, false,
                  VERDICT_REPAIR, REASON_NONE },
                { BY_NEIGHBOURS, "optimistic", WRITER_CLEAR, true, VERDICT_REPAIR, REASON_NONE },
                { BY_NEIGHBOURS, "lease,freeze", WRITER_AUTO, false,
                  VERDICT_REFUSE, REASON_WRITER_NOT_ALLOWED },
                { BY_NEIGHBOURS, "optimistic", WRITER_PWRITE, false,
                  VERDICT_REFUSE, REASON_WRITER_NOT_ALLOWED },
                { BY_NEIGHBOURS, "optimistic", WRITER_BLOCK, false,
                  VERDICT_REFUSE, REASON_WRITER_NOT_ALLOWED },
                { BY_DEFAULT, "optimistic", WRITER_AUTO, false, VERDICT_REFUSE, REASON_PROOF_MISSING },
                { "quorum", PROOF_BIT(PROOF_NEIGHBOURS), "optimistic", WRITER_AUTO, false,
                  VERDICT_REFUSE, REASON_PROOF_MISSING },
                { "quorum", PROOF_BIT(PROOF_NEIGHBOURS) | PROOF_BIT(PROOF_QUORUM), "optimistic", WRITER_AUTO,
                  true, VERDICT_REPAIR, REASON_NONE },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan p = {};
                Protect *protect;

                policy_for_db(&policy);
                protect = policy.protects.items + 1;
                protect->writer = table[i].writer;
                assert_int_equal(proof_policy_parse(table[i].proof, &protect->proof), 0);
                assert_int_equal(exclusion_list_parse(table[i].exclusion, &protect->exclusion), 0);

                findings_good(&f);
                f.file_size = 2 << 20;
                f.owners.items[0].type = OWNER_DEVICE_DAX;
                f.owners.items[0].offset = 1 << 20;
                f.owners.items[0].inode = 0;
                free(f.owners.items[0].path);
                f.owners.items[0].path = strdup("/dev/dax0.0");
                f.offers.items[0].proofs = table[i].shown;
                f.offers.items[0].untimed = true;
                if (table[i].whole_page)
                        assert_int_equal(rangeset_add(&f.bad, f.range), 0);
                expect(&policy, &f, table[i].verdict, table[i].reason);

                assert_int_equal(plan_make(&policy, &f, &p), 0);
                if (table[i].verdict != VERDICT_REPAIR)
                        continue;
                assert_int_equal(p.means.n_writers, 1);
                assert_int_equal(p.means.writers[0], WRITER_CLEAR);
                assert_int_equal(p.means.exclusion.n, 1);
                assert_int_equal(p.means.exclusion.items[0], EXCLUSION_OPTIMISTIC);
                assert_int_equal(p.steps.items[0].offset, 1 << 20);
        }
}

/* Proves that a hole is punched only where Writer= says so, and never where that could crash the kernel, or
 * show zeroes to somebody. */
static void test_punch(void **state) {
        enum { PLAIN, SHARED, ABSENT, WHOLE_PAGE, TAIL, NO_LEASE, AUTO, _CASES };

        for (int i = 0; i < _CASES; i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan p = {};
                Protect *protect;

                policy_for_db(&policy);
                protect = policy.protects.items;
                protect->writer = i == AUTO ? WRITER_AUTO : WRITER_PUNCH;
                findings_good(&f);
                f.freezable = f.clonable = true;
                f.owners.items[0].shared = i == SHARED;
                f.absent = i == ABSENT;
                if (i == WHOLE_PAGE)
                        assert_int_equal(rangeset_add(&f.bad, f.range), 0);
                if (i == TAIL)
                        f.file_size = 8192 + 100;
                if (i == NO_LEASE)
                        assert_int_equal(exclusion_list_parse("freeze,optimistic", &protect->exclusion), 0);

                assert_int_equal(plan_make(&policy, &f, &p), 0);
                if (i == AUTO) {
                        for (size_t k = 0; k < p.means.n_writers; k++)
                                assert_int_not_equal(p.means.writers[k], WRITER_PUNCH);
                        continue;
                }
                expect(&policy, &f, i == PLAIN ? VERDICT_REPAIR : VERDICT_REFUSE,
                       i == PLAIN    ? REASON_NONE
                       : i == SHARED ? REASON_SHARED_EXTENT
                                     : REASON_WRITER_NOT_ALLOWED);
                if (i != PLAIN) {
                        assert_non_null(p.detail);
                        continue;
                }
                assert_int_equal(p.means.n_writers, 1);
                assert_int_equal(p.means.writers[0], WRITER_PUNCH);
                assert_int_equal(p.means.exclusion.n, 1);
                assert_int_equal(p.means.exclusion.items[0], EXCLUSION_LEASE);
        }
}

/* Proves that free space is not called harmless when what is good of its page cannot be read either. */
static void test_absent(void **state) {
        _cleanup_policy_ Policy policy = {};
        _cleanup_findings_ Findings f = {};

        policy_for_db(&policy);
        findings_good(&f);
        f.owners.items[0].type = OWNER_FREE;
        expect(&policy, &f, VERDICT_HARMLESS, REASON_FREE);
        f.absent = true;
        expect(&policy, &f, VERDICT_PARK, REASON_NONE);

        /* The same below a guard: until the page is known to be there. */
        f.owners.items[0].type = OWNER_FILE;
        f.owners.items[0].guard = true;
        expect(&policy, &f, VERDICT_HARMLESS, REASON_PARKED);
        f.present = true;               /* contradicts `absent`, which was measured */
        expect(&policy, &f, VERDICT_HARMLESS, REASON_PARKED);
        f.absent = false;
        assert_int_equal(rangeset_add(&f.bad, f.range), 0);
        expect(&policy, &f, VERDICT_UNPARK, REASON_NONE);
        f.present = false;
        expect(&policy, &f, VERDICT_HARMLESS, REASON_PARKED);
}

/* Proves that only a file system that needs it, and can do it, is parked on; and only where we may write. */
static void test_park(void **state) {
        static const struct {
                const char *fs;
                bool read_only;
                Mode mode;
                Verdict verdict;
                Reason reason;
                FsPart part;
        } table[] = {
                { "xfs", false, MODE_REPAIR, VERDICT_PARK, REASON_NONE },
                { "xfs", false, MODE_REPAIR, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT,
                  FS_PART_REALTIME },
                { "xfs", true, MODE_REPAIR, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT },
                { "xfs", false, MODE_OBSERVE, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT },
                { "ext4", false, MODE_REPAIR, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT },
                { "ext4", true, MODE_OBSERVE, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT },
                { "f2fs", false, MODE_REPAIR, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT },
                { NULL, false, MODE_REPAIR, VERDICT_WAIT, REASON_FREE_PAGE_MAY_BE_ABSENT },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                Verdict unpark = table[i].mode == MODE_REPAIR && !table[i].read_only ? VERDICT_UNPARK
                                                                                     : VERDICT_HARMLESS;

                policy_for_db(&policy);
                policy.mode = table[i].mode;
                findings_good(&f);
                free(f.fs);
                f.fs = table[i].fs ? strdup(table[i].fs) : NULL;
                f.read_only = table[i].read_only;
                f.part = table[i].part;
                f.owners.items[0].type = OWNER_FREE;
                assert_int_equal(rangeset_add(&f.bad, f.range), 0);
                expect(&policy, &f, table[i].verdict, table[i].reason);

                f.owners.items[0].type = OWNER_FILE;
                f.owners.items[0].guard = f.present = true;
                expect(&policy, &f, unpark, unpark == VERDICT_UNPARK ? REASON_NONE : REASON_PARKED);
        }
}

/* Proves that lost metadata is mended only by a file system that says it can, where we may have it write,
 * its page cannot be absent, and it has not been tried; and that a refusal says which of these it was. */
static void test_mend(void **state) {
        static const struct {
                Mend mend;
                const char *mended;
                bool absent, whole_page, read_only;
                Mode mode;
                Verdict verdict;
                const char *why;
        } table[] = {
                { { .parts = MEND_BIT(MEND_AGF), .group = 1 }, NULL, false, false, false, MODE_REPAIR,
                  VERDICT_MEND, NULL },
                { { .parts = MEND_BIT(MEND_DIRECTORY), .inode = 131 }, NULL, false, false, false,
                  MODE_REPAIR, VERDICT_MEND, NULL },
                { {}, NULL, false, false, false, MODE_REPAIR, VERDICT_REFUSE, "headers of group 1" },
                { { .parts = MEND_BIT(MEND_AGF) }, "agf: so", false, false, false,
                  MODE_REPAIR, VERDICT_REFUSE, "headers of group 1; agf: so" },
                { {}, "agf: so", false, false, false, MODE_REPAIR, VERDICT_REFUSE,
                  "headers of group 1; agf: so" },
                { { .parts = MEND_BIT(MEND_AGF) }, NULL, true, false, false, MODE_REPAIR, VERDICT_REFUSE,
                  "headers of group 1; the file system could rebuild it, but its page may be absent" },
                { { .parts = MEND_BIT(MEND_AGF) }, NULL, false, true, false, MODE_REPAIR, VERDICT_REFUSE,
                  "headers of group 1; the file system could rebuild it, but its page may be absent" },
                { { .parts = MEND_BIT(MEND_AGF) }, NULL, false, false, true, MODE_REPAIR, VERDICT_REFUSE,
                  "headers of group 1; the file system could rebuild it, but is mounted read-only" },
                { { .parts = MEND_BIT(MEND_AGF) }, NULL, false, false, false, MODE_OBSERVE, VERDICT_REFUSE,
                  "headers of group 1; the file system could rebuild it, but the daemon only observes" },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan p = {};

                policy_for_db(&policy);
                policy.mode = table[i].mode;
                findings_good(&f);
                owners_done(&f.owners);
                add_owner(&f, (Owner) { .type = OWNER_METADATA, .range = f.range,
                                        .detail = strdup("headers of group 1") });
                f.mend = table[i].mend;
                f.mended = table[i].mended ? strdup(table[i].mended) : NULL;
                f.absent = table[i].absent;
                f.read_only = table[i].read_only;
                if (table[i].whole_page)
                        assert_int_equal(rangeset_add(&f.bad, f.range), 0);

                assert_int_equal(plan_make(&policy, &f, &p), 0);
                assert_int_equal(p.verdict, table[i].verdict);
                assert_int_equal(p.reason, p.verdict == VERDICT_MEND ? REASON_NONE : REASON_METADATA);
                assert_int_equal(p.steps.n > 0, p.verdict == VERDICT_MEND);
                if (table[i].why)
                        assert_string_equal(p.detail, table[i].why);
        }
}

/* Proves that a page with two owners, or with none, or with one that covers a part of it, is never
 * written. */
static void test_mixed_owners(void **state) {
        _cleanup_policy_ Policy policy = {};

        policy_for_db(&policy);
        for (int i = 0; i < 4; i++) {
                _cleanup_findings_ Findings f = {};
                Owner o;

                findings_good(&f);
                o = f.owners.items[0];
                if (i == 0)             /* a second file, same bytes: reflink, even if the flag were lost */
                        add_owner(&f, (Owner) { .type = OWNER_FILE, .range = f.range, .inode = 8,
                                                .path = o.path });
                else if (i == 1)        /* another kind for the same bytes */
                        add_owner(&f, (Owner) { .type = OWNER_METADATA, .range = f.range });
                else if (i == 2)        /* half a page */
                        f.owners.items[0].range.end -= 2048;
                else
                        owners_done(&f.owners);
                expect(&policy, &f, i == 0 ? VERDICT_REFUSE : VERDICT_WAIT,
                       i == 0 ? REASON_SHARED_EXTENT : REASON_UNKNOWN_OWNER);
        }
}

/* Proves for files that share a page what each fact and each word of the administrator changes. */
static void test_shared(void **state) {
        static const struct {
                const char *second, *exclusion;
                WriterKind writer;
                bool absent, coarse, thawed, flag_only, whole_page, clonable;
                Reason reason;                  /* REASON_NONE: healed in place, or by cloning */
        } table[] = {
                { .second = "/srv/db/b" },
                { .second = "/srv/elsewhere" },         /* nobody's rules are no rules */
                { .second = "/srv/db/b", .writer = WRITER_BLOCK, .exclusion = "freeze" },
                { .flag_only = true },
                { .second = "/srv/db/b", .absent = true, .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .absent = true, .clonable = true, .exclusion = "lease" },
                { .second = "/srv/db/b", .whole_page = true, .clonable = true },
                { .second = "/srv/db/b", .clonable = true },    /* in place is better */
                { .second = "/srv/db/b", .absent = true, .clonable = true, .exclusion = "freeze",
                  .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .absent = true, .clonable = true, .writer = WRITER_BLOCK,
                  .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/strict/b", .absent = true, .clonable = true,
                  .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .whole_page = true, .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .coarse = true, .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .thawed = true, .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .exclusion = "lease,optimistic", .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/db/b", .writer = WRITER_PWRITE, .reason = REASON_SHARED_EXTENT },
                { .second = "/srv/strict/b", .reason = REASON_SHARED_EXTENT },
                { .second = "", .reason = REASON_PATH_UNKNOWN },
                { .flag_only = true, .absent = true, .reason = REASON_SHARED_EXTENT },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan p = {};
                Protect strict;

                policy_for_db(&policy);
                protect_init(&strict);
                strict.name = strdup("strict");
                strict.path = strdup("/srv/strict");
                assert_int_equal(vec_push(&policy.protects, strict), 0);
                policy.protects.items[0].writer = table[i].writer;
                if (table[i].exclusion)
                        assert_int_equal(exclusion_list_parse(table[i].exclusion,
                                                              &policy.protects.items[0].exclusion), 0);
                findings_good(&f);
                f.owners.items[0].shared = true;
                if (!table[i].flag_only)
                        add_owner(&f, (Owner) { .type = OWNER_FILE, .range = f.range, .inode = 8,
                                                .generation = 1, .shared = true,
                                                .path = (char *) (table[i].second[0] ? table[i].second
                                                                                     : NULL) });
                f.absent = table[i].absent;
                f.coarse = table[i].coarse;
                f.freezable = !table[i].thawed;
                f.clonable = table[i].clonable;
                if (table[i].whole_page)
                        assert_int_equal(rangeset_add(&f.bad, f.range), 0);

                expect(&policy, &f, table[i].reason == REASON_NONE ? VERDICT_REPAIR : VERDICT_REFUSE,
                       table[i].reason);
                if (table[i].reason != REASON_NONE)
                        continue;
                assert_int_equal(plan_make(&policy, &f, &p), 0);
                assert_int_equal(p.means.n_writers, 1);
                if (table[i].absent || table[i].whole_page) {
                        assert_int_equal(p.means.writers[0], WRITER_CLONE);
                        continue;
                }
                assert_int_equal(p.means.writers[0], WRITER_BLOCK);
                assert_int_equal(p.means.exclusion.n, 1);
                assert_int_equal(p.means.exclusion.items[0], EXCLUSION_FREEZE);
        }
}

/* Proves that findings that contradict themselves are not acted on. */
static void test_insane(void **state) {
        _cleanup_policy_ Policy policy = {};

        policy_for_db(&policy);
        for (int i = 0; i < 5; i++) {
                _cleanup_findings_ Findings f = {};

                findings_good(&f);
                if (i == 0)
                        f.range.end -= 512;
                else if (i == 1)
                        rangeset_done(&f.bad);
                else if (i == 2)
                        assert_int_equal(rangeset_add(&f.bad, (Range) { f.range.end, f.range.end + 512 }),
                                         0);
                else if (i == 3)        /* a page of the device that is not a page of the file */
                        f.owners.items[0].offset = 100;
                else
                        f.owners.items[0].offset = UINT64_MAX & ~(PAGE - 1);
                expect(&policy, &f, VERDICT_WAIT, REASON_UNKNOWN_OWNER);
        }
}

/* Proves that each thing a replica can answer leads to its own reason, and that only what policy asks leads
 * to a write. */
static void test_offers(void **state) {
        const ProofSet both = PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS);
        const struct {
                Offer offer;
                Verdict verdict;
                Reason reason;
        } table[] = {
                { { .state = OFFER_MISSING }, VERDICT_REFUSE, REASON_REPLICA_MISSING },
                { { .state = OFFER_SHORT }, VERDICT_REFUSE, REASON_REPLICA_SHORT },
                { { .state = OFFER_NOT_REGULAR }, VERDICT_REFUSE, REASON_REPLICA_NOT_REGULAR },
                { { .state = OFFER_ESCAPES }, VERDICT_REFUSE, REASON_REPLICA_ESCAPES },
                { { .state = OFFER_UNREADABLE }, VERDICT_REFUSE, REASON_REPLICA_UNREADABLE },
                { { .state = OFFER_UNREACHABLE }, VERDICT_WAIT, REASON_REPLICA_UNREACHABLE },
                { { .state = OFFER_SAME_DEVICE }, VERDICT_REFUSE, REASON_REPLICA_SAME_DEVICE },
                { { .state = OFFER_HELD, .witness = WITNESS_DIFFER, .witness_at = 4711,
                    .proofs = PROOF_BIT(PROOF_IDENTITY) },
                  VERDICT_REFUSE, REASON_REPLICA_STALE },
                { { .state = OFFER_HELD, .witness = WITNESS_EQUAL, .proofs = PROOF_BIT(PROOF_NEIGHBOURS) },
                  VERDICT_REFUSE, REASON_REPLICA_STALE },
                { { .state = OFFER_HELD, .witness = WITNESS_FEW, .proofs = PROOF_BIT(PROOF_IDENTITY) },
                  VERDICT_REFUSE, REASON_PROOF_MISSING },
                { { .state = OFFER_HELD, .witness = WITNESS_EQUAL, .proofs = both, .group = 1 },
                  VERDICT_REPAIR, REASON_NONE },
                /* proofs of what is not held count for nothing */
                { { .state = OFFER_SHORT, .witness = WITNESS_EQUAL, .proofs = both },
                  VERDICT_REFUSE, REASON_REPLICA_SHORT },
        };
        _cleanup_policy_ Policy policy = {};

        policy_for_db(&policy);
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                _cleanup_findings_ Findings f = {};

                findings_good(&f);
                offers_done(&f.offers);
                add_offer(&f, table[i].offer);
                expect(&policy, &f, table[i].verdict, table[i].reason);
        }
}

/* Proves that two replicas that nothing shows to be stale must agree, and that one shown to be stale has no
 * say. */
static void test_disagree(void **state) {
        const ProofSet both = PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS);
        _cleanup_policy_ Policy policy = {};

        policy_for_db(&policy);
        for (int i = 0; i < 4; i++) {
                _cleanup_findings_ Findings f = {};
                Offer second = { .state = OFFER_HELD, .witness = WITNESS_EQUAL, .proofs = both, .group = 2 };

                findings_good(&f);
                if (i == 1)     /* too weak to be used, good enough to object */
                        second.proofs = PROOF_BIT(PROOF_NEIGHBOURS);
                else if (i == 2)
                        second.witness = WITNESS_DIFFER;
                else if (i == 3)
                        second.group = 1;
                add_offer(&f, second);
                expect(&policy, &f, i < 2 ? VERDICT_REFUSE : VERDICT_REPAIR,
                       i < 2 ? REASON_REPLICAS_DISAGREE : REASON_NONE);
        }
}

/* Proves that what is as sealed is right whatever other replicas say, and that without a seal of its own no
 * replica can overrule it. */
static void test_sealed(void **state) {
        const ProofSet both = PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS);
        _cleanup_policy_ Policy policy = {};

        policy_for_db(&policy);
        for (int i = 0; i < 4; i++) {
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan p = {};
                Offer second = { .state = OFFER_HELD, .witness = WITNESS_DIFFER,
                                 .proofs = PROOF_BIT(PROOF_SEAL), .group = 2 };

                findings_good(&f);      /* the first: identity and neighbours */
                if (i == 1)
                        second.proofs |= both;
                else if (i == 2)
                        second.state = OFFER_NOT_AS_SEALED;
                else if (i == 3)
                        second.proofs = 0;
                add_offer(&f, second);
                assert_int_equal(plan_make(&policy, &f, &p), 0);
                assert_int_equal(p.verdict, VERDICT_REPAIR);
                assert_true(p.proofs == (i < 2 ? PROOF_BIT(PROOF_SEAL) : both));
                assert_string_equal(p.replica, f.offers.items[i < 2].replica);
        }
}

/* Proves that what a surviving byte contradicts is never used, also where the policy does not ask for
 * neighbours, unless a seal says that the lost bytes are right; and that another replica is, then. */
static void test_refuted(void **state) {
        static const char *const proofs[] = { "identity", "quorum", "identity+quorum", "seal,identity" };

        for (size_t i = 0; i < 4; i++)
                for (int k = 0; k < 3; k++) {
                        _cleanup_policy_ Policy policy = {};
                        _cleanup_findings_ Findings f = {};
                        Offer *o;

                        policy_for_db(&policy);
                        assert_int_equal(proof_policy_parse(proofs[i], &policy.protects.items[0].proof), 0);
                        findings_good(&f);
                        o = f.offers.items;
                        o->proofs = PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_QUORUM);
                        o->witness = WITNESS_DIFFER;
                        if (k == 1)
                                o->proofs |= PROOF_BIT(PROOF_SEAL);
                        else if (k == 2)
                                add_offer(&f, (Offer) { .state = OFFER_HELD, .group = 2,
                                                        .witness = WITNESS_EQUAL,
                                                        .proofs = PROOF_BIT(PROOF_IDENTITY) |
                                                                  PROOF_BIT(PROOF_QUORUM) });
                        expect(&policy, &f, k == 0 ? VERDICT_REFUSE : VERDICT_REPAIR,
                               k == 0 ? REASON_REPLICA_STALE : REASON_NONE);
                }
}

/* Proves that what the administrator does not allow is not planned. */
static void test_policy(void **state) {
        for (int i = 0; i < 8; i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                Verdict v = VERDICT_REFUSE;
                Reason reason = REASON_WRITER_NOT_ALLOWED;
                Protect *protect;

                policy_for_db(&policy);
                protect = policy.protects.items;
                findings_good(&f);
                switch (i) {
                case 0:
                        policy.mode = MODE_OBSERVE;
                        v = VERDICT_WAIT, reason = REASON_OBSERVE;
                        break;
                case 1:
                        strcpy(protect->path, "/srv/d");
                        reason = REASON_NOT_PROTECTED;
                        break;
                case 2:
                        protect->replicas = strv_free(protect->replicas);
                        reason = REASON_NO_REPLICA;
                        break;
                case 3:
                        protect->writer = WRITER_CLEAR;
                        break;
                case 4:
                        assert_int_equal(exclusion_list_parse("freeze", &protect->exclusion), 0);
                        break;
                case 5: /* the file ends in this page: optimistic will not do */
                        assert_int_equal(exclusion_list_parse("optimistic", &protect->exclusion), 0);
                        f.file_size = 8192 + 100;
                        break;
                case 6:
                        assert_int_equal(proof_policy_parse("seal", &protect->proof), 0);
                        reason = REASON_PROOF_MISSING;
                        break;
                default:
                        f.read_only = true;
                        v = VERDICT_WAIT, reason = REASON_READ_ONLY;
                }
                expect(&policy, &f, v, reason);
        }
}

static uint64_t seed;

static uint64_t rnd(uint64_t below) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (seed * UINT64_C(0x2545F4914F6CDD1D) >> 16) % below;
}

static void random_findings(Findings *f) {
        uint64_t pages = 1 + rnd(6), first = rnd(1000) * PAGE;

        *f = (Findings) { .range = { first, first + pages * PAGE }, .file_size = rnd(20 * PAGE),
                          .read_only = rnd(10) == 0, .absent = rnd(6) == 0, .present = rnd(3) == 0,
                          .coarse = rnd(8) == 0, .freezable = rnd(4) != 0, .clonable = rnd(3) == 0,
                          .fs = rnd(8) == 0 ? NULL : strdup(rnd(3) ? "xfs" : rnd(2) ? "ext4" : "nova") };
        if (rnd(2))
                f->mend = (Mend) { .parts = MEND_BIT(MEND_AGF), .group = 1 };
        f->mended = rnd(4) ? NULL : strdup("so");
        for (uint64_t n = 1 + rnd(6); n > 0; n--) {
                uint64_t at = first + rnd(pages * SECTORS_PER_UNIT) * SECTOR_SIZE;
                uint64_t size = (1 + rnd(12)) * SECTOR_SIZE;

                if (at + size <= f->range.end)
                        assert_int_equal(rangeset_add(&f->bad, (Range) { at, at + size }), 0);
        }
        for (uint64_t n = rnd(10) == 0 ? rnd(4) : 1; n > 0; n--)
                add_owner(f, (Owner) { .type = rnd(3) ? OWNER_FILE : rnd(_OWNER_TYPE_MAX),
                                       .inode = 1 + rnd(3), .offset = rnd(12) * PAGE,
                                       .range = { first - (rnd(8) && first ? PAGE : 0),
                                                  f->range.end - (rnd(8) ? 0 : PAGE / 2) },
                                       .shared = rnd(8) == 0, .unwritten = rnd(8) == 0, .guard = rnd(6) == 0,
                                       .path = (char *) (rnd(8)   ? "/srv/db/x"
                                                         : rnd(2) ? "/srv/dbx"
                                                                  : NULL) });
        if (rnd(8) == 0) {              /* more often than by chance: a device-dax as it is */
                owners_done(&f->owners);
                f->file_size = f->range.end + rnd(3) * PAGE - PAGE;
                add_owner(f, (Owner) { .type = OWNER_DEVICE_DAX, .range = f->range, .offset = first,
                                       .path = (char *) (rnd(4) ? "/dev/dax0.0" : "/dev/dax1.0") });
        }
        for (uint64_t n = rnd(4); n > 0; n--)
                add_offer(f, (Offer) { .state = rnd(3) ? OFFER_HELD : rnd(_OFFER_STATE_MAX),
                                       .proofs = rnd(1U << _PROOF_MAX), .witness = rnd(3),
                                       .group = rnd(3) });
}

/* A kernel oops, or somebody's store, or somebody else's block, is what these keep away. */
static void check_means(const Protect *protect, const Findings *f, const Plan *p) {
        bool shared = f->owners.n > 1 || f->owners.items[0].shared;
        const Owner *o = f->owners.items;
        bool tail = o->offset + (f->range.end - o->range.start) > f->file_size;

        bool device = o->type == OWNER_DEVICE_DAX;

        assert(p->means.n_writers > 0 && p->means.exclusion.n > 0);
        for (size_t i = 0; i < p->means.n_writers; i++) {
                bool suits = false;

                assert((p->means.writers[i] == WRITER_CLEAR) == device);
                if (p->means.writers[i] == WRITER_PUNCH)
                        assert(protect->writer == WRITER_PUNCH && !shared && !tail &&
                               !findings_page_may_be_absent(f));

                for (size_t k = 0; k < p->means.exclusion.n; k++)
                        suits = suits || writer_suits(p->means.writers[i], p->means.exclusion.items[k]);
                assert(suits);
                if (p->means.writers[i] == WRITER_CLONE)
                        assert(f->clonable && (shared || findings_page_may_be_absent(f)));
                else if (p->means.writers[i] != WRITER_BLOCK)
                        assert(!shared);
                if (p->means.writers[i] != WRITER_BLOCK)
                        continue;

                assert(!f->absent && !f->coarse && f->freezable);
                for (size_t k = 0; k < p->steps.n; k++)
                        assert(!rangeset_contains(&f->bad, p->steps.items[k].range));
        }
        for (size_t k = 0; k < p->means.exclusion.n; k++) {
                bool suits = false;

                for (size_t i = 0; i < p->means.n_writers; i++)
                        suits = suits || writer_suits(p->means.writers[i], p->means.exclusion.items[k]);
                assert(suits);
                assert(!(tail && p->means.exclusion.items[k] == EXCLUSION_OPTIMISTIC));
        }
}

/* Whatever the findings: the promises of plan.h. */
static void check_promises(const Policy *policy, const Findings *f, const Plan *p) {
        bool device = f->owners.n > 0 && f->owners.items[0].type == OWNER_DEVICE_DAX;
        const Protect *protect = policy->protects.items + device;
        _cleanup_rangeset_ RangeSet pages = {}, written = {};
        const Owner *o = f->owners.items;
        bool offered = false, park = p->verdict == VERDICT_PARK, mend = p->verdict == VERDICT_MEND;

        if (p->verdict != VERDICT_REPAIR) {
                assert(p->proofs == 0 && !p->replica);
                assert(p->means.n_writers == 0 && p->means.exclusion.n == 0);
        }
        if (!verdict_acts(p->verdict)) {
                assert(p->steps.n == 0 && p->reason != REASON_NONE);
                return;
        }

        assert(policy->mode == MODE_REPAIR && !f->read_only && p->reason == REASON_NONE);
        assert(range_contains(o->range, f->range));
        for (size_t i = 0; park && i < f->owners.n; i++)
                assert(f->owners.items[i].type == OWNER_FREE);
        if (park)
                assert(findings_page_may_be_absent(f) && streq_ptr(f->fs, "xfs"));
        else
                assert(o->type == (mend ? OWNER_METADATA : device ? OWNER_DEVICE_DAX : OWNER_FILE));
        if (device)
                assert(p->verdict == VERDICT_REPAIR && f->owners.n == 1 &&
                       strcmp(o->path, protect->device) == 0 && f->range.end <= f->file_size);
        if (mend)
                assert(f->owners.n == 1 && f->mend.parts != 0 && !f->mended &&
                       !findings_page_may_be_absent(f));
        if (p->verdict == VERDICT_UNPARK)
                assert(f->owners.n == 1 && o->guard && !findings_page_may_be_absent(f));
        for (size_t i = 0; p->verdict == VERDICT_REPAIR && !device && i < f->owners.n; i++) {
                const Owner *w = f->owners.items + i;

                assert(w->type == OWNER_FILE && !w->unwritten && !w->guard && w->path);
                assert(range_contains(w->range, f->range));
                assert(i > 0 || policy_find_path(policy, w->path) == protect);
                assert(!policy_find_path(policy, w->path) || policy_find_path(policy, w->path) == protect);
        }

        assert_int_equal(rangeset_align_out(&f->bad, PAGE, &pages), 0);
        for (size_t i = 0; i < p->steps.n; i++) {
                const Step *s = p->steps.items + i;

                assert(range_size(s->range) == PAGE && range_is_aligned(s->range, PAGE));
                assert(range_contains(f->range, s->range));
                assert(s->offset == (park || mend ? 0 : o->offset + (s->range.start - o->range.start)) &&
                       s->offset % PAGE == 0);
                assert(!rangeset_overlaps(&written, s->range));
                assert(s->bad.n > 0);
                assert_int_equal(rangeset_add(&written, s->range), 0);
        }
        assert(rangeset_equal(&pages, &written));
        if (p->verdict != VERDICT_REPAIR)
                return;

        for (size_t i = 0; i < f->offers.n; i++) {
                const Offer *offer = f->offers.items + i;

                if (offer->state == OFFER_HELD && (offer->proofs & p->proofs) == p->proofs &&
                    (offer->witness != WITNESS_DIFFER || offer->proofs & PROOF_BIT(PROOF_SEAL)))
                        offered = true;
        }
        assert(offered && p->proofs != 0);
        assert(proof_policy_satisfied(&protect->proof, p->proofs) == p->proofs);
        check_means(protect, f, p);
}

static int count_part(const Findings *part, void *userdata) {
        RangeSet *seen = userdata;

        assert(range_is_aligned(part->range, PAGE) && part->bad.n > 0);
        for (size_t i = 0; i < part->bad.n; i++) {
                assert(range_contains(part->range, part->bad.items[i]));
                assert(!rangeset_overlaps(seen, part->bad.items[i]));
        }
        assert_int_equal(rangeset_add_all(seen, &part->bad), 0);
        return 0;
}

/* Proves over many random findings and policies that a plan never writes outside the bad pages, never to
 * what is not written data of one file, never with less proof than policy asks; and that each part of a
 * split covers the bad sectors once. */
static void test_promises(void **state) {
        static const char *const proofs[] = { "seal,identity+neighbours", "identity", "neighbours",
                                              "quorum,seal", "identity+quorum" };
        unsigned repairs = 0, parks = 0, unparks = 0, mends = 0, shared = 0, in_place = 0,
                 devices = 0, punched = 0;

        for (uint64_t i = 1; i <= 100000; i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan p = {};
                _cleanup_rangeset_ RangeSet seen = {};

                seed = i * UINT64_C(0x9E3779B97F4A7C15);
                policy_for_db(&policy);
                policy.mode = rnd(8) ? MODE_REPAIR : MODE_OBSERVE;
                for (size_t k = 0; k < 2; k++) {
                        Protect *protect = policy.protects.items + k;

                        assert_int_equal(proof_policy_parse(proofs[rnd(5)], &protect->proof), 0);
                        protect->writer = rnd(3) ? WRITER_AUTO : (WriterKind) rnd(_WRITER_MAX);
                        if (rnd(8) == 0)
                                assert_int_equal(exclusion_list_parse("lease,freeze", &protect->exclusion),
                                                 0);
                }
                random_findings(&f);
                assert_int_equal(plan_make(&policy, &f, &p), 0);
                check_promises(&policy, &f, &p);
                repairs += p.verdict == VERDICT_REPAIR;
                parks += p.verdict == VERDICT_PARK;
                unparks += p.verdict == VERDICT_UNPARK;
                mends += p.verdict == VERDICT_MEND;
                devices += p.verdict == VERDICT_REPAIR && f.owners.items[0].type == OWNER_DEVICE_DAX;
                punched += p.verdict == VERDICT_REPAIR && p.means.writers[0] == WRITER_PUNCH;
                shared += p.verdict == VERDICT_REPAIR && f.owners.n > 1;
                in_place += p.verdict == VERDICT_REPAIR &&
                            p.means.writers[p.means.n_writers - 1] == WRITER_BLOCK;

                assert_int_equal(findings_split(&f, count_part, &seen), 0);
                assert_true(rangeset_equal(&seen, &f.bad));
        }
        /* The generator does reach the interesting cases. */
        assert_true(repairs > 1000 && parks > 200 && unparks > 1000 && mends > 100 && shared > 10 &&
                    in_place > 100 && devices > 200 && punched > 20);
}

/* What an operator's word for `replica` makes of it. */
static void by_word(const Policy *policy, const Findings *f, const char *replica, Plan *ret) {
        Word w = { .replica = (char *) replica, .shown = (char *) "token" };

        assert_int_equal(plan_make_by_word(policy, f, &w, ret), 0);
}

static void expect_by_word(const Policy *policy, const Findings *f, const char *replica, Verdict verdict,
                           Reason reason) {
        _cleanup_plan_ Plan p = {};

        by_word(policy, f, replica, &p);
        assert_string_equal(verdict_to_string(p.verdict), verdict_to_string(verdict));
        assert_string_equal(reason_to_string(p.reason), reason_to_string(reason));
        assert_true(p.by_word == (verdict == VERDICT_REPAIR));
        if (verdict == VERDICT_REPAIR) {
                assert_string_equal(p.replica, replica);
                assert_string_equal(p.shown, "token");
                assert_int_equal(p.proofs, 0);
        } else
                assert_true(!p.replica && !p.shown);
}

/* Proves what an operator's word stands for, and what it does not: the proof, and nothing else. */
static void test_word(void **state) {
        _cleanup_policy_ Policy policy = {};
        _cleanup_findings_ Findings f = {};
        Protect *db;

        policy_for_db(&policy);
        findings_good(&f);
        db = policy.protects.items;
        f.offers.items[0].witness = WITNESS_DIFFER;
        f.offers.items[0].proofs = 0;
        expect(&policy, &f, VERDICT_REFUSE, REASON_REPLICA_STALE);
        expect_by_word(&policy, &f, "mirror:/m", VERDICT_REPAIR, REASON_NONE);
        expect_by_word(&policy, &f, "zero:", VERDICT_REPAIR, REASON_NONE);
        expect_by_word(&policy, &f, "mirror:/n", VERDICT_REFUSE, REASON_NO_REPLICA);
        expect_by_word(&policy, &f, "mirror:/", VERDICT_REFUSE, REASON_NO_REPLICA);

        f.offers.items[0].state = OFFER_UNREACHABLE;    /* it may be there again: the worker asks */
        expect(&policy, &f, VERDICT_WAIT, REASON_REPLICA_UNREACHABLE);
        expect_by_word(&policy, &f, "mirror:/m", VERDICT_REPAIR, REASON_NONE);

        policy.mode = MODE_OBSERVE;
        expect_by_word(&policy, &f, "mirror:/m", VERDICT_WAIT, REASON_OBSERVE);
        policy.mode = MODE_REPAIR;
        f.read_only = true;
        expect_by_word(&policy, &f, "zero:", VERDICT_WAIT, REASON_READ_ONLY);
        f.read_only = false;
        db->writer = WRITER_PARK;
        expect_by_word(&policy, &f, "zero:", VERDICT_REFUSE, REASON_WRITER_NOT_ALLOWED);
        db->writer = WRITER_AUTO;

        f.owners.items[0].type = OWNER_METADATA;
        expect_by_word(&policy, &f, "zero:", VERDICT_REFUSE, REASON_METADATA);
        f.owners.items[0].type = OWNER_UNKNOWN;
        expect_by_word(&policy, &f, "zero:", VERDICT_WAIT, REASON_UNKNOWN_OWNER);
        f.owners.items[0].type = OWNER_FREE;
        expect_by_word(&policy, &f, "zero:", VERDICT_HARMLESS, REASON_FREE);
        f.owners.items[0].type = OWNER_FILE;
        strcpy(f.owners.items[0].path, "/srv/dc/a");
        expect_by_word(&policy, &f, "zero:", VERDICT_REFUSE, REASON_NOT_PROTECTED);
        strcpy(f.owners.items[0].path, "/srv/db/a");

        strv_free(db->replicas);
        db->replicas = NULL;
        expect_by_word(&policy, &f, "zero:", VERDICT_REPAIR, REASON_NONE);
        expect_by_word(&policy, &f, "mirror:/m", VERDICT_REFUSE, REASON_NO_REPLICA);
}

/* Proves over many random findings that a word weakens nothing but the proof: what it plans for a replica
 * is, member by member, what a perfect offer of that replica would be planned for. */
static void test_word_is_a_proof(void **state) {
        unsigned repairs = 0, others = 0;

        for (uint64_t i = 1; i <= 100000; i++) {
                _cleanup_policy_ Policy policy = {};
                _cleanup_findings_ Findings f = {};
                _cleanup_plan_ Plan w = {}, z = {}, p = {};
                const char *replica;

                seed = i * UINT64_C(0x9E3779B97F4A7C15);
                policy_for_db(&policy);
                policy.mode = rnd(8) ? MODE_REPAIR : MODE_OBSERVE;
                random_findings(&f);
                replica = f.owners.n > 0 && f.owners.items[0].type == OWNER_DEVICE_DAX ? "block:/m"
                                                                                       : "mirror:/m";
                by_word(&policy, &f, replica, &w);
                by_word(&policy, &f, "zero:", &z);

                for (size_t k = 0; k < f.offers.n; k++)
                        offer_done(f.offers.items + k);
                f.offers.n = 0;
                add_offer(&f, (Offer) { .replica = (char *) replica, .state = OFFER_HELD, .group = 1,
                                        .witness = WITNESS_EQUAL, .proofs = (1U << _PROOF_MAX) - 1 });
                assert_int_equal(plan_make(&policy, &f, &p), 0);

                assert(w.verdict == p.verdict && w.reason == p.reason && z.verdict == p.verdict &&
                       z.reason == p.reason);
                assert(w.steps.n == p.steps.n && z.steps.n == p.steps.n);
                for (size_t k = 0; k < p.steps.n; k++)
                        assert(range_equal(w.steps.items[k].range, p.steps.items[k].range) &&
                               w.steps.items[k].offset == p.steps.items[k].offset &&
                               rangeset_equal(&w.steps.items[k].bad, &p.steps.items[k].bad));
                assert(memcmp(&w.means, &p.means, sizeof(p.means)) == 0 &&
                       memcmp(&z.means, &p.means, sizeof(p.means)) == 0);
                assert(w.by_word == (p.verdict == VERDICT_REPAIR) && z.by_word == w.by_word);
                assert(w.proofs == 0 && z.proofs == 0);
                assert(streq_ptr(w.replica, p.replica));
                repairs += p.verdict == VERDICT_REPAIR;
                others += p.verdict != VERDICT_REPAIR;
        }
        assert_true(repairs > 5000 && others > 5000);
}

static int keep_part(const Findings *part, void *userdata) {
        Range *r = userdata;

        while (r->end != 0)
                r++;
        *r = part->range;
        return 0;
}

/* Proves where a run of pages is cut: at the end of a file, not between two extents of the same file that
 * follow each other. */
static void test_split(void **state) {
        _cleanup_findings_ Findings f = { .range = { 0, 5 * PAGE } };
        Range parts[6] = {};

        assert_int_equal(rangeset_add(&f.bad, (Range) { 512, 5 * PAGE - 512 }), 0);
        add_owner(&f, (Owner) { .type = OWNER_FILE, .inode = 1, .range = { 0, PAGE }, .offset = 0 });
        add_owner(&f, (Owner) { .type = OWNER_FILE, .inode = 1, .range = { PAGE, 2 * PAGE },
                                .offset = PAGE });
        add_owner(&f, (Owner) { .type = OWNER_FILE, .inode = 1, .range = { 2 * PAGE, 3 * PAGE },
                                .offset = 9 * PAGE });
        add_owner(&f, (Owner) { .type = OWNER_FREE, .range = { 3 * PAGE, 4 * PAGE } });
        add_owner(&f, (Owner) { .type = OWNER_FREE, .range = { 4 * PAGE, 5 * PAGE } });

        assert_int_equal(findings_split(&f, keep_part, parts), 0);
        assert_true(range_equal(parts[0], (Range) { 0, 2 * PAGE }));
        assert_true(range_equal(parts[1], (Range) { 2 * PAGE, 3 * PAGE }));
        assert_true(range_equal(parts[2], (Range) { 3 * PAGE, 5 * PAGE }));
        assert_int_equal(parts[3].end, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_repair),
                cmocka_unit_test(test_owners),
                cmocka_unit_test(test_device),
                cmocka_unit_test(test_punch),
                cmocka_unit_test(test_absent),
                cmocka_unit_test(test_park),
                cmocka_unit_test(test_mend),
                cmocka_unit_test(test_mixed_owners),
                cmocka_unit_test(test_shared),
                cmocka_unit_test(test_insane),
                cmocka_unit_test(test_offers),
                cmocka_unit_test(test_disagree),
                cmocka_unit_test(test_sealed),
                cmocka_unit_test(test_word),
                cmocka_unit_test(test_word_is_a_proof),
                cmocka_unit_test(test_refuted),
                cmocka_unit_test(test_policy),
                cmocka_unit_test(test_promises),
                cmocka_unit_test(test_split),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
