/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/topology.h"
#include "util/strv.h"
#include "util/vec.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static char *copy_of(const char *s) {
        char *copy = s ? strdup(s) : NULL;

        assert_true(copy || !s);
        return copy;
}

static void add_disk(Topology *t, const char *name, uint64_t size) {
        TopoDisk d = { .name = copy_of(name), .major = 259, .minor = (uint32_t) t->disks.n, .size = size };

        assert_int_equal(vec_push(&t->disks, d), 0);
}

static void add_namespace(Topology *t, const char *disk, NamespaceMode mode, uint64_t start, uint64_t size) {
        TopoNamespace n = { .name = copy_of("namespace"), .mode = mode, .disk = copy_of(disk),
                            .data = { start, start + size } };

        assert_int_equal(vec_push(&t->namespaces, n), 0);
        if (disk)
                add_disk(t, disk, size);
}

/* One segment; further ones are added to the last link. */
static void add_link(Topology *t, const char *upper, const char *lower, uint64_t at, uint64_t size,
                     uint64_t to) {
        TopoLink *last = t->links.n > 0 ? &t->links.items[t->links.n - 1] : NULL;

        if (!last || !streq_ptr(last->upper, upper) || !streq_ptr(last->lower, lower)) {
                TopoLink l = { .upper = copy_of(upper), .lower = copy_of(lower) };

                assert_int_equal(vec_push(&t->links, l), 0);
                last = &t->links.items[t->links.n - 1];
        }
        if (size > 0)
                assert_int_equal(spacemap_add(&last->map, (Range) { at, at + size }, to), 0);
}

static void add_mount(Topology *t, const char *disk, const char *mountpoint, const char *root) {
        TopoMount m = { .disk = copy_of(disk), .mountpoint = copy_of(mountpoint), .root = copy_of(root) };

        assert_int_equal(vec_push(&t->mounts, m), 0);
}

/* "from-end>to …", so that a whole map is one line in a test. */
static void assert_map(const SpaceMap *m, const char *expected) {
        char text[1024] = "";

        for (size_t i = 0; i < m->n; i++) {
                const SpaceSegment *s = &m->items[i];
                size_t n = strlen(text);

                (void) snprintf(text + n, sizeof(text) - n, "%s%#" PRIx64 "-%#" PRIx64 ">%#" PRIx64,
                                i ? " " : "", s->from.start, s->from.end, s->to);
        }
        assert_string_equal(text, expected);
}

static void assert_physical(const Topology *t, const char *disk, int r, const char *expected) {
        _cleanup_spacemap_ SpaceMap m = {};

        assert_int_equal(topology_physical(t, disk, &m), r);
        if (r < 0)
                assert_true(m.n == 0 && !m.items);
        else
                assert_map(&m, expected);
}

typedef struct Upper {
        const char *name, *map;
} Upper;

static int expect_upper(const TopoDisk *upper, const SpaceMap *map, void *userdata) {
        const Upper **next = userdata;

        assert_non_null((*next)->name);
        assert_string_equal(upper->name, (*next)->name);
        assert_map(map, (*next)->map);
        (*next)++;
        return 0;
}

static void assert_uppers(const Topology *t, const char *disk, const Upper *expected) {
        assert_int_equal(topology_uppers(t, disk, (Range) { 0, UINT64_MAX }, expect_upper, &expected), 0);
        assert_null(expected->name);
}

/* Two pmem disks, a device-mapper device that is linear over both, and a partition on it that lies across
 * their border. */
static void make_stack(Topology *t) {
        add_namespace(t, "pmem0", NAMESPACE_FSDAX, 4 * GIB, 256 * MIB);
        add_namespace(t, "pmem1", NAMESPACE_FSDAX, 8 * GIB, 256 * MIB);
        add_disk(t, "dm-0", 384 * MIB);
        add_disk(t, "dm-0p1", 128 * MIB);
        add_disk(t, "sda", GIB);
        add_link(t, "dm-0", "pmem0", 0, 192 * MIB, 64 * MIB);
        add_link(t, "dm-0", "pmem1", 192 * MIB, 192 * MIB, 0);
        add_link(t, "dm-0p1", "dm-0", 0, 128 * MIB, 128 * MIB);
}

