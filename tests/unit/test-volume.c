/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/volume.h"
#include "random.h"
#include "util/strv.h"
#include "util/vec.h"

#define PAGE REPAIR_UNIT
#define MIB (UINT64_C(1) << 20)

static char *copy_of(const char *s) {
        char *copy = s ? strdup(s) : NULL;

        assert_true(copy || !s);
        return copy;
}

static void add_disk(Topology *t, const char *name, uint64_t size, bool badblocks) {
        TopoDisk d = { .name = copy_of(name), .major = 259, .minor = (uint32_t) t->disks.n, .size = size,
                      .badblocks = badblocks };

        assert_true(asprintf(&d.node, "/dev/%s", name) > 0);
        assert_int_equal(vec_push(&t->disks, d), 0);
}

static TopoLink *add_link(Topology *t, const char *upper, const char *lower) {
        TopoLink l = { .upper = copy_of(upper), .lower = copy_of(lower) };

        assert_int_equal(vec_push(&t->links, l), 0);
        return &t->links.items[t->links.n - 1];
}

static void add_linear(Topology *t, const char *upper, const char *lower, uint64_t at, uint64_t size,
                       uint64_t to) {
        assert_int_equal(spacemap_add(&add_link(t, upper, lower)->map, (Range) { at, at + size }, to), 0);
}

static void add_mount(Topology *t, const char *disk) {
        TopoMount m = { .disk = copy_of(disk), .root = copy_of("/"), .fs = copy_of("xfs"),
                       .uuid = copy_of(disk) };

        assert_true(asprintf(&m.mountpoint, "/srv/%s", disk) > 0);
        assert_int_equal(vec_push(&t->mounts, m), 0);
}

static void add_part(Topology *t, const char *disk, FsPart part) {
        TopoPart p = { .disk = copy_of(disk), .part = part, .node = copy_of("/dev/sda1"),
                       .mountpoint = copy_of("/srv/other"), .fs = copy_of("xfs"), .uuid = copy_of("other") };

        assert_int_equal(vec_push(&t->parts, p), 0);
}

/* "start+pages uuid device?hindrance …" */
static int put_piece(Range piece, const Volume *v, void *userdata) {
        char *text = userdata;
        size_t n = strlen(text);

        (void) snprintf(text + n, 4096 - n, "%s%" PRIu64 "+%" PRIu64 " %s%s%s%s%s%s%s%s%s", n ? "|" : "",
                        piece.start / PAGE, range_size(piece) / PAGE,
                        v->part != FS_PART_DATA ? fs_part_to_string(v->part) : "",
                        v->part != FS_PART_DATA ? " of " : "", v->uuid ? v->uuid : "-",
                        v->part_device ? " by " : "", v->part_device ? v->part_device : "",
                        v->fs_device ? " on " : "", v->fs_device ? v->fs_device : "",
                        v->hindrance ? ": " : "", v->hindrance ? v->hindrance : "");
        return 0;
}

static void assert_pieces(const Topology *t, const char *disk, Range pages, const char *expected) {
        char text[4096] = "";

        assert_int_equal(volume_split(t, disk, (Range) { pages.start * PAGE, pages.end * PAGE }, put_piece,
                                      text), 0);
        assert_string_equal(text, expected);
}

#define UNUSED(dev) \
        "of what stands on " dev " nothing uses them: they lie before, between or behind its parts"
#define NO_PAGE(dev) \
        "what is a page of /dev/pmem0 is none of " dev ": it does not begin there at a multiple of 4096 " \
        "bytes, or is not in one piece"

/* A run over two partitions, one of them not mounted, is cut at their borders; what lies before, between and
 * behind them is nobody's that could be asked, and never free. */
static void test_partitions(void **state) {
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "pmem0", 100 * PAGE, true);
        add_disk(&t, "pmem0p1", 10 * PAGE, false);
        add_disk(&t, "pmem0p2", 20 * PAGE, false);
        add_linear(&t, "pmem0p1", "pmem0", 0, 10 * PAGE, 10 * PAGE);
        add_linear(&t, "pmem0p2", "pmem0", 0, 20 * PAGE, 30 * PAGE);
        add_mount(&t, "pmem0p2");

        assert_pieces(&t, "pmem0", (Range) { 0, 100 },
                      "0+10 -: " UNUSED("/dev/pmem0") "|10+10 - on /dev/pmem0p1|20+10 -: "
                      UNUSED("/dev/pmem0") "|30+20 pmem0p2 on /dev/pmem0p2|50+50 -: " UNUSED("/dev/pmem0"));
        assert_pieces(&t, "pmem0", (Range) { 40, 41 }, "40+1 pmem0p2 on /dev/pmem0p2");
}

