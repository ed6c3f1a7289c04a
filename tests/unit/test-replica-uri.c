/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "build-config.h"
#include "core/replica-uri.h"
#include "util/cleanup.h"
#include "util/strv.h"

typedef struct Case {
        const char *value;
        const char *made;       /* NULL: refused */
        const char *why;        /* a part of the reason */
} Case;

static void try(const Case *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *made = NULL;
                const char *why = NULL;
                int r = replica_uri_make(cases[i].value, &made, &why);

                if (cases[i].made) {
                        if (r != 0 || strcmp(made, cases[i].made) != 0)
                                fail_msg("%s: %s (%s)", cases[i].value, made ? made : "", why ? why : "");
                        continue;
                }
                assert_int_equal(r, -EINVAL);
                assert_null(made);
                if (!why || !strstr(why, cases[i].why))
                        fail_msg("%s: \"%s\"", cases[i].value, why ? why : "");
        }
}
#define TRY(cases) try((cases), sizeof(cases) / sizeof((cases)[0]))

/* Proves that the kind is the whole word before the colon. */
static void test_kind(void **state) {
        static const Case cases[] = {
                { "mirr:/srv", NULL, "no such kind" },
                { "mirrors:/srv", NULL, "no such kind" },
                { "Mirror:/srv", NULL, "no such kind" },
                { ":/srv", NULL, "no such kind" },
                { "/srv", NULL, "no such kind" },
                { "", NULL, "no such kind" },
                { "ftp://host/x", NULL, "no such kind" },
                { "zero:", NULL, "no copy" },
        };
        const char *argument = NULL;

        TRY(cases);
        assert_int_equal(replica_kind_of("block:/dev/sdb@4K", &argument), REPLICA_BLOCK);
        assert_string_equal(argument, "/dev/sdb@4K");
        assert_int_equal(replica_kind_of("https://h/p", &argument), REPLICA_HTTPS);
        assert_string_equal(argument, "//h/p");
        assert_int_equal(replica_kind_of("nbd:nbds://h/e", &argument), REPLICA_NBD);
        assert_string_equal(argument, "nbds://h/e");
        assert_int_equal(replica_kind_of("nbd+unix:///e?socket=/s", &argument), REPLICA_NBD);
        assert_string_equal(argument, "nbd+unix:///e?socket=/s");
}

/* Proves what a path may be, and that slashes at its end do not make another replica of it. */
static void test_mirror(void **state) {
        static const Case cases[] = {
                { "mirror:/srv/mirror", "mirror:/srv/mirror", NULL },
                { "mirror:/srv/mirror//", "mirror:/srv/mirror", NULL },
                { "mirror:/", "mirror:/", NULL },
                { "mirror:/srv/a..b/..c", "mirror:/srv/a..b/..c", NULL },
                { "mirror:", NULL, "'/'" },
                { "mirror:srv", NULL, "'/'" },
                { "mirror:/srv/../etc", NULL, "'..'" },
                { "mirror:/srv/..", NULL, "'..'" },
                { "mirror:/a//b", NULL, "empty" },
        };

        TRY(cases);
}

/* Proves that an offset is told from an @ that belongs to the name. */
static void test_block(void **state) {
        static const Case cases[] = {
                { "block:/dev/sdb", "block:/dev/sdb", NULL },
                { "block:/dev/sdb@0", "block:/dev/sdb", NULL },
                { "block:/dev/sdb@1048576", "block:/dev/sdb@1M", NULL },
                { "block:/dev/disk/by-path/a@b/c", "block:/dev/disk/by-path/a@b/c", NULL },
                { "block:/srv/a@b@512", "block:/srv/a@b@512", NULL },
                { "block:/srv/a@b@0", "block:/srv/a@b@0", NULL },
                { "block:/srv/a@512@0", "block:/srv/a@512@0", NULL },
                { "block:/srv/a@512/", "block:/srv/a@512", NULL },
                { "block:/srv/@512", NULL, "no name" },
                { "block:/.@0", NULL, "component" },
                { "block:/srv/..@512", NULL, "component" },
                { "block:/dev/sdb@", NULL, "no number" },
                { "block:/dev/sdb@x", NULL, "no number" },
                { "block:/dev/sdb@-512", NULL, "no number" },
                { "block:/dev/sdb@513", NULL, "multiple of 512" },
                { "block:/dev/sdb@0x8000000000000000", NULL, "multiple of 512" },
                { "block:sdb", NULL, "'/'" },
                { "block:", NULL, "'/'" },
        };

        TRY(cases);
}

