/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/replica.h"
#include "replica/same-device.h"
#include "util/cleanup.h"
#include "util/file.h"

#define SIZE (64 * 4096)

/* A temporary folder with an image in it, of which each byte tells its page, and a machine in sysfs. */
typedef struct Folder {
        char path[64];
        char *image;            /* "block:…" */
} Folder;

static uint8_t byte_at(uint64_t address) {
        return (uint8_t) (address / 4096 * 7 + address % 251);
}

static void write_text(const Folder *f, const char *path, const char *text) {
        char *whole = NULL, *slash;

        assert_true(asprintf(&whole, "%s/sys/%s", f->path, path) > 0);
        for (slash = strchr(whole + strlen(f->path) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
                *slash = '/';
        }
        assert_int_equal(file_replace(AT_FDCWD, whole, text, strlen(text), 0644), 0);
        free(whole);
}

static int set_up(void **state) {
        static uint8_t bytes[SIZE];
        Folder *f = calloc(1, sizeof(*f));
        char path[128];

        assert_non_null(f);
        (void) strcpy(f->path, "/tmp/test-block-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        for (size_t i = 0; i < SIZE; i++)
                bytes[i] = byte_at(i);
        (void) snprintf(path, sizeof(path), "%s/image", f->path);
        assert_int_equal(file_replace(AT_FDCWD, path, bytes, SIZE, 0600), 0);
        assert_true(asprintf(&f->image, "block:%s", path) > 0);
        (void) snprintf(path, sizeof(path), "%s/sys", f->path);
        assert_int_equal(setenv("BEZOAR_SYSFS", path, 1), 0);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tear_down(void **state) {
        Folder *f = *state;

        assert_int_equal(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(f->image);
        free(f);
        return unsetenv("BEZOAR_SYSFS");
}

/* A file in two pieces: its first four pages lie at page 8, the next two are a hole, two more at page 2. */
static void two_pieces(SpaceMap *map) {
        assert_int_equal(spacemap_add(map, (Range) { 0, 4 * 4096 }, 8 * 4096), 0);
        assert_int_equal(spacemap_add(map, (Range) { 6 * 4096, 8 * 4096 }, 2 * 4096), 0);
}

static Replica *held(const char *uri, const Subject *s) {
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        if (replica_open(uri, s, &r, &o) != 0)
                fail_msg("%s: %s", uri, o.detail);
        assert_int_equal(o.state, OFFER_HELD);
        assert_int_equal(o.proofs, 0);
        assert_true(o.untimed);
        return r;
}

static void refused(const char *uri, const Subject *s, OfferState state, const char *word) {
        _cleanup_offer_ Offer o = {};
        Replica *r = NULL;

        assert_int_equal(replica_open(uri, s, &r, &o), REPLICA_E_NONE);
        assert_null(r);
        assert_int_equal(o.state, state);
        if (!o.detail || !strstr(o.detail, word))
                fail_msg("\"%s\" does not say \"%s\"", o.detail, word);
}

/* Proves that bytes of the file come from their places on the device, and only where they have one. */
static void test_translation(void **state) {
        const Folder *f = *state;
        _cleanup_spacemap_ SpaceMap places = {};
        Subject s = { .relative = "x", .size = 8 * 4096, .places = &places };
        _cleanup_(replica_freep) Replica *r = NULL;
        _cleanup_rangeset_ RangeSet should = {}, has = {};
        uint8_t buf[4 * 4096];

        two_pieces(&places);
        r = held(f->image, &s);
        assert_int_equal(replica_read(r, 4096 + 100, buf, 2 * 4096), 0);
        for (size_t i = 0; i < 2 * 4096; i++)
                assert_int_equal(buf[i], byte_at(9 * 4096 + 100 + i));
        assert_int_equal(replica_read(r, 7 * 4096, buf, 4096), 0);
        assert_int_equal(buf[17], byte_at(3 * 4096 + 17));

        assert_int_equal(replica_read(r, 3 * 4096, buf, 2 * 4096), -ENXIO);
        assert_int_equal(replica_read(r, 4 * 4096, buf, 4096), -ENXIO);
        assert_int_equal(replica_read(r, 5 * 4096, buf, 2 * 4096), -ENXIO);
        assert_int_equal(replica_read(r, UINT64_MAX - 4095, buf, 4096), -ENODATA);

        assert_int_equal(replica_extent(r, (Range) { 0, 8 * 4096 }, &should, &has), 0);
        assert_int_equal(should.n, 2);
        assert_true(rangeset_equal(&should, &has));
        assert_false(rangeset_overlaps(&has, (Range) { 4 * 4096, 6 * 4096 }));
}

/* Proves that an offset moves all of it, and that an image that ends too early has less. */
static void test_offset_and_end(void **state) {
        const Folder *f = *state;
        _cleanup_spacemap_ SpaceMap places = {};
        Subject s = { .relative = "x", .size = 8 * 4096, .places = &places };
        _cleanup_(replica_freep) Replica *r = NULL;
        _cleanup_rangeset_ RangeSet should = {}, has = {};
        _cleanup_free_ char *moved = NULL, *behind = NULL;
        uint8_t buf[4096];

        two_pieces(&places);
        assert_true(asprintf(&moved, "%s@%d", f->image, 54 * 4096 + 512) > 0);
        r = held(moved, &s);
        assert_int_equal(r->size, 10 * 4096 - 512);
        assert_int_equal(replica_read(r, 0, buf, 4096), 0);
        for (size_t i = 0; i < 4096; i++)
                assert_int_equal(buf[i], byte_at(62 * 4096 + 512 + i));
        assert_int_equal(replica_read(r, 4096, buf, 4096), -ENODATA);
        assert_int_equal(replica_read(r, 4096, buf, 4096 - 512), 0);

        assert_int_equal(replica_extent(r, (Range) { 0, 4 * 4096 }, &should, &has), 0);
        assert_int_equal(rangeset_size(&should), 4 * 4096);
        assert_int_equal(rangeset_size(&has), 2 * 4096 - 512);

        assert_true(asprintf(&behind, "%s@%d", f->image, SIZE) > 0);
        refused(behind, &s, OFFER_SHORT, "ends before");
}

/* Proves that the file may be cut under our hands: a read is whole or an error. */
static void test_cut(void **state) {
        const Folder *f = *state;
        _cleanup_spacemap_ SpaceMap places = {};
        Subject s = { .relative = "x", .size = 8 * 4096, .places = &places };
        _cleanup_(replica_freep) Replica *r = NULL;
        uint8_t buf[4096];

        two_pieces(&places);
        r = held(f->image, &s);
        assert_int_equal(truncate(f->image + strlen("block:"), 8 * 4096 + 100), 0);
        assert_int_equal(replica_read(r, 0, buf, 4096), -ENODATA);
}

/* Proves what is said of what is no image, or none that can be had. */
static void test_no_image(void **state) {
        Subject s = { .relative = "x", .size = 4096 };

        refused("block:/tmp", &s, OFFER_NOT_REGULAR, "neither");
        refused("block:/dev/null", &s, OFFER_NOT_REGULAR, "neither");
        refused("block:/nowhere/image", &s, OFFER_UNREACHABLE, "not there");
}

/* Proves that partitions, device mapper, loop devices and files on any of them are known as the disk that
 * they end on, and other disks are not; and that what cannot be told is no "no". */
static void test_same_device(void **state) {
        const Folder *f = *state;
        Subject s = { .relative = "x", .size = 4096, .device_major = 259, .device_minor = 0 };
        _cleanup_free_ char *backing = NULL;
        char number[32], path[64];
        struct stat st;

        assert_int_equal(stat(f->path, &st), 0);
        (void) snprintf(number, sizeof(number), "%u:%u\n", major(st.st_dev), minor(st.st_dev));
        assert_true(asprintf(&backing, "%s/image\n", f->path) > 0);

        write_text(f, "dev/block/259:0/dev", "259:0\n");                /* pmem0 … */
        write_text(f, "devices/pmem0/dev", "259:0\n");
        write_text(f, "devices/pmem0/pmem0p1/dev", "259:1\n");
        write_text(f, "devices/pmem0/pmem0p1/partition", "1\n");        /* … and its partition */
        assert_int_equal(chdir(f->path), 0);
        assert_int_equal(symlink("../../devices/pmem0/pmem0p1", "sys/dev/block/259:1"), 0);
        write_text(f, "dev/block/253:0/slaves/pmem0p1/dev", "259:1\n"); /* dm on it */
        write_text(f, "dev/block/253:0/slaves/sdb/dev", "8:16\n");      /* and on another */
        write_text(f, "dev/block/8:16/dev", "8:16\n");
        write_text(f, "dev/block/7:0/loop/backing_file", backing);      /* loop, in our folder */
        write_text(f, "dev/block/7:1/loop/backing_file", "/nowhere/at all\n");
        (void) snprintf(path, sizeof(path), "dev/block/%u:%u/slaves/a/dev", major(st.st_dev),
                        minor(st.st_dev));
        write_text(f, path, "259:0\n");                                 /* … which is on pmem0 */

        assert_int_equal(same_device(makedev(259, 0), makedev(259, 0)), 1);
        assert_int_equal(same_device(makedev(259, 1), makedev(259, 0)), 1);
        assert_int_equal(same_device(makedev(253, 0), makedev(259, 0)), 1);
        assert_int_equal(same_device(makedev(259, 0), makedev(253, 0)), 1);
        assert_int_equal(same_device(makedev(8, 16), makedev(259, 0)), 0);
        assert_int_equal(same_device(makedev(8, 16), makedev(253, 0)), 1);
        assert_int_equal(same_device(st.st_dev, makedev(259, 1)), 1);
        assert_int_equal(same_device(makedev(7, 0), makedev(259, 0)), 1);
        assert_int_equal(same_device(makedev(7, 0), makedev(8, 16)), 0);
        assert_int_equal(same_device(makedev(7, 1), makedev(8, 16)), -ENOENT);
        assert_int_equal(same_device(makedev(0, 99), makedev(259, 0)), 0);

        refused(f->image, &s, OFFER_SAME_DEVICE, "very device");
        s.device_major = 7;
        s.device_minor = 1;
        refused(f->image, &s, OFFER_UNREADABLE, "cannot be told");
        s.device_major = 8;
        s.device_minor = 16;
        (void) replica_free(held(f->image, &s));
}

/* Proves that devices that stand on each other in a circle end in an error. */
static void test_circle(void **state) {
        const Folder *f = *state;

        write_text(f, "dev/block/253:0/slaves/a/dev", "253:1\n");
        write_text(f, "dev/block/253:1/slaves/b/dev", "253:0\n");
        assert_int_equal(same_device(makedev(253, 0), makedev(8, 0)), -ELOOP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_translation), TEST(test_offset_and_end), TEST(test_cut),
                TEST(test_no_image),    TEST(test_same_device),    TEST(test_circle),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