/* The plain case: a file system on the disk, or none. */
static void test_bare(void **state) {
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "pmem0", 100 * PAGE, true);
        assert_pieces(&t, "pmem0", (Range) { 0, 100 }, "0+100 -");
        add_mount(&t, "pmem0");
        assert_pieces(&t, "pmem0", (Range) { 0, 100 }, "0+100 pmem0");
}

/* What has the journal of a file system, or its realtime files, is that, also where it stands on a disk. */
static void test_parts(void **state) {
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "pmem0", 100 * PAGE, true);
        add_disk(&t, "pmem0p1", 10 * PAGE, false);
        add_disk(&t, "pmem1", 100 * PAGE, true);
        add_linear(&t, "pmem0p1", "pmem0", 0, 10 * PAGE, 10 * PAGE);
        add_part(&t, "pmem0p1", FS_PART_LOG);
        add_part(&t, "pmem1", FS_PART_REALTIME);
        assert_pieces(&t, "pmem0", (Range) { 9, 21 },
                      "9+1 -: " UNUSED("/dev/pmem0") "|10+10 log of other by /dev/pmem0p1 on /dev/sda1|"
                      "20+1 -: " UNUSED("/dev/pmem0"));
        assert_pieces(&t, "pmem1", (Range) { 0, 1 }, "0+1 realtime of other on /dev/sda1");
}

/* A partition that begins in the middle of a page keeps no page: nothing is computed with it. */
static void test_unaligned(void **state) {
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "pmem0", 100 * PAGE, true);
        add_disk(&t, "pmem0p1", 10 * PAGE, false);
        add_linear(&t, "pmem0p1", "pmem0", 0, 10 * PAGE, 10 * PAGE + 512);
        add_mount(&t, "pmem0p1");
        assert_pieces(&t, "pmem0", (Range) { 9, 22 },
                      "9+1 -: " UNUSED("/dev/pmem0") "|10+11 -: " NO_PAGE("/dev/pmem0p1") "|21+1 -: "
                      UNUSED("/dev/pmem0"));
}

/* What is not followed is named; what two mounted devices show is neither's. */
static void test_hindered(void **state) {
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "pmem0", 100 * PAGE, true);
        add_disk(&t, "dm-0", 10 * PAGE, false);
        add_disk(&t, "dm-1", 10 * PAGE, false);
        add_disk(&t, "dm-2", 10 * PAGE, false);
        add_linear(&t, "dm-1", "pmem0", 0, 10 * PAGE, 50 * PAGE);
        add_linear(&t, "dm-2", "pmem0", 0, 10 * PAGE, 55 * PAGE);
        add_link(&t, "dm-0", "pmem0")->opaque = copy_of("crypt");
        add_mount(&t, "dm-0");
        add_mount(&t, "dm-1");
        add_mount(&t, "dm-2");
        assert_pieces(&t, "pmem0", (Range) { 0, 70 },
                      "0+50 -: /dev/dm-0 may use them, in a way that is not followed (crypt)"
                      "|50+5 dm-1 on /dev/dm-1"
                      "|55+5 -: /dev/dm-1 and /dev/dm-2 both have them, and both are mounted"
                      "|60+5 dm-2 on /dev/dm-2"
                      "|65+5 -: /dev/dm-0 may use them, in a way that is not followed (crypt)");
}

/* A device that shows each byte twice cannot be asked for either. */
static void test_mirror(void **state) {
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "pmem0", 100 * PAGE, true);
        add_disk(&t, "dm-0", 20 * PAGE, false);
        add_linear(&t, "dm-0", "pmem0", 0, 10 * PAGE, 0);
        add_linear(&t, "dm-0", "pmem0", 10 * PAGE, 10 * PAGE, 0);
        add_mount(&t, "dm-0");
        assert_pieces(&t, "pmem0", (Range) { 0, 2 }, "0+2 -: /dev/dm-0 has some bytes of /dev/pmem0 in two "
                      "places");
}

