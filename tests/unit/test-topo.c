/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/codec.h"
#include "topo/topo-parts.h"
#include "topo/topo.h"
#include "util/vec.h"

/* A temporary folder in which the tests work; it is the current folder. */
static int enter_folder(void **state) {
        char *folder = strdup("/tmp/bezoar-test-topo-XXXXXX");

        assert(folder && mkdtemp(folder));
        assert(chdir(folder) == 0);
        assert(setenv("BEZOAR_SYSFS", folder, 1) == 0);
        *state = folder;
        return 0;
}

static int leave_folder(void **state) {
        _cleanup_free_ char *folder = *state;
        static const char *const files[] = { "block/pmem0/badblocks", "mountinfo", "saved.json" };
        static const char *const folders[] = { "block/pmem0", "block" };

        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
                (void) unlink(files[i]);
        for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
                (void) rmdir(folders[i]);
        assert(chdir("/") == 0);
        return rmdir(folder);
}

static void write_file(const char *path, const void *data, size_t n) {
        FILE *f = fopen(path, "we");

        assert(f);
        assert(fwrite(data, 1, n, f) == n);
        assert(fclose(f) == 0);
}

/* The last sectors but one of the address space. */
#define TOP { UINT64_MAX - 4095, UINT64_MAX - 511 }

/* What the kernel prints is read exactly: sectors are bytes / 512, lines that touch are one range. Anything
 * else is refused, and then nothing is returned. */
static void test_badblocks_parse(void **state) {
        static const struct {
                const char *text;
                int r;
                size_t n;
                Range first, last;
                bool truncated;
        } cases[] = {
                { "", 0, 0, {}, {}, false },
                { "8 1\n", 0, 1, { 4096, 4608 }, { 4096, 4608 }, false },
                { "0 8\n", 0, 1, { 0, 4096 }, { 0, 4096 }, false },
                { "8 1\n9 1\n", 0, 1, { 4096, 5120 }, { 4096, 5120 }, false },          /* they touch */
                { "16 512\n8 1\n528 3\n", 0, 2, { 4096, 4608 }, { 8192, 271872 }, false },
                { "8 1\n8 1\n", 0, 1, { 4096, 4608 }, { 4096, 4608 }, false },
                { "36028797018963960 7\n", 0, 1, TOP, TOP, false },

                /* cut off: the last line is half a line */
                { "8", 0, 0, {}, {}, true },
                { "8 1", 0, 0, {}, {}, true },
                { "8 1\n16 51", 0, 1, { 4096, 4608 }, { 4096, 4608 }, true },
                { "8 1\n1", 0, 1, { 4096, 4608 }, { 4096, 4608 }, true },

                { "\n", -EBADMSG, 0, {}, {}, false },
                { "8\n", -EBADMSG, 0, {}, {}, false },
                { "8 \n", -EBADMSG, 0, {}, {}, false },
                { " 8 1\n", -EBADMSG, 0, {}, {}, false },
                { "8  1\n", -EBADMSG, 0, {}, {}, false },
                { "8 1 \n", -EBADMSG, 0, {}, {}, false },
                { "8\t1\n", -EBADMSG, 0, {}, {}, false },
                { "8 0\n", -EBADMSG, 0, {}, {}, false },                                 /* empty */
                { "-8 1\n", -EBADMSG, 0, {}, {}, false },
                { "8 +1\n", -EBADMSG, 0, {}, {}, false },
                { "0x8 1\n", -EBADMSG, 0, {}, {}, false },
                { "8 1\r\n", -EBADMSG, 0, {}, {}, false },
                { "8 1\n\n16 1\n", -EBADMSG, 0, {}, {}, false },
                { "eight 1\n", -EBADMSG, 0, {}, {}, false },
                { "8 1\nx\n", -EBADMSG, 0, {}, {}, false },
                { "18446744073709551616 1\n", -EBADMSG, 0, {}, {}, false },              /* 2^64 */
                { "184467440737095516150 1\n", -EBADMSG, 0, {}, {}, false },
                { "18446744073709551615 1\n", -EBADMSG, 0, {}, {}, false },              /* not as bytes */
                { "36028797018963967 2\n", -EBADMSG, 0, {}, {}, false },                 /* beyond the end */
                { "8 36028797018963968\n", -EBADMSG, 0, {}, {}, false },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                _cleanup_rangeset_ RangeSet set = {};
                bool truncated = !cases[i].truncated;
                int r = topo_badblocks_parse(cases[i].text, &set, &truncated);

                if (r != cases[i].r || set.n != cases[i].n)
                        fail_msg("case %zu: %d, %zu ranges", i, r, set.n);
                assert_int_equal(truncated, r < 0 ? !cases[i].truncated : cases[i].truncated);
                if (set.n > 0) {
                        assert_true(range_equal(set.items[0], cases[i].first));
                        assert_true(range_equal(set.items[set.n - 1], cases[i].last));
                }
        }
}

