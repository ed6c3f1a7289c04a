/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/file.h"
#include "worker/evidence.h"
#include "worker/intents.h"
#include "worker/settle-places.h"
#include "worker/page.h"

#define FILE_PAGES 40
#define SIZE (FILE_PAGES * REPAIR_UNIT)

static char folder[] = "/tmp/bezoar-test-worker-XXXXXX";
static int folder_fd;

static uint8_t data_at(uint64_t at) {
        return (uint8_t) (at * 2654435761U >> 13);
}

/* A file of `size` bytes as data_at() has them. */
static int make_file(const char *name, uint64_t size) {
        uint8_t *bytes = malloc(size ?: 1);
        int fd;

        for (uint64_t i = 0; i < size; i++)
                bytes[i] = data_at(i);
        (void) unlinkat(folder_fd, name, 0);
        fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(pwrite_full(fd, bytes, size, 0), 0);
        free(bytes);
        return fd;
}

static void add(RangeSet *s, uint64_t start, uint64_t end) {
        assert_true(rangeset_add(s, (Range) { start, end }) >= 0);
}

/* ---- window ---- */

/* One file stands for file and device: file offset = device address. A table of bad sectors and what must
 * survive of a window, and nothing of what is bad may be read. */
static void test_window(void **state) {
        static const struct {
                uint64_t size;
                Range wanted, extent, bad, window;
                uint64_t surviving;
        } rows[] = {
                /* the window is clipped to the file, and aligned out to pages */
                { SIZE, { 0, SIZE }, { 0, SIZE }, { 4096, 4608 }, { 0, SIZE }, SIZE - 512 },
                { SIZE, { 8192, 2 * SIZE }, { 0, SIZE }, { 8192, 8704 }, { 8192, SIZE }, SIZE - 8192 - 512 },
                { 5000, { 0, SIZE }, { 0, SIZE }, { 0, 512 }, { 0, 8192 }, 5000 - 512 },
                /* a bad sector behind the end of the file: nothing is lost */
                { 5000, { 0, SIZE }, { 0, SIZE }, { 5120, 5632 }, { 0, 8192 }, 5000 },
                /* a whole page */
                { SIZE, { 0, 12288 }, { 0, SIZE }, { 4096, 8192 }, { 0, 12288 }, 8192 },
                /* the last byte of the file is in the bad sector */
                { 4097, { 0, SIZE }, { 0, SIZE }, { 4096, 4608 }, { 0, 8192 }, 4096 },
                /* one byte */
                { 1, { 0, SIZE }, { 0, SIZE }, { 512, 1024 }, { 0, 4096 }, 1 },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                int device = make_file("device", SIZE), fd = make_file("file", rows[i].size);
                _cleanup_rangeset_ RangeSet bad = {};
                _cleanup_window_ Window w = {};
                Site s = SITE_NULL;

                s.block_fd = device;
                add(&bad, rows[i].bad.start, rows[i].bad.end);
                assert_int_equal(window_read(&(Outlook) { &s, fd, rows[i].size,
                                                          { rows[i].extent, rows[i].extent.start }, &bad },
                                             rows[i].wanted, &w), 0);
                assert_true(range_equal(w.range, rows[i].window));
                assert_int_equal(rangeset_size(&w.surviving), rows[i].surviving);
                assert_false(rows[i].bad.start < rows[i].size &&
                             rangeset_overlaps(&w.surviving, rows[i].bad));
                for (size_t k = 0; k < w.surviving.n; k++)
                        for (uint64_t at = w.surviving.items[k].start; at < w.surviving.items[k].end; at++)
                                assert_int_equal(w.bytes[at - w.range.start], data_at(at));
                (void) close(device);
                (void) close(fd);
        }
}

/* A bad page outside the extent is one like any other for the file, and what the file does not give does
 * not survive. */
static void test_window_unreadable(void **state) {
        const Extent extent = { .range = { 0, REPAIR_UNIT } };
        _cleanup_close_ int device = make_file("device", REPAIR_UNIT), fd = make_file("file", REPAIR_UNIT);
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_window_ Window w = {};
        Site s = SITE_NULL;

        s.block_fd = device;
        add(&bad, 0, 512);
        /* the file was cut short since its size was asked for: its second page is not there */
        assert_int_equal(window_read(&(Outlook) { &s, fd, 3 * REPAIR_UNIT, extent, &bad },
                                     (Range) { 0, SIZE }, &w), 0);
        assert_int_equal(w.surviving.n, 1);
        assert_true(range_equal(w.surviving.items[0], (Range) { 512, REPAIR_UNIT }));
}

/* What is lost is what of the pages and of the file did not survive. */
static void test_lost(void **state) {
        static const struct { Range pages; uint64_t size; Range lost; int r; } rows[] = {
                { { 4096, 8192 }, SIZE, { 4608, 5120 }, 0 },
                { { 4096, 8192 }, 5000, { 4608, 5000 }, 0 },
                { { 0, 4096 }, SIZE, { 0, 0 }, 0 },
                { { 8192, 12288 }, 8192, { 0, 0 }, -EINVAL },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_rangeset_ RangeSet lost = {};
                _cleanup_window_ Window w = { .range = { 0, SIZE } };

                add(&w.surviving, 0, 4608);
                add(&w.surviving, 5120, SIZE);
                assert_int_equal(lost_bytes(&w, rows[i].pages, rows[i].size, &lost), rows[i].r);
                assert_int_equal(lost.n, rows[i].lost.end ? 1 : 0);
                if (lost.n > 0)
                        assert_true(range_equal(lost.items[0], rows[i].lost));
        }
}

