/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/remedy.h"
#include "util/vec.h"

static Case *make_case(const char *fs, const char *mountpoint, Reason reason, uint64_t inode) {
        _cleanup_rangeset_ RangeSet bad = {};
        Owner o = { .type = reason == REASON_LOG ? OWNER_LOG : OWNER_METADATA, .range = { 8192, 12288 },
                    .inode = inode };
        Case *c;

        assert_int_equal(rangeset_add(&bad, (Range) { 8192, 8704 }), 0);
        assert_int_equal(rangeset_add(&bad, (Range) { 9216, 10240 }), 0);
        assert_int_equal(case_new(1, "/dev/pmem0", (Range) { 8192, 12288 }, &bad, 1, &c), 0);
        c->volume.fs = fs ? strdup(fs) : NULL;
        c->volume.mountpoint = mountpoint ? strdup(mountpoint) : NULL;
        assert_int_equal(vec_push(&c->owners, o), 0);
        assert_int_equal(case_transition(c, CASE_REFUSED, reason, NULL, 2), 0);
        return c;
}

static char *remedy(Case *c) {
        char *text = NULL;

        assert_int_equal(remedy_make(c, &text), 0);
        return text;
}

/* `text` has these in this order. */
static void expect_order(const char *text, const char *const *words) {
        for (; *words; words++) {
                const char *at = strstr(text, *words);

                if (!at)
                        fail_msg("'%s' is not there, or too early: %s", *words, text);
                text = at + strlen(*words);
        }
}

/* Proves that the commands name this file system, this device and this place, in the order that destroys
 * nothing: unmount, reboot, clear, look, mend. */
static void test_xfs(void **state) {
        _cleanup_(case_freep) Case *c = make_case("xfs", "/srv/pmem", REASON_METADATA, 131);
        _cleanup_free_ char *text = remedy(c);
        static const char *const words[] = {
                "'find /srv/pmem -xdev -inum 131'", "'umount /srv/pmem'", "reboot", "without mounting",
                "'dd if=/dev/zero of=/dev/pmem0 bs=512 seek=16 count=1 oflag=direct conv=notrunc'",
                "seek=18 count=2", "'xfs_repair -n /dev/pmem0'", "'xfs_repair /dev/pmem0'", "never while",
                "Do not begin with 'xfs_repair -L'", NULL
        };

        expect_order(text, words);
        assert_null(strstr(text, "e2fsck"));
}

/* Proves the same of a file system on a partition: the tool gets the partition. */
static void test_ext4_on_partition(void **state) {
        _cleanup_(case_freep) Case *c = make_case("ext4", "/srv/pmem", REASON_METADATA, 0);
        _cleanup_free_ char *text = NULL;
        static const char *const words[] = { "'umount /srv/pmem'", "reboot", "'e2fsck -f -n /dev/pmem0p1'",
                                             "'e2fsck -f /dev/pmem0p1'", "force a rewrite", NULL };

        c->volume.fs_device = strdup("/dev/pmem0p1");
        text = remedy(c);
        expect_order(text, words);
        assert_null(strstr(text, "xfs_repair"));
        assert_null(strstr(text, "-inum"));
}

/* Proves that a journal is given up only where mounting has failed. */
static void test_log(void **state) {
        _cleanup_(case_freep) Case *x = make_case("xfs", "/m", REASON_LOG, 0);
        _cleanup_(case_freep) Case *e = make_case("ext4", "/m", REASON_LOG, 0);
        _cleanup_free_ char *xfs = remedy(x), *ext4 = remedy(e);
        static const char *const xfs_words[] = { "umount /m", "mount it again", "mounting fails",
                                                 "'xfs_repair -L /dev/pmem0'", NULL };
        static const char *const ext4_words[] = { "umount /m", "mount it again", "mounting fails",
                                                  "'e2fsck -f /dev/pmem0'", NULL };

        expect_order(xfs, xfs_words);
        expect_order(ext4, ext4_words);
        assert_null(strstr(xfs, "dd if"));
}

/* Proves that a journal on a device of its own is named, so that the tool finds it. */
static void test_external_log(void **state) {
        _cleanup_(case_freep) Case *c = make_case("xfs", "/m", REASON_LOG, 0);
        _cleanup_free_ char *text = NULL;

        c->volume.part = FS_PART_LOG;
        c->volume.fs_device = strdup("/dev/sda1");
        text = remedy(c);
        expect_order(text, (const char *const[]) { "'xfs_repair -L -l /dev/pmem0 /dev/sda1'", NULL });
}

/* Proves that a name that a shell would take apart is not put into a command; that an unknown file system,
 * and every other reason, gets the general advice. */
static void test_others(void **state) {
        _cleanup_(case_freep) Case *odd = make_case("xfs", "/srv/a; rm -rf", REASON_METADATA, 131);
        _cleanup_(case_freep) Case *unknown = make_case("f2fs", "/m", REASON_METADATA, 0);
        _cleanup_(case_freep) Case *none = make_case(NULL, NULL, REASON_LOG, 0);
        _cleanup_(case_freep) Case *stale = make_case("xfs", "/m", REASON_REPLICA_STALE, 0);
        _cleanup_free_ char *a = remedy(odd), *b = remedy(unknown), *c = remedy(none), *d = remedy(stale);

        assert_null(strstr(a, "rm -rf"));
        assert_non_null(strstr(a, "umount MOUNTPOINT"));
        assert_string_equal(b, reason_advice(REASON_METADATA));
        assert_string_equal(c, reason_advice(REASON_LOG));
        assert_string_equal(d, reason_advice(REASON_REPLICA_STALE));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_xfs),
                cmocka_unit_test(test_ext4_on_partition),
                cmocka_unit_test(test_log),
                cmocka_unit_test(test_external_log),
                cmocka_unit_test(test_others),
        };

        return cmocka_run_group_tests_name("remedy", tests, NULL, NULL);
}