/* A disk of a namespace begins where its data does; a disk of nothing has no place in memory. */
static void test_physical_flat(void **state) {
        _cleanup_topology_ Topology t = {};

        make_stack(&t);
        assert_physical(&t, "pmem0", 0, "0-0x10000000>0x100000000");
        assert_physical(&t, "sda", -ENOENT, NULL);
        assert_physical(&t, "nothing", -ENOENT, NULL);
}

/* A partition on device mapper on two pmem disks: each half of it is found where it is. */
static void test_physical_stack(void **state) {
        _cleanup_topology_ Topology t = {};

        make_stack(&t);
        assert_physical(&t, "dm-0", 0, "0-0xc000000>0x104000000 0xc000000-0x18000000>0x200000000");
        assert_physical(&t, "dm-0p1", 0, "0-0x4000000>0x10c000000 0x4000000-0x8000000>0x200000000");
}

/* Seen from below, each device above shows its part of the disk, and no device shows what is on the other
 * disk. */
static void test_uppers_stack(void **state) {
        _cleanup_topology_ Topology t = {};

        make_stack(&t);
        assert_uppers(&t, "pmem0", (const Upper[]) { { "pmem0", "0-0x10000000>0" },
                                                     { "dm-0", "0x4000000-0x10000000>0" },
                                                     { "dm-0p1", "0xc000000-0x10000000>0" }, {} });
        assert_uppers(&t, "pmem1", (const Upper[]) { { "pmem1", "0-0x10000000>0" },
                                                     { "dm-0", "0-0xc000000>0xc000000" },
                                                     { "dm-0p1", "0-0x4000000>0x4000000" }, {} });
        assert_uppers(&t, "sda", (const Upper[]) { { "sda", "0-0x40000000>0" }, {} });
}

/* A device over two partitions of one disk (with their order changed) has one map, not one for each way. */
static void test_diamond(void **state) {
        static const Upper expected[] = {
                { "dm-0", "0x100000-0x200000>0x100000 0x200000-0x300000>0" },
                { "pmem0", "0-0x400000>0" },
                { "pmem0p1", "0x100000-0x200000>0" },
                { "pmem0p2", "0x200000-0x300000>0" },
                {},
        };
        _cleanup_topology_ Topology t = {};

        add_disk(&t, "dm-0", 2 * MIB);          /* listed before what it stands on */
        add_namespace(&t, "pmem0", NAMESPACE_FSDAX, GIB, 4 * MIB);
        add_disk(&t, "pmem0p1", MIB);
        add_disk(&t, "pmem0p2", MIB);
        add_link(&t, "dm-0", "pmem0p2", 0, MIB, 0);
        add_link(&t, "dm-0", "pmem0p1", MIB, MIB, 0);
        add_link(&t, "pmem0p1", "pmem0", 0, MIB, MIB);
        add_link(&t, "pmem0p2", "pmem0", 0, MIB, 2 * MIB);

        assert_physical(&t, "dm-0", 0, "0-0x100000>0x40200000 0x100000-0x200000>0x40100000");
        assert_uppers(&t, "pmem0", expected);
}

/* Diamonds on diamonds, 2^40 ways down, take no time: each device is asked once. */
static void test_many_diamonds(void **state) {
        _cleanup_topology_ Topology t = {};

        add_namespace(&t, "0", NAMESPACE_FSDAX, GIB, MIB);
        for (int i = 1; i <= 40; i++) {
                char upper[16], left[16], right[16], lower[16];

                (void) snprintf(upper, sizeof(upper), "%d", i);
                (void) snprintf(left, sizeof(left), "%dl", i);
                (void) snprintf(right, sizeof(right), "%dr", i);
                (void) snprintf(lower, sizeof(lower), "%d", i - 1);
                add_disk(&t, upper, MIB);
                add_link(&t, upper, left, 0, MIB / 2, 0);
                add_link(&t, upper, right, MIB / 2, MIB / 2, 0);
                add_link(&t, left, lower, 0, MIB / 2, 0);
                add_link(&t, right, lower, 0, MIB / 2, MIB / 2);
        }

        assert_physical(&t, "20", 0, "0-0x100000>0x40000000");
        assert_physical(&t, "31", 0, "0-0x100000>0x40000000");
        assert_physical(&t, "40", -ELOOP, NULL);        /* 80 levels: no such machine */
}