/* ---- evidence ---- */

typedef struct Copy {
        const char *name;
        uint64_t size;
        uint64_t flip;          /* a byte that differs; UINT64_MAX: none */
        int64_t late;           /* seconds that its time differs by */
} Copy;

static char *make_copy(const Copy *c) {
        char path[128], *uri;
        int fd;

        (void) snprintf(path, sizeof(path), "%s", c->name);
        fd = make_file(path, c->size);
        if (c->flip != UINT64_MAX) {
                uint8_t byte = data_at(c->flip) ^ 1;

                assert_int_equal(pwrite_full(fd, &byte, 1, c->flip), 0);
        }
        assert_int_equal(futimens(fd,
                                  (struct timespec[2]) { { .tv_sec = 7 }, { .tv_sec = 1000 + c->late } }),
                                          0);
        (void) close(fd);
        assert_true(asprintf(&uri, "mirror:%s/%s", folder, c->name) > 0);
        return uri;
}

/* A window of a file of SIZE bytes of which sector 8 of page 20 is lost; one copy; what it can show. */
static void test_evidence(void **state) {
        const uint64_t page = 20 * REPAIR_UNIT, lost_at = page + 7 * 512;
        const ProofSet both = PROOF_BIT(PROOF_IDENTITY) | PROOF_BIT(PROOF_NEIGHBOURS);
        const struct {
                Copy copy;
                OfferState state;
                ProofSet proofs;
                Witness witness;
                uint64_t at;
        } rows[] = {
                { { "good", SIZE, UINT64_MAX, 0 }, OFFER_HELD, both, WITNESS_EQUAL, 0 },
                { { "late", SIZE, UINT64_MAX, 1 }, OFFER_HELD, PROOF_BIT(PROOF_NEIGHBOURS), WITNESS_EQUAL,
                 0 },
                { { "inside", SIZE, lost_at + 5, 0 }, OFFER_HELD, both, WITNESS_EQUAL, 0 },
                { { "before", SIZE, lost_at - 1, 0 }, OFFER_HELD, PROOF_BIT(PROOF_IDENTITY), WITNESS_DIFFER,
                  lost_at - 1 },
                { { "behind", SIZE, lost_at + 512, 0 }, OFFER_HELD, PROOF_BIT(PROOF_IDENTITY),
                 WITNESS_DIFFER,
                  lost_at + 512 },
                { { "edge", SIZE, page - NEIGHBOURS_WINDOW, 0 }, OFFER_HELD, PROOF_BIT(PROOF_IDENTITY),
                  WITNESS_DIFFER, page - NEIGHBOURS_WINDOW },
                { { "outside", SIZE, page - NEIGHBOURS_WINDOW - 1, 0 }, OFFER_HELD, both, WITNESS_EQUAL, 0 },
                { { "longer", SIZE + 1, UINT64_MAX, 0 }, OFFER_HELD, PROOF_BIT(PROOF_NEIGHBOURS),
                 WITNESS_EQUAL, 0 },
                { { "short", lost_at, UINT64_MAX, 0 }, OFFER_SHORT, 0, WITNESS_FEW, 0 },
                { { "shorter", lost_at + 511, UINT64_MAX, 0 }, OFFER_SHORT, 0, WITNESS_FEW, 0 },
                /* it has the lost bytes, and not all of their neighbours */
                { { "cut", lost_at + 512, UINT64_MAX, 0 }, OFFER_HELD, 0, WITNESS_DIFFER, lost_at + 512 },
        };
        _cleanup_close_ int device = make_file("device", SIZE), fd = make_file("file", SIZE);
        const Extent extent = { .range = { page, page + REPAIR_UNIT }, .offset = page };
        const Subject subject = { .relative = "", .size = SIZE, .mtime = { .tv_sec = 1000 } };
        _cleanup_rangeset_ RangeSet bad = {}, lost = {};
        _cleanup_window_ Window w = {};
        uint64_t patience = 0;
        Site s = SITE_NULL;
        Outlook look;

        s.block_fd = device;
        add(&bad, lost_at, lost_at + 512);
        look = (Outlook) { &s, fd, SIZE, extent, &bad };
        assert_int_equal(window_read(&look, (Range) { page - NEIGHBOURS_WINDOW,
                                     page + REPAIR_UNIT + NEIGHBOURS_WINDOW }, &w), 0);
        assert_int_equal(lost_bytes(&w, (Range) { page, page + REPAIR_UNIT }, SIZE, &lost), 0);
        assert_int_equal(rangeset_size(&lost), 512);

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_free_ char *uri = make_copy(&rows[i].copy);
                char *replicas[] = { uri, NULL };
                _cleanup_evidences_ Evidences l = {};
                const Offer *o;

                assert_int_equal(evidences_take(replicas, &subject, &SEALED_NULL, &look, &w, &lost,
                                                &patience, &l), 0);
                assert_int_equal(l.n, 1);
                o = &l.items[0].offer;
                if (o->state != rows[i].state || o->proofs != rows[i].proofs ||
                    o->witness != rows[i].witness)
                        fail_msg("%s: state %d, proofs %x, witness %d", rows[i].copy.name, (int) o->state,
                                 o->proofs,
                                 (int) o->witness);
                if (o->witness == WITNESS_DIFFER)
                        assert_int_equal(o->witness_at, rows[i].at);
                assert_int_equal(!!l.items[0].bytes, o->state == OFFER_HELD);
        }
}

