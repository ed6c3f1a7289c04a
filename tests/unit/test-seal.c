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

#include "core/seal.h"
#include "random.h"

static const Seal example = {
        .id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
        .inode = 131,
        .generation = 0xfedcba98,
        .size = 10000,
        .mtime = { -1, 999999999 },
        .ctime = { 1700000000, 5 },
        .sealed_at = 1700000100000000,
        .path = (char *) "/srv/pmem/\n\xff",
};

static void assert_same(const Seal *a, const Seal *b) {
        assert_memory_equal(a->id, b->id, sizeof(a->id));
        assert_string_equal(a->path, b->path);
        assert_true(a->sealed_at == b->sealed_at);
        assert_true(seal_is_current(a, b->inode, b->generation, b->size, b->mtime, b->ctime));
}

/* What was written is read back; and the documented places are where they are said to be. */
static void test_round_trip(void **state) {
        _cleanup_free_ uint8_t *head = NULL;
        _cleanup_seal_ Seal s = {};
        size_t size, whole;

        assert_int_equal(seal_head_encode(&example, &head, &size), 0);
        assert_int_equal(size, SEAL_HEAD_SIZE + strlen(example.path));
        assert_int_equal(seal_head_size(head, &whole), 0);
        assert_int_equal(whole, size + SEAL_DIGEST);
        assert_int_equal(seal_head_decode(head, size, &s), 0);
        assert_same(&example, &s);

        assert_memory_equal(head, "bzrseal\1", 8);
        assert_int_equal(head[24], 131);
        assert_int_equal(head[35], 0xfe);
        assert_int_equal(head[40] | head[41] << 8, 10000);
        assert_int_equal(head[56], 1700000000 & 0xff);
}

/* Bytes that are no head are refused, whatever they are: each byte changed, each length, and chance. */
static void test_garbage(void **state) {
        _cleanup_free_ uint8_t *head = NULL;
        Random random = { RANDOM_SEED };
        size_t size;

        assert_int_equal(seal_head_encode(&example, &head, &size), 0);
        for (size_t n = 0; n < size; n++) {
                Seal s;

                assert_int_equal(seal_head_decode(head, n, &s), -EBADMSG);
        }
        for (unsigned i = 0; i < 20000; i++) {
                uint8_t bad[SEAL_HEAD_SIZE + 32];
                _cleanup_seal_ Seal s = {};
                size_t whole;

                memcpy(bad, head, size);
                for (unsigned k = 0; k < 4; k++)
                        bad[random_below(&random, size)] = (uint8_t) random_next(&random);
                if (seal_head_decode(bad, size, &s) == 0) {
                        check(s.size > 0 && s.size <= INT64_MAX, i);
                        check(seal_blocks(&s) > 0 && strlen(s.path) == size - SEAL_HEAD_SIZE, i);
                }
                if (seal_head_size(bad, &whole) == 0)
                        check(whole <= SEAL_HEAD_SIZE + SEAL_PATH_MAX + SEAL_DIGEST, i);
        }
}

/* What cannot be sealed is refused when it is written, not when it is needed. */
static void test_refused(void **state) {
        char path[SEAL_PATH_MAX + 2] = {};
        uint8_t *head;
        size_t size;
        Seal s = example;

        s.size = 0;
        assert_int_equal(seal_head_encode(&s, &head, &size), -EINVAL);
        s.size = UINT64_MAX;
        assert_int_equal(seal_head_encode(&s, &head, &size), -EINVAL);
        s = example;
        s.path = (char *) "";
        assert_int_equal(seal_head_encode(&s, &head, &size), -EINVAL);
        memset(path, 'x', sizeof(path) - 1);
        s.path = path;
        assert_int_equal(seal_head_encode(&s, &head, &size), -EINVAL);
}

/* Every byte of a file lies in one page of one block, also at the borders. */
static void test_geometry(void **state) {
        static const uint64_t sizes[] = { 1, 4095, 4096, 4097, 127 * 4096 - 1, 127 * 4096, 127 * 4096 + 1,
                                          1000 * 4096 + 7 };

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                Seal s = { .size = sizes[i] };
                uint64_t pages = 0, at = 0;

                for (uint64_t b = 0; b < seal_blocks(&s); b++) {
                        assert_in_range(seal_block_pages(&s, b), 1, SEAL_BLOCK_PAGES);
                        assert_true(b == seal_blocks(&s) - 1 || seal_block_pages(&s, b) == SEAL_BLOCK_PAGES);
                        pages += seal_block_pages(&s, b);
                }
                assert_true(pages == seal_pages(&s));
                for (uint64_t p = 0; p < pages; p++) {
                        Range r = seal_page_range(&s, p);

                        assert_true(r.start == at && r.end > at && range_size(r) <= REPAIR_UNIT);
                        at = r.end;
                }
                assert_true(at == sizes[i]);
        }
}

/* Any one thing that is different ends a seal. */
static void test_current(void **state) {
        const Seal *e = &example;
        SealTime other = { e->ctime.sec, e->ctime.nsec + 1 };

        assert_true(seal_is_current(e, e->inode, e->generation, e->size, e->mtime, e->ctime));
        assert_false(seal_is_current(e, e->inode + 1, e->generation, e->size, e->mtime, e->ctime));
        assert_false(seal_is_current(e, e->inode, e->generation + 1, e->size, e->mtime, e->ctime));
        assert_false(seal_is_current(e, e->inode, e->generation, e->size + 1, e->mtime, e->ctime));
        assert_false(seal_is_current(e, e->inode, e->generation, e->size, other, e->ctime));
        assert_false(seal_is_current(e, e->inode, e->generation, e->size, e->mtime, other));
}

/* A file that may be changed once more within the same tick is not sealed yet. */
static void test_settled(void **state) {
        const uint64_t now = 1700000000500000;

        assert_true(seal_time_has_settled((SealTime) { 1699999990, 0 }, now));
        assert_false(seal_time_has_settled((SealTime) { 1699999999, 0 }, now));
        assert_false(seal_time_has_settled((SealTime) { 1700000000, 0 }, now));
        assert_false(seal_time_has_settled((SealTime) { 1800000000, 0 }, now));
        assert_false(seal_time_has_settled((SealTime) { 0, 0 }, 0));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_garbage),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_geometry),
                cmocka_unit_test(test_current),
                cmocka_unit_test(test_settled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
