/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

static void add_protect(Policy *p, const char *name, const char *path, const char *device) {
        Protect c;

        protect_init(&c);
        c.name = strdup(name);
        c.path = path ? strdup(path) : NULL;
        c.device = device ? strdup(device) : NULL;
        assert_non_null(c.name);
        assert_int_equal(vec_push(&p->protects, c), 0);
}

/* The defaults are those that the manual promises: repair, and the proof that needs two things at once. */
static void test_defaults(void **state) {
        _cleanup_policy_ Policy p;
        _cleanup_protect_ Protect c;
        _cleanup_free_ char *proof = NULL, *exclusion = NULL;

        policy_init(&p);
        assert_int_equal(p.mode, MODE_REPAIR);
        assert_int_equal(p.rescan_usec, 15 * USEC_PER_MINUTE);
        assert_int_equal(p.worker_timeout_usec, 2 * USEC_PER_MINUTE);
        assert_int_equal(p.budget_n, 512);
        assert_int_equal(p.budget_usec, USEC_PER_HOUR);
        assert_int_equal(p.park_reserve.percent, 1);
        assert_int_equal(p.park_reserve.bytes, 0);
        assert_int_equal(p.protects.n, 0);

        protect_init(&c);
        proof = proof_policy_format(&c.proof);
        exclusion = exclusion_list_format(&c.exclusion);
        assert_string_equal(proof, "seal,identity+neighbours");
        assert_string_equal(exclusion, "lease,freeze,optimistic");
        assert_int_equal(c.writer, WRITER_AUTO);
        assert_null(c.replicas);
}

/* A path is held by whole components, and by the protect that says most about it, in whatever order they
 * are listed. */
static void test_find_path(void **state) {
        static const struct {
                const char *path, *name, *relative;
        } table[] = {
                { "/srv/a", "a", "" },
                { "/srv/a/x", "a", "x" },
                { "/srv/a/x/y z", "a", "x/y z" },
                { "/srv/ab", "srv", "ab" },
                { "/srv/ab/c", "srv", "ab/c" },
                { "/srv/a/deep", "deep", "" },
                { "/srv/a/deep/er", "deep", "er" },
                { "/srv/a/deeper", "a", "deeper" },
                { "/srv/a/file", "file", "" },
                { "/srv", "srv", "" },
                { "/sr", NULL },
                { "/", NULL },
                { "/other/srv/a", NULL },
        };
        _cleanup_policy_ Policy p;

        policy_init(&p);
        add_protect(&p, "dax", NULL, "/dev/dax0.0");
        add_protect(&p, "deep", "/srv/a/deep", NULL);
        add_protect(&p, "srv", "/srv", NULL);
        add_protect(&p, "a", "/srv/a", NULL);
        add_protect(&p, "file", "/srv/a/file", NULL);

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                const Protect *c = policy_find_path(&p, table[i].path);
                const char *relative;

                if (!table[i].name) {
                        assert_null(c);
                        continue;
                }
                assert_non_null(c);
                assert_string_equal(c->name, table[i].name);
                relative = protect_relative(c, table[i].path);
                assert_string_equal(relative, table[i].relative);
                assert_true(relative >= table[i].path && relative <= table[i].path + strlen(table[i].path));
        }
}

/* The root folder holds everything, and yields to whoever is nearer. */
static void test_find_root(void **state) {
        _cleanup_policy_ Policy p;

        policy_init(&p);
        add_protect(&p, "root", "/", NULL);
        add_protect(&p, "srv", "/srv", NULL);
        add_protect(&p, "same", "/srv", NULL);
        assert_string_equal(policy_find_path(&p, "/etc/x")->name, "root");
        assert_string_equal(protect_relative(&p.protects.items[0], "/etc/x"), "etc/x");
        assert_string_equal(protect_relative(&p.protects.items[0], "/"), "");
        assert_string_equal(policy_find_path(&p, "/srv/x")->name, "srv");
        assert_string_equal(policy_find_path(&p, "/srvx")->name, "root");
}

/* Devices are found by their exact name; what has no path or no device is never found by it. */
static void test_find_device(void **state) {
        _cleanup_policy_ Policy p;

        policy_init(&p);
        add_protect(&p, "dax", NULL, "/dev/dax0.0");
        add_protect(&p, "empty", "", NULL);
        assert_string_equal(policy_find_device(&p, "/dev/dax0.0")->name, "dax");
        assert_null(policy_find_device(&p, "/dev/dax0.00"));
        assert_null(policy_find_device(&p, "/dev/dax0"));
        assert_null(policy_find_path(&p, "/dev/dax0.0"));
        assert_null(protect_relative(&p.protects.items[0], "/dev/dax0.0"));
}

/* A copy is equal, owns its strings, and survives the original. */
static void test_copy(void **state) {
        _cleanup_protect_ Protect copy = {};
        Protect c;

        protect_init(&c);
        c.name = strdup("db");
        c.path = strdup("/srv/db");
        c.writer = WRITER_PUNCH;
        c.exclusion.n = 1;
        assert_int_equal(strv_extend(&c.replicas, "mirror:/m"), 0);
        assert_int_equal(strv_extend(&c.replicas, "https://b"), 0);
        assert_int_equal(protect_copy(&c, &copy), 0);
        protect_done(&c);

        assert_string_equal(copy.name, "db");
        assert_string_equal(copy.path, "/srv/db");
        assert_null(copy.device);
        assert_int_equal(strv_length(copy.replicas), 2);
        assert_string_equal(copy.replicas[1], "https://b");
        assert_int_equal(copy.proof.n, 2);
        assert_int_equal(copy.exclusion.n, 1);
        assert_int_equal(copy.writer, WRITER_PUNCH);
}