/* Proves that a URL names a host and no user, and leaves room for the name of a file behind it. */
static void test_url(void **state) {
        static const Case cases[] = {
                { "https://host/db/", "https://host/db", NULL },
                { "http://host:8080", "http://host:8080", NULL },
                { "https://[::1]:8/a%20b", "https://[::1]:8/a%20b", NULL },
                { "https:/host/x", NULL, "'//'" },
                { "https:///x", NULL, "no host" },
                { "https://user:secret@host/x", NULL, "credentials.d" },
                { "https://host/x?a=b", NULL, "'?'" },
                { "https://host/a b", NULL, "%XX" },
                { "https://host/\n", NULL, "%XX" },
        };

        if (BEZOAR_HTTP)
                TRY(cases);
        else {
                const Case left_out[] = { { "https://host/x", NULL, "left out" } };

                TRY(left_out);
        }
}

/* Proves that both ways of writing an NBD URI are one. */
static void test_nbd(void **state) {
        static const Case cases[] = {
                { "nbd://host/export", "nbd:nbd://host/export", NULL },
                { "nbd:nbds://host", "nbd:nbds://host", NULL },
                { "nbd+unix:///?socket=/run/s", "nbd:nbd+unix:///?socket=/run/s", NULL },
                { "nbd:host", NULL, "no URI" },
                { "nbd:nbd+ssh://host", NULL, "no URI" },
                { "nbd://ho st", NULL, "%XX" },
        };

        if (BEZOAR_NBD)
                TRY(cases);
        else {
                const Case left_out[] = { { "nbd://host", NULL, "left out" } };

                TRY(left_out);
        }
}

/* Proves that a command is split at blanks only, and begins with a path. */
static void test_exec(void **state) {
        _cleanup_strv_ char **argv = NULL;
        const char *why = NULL;

        assert_int_equal(replica_exec_parse(" /bin/x  a \tb\"c ", &argv, &why), 0);
        assert_int_equal(strv_length(argv), 3);
        assert_string_equal(argv[0], "/bin/x");
        assert_string_equal(argv[1], "a");
        assert_string_equal(argv[2], "b\"c");

        assert_int_equal(replica_exec_parse("  ", &argv, &why), -EINVAL);
        assert_non_null(strstr(why, "no program"));
        assert_int_equal(replica_exec_parse("restic a", &argv, &why), -EINVAL);
        assert_non_null(strstr(why, "'/'"));
}

/* Proves that a URI spelled in two ways is one, and that of things that differ none is taken for another. */
static void test_alike(void **state) {
        static const char *const same[][4] = {
                { "https://h/p/f", "https://h:443/p/f", "http://H./p/f",
                  "https://user@h/p//./x/../%66#part" },
                { "https://[::1]/p", "https://[::1]:443/p", "http://[::1]:80/p", NULL },
                { "https://h/p?version=1", "https://h:443/p?versio%6e=1", NULL },
                { "nbd:nbd://h/e", "nbd:nbd://h:10809/e", "nbd:nbds://H/e?tls-certificates=/x", NULL },
                { "nbd:nbd+unix:///e?socket=/run/s", "nbd:nbds+unix:///e?tls-psk-file=/k&socket=/run/s",
                  NULL },
                { "mirror:/m", "mirror:/m", NULL },
        };
        static const char *const other[] = {
                "https://h/p/g", "https://h2/p/f", "https://h:8443/p/f", "https://h/P/f", "https://h/p/f?a",
                "https://h/p/f%00",
                "https://[::2]/p", "https://[::1]:8443/p", "https://h/p?version=2", "nbd:nbd://h/e2",
                "nbd:nbd://h2/e",
                "nbd:nbd+unix:///e?socket=/run/s2", "nbd:nbd+unix:///e2?socket=/run/s", "mirror:/m2",
                "block:/m", "exec:/m",
        };
        size_t n = sizeof(same) / sizeof(same[0]), m = sizeof(other) / sizeof(other[0]);

        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < 4 && same[i][k]; k++) {
                        for (size_t l = 0; l < 4 && same[i][l]; l++)
                                if (replica_uri_alike(same[i][k], same[i][l]) != 1)
                                        fail_msg("%s is not %s", same[i][k], same[i][l]);
                        for (size_t j = 0; j < n; j++)
                                if (j != i && replica_uri_alike(same[i][k], same[j][0]) != 0)
                                        fail_msg("%s is %s", same[i][k], same[j][0]);
                        for (size_t j = 0; j < m; j++)
                                if (replica_uri_alike(same[i][k], other[j]) != 0)
                                        fail_msg("%s is %s", same[i][k], other[j]);
                }
        for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < m; j++)
                        assert_int_equal(replica_uri_alike(other[i], other[j]), i == j);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kind), cmocka_unit_test(test_mirror), cmocka_unit_test(test_block),
                cmocka_unit_test(test_url),  cmocka_unit_test(test_nbd),    cmocka_unit_test(test_exec),
                cmocka_unit_test(test_alike),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