/* What a region lists and no disk shows says where it is. */
static void test_region(void **state) {
        _cleanup_topology_ Topology t = {};
        TopoRegion g = { .name = copy_of("region0"), .physical = { 10 * MIB, 20 * MIB } };
        TopoNamespace on = { .name = copy_of("namespace0.0"), .region = copy_of("region0"),
                            .disk = copy_of("pmem0"), .whole = { 10 * MIB, 12 * MIB },
                            .data = { 11 * MIB, 12 * MIB } };
        TopoNamespace off = { .name = copy_of("namespace0.1"), .region = copy_of("region0"),
                             .whole = { 12 * MIB, 13 * MIB } };
        __attribute__((cleanup(volume_done))) Volume v = {};
        uint64_t physical;
        bool known;

        assert_int_equal(vec_push(&t.regions, g), 0);
        assert_int_equal(vec_push(&t.namespaces, on), 0);
        assert_int_equal(vec_push(&t.namespaces, off), 0);
        add_disk(&t, "pmem0", MIB, false);

        assert_pieces(&t, "region0", (Range) { 255, 257 }, "255+2 -: namespace0.0 keeps them for itself: "
                      "they hold its description or the kernel's list of its pages, and no data");
        assert_pieces(&t, "region0", (Range) { 512, 513 }, "512+1 -: namespace0.1 is disabled");
        assert_pieces(&t, "region0", (Range) { 1000, 1001 }, "1000+1 -: they belong to no namespace");

        assert_int_equal(volume_of_disk(&t, "pmem0", &v, &physical, &known), 0);
        assert_string_equal(v.region, "region0");
        assert_true(range_equal(v.window, (Range) { MIB, 2 * MIB }));
        assert_true(volume_is_listed(&t, t.disks.items));
        t.disks.items[0].badblocks = true;
        volume_done(&v);
        assert_int_equal(volume_of_disk(&t, "pmem0", &v, &physical, &known), 0);
        assert_null(v.region);
        assert_int_equal(volume_split(&t, "nothing", (Range) { 0, PAGE }, put_piece, NULL), -ENOENT);
}

/* ---- random stacks, against a model that knows each sector ---- */

#define DISKS 3
#define DISK_SECTORS 96
#define DEVICES 12
#define SECTORS_MAX 512

/* Where a sector of a device is: disk * DISK_SECTORS + sector; -1: nowhere. */
typedef struct Model {
        char name[16];
        unsigned n;
        int at[SECTORS_MAX];
} Model;

static unsigned used_up[DEVICES];       /* how much of a device has been given to devices above */

/* Takes `n` free sectors of a random device. */
static bool take(Random *random, const Model *models, unsigned count, unsigned n, unsigned *ret,
                 unsigned *ret_start) {
        unsigned i = (unsigned) random_below(random, count);

        if (used_up[i] + n > models[i].n)
                return false;
        *ret = i;
        *ret_start = used_up[i];
        used_up[i] += n;
        return true;
}

static void append_linear(Random *random, Topology *t, Model *models, unsigned count, Model *m) {
        unsigned n = 1 + (unsigned) random_below(random, 40), lower, start;

        used_up[count] = 0;
        if (m->n + n > SECTORS_MAX || !take(random, models, count, n, &lower, &start))
                return;
        add_linear(t, m->name, models[lower].name, m->n * UINT64_C(512), n * UINT64_C(512),
                   start * UINT64_C(512));
        for (unsigned i = 0; i < n; i++)
                m->at[m->n++] = models[lower].at[start + i];
}