/* Copies with the same lost bytes are of one group, and two different ones of a group are a quorum; one
 * that is named twice is none, nor is one that a surviving byte refutes. */
static void test_groups(void **state) {
        _cleanup_close_ int device = make_file("device", SIZE), fd = make_file("file", SIZE);
        const Subject subject = { .relative = "", .size = SIZE, .mtime = { .tv_sec = 1000 } };
        const Extent extent = { .range = { 0, SIZE } };
        _cleanup_free_ char *a = make_copy(&(Copy) { "a", SIZE, UINT64_MAX, 0 }),
                       *b = make_copy(&(Copy) { "b", SIZE, 10, 0 }),
                       *c = make_copy(&(Copy) { "c", SIZE, UINT64_MAX, 1 }),
                       *d = make_copy(&(Copy) { "d", SIZE, SIZE - 1, 0 });
        char *two[] = { a, b, c, d, NULL }, *twice[] = { a, a, NULL }, *refuted[] = { a, d, NULL };
        _cleanup_rangeset_ RangeSet bad = {}, lost = {};
        _cleanup_evidences_ Evidences l = {}, m = {}, n = {};
        _cleanup_window_ Window w = {};
        uint64_t patience = 0;
        Site s = SITE_NULL;
        Outlook look;

        s.block_fd = device;
        add(&bad, 0, 512);
        look = (Outlook) { &s, fd, SIZE, extent, &bad };
        assert_int_equal(window_read(&look, (Range) { 0, SIZE }, &w), 0);
        assert_int_equal(lost_bytes(&w, (Range) { 0, REPAIR_UNIT }, SIZE, &lost), 0);

        assert_int_equal(evidences_take(two, &subject, &SEALED_NULL, &look, &w, &lost, &patience,
                                        &l), 0);
        assert_int_equal(l.items[0].offer.group, 1);
        assert_int_equal(l.items[1].offer.group, 2);
        assert_int_equal(l.items[2].offer.group, 1);
        assert_true(l.items[0].offer.proofs & PROOF_BIT(PROOF_QUORUM));
        assert_false(l.items[1].offer.proofs & PROOF_BIT(PROOF_QUORUM));
        assert_true(l.items[2].offer.proofs & PROOF_BIT(PROOF_QUORUM));
        assert_int_equal(l.items[3].offer.group, 1);
        assert_false(l.items[3].offer.proofs & PROOF_BIT(PROOF_QUORUM));

        assert_int_equal(evidences_take(refuted, &subject, &SEALED_NULL, &look, &w, &lost, &patience,
                                        &n), 0);
        assert_false((n.items[0].offer.proofs | n.items[1].offer.proofs) & PROOF_BIT(PROOF_QUORUM));
        assert_int_equal(evidences_take(twice, &subject, &SEALED_NULL, &look, &w, &lost, &patience,
                                        &m), 0);
        assert_false((m.items[0].offer.proofs | m.items[1].offer.proofs) & PROOF_BIT(PROOF_QUORUM));
}

/* One copy under several names is one, and says so; what it is called does not matter. */
static void test_same_source(void **state) {
        _cleanup_close_ int device = make_file("device", SIZE), fd = make_file("file", SIZE);
        const Subject subject = { .relative = "", .size = SIZE, .mtime = { .tv_sec = 1000 } };
        _cleanup_free_ char *a = make_copy(&(Copy) { "a", SIZE, UINT64_MAX, 0 });
        char path[512], link_path[512], uris[3][512];
        const Extent extent = { .range = { 0, SIZE } };
        _cleanup_rangeset_ RangeSet bad = {}, lost = {};
        _cleanup_window_ Window w = {};
        uint64_t patience = 0;
        Site s = SITE_NULL;
        Outlook look;

        (void) snprintf(path, sizeof(path), "%s/a", folder);
        (void) snprintf(link_path, sizeof(link_path), "%s/a-hard", folder);
        assert_int_equal(link(path, link_path), 0);
        (void) snprintf(link_path, sizeof(link_path), "%s/here", folder);
        assert_int_equal(symlink(folder, link_path), 0);
        (void) snprintf(uris[0], sizeof(uris[0]), "mirror:%s/a-hard", folder);
        (void) snprintf(uris[1], sizeof(uris[1]), "mirror:%s/here/a", folder);
        (void) snprintf(uris[2], sizeof(uris[2]), "mirror:%s/./a", folder);

        s.block_fd = device;
        add(&bad, 0, 512);
        look = (Outlook) { &s, fd, SIZE, extent, &bad };
        assert_int_equal(window_read(&look, (Range) { 0, SIZE }, &w), 0);
        assert_int_equal(lost_bytes(&w, (Range) { 0, REPAIR_UNIT }, SIZE, &lost), 0);

        for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
                char *two[] = { a, uris[i], NULL };
                _cleanup_evidences_ Evidences l = {};

                assert_int_equal(evidences_take(two, &subject, &SEALED_NULL, &look, &w, &lost,
                                                &patience, &l), 0);
                assert_int_equal(l.items[1].offer.group, l.items[0].offer.group);
                assert_false((l.items[0].offer.proofs | l.items[1].offer.proofs) & PROOF_BIT(PROOF_QUORUM));
                assert_null(l.items[0].offer.same_as);
                assert_string_equal(l.items[1].offer.same_as, a);
        }
        assert_int_equal(unlink(link_path), 0);
}