/* A page that is full to the last byte may have been cut off between two lines: it says so, whatever the
 * size of a page. One byte less or more, it does not. */
static void test_badblocks_full_page(void **state) {
        static const size_t sizes[] = { 4095, 16383, 65535 };

        for (size_t i = 0; i < 3; i++)
                for (int by = -1; by <= 1; by++) {
                        _cleanup_rangeset_ RangeSet set = {};
                        size_t n = sizes[i] + (size_t) by, at = 0;
                        _cleanup_free_ char *text = malloc(n + 1);
                        bool truncated;

                        assert(text);
                        while (n - at >= 16)
                                at += (size_t) sprintf(text + at, "%05zu 1\n", at);
                        memset(text + at, '0', n - at);         /* the last line takes up the rest */
                        memcpy(text + n - 4, "7 1\n", 5);

                        assert_int_equal(topo_badblocks_parse(text, &set, &truncated), 0);
                        assert_int_equal(truncated, by == 0);
                }
}

/* Wherever the text is cut, what remains are the whole lines before the cut, and the cut is noticed unless
 * it fell between two lines. */
static void test_badblocks_cut_anywhere(void **state) {
        static const char text[] = "0 8\n1000 512\n1512 512\n99999 1\n123456789 3\n";

        for (size_t cut = 0; cut < sizeof(text); cut++) {
                _cleanup_rangeset_ RangeSet set = {}, expected = {};
                _cleanup_free_ char *part = strndup(text, cut);
                bool truncated, between = cut == 0 || text[cut - 1] == '\n';
                char *save = NULL;
                size_t whole;

                assert(part);
                assert_int_equal(topo_badblocks_parse(part, &set, &truncated), 0);
                assert_int_equal(truncated, !between);

                for (whole = cut; whole > 0 && text[whole - 1] != '\n'; whole--)
                        ;
                part[whole] = '\0';
                for (char *line = strtok_r(part, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                        uint64_t sector, count;
                        Range r;

                        assert(sscanf(line, "%" SCNu64 " %" SCNu64, &sector, &count) == 2);
                        assert(range_init(sector * 512, count * 512, &r) == 0);
                        assert(rangeset_add(&expected, r) == 0);
                }
                assert_true(rangeset_equal(&set, &expected));
        }
}

/* The list of a disk comes from its attribute; a disk without one is told from one without bad blocks; a
 * name never leads elsewhere. */
static void test_badblocks_of_disk(void **state) {
        _cleanup_rangeset_ RangeSet set = {};
        bool truncated;

        assert_int_equal(topo_badblocks("pmem0", NULL, (Range) {}, &set, &truncated), -ENOENT);
        assert(mkdir("block", 0700) == 0 && mkdir("block/pmem0", 0700) == 0);
        assert_int_equal(topo_badblocks("pmem0", NULL, (Range) {}, &set, &truncated), -ENOENT);

        write_file("block/pmem0/badblocks", "", 0);
        assert_int_equal(topo_badblocks("pmem0", NULL, (Range) {}, &set, &truncated), 0);
        assert_int_equal(set.n, 0);
        assert_false(truncated);

        write_file("block/pmem0/badblocks", "8 1\n64 8\n", 9);
        assert_int_equal(topo_badblocks("pmem0", NULL, (Range) {}, &set, &truncated), 0);
        assert_int_equal(set.n, 2);
        assert_int_equal(rangeset_size(&set), 9 * 512);
        assert_false(truncated);

        write_file("block/pmem0/badblocks", "8 1\n\0008 1\n", 9);
        assert_int_equal(topo_badblocks("pmem0", NULL, (Range) {}, &set, &truncated), -EBADMSG);

        assert_int_equal(topo_badblocks("../block/pmem0", NULL, (Range) {}, &set, &truncated), -EINVAL);
        assert_int_equal(topo_badblocks("..", NULL, (Range) {}, &set, &truncated), -EINVAL);
        assert_int_equal(topo_badblocks("", NULL, (Range) {}, &set, &truncated), -EINVAL);
}

static void add_disk(Topology *t, const char *name, unsigned minor) {
        TopoDisk d = {
                .name = strdup(name), .major = 4000, .minor = minor, .size = 4096,
        };

        assert(d.name && asprintf(&d.node, "/dev/%s", name) > 0);
        assert(vec_push(&t->disks, d) == 0);
}

/* Mounts are found by device number, and of several the one kept that is visible, shows the whole file
 * system and can be written through, in this order; names are unescaped; read-only is seen in either
 * place. */
static void test_mounts(void **state) {
        static const char mountinfo[] =
                "21 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"
                "30 21 4000:0 /part /srv/part rw,relatime - xfs /dev/pmem0 rw,dax=always\n"
                "31 21 4000:0 / /srv/ro ro,relatime - xfs /dev/pmem0 rw,dax=always\n"
                "32 21 4000:0 / /srv/pmem\\040db rw,noatime - xfs whatever rw,attr2,dax=always,noquota\n"
                "33 21 4000:0 / /srv/again rw - xfs /dev/pmem0 rw,dax=always\n"
                "34 21 4000:1 / /hidden rw - xfs /dev/pmem1 rw\n"
                "35 21 8:2 / /hidden rw - ext4 /dev/sda2 rw\n"
                "36 21 4000:1 /some /visible ro - xfs /dev/pmem1 ro\n"
                "37 21 4000:3 / /srv/three rw shared:7 master:3 - ext4 /dev/pmem3 ro,errors=remount-ro\n"
                "38 21 0:40 / /tmp rw - tmpfs tmpfs rw,size=4000:2\n";
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_topology_ Topology t = {};
        const TopoMount *m;

        assert(udev);
        write_file("mountinfo", mountinfo, sizeof(mountinfo) - 1);
        add_disk(&t, "pmem0", 0);
        add_disk(&t, "pmem1", 1);
        add_disk(&t, "pmem2", 2);
        add_disk(&t, "pmem3", 3);

        assert_int_equal(topo_read_mounts("mountinfo", udev, &t), 0);
        assert_int_equal(t.mounts.n, 3);
        assert_int_equal(t.parts.n, 0);

        m = topology_find_mount(&t, "pmem0");
        assert_non_null(m);
        assert_string_equal(m->mountpoint, "/srv/pmem db");
        assert_string_equal(m->root, "/");
        assert_string_equal(m->fs, "xfs");
        assert_string_equal(m->options, "rw,attr2,dax=always,noquota");
        assert_false(m->read_only);
        assert_null(m->uuid);           /* no such device: udev knows nothing of it */

        m = topology_find_mount(&t, "pmem1");
        assert_non_null(m);
        assert_string_equal(m->mountpoint, "/visible");
        assert_string_equal(m->root, "/some");
        assert_true(m->read_only);

        assert_null(topology_find_mount(&t, "pmem2"));

        m = topology_find_mount(&t, "pmem3");
        assert_non_null(m);
        assert_true(m->read_only);      /* the file system is, though the mount is not */
}

/* The journal and the realtime device of a file system are known from its options, wherever its own device
 * is; of several mounts the best is kept here too. */
static void test_parts(void **state) {
        static const char mountinfo[] =
                "30 21 8:1 /part /srv/part rw - xfs /dev/sda1 rw,logdev=/dev/pmem0,rtdev=/dev/pmem1\n"
                "31 21 8:1 / /srv/db rw - xfs /dev/sda1 rw,logdev=/dev/pmem0,rtdev=/dev/pmem1,noquota\n"
                "32 21 8:2 / /srv/b rw - xfs /dev/sda2 rw,logdev=/dev/pmem02\n"
                "33 21 8:3 / /srv/c rw - ext4 /dev/sda3 rw,logdev=/dev/pmem2\n";
        static const FsPart parts[] = { FS_PART_LOG, FS_PART_REALTIME };
        static const char *const disks[] = { "pmem0", "pmem1" };
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_topology_ Topology t = {};

        assert(udev);
        write_file("mountinfo", mountinfo, sizeof(mountinfo) - 1);
        add_disk(&t, "pmem0", 0);
        add_disk(&t, "pmem1", 1);
        add_disk(&t, "pmem2", 2);

        assert_int_equal(topo_read_mounts("mountinfo", udev, &t), 0);
        assert_int_equal(t.mounts.n, 0);
        assert_int_equal(t.parts.n, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(t.parts.items[i].part, parts[i]);
                assert_string_equal(t.parts.items[i].disk, disks[i]);
                assert_string_equal(t.parts.items[i].mountpoint, "/srv/db");
                assert_string_equal(t.parts.items[i].fs, "xfs");
                assert_non_null(t.parts.items[i].node);
        }
}

/* A mountinfo that is not there is an error, not a machine without mounts. */
static void test_mounts_unreadable(void **state) {
        _cleanup_(udev_unrefp) struct udev *udev = udev_new();
        _cleanup_topology_ Topology t = {};

        assert(udev);
        add_disk(&t, "pmem0", 0);
        assert_true(topo_read_mounts("no-such-file", udev, &t) < 0);
}

/* A saved Topology comes back as it was; what is none says what is wrong with it, and what is not there is
 * not there. */
static void test_load(void **state) {
        _cleanup_topology_ Topology t = {}, back = {}, untouched = {};
        _cleanup_free_ char *text = NULL, *again = NULL, *error = NULL, *zero = NULL;

        add_disk(&t, "pmem0", 0);
        add_disk(&t, "pmem0p1", 1);
        text = codec_topology_encode(&t);
        assert(text);
        write_file("saved.json", text, strlen(text));
        assert_int_equal(topo_load("saved.json", &back, &error), 0);
        assert_null(error);
        assert_int_equal(back.disks.n, 2);
        again = codec_topology_encode(&back);
        assert_string_equal(again, text);

        write_file("saved.json", text, strlen(text) - 1);
        assert_int_equal(topo_load("saved.json", &untouched, NULL), -EBADMSG);
        assert_int_equal(topo_load("saved.json", &untouched, &error), -EBADMSG);
        assert_non_null(error);

        write_file("saved.json", text, strlen(text) + 1);       /* with its zero byte */
        assert_int_equal(topo_load("saved.json", &untouched, NULL), -EBADMSG);
        assert_int_equal(topo_load("saved.json", &untouched, &zero), -EBADMSG);
        assert_non_null(zero);

        assert_int_equal(topo_load("no-such-file", &untouched, NULL), -ENOENT);
        assert_int_equal(untouched.disks.n, 0);
}

/* The running system can be read, whatever it has; and what is said of it hangs together: parts have names,
 * links and mounts are those of listed disks, and a namespace's data lies within its region. */
static void test_read(void **state) {
        _cleanup_topology_ Topology t = {};

        assert_int_equal(topo_read(&t), 0);

        for (size_t i = 0; i < t.regions.n; i++)
                assert_true(t.regions.items[i].name && t.regions.items[i].bus);
        for (size_t i = 0; i < t.namespaces.n; i++) {
                const TopoNamespace *n = &t.namespaces.items[i];
                const TopoRegion *region = topology_find_region(&t, n->region);

                assert_non_null(region);
                if (n->data.end > 0 && region->physical.end > 0)
                        assert_true(range_contains(region->physical, n->data));
        }
        for (size_t i = 0; i < t.disks.n; i++)
                assert_true(t.disks.items[i].name && t.disks.items[i].node && t.disks.items[i].size > 0);
        for (size_t i = 0; i < t.links.n; i++)
                assert_true(t.links.items[i].map.n > 0 && topology_find_disk(&t, t.links.items[i].lower));
        for (size_t i = 0; i < t.mounts.n; i++)
                assert_non_null(topology_find_disk(&t, t.mounts.items[i].disk));

        /* libndctl was hurried, and nobody else notices */
        assert_null(getenv("NDCTL_TIMEOUT"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_badblocks_parse),
                cmocka_unit_test(test_badblocks_full_page),
                cmocka_unit_test(test_badblocks_cut_anywhere),
                cmocka_unit_test_setup_teardown(test_badblocks_of_disk, enter_folder, leave_folder),
                cmocka_unit_test_setup_teardown(test_mounts, enter_folder, leave_folder),
                cmocka_unit_test_setup_teardown(test_parts, enter_folder, leave_folder),
                cmocka_unit_test(test_mounts_unreadable),
                cmocka_unit_test_setup_teardown(test_load, enter_folder, leave_folder),
                cmocka_unit_test(test_read),
        };

        return cmocka_run_group_tests_name("topo", tests, NULL, NULL);
}