static void append_striped(Random *random, Topology *t, Model *models, unsigned count, Model *m) {
        unsigned stripes = 1 + (unsigned) random_below(random, 3);
        unsigned chunk = 1 + (unsigned) random_below(random, 9);
        unsigned rows = 1 + (unsigned) random_below(random, 4), total = stripes * chunk * rows;
        unsigned lower[3], start[3];

        if (m->n + total > SECTORS_MAX)
                return;
        for (unsigned i = 0; i < stripes; i++)
                if (!take(random, models, count, chunk * rows, &lower[i], &start[i]))
                        return;         /* what was taken so far is shown by nobody */
        for (unsigned i = 0; i < stripes; i++) {
                Stripe s = { .upper = { m->n * UINT64_C(512), (m->n + total) * UINT64_C(512) },
                            .lower = start[i] * UINT64_C(512), .chunk = chunk * UINT64_C(512),
                            .count = stripes, .index = i };
                TopoLink *l = add_link(t, m->name, models[lower[i]].name);

                assert_true(stripe_is_valid(&s));
                assert_int_equal(vec_push(&l->stripes, s), 0);
        }
        /* the kernel's formula, forward: chunk number, then stripe and row (stripe_map_sector()) */
        for (unsigned i = 0; i < total; i++) {
                unsigned number = i / chunk, stripe = number % stripes, row = number / stripes;

                m->at[m->n + i] = models[lower[stripe]].at[start[stripe] + row * chunk + i % chunk];
        }
        m->n += total;
}

static unsigned make_stack(Random *random, Topology *t, Model *models) {
        unsigned count = 0;

        for (; count < DISKS; count++) {
                Model *m = models + count;

                (void) snprintf(m->name, sizeof(m->name), "pmem%u", count);
                for (m->n = 0; m->n < DISK_SECTORS; m->n++)
                        m->at[m->n] = (int) (count * DISK_SECTORS + m->n);
                used_up[count] = (unsigned) random_below(random, 3);
                add_disk(t, m->name, DISK_SECTORS * UINT64_C(512), true);
        }
        for (; count < DEVICES; count++) {
                Model *m = models + count;

                m->n = 0;
                (void) snprintf(m->name, sizeof(m->name), "dm-%u", count);
                for (unsigned k = 1 + (unsigned) random_below(random, 4); k > 0; k--)
                        if (random_below(random, 2))
                                append_linear(random, t, models, count, m);
                        else
                                append_striped(random, t, models, count, m);
                used_up[count] = 0;
                add_disk(t, m->name, (m->n + 1) * UINT64_C(512), false);
        }
        return count;
}

typedef struct Look {
        const Model *models;
        unsigned disk;
        Range part;
        uint64_t round;
        unsigned seen;
} Look;

/* Every sector of the part: forward it is where the model has it, and from there back where it came from;
 * the map has no other. */
static int compare(const TopoDisk *upper, const SpaceMap *map, void *userdata) {
        Look *l = userdata;
        const Model *m = l->models;
        _cleanup_spacemap_ SpaceMap back = {};
        uint64_t total = 0, expected = 0;

        while (strcmp(m->name, upper->name) != 0)
                m++;
        assert_int_equal(spacemap_invert(map, &back), 0);
        for (size_t i = 0; i < map->n; i++)
                total += range_size(map->items[i].from);

        for (unsigned i = 0; i < m->n; i++) {
                uint64_t from = (unsigned) (m->at[i] % DISK_SECTORS) * UINT64_C(512), to, again;

                if (m->at[i] / DISK_SECTORS != (int) l->disk || from < l->part.start || from >= l->part.end)
                        continue;
                expected += 512;
                check(spacemap_translate(map, from + 511, &to) && to == i * UINT64_C(512) + 511, l->round);
                check(spacemap_translate(&back, to, &again) && again == from + 511, l->round);
        }
        check(total == expected && total > 0, l->round);
        l->seen++;
        return 0;
}

static bool has_any(const Model *m, unsigned disk, Range part) {
        for (unsigned i = 0; i < m->n; i++) {
                uint64_t from = (unsigned) (m->at[i] % DISK_SECTORS) * UINT64_C(512);

                if (m->at[i] / DISK_SECTORS == (int) disk && from >= part.start && from < part.end)
                        return true;
        }
        return false;
}