/* Somebody stores to a byte of the window once it has been read: no copy shows anything any more, not even
 * one that is equal, and two of them are no quorum. */
static void test_busy(void **state) {
        _cleanup_close_ int device = make_file("device", SIZE), fd = make_file("file", SIZE);
        const Subject subject = { .relative = "", .size = SIZE, .mtime = { .tv_sec = 1000 } };
        _cleanup_free_ char *a = make_copy(&(Copy) { "a", SIZE, UINT64_MAX, 0 }),
                       *b = make_copy(&(Copy) { "b", SIZE, SIZE - 1, 0 }),
                       *c = make_copy(&(Copy) { "c", SIZE, UINT64_MAX, 0 });
        char *all[] = { a, b, c, NULL };
        const Extent extent = { .range = { 0, SIZE } };
        _cleanup_rangeset_ RangeSet bad = {}, lost = {};
        _cleanup_evidences_ Evidences l = {};
        _cleanup_window_ Window w = {};
        uint8_t byte = data_at(SIZE - 1) ^ 1;
        uint64_t patience = 0;
        Site s = SITE_NULL;
        Outlook look;

        s.block_fd = device;
        add(&bad, 0, 512);
        look = (Outlook) { &s, fd, SIZE, extent, &bad };
        assert_int_equal(window_read(&look, (Range) { 0, SIZE }, &w), 0);
        assert_int_equal(lost_bytes(&w, (Range) { 0, REPAIR_UNIT }, SIZE, &lost), 0);
        assert_int_equal(pwrite_full(fd, &byte, 1, SIZE - 1), 0);

        assert_int_equal(evidences_take(all, &subject, &SEALED_NULL, &look, &w, &lost, &patience, &l), 0);
        for (size_t i = 0; i < 3; i++) {
                const Offer *o = &l.items[i].offer;

                assert_int_equal(o->witness, WITNESS_BUSY);
                assert_int_equal(o->witness_at, SIZE - 512);
                assert_int_equal(o->proofs & ~PROOF_BIT(PROOF_IDENTITY), 0);
                assert_true(offer_refuted(o));
        }
}

/* ---- intents ---- */

typedef struct Seen {
        unsigned whole, damaged;
} Seen;

static int see(const char *name, const Intent *i, const void *page, void *userdata) {
        Seen *s = userdata;

        if (!i) {
                assert_null(page);
                s->damaged++;
                return 0;
        }
        assert_int_equal(i->inode, 131);
        assert_true(i->alone);
        for (size_t k = 0; k < REPAIR_UNIT; k++)
                assert_int_equal(((const uint8_t *) page)[k], data_at(k));
        s->whole++;
        return 0;
}

/* A record that is stored is read back as it was; with any single bit of it changed, or cut off anywhere,
 * it is damaged and never believed. */
static void test_intents(void **state) {
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT];
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_close_ int dir_fd = -1;
        _cleanup_free_ char *record = NULL;
        Intent i = { .case_id = 7, .boot_id = (char *) "b", .device = (char *) "/dev/pmem0",
                     .range = { 1 << 20, (1 << 20) + REPAIR_UNIT }, .inode = 131, .offset = 8192,
                             .file_size = SIZE,
                     .alone = true };
        Seen seen = {};
        size_t n;

        add(&bad, 1 << 20, (1 << 20) + 512);
        i.bad = bad;
        for (size_t k = 0; k < REPAIR_UNIT; k++)
                page[k] = data_at(k);

        assert_int_equal(intents_open(folder, &dir_fd), 0);
        assert_int_equal(intents_store(dir_fd, &i, page), 0);
        assert_int_equal(intents_walk(dir_fd, see, &seen), 0);
        assert_int_equal(seen.whole, 1);
        assert_int_equal(file_read(dir_fd, "pmem0-0000000000100000", 1 << 20, &record, &n), 0);

        for (size_t k = 0; k < n; k += 37) {
                seen = (Seen) {};
                record[k] ^= 1 << (k % 8);
                assert_int_equal(file_replace(dir_fd, "pmem0-0000000000100000", record, n, 0600), 0);
                record[k] ^= 1 << (k % 8);
                assert_int_equal(intents_walk(dir_fd, see, &seen), 0);
                assert_int_equal(seen.damaged, 1);
                assert_int_equal(seen.whole, 0);
        }
        for (size_t k = 0; k < n; k += 211) {
                seen = (Seen) {};
                assert_int_equal(file_replace(dir_fd, "pmem0-0000000000100000", record, k, 0600), 0);
                assert_int_equal(intents_walk(dir_fd, see, &seen), 0);
                assert_int_equal(seen.damaged, 1);
        }

        seen = (Seen) {};
        assert_int_equal(intents_remove(dir_fd, &i), 0);
        assert_int_equal(intents_remove(dir_fd, &i), 0);
        assert_int_equal(intents_walk(dir_fd, see, &seen), 0);
        assert_int_equal(seen.whole + seen.damaged, 0);
}

/* What was noted of the lost sectors counts for this very record only: not for another boot's, or another
 * page's, nor after the record was stored anew; nor when a bit of it was changed. */