static int never(const TopoDisk *upper, const SpaceMap *map, void *userdata) {
        fail();
        return 0;
}

/* Links that go round, at any distance, are an error, not an endless walk. */
static void test_loop(void **state) {
        _cleanup_topology_ Topology t = {};
        Topology self = {};

        add_disk(&t, "dm-2", MIB);
        add_disk(&t, "dm-1", MIB);
        add_disk(&t, "dm-0", MIB);
        add_namespace(&t, "pmem0", NAMESPACE_FSDAX, GIB, MIB);
        add_link(&t, "dm-0", "pmem0", 0, 512, 0);
        add_link(&t, "dm-0", "dm-1", 512, 512, 512);
        add_link(&t, "dm-1", "dm-0", 0, MIB, 0);
        add_link(&t, "dm-2", "dm-1", 0, MIB, 0);
        assert_physical(&t, "dm-0", -ELOOP, NULL);
        assert_physical(&t, "dm-1", -ELOOP, NULL);
        assert_physical(&t, "dm-2", -ELOOP, NULL);
        assert_physical(&t, "pmem0", 0, "0-0x100000>0x40000000");
        assert_int_equal(topology_uppers(&t, "pmem0", (Range) { 0, GIB }, never, NULL), -ELOOP);

        add_disk(&self, "dm-0", MIB);
        add_link(&self, "dm-0", "dm-0", 0, MIB, 0);
        assert_physical(&self, "dm-0", -ELOOP, NULL);
        topology_done(&self);
}

/* What is not one-to-one is refused: btt, an unknown mode, a namespace whose place could not be read,
 * mirrors. */
static void test_not_linear(void **state) {
        _cleanup_topology_ Topology t = {};

        add_namespace(&t, "pmem0s", NAMESPACE_SECTOR, GIB, MIB);
        add_namespace(&t, "pmem1", NAMESPACE_UNKNOWN, 2 * GIB, MIB);
        add_namespace(&t, "pmem2", NAMESPACE_FSDAX, 0, 0);
        add_namespace(&t, "pmem3", NAMESPACE_RAW, 3 * GIB, MIB);
        add_namespace(&t, "pmem4", NAMESPACE_FSDAX, 4 * GIB, MIB);
        add_namespace(&t, "dax5.0", NAMESPACE_DEVDAX, 5 * GIB, MIB);
        add_link(&t, "part", "pmem0s", 0, 512, 0);
        add_link(&t, "mixed", "pmem4", 0, 512, 0);
        add_link(&t, "mixed", "pmem0s", 512, 512, 0);
        add_link(&t, "mirror", "pmem3", 0, MIB, 0);
        add_link(&t, "mirror", "pmem4", 0, MIB, 0);
        add_link(&t, "twice", "pmem4", 0, 512, 0);
        add_link(&t, "twice", "pmem3", 512, 512, 0);
        add_link(&t, "twice", "pmem4", 1024, 512, 0);

        assert_physical(&t, "pmem0s", -EOPNOTSUPP, NULL);
        assert_physical(&t, "pmem1", -EOPNOTSUPP, NULL);
        assert_physical(&t, "pmem2", -EOPNOTSUPP, NULL);
        assert_physical(&t, "pmem3", 0, "0-0x100000>0xc0000000");
        assert_physical(&t, "dax5.0", 0, "0-0x100000>0x140000000");
        assert_physical(&t, "part", -EOPNOTSUPP, NULL);
        assert_physical(&t, "mixed", -EOPNOTSUPP, NULL);
        assert_physical(&t, "mirror", -EOPNOTSUPP, NULL);
        assert_physical(&t, "twice", -EOPNOTSUPP, NULL);
}

/* A device that stands on persistent memory in part has a map of that part; one that shows nothing of it
 * has none. */