static void test_random_stacks(void **state) {
        Random random = { RANDOM_SEED };

        for (uint64_t round = 0; round < 3000; round++) {
                _cleanup_topology_ Topology t = {};
                static Model models[DEVICES];
                unsigned n = make_stack(&random, &t, models), shown = 0;
                uint64_t start = random_below(&random, DISK_SECTORS) * 512;
                Look l = { .models = models, .disk = (unsigned) random_below(&random, DISKS), .round = round,
                           .part = { start, start + 512 * (1 + random_below(&random, DISK_SECTORS)) } };

                assert_int_equal(topology_uppers(&t, models[l.disk].name, l.part, compare, &l), 0);
                for (unsigned i = 0; i < n; i++)
                        shown += has_any(models + i, l.disk, l.part);
                check(l.seen == shown, round);
        }
}

/* What the walk may say of a page: a mounted device has it when the model has all of its sectors there, in
 * order, from a multiple of a page on. */
static int check_piece(Range piece, const Volume *v, void *userdata) {
        const Look *l = userdata;
        const Model *m = l->models;

        if (!v->fs_device)
                return 0;
        while (strcmp(m->name, v->fs_device + strlen("/dev/")) != 0)
                m++;
        for (uint64_t sector = piece.start / 512; v->uuid && sector < piece.end / 512; sector += 8) {
                unsigned at = 0;

                while (at < m->n && m->at[at] != (int) (l->disk * DISK_SECTORS + sector))
                        at++;
                check(at % 8 == 0 && at + 8 <= m->n, l->round);
                for (unsigned i = 0; i < 8; i++)
                        check(m->at[at + i] == m->at[at] + (int) i, l->round);
        }
        return 0;
}

static void test_random_volumes(void **state) {
        Random random = { RANDOM_SEED };

        for (uint64_t round = 0; round < 1000; round++) {
                _cleanup_topology_ Topology t = {};
                static Model models[DEVICES];
                unsigned n = make_stack(&random, &t, models);
                Look l = { .models = models, .disk = (unsigned) random_below(&random, DISKS),
                          .round = round };

                for (unsigned i = DISKS; i < n; i++)
                        if (random_below(&random, 2))
                                add_mount(&t, models[i].name);
                assert_int_equal(volume_split(&t, models[l.disk].name, (Range) { 0, DISK_SECTORS * 512 },
                                              check_piece, &l), 0);
        }
}

/* A stripe whose chunks do not fill it is none. */
static void test_stripe_validity(void **state) {
        const Stripe good = { .upper = { 0, 8192 }, .chunk = 1024, .count = 2, .index = 1 };
        Stripe s = good;

        assert_true(stripe_is_valid(&s));
        s.index = 2;
        assert_false(stripe_is_valid(&s));
        s = good;
        s.chunk = 0;
        assert_false(stripe_is_valid(&s));
        s.chunk = 3 * 512;
        assert_false(stripe_is_valid(&s));
        s = good;
        s.count = 0;
        assert_false(stripe_is_valid(&s));
        s = good;
        s.upper.start = s.upper.end;
        assert_false(stripe_is_valid(&s));
        s = good;
        s.lower = UINT64_MAX - 4095;
        assert_false(stripe_is_valid(&s));
        s.chunk = UINT64_MAX;
        assert_false(stripe_is_valid(&s));
}

/* A whole disk in chunks is too much to write down: it is said at once, and nothing of it is shown. */
static void test_too_many_chunks(void **state) {
        const Stripe s = { .upper = { 0, UINT64_C(1) << 42 }, .chunk = 4096, .count = 2, .index = 1 };
        _cleanup_spacemap_ SpaceMap m = {};

        assert_int_equal(stripe_map(&s, (Range) { 0, UINT64_C(1) << 40 }, &m), -E2BIG);
        assert_int_equal(m.n, 0);
        assert_int_equal(stripe_map(&s, (Range) { 4096, 12288 }, &m), 0);
        assert_int_equal(m.n, 2);
        assert_true(range_equal(m.items[0].from, (Range) { 3 * 4096, 4 * 4096 }) && m.items[0].to == 4096);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_partitions),
                cmocka_unit_test(test_bare),
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_unaligned),
                cmocka_unit_test(test_hindered),
                cmocka_unit_test(test_mirror),
                cmocka_unit_test(test_region),
                cmocka_unit_test(test_random_stacks),
                cmocka_unit_test(test_random_volumes),
                cmocka_unit_test(test_stripe_validity),
                cmocka_unit_test(test_too_many_chunks),
        };

        return cmocka_run_group_tests_name("volume", tests, NULL, NULL);
}