static void test_intent_notes(void **state) {
        uint8_t page[REPAIR_UNIT] = { 1 }, left[REPAIR_UNIT] = { 2 }, found[REPAIR_UNIT];
        static const char name[] = ".left-dax0.0-0000000000100000";
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_free_ char *note = NULL;
        _cleanup_close_ int dir_fd = -1;
        Intent i = { .boot_id = (char *) "b", .device = (char *) "/dev/dax0.0",
                     .range = { 1 << 20, (1 << 20) + REPAIR_UNIT }, .offset = 1 << 20,
                     .file_size = 2 << 20 };
        size_t n;

        add(&bad, 1 << 20, (1 << 20) + 512);
        i.bad = bad;
        assert_int_equal(intents_open(folder, &dir_fd), 0);
        assert_int_equal(intents_store(dir_fd, &i, page), 0);
        assert_int_equal(intents_left(dir_fd, &i, page, found), 0);
        assert_int_equal(intents_note_left(dir_fd, &i, page, left), 0);
        assert_int_equal(intents_left(dir_fd, &i, page, found), 1);
        assert_memory_equal(found, left, REPAIR_UNIT);

        i.boot_id = (char *) "c";
        assert_int_equal(intents_left(dir_fd, &i, page, found), 0);
        i.boot_id = (char *) "b";
        assert_int_equal(intents_left(dir_fd, &i, left, found), 0);

        assert_int_equal(file_read(dir_fd, name, 1 << 20, &note, &n), 0);
        for (size_t k = 0; k < n; k += 37) {
                note[k] ^= 1 << (k % 8);
                assert_int_equal(file_replace(dir_fd, name, note, n, 0600), 0);
                assert_int_equal(intents_left(dir_fd, &i, page, found), 0);
                note[k] ^= 1 << (k % 8);
        }
        assert_int_equal(file_replace(dir_fd, name, note, n - 1, 0600), 0);
        assert_int_equal(intents_left(dir_fd, &i, page, found), 0);
        assert_int_equal(file_replace(dir_fd, name, note, n, 0600), 0);
        assert_int_equal(intents_left(dir_fd, &i, page, found), 1);

        assert_int_equal(intents_store(dir_fd, &i, page), 0);
        assert_int_equal(intents_left(dir_fd, &i, page, found), 0);
        assert_int_equal(intents_note_left(dir_fd, &i, page, left), 0);
        assert_int_equal(intents_remove(dir_fd, &i), 0);
        assert_int_equal(faccessat(dir_fd, name, F_OK, 0), -1);
}

/* What is the same memory: by its namespace wherever it is known; by name within a boot; else by where it
 * was, or by name where that is not known either. */
static void test_intent_memory(void **state) {
        static const struct {
                Intent then, now;
                IntentMemory expected;
        } rows[] = {
#define I(b, d, n, p)                                                                                       \
        { .boot_id = (char *) (b), .device = (char *) (d), .namespace = (char *) (n), .physical = (p) }
                { I("b", "/dev/pmem0", "n", 4096), I("b", "/dev/pmem0", "n", 4096), INTENT_MEMORY_SAME },
                { I("b", "/dev/pmem0", "n", 4096), I("c", "/dev/pmem1", "n", 8192), INTENT_MEMORY_SAME },
                { I("b", "/dev/pmem0", "n", 4096), I("c", "/dev/pmem0", "o", 4096), INTENT_MEMORY_OTHER },
                { I("b", "/dev/pmem0", "n", 4096), I("b", "/dev/pmem0", "o", 4096), INTENT_MEMORY_OTHER },
                { I("b", "/dev/pmem0", NULL, 4096), I("b", "/dev/pmem1", "n", 4096), INTENT_MEMORY_OTHER },
                { I("b", "/dev/pmem0", NULL, 0), I("b", "/dev/pmem0", "n", 4096), INTENT_MEMORY_SAME },
                { I("b", "/dev/pmem0", NULL, 4096), I("c", "/dev/pmem1", "n", 4096), INTENT_MEMORY_SAME },
                { I("b", "/dev/pmem0", NULL, 4096), I("c", "/dev/pmem0", NULL, 8192), INTENT_MEMORY_UNTOLD },
                { I("b", "/dev/pmem0", "n", 0), I("c", "/dev/pmem0", NULL, 8192), INTENT_MEMORY_SAME },
                { I("b", "/dev/pmem0", NULL, 0), I("c", "/dev/pmem1", NULL, 0), INTENT_MEMORY_UNTOLD },
#undef I
        };

        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
                if (intent_memory(&rows[k].then, &rows[k].now) != rows[k].expected)
                        fail_msg("row %zu", k);
}

/* Two disks below one file system have changed names: each intent is of the disk that has its namespace, or
 * that is where it was; never of the one that has its name now. */
static void test_settle_places(void **state) {
        const Volume volume = { .device = (char *) "/dev/pmem0", .uuid = NULL };
        const Volume above = { .device = (char *) "/dev/pmem0", .uuid = (char *) "u" };
        SettlePlace items[] = { { .volume = &volume }, { .volume = &above } };
        Request q = { .volume = volume, .physical = 1 << 30, .physical_known = true,
                      .namespace = (char *) "second" };
        const SettlePlaces places = { .items = items, .n = 2, .request = &q, .boot_id = "now" };
        Intent first = { .boot_id = (char *) "then", .uuid = (char *) "u", .device = (char *) "/dev/pmem0",
                         .namespace = (char *) "first", .range = { 4096, 8192 }, .physical = 4096 };
        Intent second = first;

        second.device = (char *) "/dev/pmem1";
        second.namespace = (char *) "second";
        second.physical = (1 << 30) + 4096;
        for (unsigned known = 0; known < 2; known++) {
                assert_null(settle_place_of(&places, &first));
                assert_ptr_equal(settle_place_of(&places, &second), &items[1]);
                first.namespace = second.namespace = NULL; /* records of before */
        }

        /* Of one that is on one disk the UUID tells, unless it is known that this is a copy. */
        items[1].whole = true;
        first.device = (char *) "/dev/pmem9";
        assert_ptr_equal(settle_place_of(&places, &first), &items[1]);
        first.namespace = (char *) "first";
        assert_null(settle_place_of(&places, &first));
        first.namespace = NULL;
        first.boot_id = (char *) "now";
        assert_null(settle_place_of(&places, &first));
}