/* Every name goes there and back. */
static void test_names(void **state) {
        for (int i = 0; i < _MODE_MAX; i++)
                assert_int_equal(mode_from_string(mode_to_string((Mode) i)), i);
        for (int i = 0; i < _EXCLUSION_MAX; i++)
                assert_int_equal(exclusion_from_string(exclusion_to_string((Exclusion) i)), i);
        for (int i = 0; i < _WRITER_MAX; i++)
                assert_int_equal(writer_from_string(writer_to_string((WriterKind) i)), i);
        assert_int_equal(mode_from_string("Repair"), _MODE_INVALID);
        assert_int_equal(exclusion_from_string("lease,freeze"), _EXCLUSION_INVALID);
        assert_int_equal(writer_from_string(""), _WRITER_INVALID);
        assert_null(exclusion_to_string(_EXCLUSION_INVALID));
}

/* Lists keep their order; what is empty, unknown or doubled is refused. */
static void test_exclusion_list(void **state) {
        static const struct {
                const char *text;
                int r;
        } table[] = {
                { "lease", 0 },
                { "optimistic,lease", 0 },
                { "freeze,optimistic,lease", 0 },
                { "", -EINVAL },
                { ",", -EINVAL },
                { "lease,", -EINVAL },
                { ",lease", -EINVAL },
                { "lease,lease", -EINVAL },
                { "lease,freeze,optimistic,lease", -EINVAL },
                { "lease, freeze", -EINVAL },
                { "none", -EINVAL },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                ExclusionList l = { .n = 99 };

                assert_int_equal(exclusion_list_parse(table[i].text, &l), table[i].r);
                if (table[i].r == 0) {
                        _cleanup_free_ char *text = exclusion_list_format(&l);

                        assert_string_equal(text, table[i].text);
                } else
                        assert_int_equal(l.n, 99);
        }
}

/* N/T within its bounds; a value that is well-formed but out of them is told apart from one that is no
 * budget. */
static void test_budget_parse(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t n, usec;
        } table[] = {
                { "512/1h", 0, 512, USEC_PER_HOUR },
                { "1/1s", 0, 1, USEC_PER_SEC },
                { "1/1", 0, 1, USEC_PER_SEC },
                { "3/1h 30min", 0, 3, 90 * USEC_PER_MINUTE },
                { "1000000/1d", 0, 1000000, 24 * USEC_PER_HOUR },
                { "1/infinity", 0, 1, USEC_INFINITY },
                { "1000001/1d", -ERANGE },
                { "0/1h", -ERANGE },
                { "1/0", -ERANGE },
                { "1/999ms", -ERANGE },
                { "99999999999999999999/1h", -ERANGE },
                { "1/99999999999999999999h", -ERANGE },
                { "99999999999999999999/x", -EINVAL },
                { "", -EINVAL },
                { "512", -EINVAL },
                { "/1h", -EINVAL },
                { "512/", -EINVAL },
                { "512 / 1h", -EINVAL },
                { "-1/1h", -EINVAL },
                { "1/1h/1h", -EINVAL },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                uint64_t n = 77, usec = 77;

                assert_int_equal(budget_parse(table[i].text, &n, &usec), table[i].r);
                assert_int_equal(n, table[i].r < 0 ? 77 : table[i].n);
                assert_int_equal(usec, table[i].r < 0 ? 77 : table[i].usec);
        }
}

/* What stays free is a part or a size, and a part is taken without a product that does not fit. */
static void test_park_reserve(void **state) {
        static const struct {
                const char *text;
                int r;
                ParkReserve reserve;
                uint64_t of_1000, of_max;
        } table[] = {
                { "1%", 0, { .percent = 1 }, 10, UINT64_MAX / 100 },
                { "100%", 0, { .percent = 100 }, 1000, UINT64_MAX },
                { "0%", 0, {}, 0, 0 },
                { "64M", 0, { .bytes = 64 << 20 }, 64 << 20, 64 << 20 },
                { "0", 0, {}, 0, 0 },
                { "101%", -ERANGE, {}, 0, 0 },
                { "%", -EINVAL, {}, 0, 0 },
                { "", -EINVAL, {}, 0, 0 },
                { "1.5%", -EINVAL, {}, 0, 0 },
                { "1 %", -EINVAL, {}, 0, 0 },
                { "1%%", -EINVAL, {}, 0, 0 },
                { "-1", -EINVAL, {}, 0, 0 },
        };

        for (size_t i = 0; i < N_ITEMS(table); i++) {
                ParkReserve p = { 77, 77 };

                assert_int_equal(park_reserve_parse(table[i].text, &p), table[i].r);
                assert_int_equal(p.bytes, table[i].r < 0 ? 77 : table[i].reserve.bytes);
                assert_int_equal(p.percent, table[i].r < 0 ? 77 : table[i].reserve.percent);
                if (table[i].r < 0)
                        continue;
                assert_int_equal(park_reserve_of(&p, 1000), table[i].of_1000);
                assert_int_equal(park_reserve_of(&p, UINT64_MAX), table[i].of_max);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_find_path),
                cmocka_unit_test(test_find_root),
                cmocka_unit_test(test_find_device),
                cmocka_unit_test(test_copy),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_exclusion_list),
                cmocka_unit_test(test_budget_parse),
                cmocka_unit_test(test_park_reserve),
        };

        return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