static void test_partial(void **state) {
        _cleanup_topology_ Topology t = {};

        add_namespace(&t, "pmem0", NAMESPACE_FSDAX, GIB, MIB);
        add_disk(&t, "sda", MIB);
        add_link(&t, "dm-0", "sda", 0, MIB, 0);
        add_link(&t, "dm-0", "pmem0", MIB, MIB, 0);
        add_link(&t, "dm-1", "pmem0", 0, 0, 0);
        add_link(&t, "dm-2", "pmem0", 0, MIB, MIB);     /* behind the end of pmem0 */
        assert_physical(&t, "dm-0", 0, "0x100000-0x200000>0x40000000");
        assert_physical(&t, "dm-1", -ENOENT, NULL);
        assert_physical(&t, "dm-2", -ENOENT, NULL);
}

static int stop_at_second(const TopoDisk *upper, const SpaceMap *map, void *userdata) {
        int *calls = userdata;

        return ++*calls == 2 ? 7 : 0;
}

/* The caller can stop the walk, and a disk that does not exist is told apart from one with nothing above
 * it. */
static void test_uppers_stop(void **state) {
        _cleanup_topology_ Topology t = {};
        int calls = 0;

        make_stack(&t);
        assert_int_equal(topology_uppers(&t, "pmem0", (Range) { 0, GIB }, stop_at_second, &calls), 7);
        assert_int_equal(calls, 2);
        assert_int_equal(topology_uppers(&t, "nothing", (Range) { 0, GIB }, never, NULL), -ENOENT);
}

/* Each finder finds exactly what it was asked for; entries without a name are passed over. */
static void test_find(void **state) {
        _cleanup_topology_ Topology t = {};
        TopoRegion region = { .name = copy_of("region0"), .bus = copy_of("ndbus0") };

        make_stack(&t);
        add_namespace(&t, NULL, NAMESPACE_FSDAX, 0, 0);
        assert_int_equal(strv_extend(&region.dimms, "nmem0"), 0);
        assert_int_equal(vec_push(&t.regions, region), 0);

        assert_string_equal(topology_find_region(&t, "region0")->bus, "ndbus0");
        assert_null(topology_find_region(&t, "region"));
        assert_string_equal(topology_find_disk(&t, "pmem1")->name, "pmem1");
        assert_null(topology_find_disk(&t, "pmem"));
        assert_string_equal(topology_find_disk_by_number(&t, 259, 2)->name, "dm-0");
        assert_null(topology_find_disk_by_number(&t, 2, 259));
        assert_true(topology_find_namespace_by_disk(&t, "pmem1") == &t.namespaces.items[1]);
        assert_null(topology_find_namespace_by_disk(&t, "dm-0"));
}

/* A mount of the whole file system is preferred to a bind mount of a part, wherever it is listed. */
static void test_find_mount(void **state) {
        _cleanup_topology_ Topology t = {};

        add_mount(&t, "pmem0", "/part", "/sub");
        add_mount(&t, "pmem0", "/other", "/sub/sub");
        add_mount(&t, "pmem1", "/elsewhere", "/");
        assert_string_equal(topology_find_mount(&t, "pmem0")->mountpoint, "/part");
        add_mount(&t, "pmem0", "/whole", "/");
        assert_string_equal(topology_find_mount(&t, "pmem0")->mountpoint, "/whole");
        assert_null(topology_find_mount(&t, "pmem"));
}

/* The names of the modes are those of ndctl, and go there and back. */
static void test_modes(void **state) {
        for (int m = 0; m < _NAMESPACE_MODE_MAX; m++)
                assert_int_equal(namespace_mode_from_string(namespace_mode_to_string((NamespaceMode) m)), m);
        assert_int_equal(namespace_mode_from_string("dax"), _NAMESPACE_MODE_INVALID);
        assert_null(namespace_mode_to_string(_NAMESPACE_MODE_MAX));
        assert_null(namespace_mode_to_string(_NAMESPACE_MODE_INVALID));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_physical_flat),
                cmocka_unit_test(test_physical_stack),
                cmocka_unit_test(test_uppers_stack),
                cmocka_unit_test(test_diamond),
                cmocka_unit_test(test_many_diamonds),
                cmocka_unit_test(test_loop),
                cmocka_unit_test(test_not_linear),
                cmocka_unit_test(test_partial),
                cmocka_unit_test(test_uppers_stop),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_find_mount),
                cmocka_unit_test(test_modes),
        };

        return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