/* A record that is not settled is not replaced by one of the same page of what has its disk's name now. */
static void test_intents_other(void **state) {
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT] = {};
        _cleanup_close_ int dir_fd = -1;
        _cleanup_rangeset_ RangeSet bad = {};
        Intent i = { .case_id = 7, .boot_id = (char *) "b", .device = (char *) "/dev/pmem0",
                     .namespace = (char *) "n", .range = { 1 << 20, (1 << 20) + REPAIR_UNIT }, .inode = 131,
                     .offset = 8192, .file_size = SIZE, .alone = true };
        Intent other = i;
        Seen seen = {};

        add(&bad, 1 << 20, (1 << 20) + 512);
        i.bad = other.bad = bad;
        other.boot_id = (char *) "c";
        other.namespace = (char *) "o";
        for (size_t k = 0; k < REPAIR_UNIT; k++)
                page[k] = data_at(k);

        assert_int_equal(intents_open(folder, &dir_fd), 0);
        assert_int_equal(intents_store(dir_fd, &i, page), 0);
        memset(page, 0, sizeof(page));
        assert_int_equal(intents_store(dir_fd, &other, page), INTENTS_E_OTHER);
        assert_int_equal(intents_walk(dir_fd, see, &seen), 0);
        assert_int_equal(seen.whole, 1);

        other.namespace = i.namespace;
        assert_int_equal(intents_store(dir_fd, &other, page), 0);
        assert_int_equal(intents_remove(dir_fd, &i), 0);
}

typedef struct Over {
        unsigned n;
        IntentEnd end;
        uint64_t case_id;
} Over;

static int see_over(const Intent *i, IntentEnd end, void *userdata) {
        Over *o = userdata;

        o->n++;
        o->end = end;
        o->case_id = i->case_id;
        return 0;
}

/* A record of a write that is over is none to be carried out, and tells how it ended until somebody removes
 * it; one that belongs to no case is gone at once. */
static void test_intents_end(void **state) {
        static const IntentEnd ends[] = { { CASE_HEALED, WRITER_PWRITE }, { CASE_WAITING, WRITER_REVIVE } };
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT] = {};
        _cleanup_close_ int dir_fd = -1;
        Intent i = { .case_id = 7, .boot_id = (char *) "b", .device = (char *) "/dev/pmem0",
                     .range = { 1 << 20, (1 << 20) + REPAIR_UNIT }, .inode = 131, .file_size = SIZE };
        _cleanup_rangeset_ RangeSet bad = {};

        add(&bad, 1 << 20, (1 << 20) + 512);
        i.bad = bad;
        assert_int_equal(intents_open(folder, &dir_fd), 0);
        for (size_t k = 0; k < 2; k++) {
                char name[INTENT_ENDED_MAX];
                Seen seen = {};
                Over over = {};

                assert_int_equal(intents_store(dir_fd, &i, page), 0);
                assert_int_equal(intents_walk_ended(dir_fd, see_over, &over), 0);
                assert_int_equal(over.n, 0);
                assert_int_equal(intents_end(dir_fd, &i, ends[k]), 0);
                assert_int_equal(intents_walk(dir_fd, see, &seen), 0);
                assert_int_equal(seen.whole + seen.damaged, 0);
                assert_int_equal(intents_tidy(dir_fd, "/dev/pmem0"), 0);
                assert_int_equal(intents_walk_ended(dir_fd, see_over, &over), 0);
                assert_int_equal(over.n, 1);
                assert_int_equal(over.end.state, ends[k].state);
                assert_int_equal(over.end.writer, ends[k].writer);
                assert_int_equal(over.case_id, 7);
                intent_ended_name(7, ends[k], "pmem0-0000000000100000", name);
                assert_int_equal(unlinkat(dir_fd, name, 0), 0);
        }

        i.case_id = 0;
        assert_int_equal(intents_store(dir_fd, &i, page), 0);
        assert_int_equal(intents_end(dir_fd, &i, ends[0]), 0);
        assert_int_equal(intents_end(dir_fd, &i, ends[0]), 0);
        assert_int_equal(intents_walk_ended(dir_fd, see_over, &(Over) {}), 0);
}

/* Names of records that are over: what was written is read, and nothing else. */
static void test_ended_names(void **state) {
        static const char *const wrong[] = {
                "", ".ended-", ".ended-1", ".ended-1-", ".ended-1-healed", ".ended-1-healed-pwrite",
                ".ended-1-healed-x", ".ended-0-healed-auto-x", ".ended-x-healed-auto-x",
                ".ended-1-refused-auto-x", ".ended-1-healed-quill-x", "ended-1-healed-auto-x",
                ".ended-99999999999999999999-healed-auto-x", ".ended-1--auto-x", "pmem0-10",
                ".ended-1-healedhealedhealed-auto-x", ".lock-pmem0",
        };
        uint64_t id;
        IntentEnd e;

        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
                assert_false(intent_ended_parse(wrong[k], &id, &e));
        assert_true(intent_ended_parse(".ended-18446744073709551615-waiting-revive-pmem0-10", &id, &e));
        assert_true(id == UINT64_MAX && e.state == CASE_WAITING && e.writer == WRITER_REVIVE);
        assert_true(intent_ended_parse(".ended-12-healed-auto-", &id, &e));
        assert_true(id == 12 && e.state == CASE_HEALED && e.writer == WRITER_AUTO);
}

/* What was cut short is removed: of this device alone, and nothing that is whole. */
static void test_intents_tidy(void **state) {
        static const struct { const char *name; bool stays; } files[] = {
                { ".pmem0-0000000000100000.0123456789abcdef", false },
                { "..frozen-pmem0.0123456789abcdef", false },
                { ".pmem1-0000000000100000.0123456789abcdef", true },
                { ".left-pmem0-0000000000200000", false },
                { ".left-pmem0-0000000000300000", true },
                { "pmem0-0000000000300000", true },
                { ".left-pmem1-0000000000200000", true },
                { ".frozen-pmem0", true },
                { ".lock-pmem0", true },
        };
        _cleanup_close_ int dir_fd = -1;

        assert_int_equal(intents_open(folder, &dir_fd), 0);
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
                (void) close(openat(dir_fd, files[k].name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        assert_int_equal(intents_tidy(dir_fd, "/dev/pmem0"), 0);
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
                assert_int_equal(unlinkat(dir_fd, files[k].name, 0) == 0, files[k].stays);
}

/* One at a time on a device; another device is free; over when the descriptor is closed. */
static void test_lock(void **state) {
        _cleanup_close_ int dir_fd = -1, other = -1;
        int fd = -1, again = -1;

        assert_int_equal(intents_open(folder, &dir_fd), 0);
        assert_int_equal(intents_lock(dir_fd, "/dev/pmem0", &fd), 0);
        assert_int_equal(intents_lock(dir_fd, "/dev/pmem0", &again), -EBUSY);
        assert_int_equal(again, -1);
        assert_int_equal(intents_lock(dir_fd, "/dev/pmem1", &other), 0);
        (void) close(fd);
        assert_int_equal(intents_lock(dir_fd, "/dev/pmem0", &again), 0);
        (void) close(again);
}

/* ---- writers ---- */

static Target target_of(int fd, uint64_t offset, uint64_t size) {
        return (Target) { .file_fd = fd, .disk = "none", .offset = offset, .file_size = size,
                          .range = { 1 << 20, (1 << 20) + REPAIR_UNIT } };
}

/* The writer writes its page and no byte beside it; a file keeps its length, and one that has another
 * length by now is not touched. */
static void test_pwrite(void **state) {
        static const struct { uint64_t size, offset, real; int r; } rows[] = {
                { 5 * REPAIR_UNIT, REPAIR_UNIT, 5 * REPAIR_UNIT, 0 },
                { 5 * REPAIR_UNIT, 4 * REPAIR_UNIT, 5 * REPAIR_UNIT, 0 },
                { 4 * REPAIR_UNIT + 1, 4 * REPAIR_UNIT, 4 * REPAIR_UNIT + 1, 0 },
                { 4 * REPAIR_UNIT + 1, 4 * REPAIR_UNIT, 4 * REPAIR_UNIT + 2, -ESTALE },
                { 4 * REPAIR_UNIT + 1, 4 * REPAIR_UNIT, 4 * REPAIR_UNIT, -ESTALE },
                { 5 * REPAIR_UNIT, REPAIR_UNIT, 0, -ESTALE },
                { 5 * REPAIR_UNIT, REPAIR_UNIT, 6 * REPAIR_UNIT, -ESTALE },
        };
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT];

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_close_ int fd = make_file("file", rows[i].real);
                const Target t = target_of(fd, rows[i].offset, rows[i].size);
                _cleanup_(writer_freep) Writer *w = NULL;
                struct stat st;

                memset(page, 0xee, sizeof(page));
                assert_int_equal(writer_open(WRITER_PWRITE, &w), 0);
                assert_int_equal(writer_write(w, &t, page), rows[i].r);
                assert_int_equal(fstat(fd, &st), 0);
                assert_int_equal(st.st_size, rows[i].real);
                for (uint64_t at = 0; at < rows[i].real; at++) {
                        bool ours = rows[i].r == 0 && at >= t.offset && at < t.offset + REPAIR_UNIT;
                        uint8_t byte;

                        assert_int_equal(pread_full(fd, &byte, 1, at), 0);
                        assert_int_equal(byte, ours ? 0xee : data_at(at));
                }
        }
}

/* The filters: what they say, and whether the page was written. */
static void test_filters(void **state) {
        static const struct { const char *spec; int r; bool written; } rows[] = {
                { "elsewhere:error=5", 0, true },
                { "before-write:error=5", -5, false },
                { "after-write:error=28", -28, true },
                { "before-write:skip", 0, false },
                { "before-write:absent", WRITE_E_ABSENT, false },
                { "before-write:unlist", -EINVAL, false },      /* never the kernel's own list */
                { "before-write:nonsense", -EINVAL, false },
                { "before-write:error=99999", -EINVAL, false },
                { "nonsense", -EINVAL, false },
                { "elsewhere:kill,before-write:skip", 0, false },
        };
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT];

        assert_int_equal(unsetenv("BEZOAR_SYSFS"), 0);
        memset(page, 0xee, sizeof(page));
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_close_ int fd = make_file("file", REPAIR_UNIT);
                const Target t = target_of(fd, 0, REPAIR_UNIT);
                _cleanup_(writer_freep) Writer *w = NULL;
                Writer *next;
                uint8_t byte;

                assert_int_equal(writer_open(WRITER_PWRITE, &next), 0);
                assert_int_equal(writer_fault_new(next, rows[i].spec, &w), 0);
                assert_int_equal(writer_write(w, &t, page), rows[i].r);
                assert_int_equal(pread_full(fd, &byte, 1, 0), 0);
                assert_int_equal(byte == 0xee, rows[i].written);
        }
}

/* Dry writes nothing; a kind that is not built in says so. */
static void test_dry(void **state) {
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT] = {};
        _cleanup_close_ int fd = make_file("file", REPAIR_UNIT);
        const Target t = target_of(fd, 0, REPAIR_UNIT);
        _cleanup_(writer_freep) Writer *w = NULL;
        Writer *next, *none;
        uint8_t byte;

        assert_int_equal(writer_open(WRITER_PWRITE, &next), 0);
        assert_int_equal(writer_dry_new(next, &w), 0);
        assert_int_equal(writer_write(w, &t, page), 0);
        assert_int_equal(pread_full(fd, &byte, 1, 1), 0);
        assert_int_equal(byte, data_at(1));
        assert_int_equal(writer_open(WRITER_AUTO, &none), -EOPNOTSUPP);
}

/* `block` writes the bad sectors and nothing else; and nothing at all where no good sector of the page can
 * be read through the device: such a page may be absent, and writing it is a kernel oops. One file is the
 * device. */
static void test_block(void **state) {
        static const struct {
                uint64_t device_size;           /* shorter than the page: reading its good sectors fails */
                Range bad[2];
                bool open;
                int r;
        } rows[] = {
                { REPAIR_UNIT, { { 512, 1024 } }, true, 0 },
                { REPAIR_UNIT, { { 0, 512 }, { 3584, 4096 } }, true, 0 },
                { REPAIR_UNIT, { { 0, 3584 } }, true, 0 },
                { REPAIR_UNIT, { { 512, 1024 }, { 8192, 8704 } }, true, 0 },    /* of another page */
                { REPAIR_UNIT, { { 0, 4096 } }, true, -EPERM },
                { REPAIR_UNIT, { { 0, 8192 } }, true, -EPERM },
                { 3584, { { 512, 1024 } }, true, -ENODATA },
                { 1024, { { 512, 4096 } }, true, 0 },   /* the one good sector can be read */
                { 256, { { 512, 4096 } }, true, -ENODATA },
                { REPAIR_UNIT, { { 512, 1024 } }, false, -EINVAL },
        };
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT];
        uint8_t now[REPAIR_UNIT];

        memset(page, 0xee, sizeof(page));
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                _cleanup_close_ int device = make_file("device", rows[i].device_size);
                _cleanup_close_ int fd = make_file("file", REPAIR_UNIT);
                Target t = target_of(fd, 0, REPAIR_UNIT);
                _cleanup_(writer_freep) Writer *w = NULL;
                _cleanup_rangeset_ RangeSet bad = {};
                struct stat st;

                for (size_t k = 0; k < 2 && rows[i].bad[k].end > 0; k++)
                        add(&bad, rows[i].bad[k].start, rows[i].bad[k].end);
                t.range = (Range) { 0, REPAIR_UNIT };
                t.bad = &bad;
                t.block_fd = rows[i].open ? device : -1;
                assert_int_equal(writer_open(WRITER_BLOCK, &w), 0);
                assert_int_equal(writer_write(w, &t, page), rows[i].r);

                assert_int_equal(fstat(device, &st), 0);
                if (rows[i].r < 0)
                        assert_int_equal(st.st_size, rows[i].device_size);
                assert_int_equal(pread_full(device, now, rows[i].device_size, 0), 0);
                for (uint64_t at = 0; at < rows[i].device_size; at++) {
                        bool written = rows[i].r == 0 && rangeset_overlaps(&bad, (Range) { at, at + 1 });

                        assert_int_equal(now[at], written ? 0xee : data_at(at));
                }
        }
}

static int set_up(void **state) {
        assert_non_null(mkdtemp(folder));
        folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return folder_fd < 0;
}

static int tear_down(void **state) {
        char command[128];

        (void) close(folder_fd);
        (void) snprintf(command, sizeof(command), "rm -r %s", folder);
        return system(command);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_window),
                cmocka_unit_test(test_window_unreadable),
                cmocka_unit_test(test_lost),
                cmocka_unit_test(test_evidence),
                cmocka_unit_test(test_groups),
                cmocka_unit_test(test_same_source),
                cmocka_unit_test(test_busy),
                cmocka_unit_test(test_intents),
                cmocka_unit_test(test_intent_memory),
                cmocka_unit_test(test_intents_other),
                cmocka_unit_test(test_settle_places),
                cmocka_unit_test(test_intents_end),
                cmocka_unit_test(test_ended_names),
                cmocka_unit_test(test_intents_tidy),
                cmocka_unit_test(test_intent_notes),
                cmocka_unit_test(test_lock),
                cmocka_unit_test(test_pwrite),
                cmocka_unit_test(test_filters),
                cmocka_unit_test(test_dry),
                cmocka_unit_test(test_block),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
