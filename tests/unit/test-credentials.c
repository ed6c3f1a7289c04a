/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
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
#include <unistd.h>

#include <cmocka.h>

#include "build-config.h"
#include "replica/credentials-files.h"
#include "util/cleanup.h"
#include "util/file.h"

typedef struct Folder {
        char path[64];
        char said[512];
} Folder;

static int set_up(void **state) {
        Folder *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void) strcpy(f->path, "/tmp/test-credentials-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tear_down(void **state) {
        Folder *f = *state;

        assert_int_equal(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(f);
        return 0;
}

static void put(const Folder *f, const char *name, const char *text, unsigned mode) {
        char path[128];

        (void) snprintf(path, sizeof(path), "%s/%s", f->path, name);
        assert_int_equal(file_replace(AT_FDCWD, path, text, strlen(text), mode), 0);
        assert_int_equal(chmod(path, mode), 0);
}

static int say(unsigned line, const char *sentence, void *userdata) {
        Folder *f = userdata;
        size_t n = strlen(f->said);

        (void) snprintf(f->said + n, sizeof(f->said) - n, "%u: %s\n", line, sentence);
        return 0;
}

/* Proves what is complained of, where, and that no secret is in the complaint. */
static void test_parse(void **state) {
        Folder *f = *state;
        static const struct {
                const char *text, *said;        /* NULL: fine */
        } cases[] = {
                { "[Credentials]\nFor=https://host/db\nUser=u\nPassword=hush\n", NULL },
                { "[Credentials]\nFor=https://host\nCertificateFile=/c\nKeyFile=/k\nCaFile=/ca\n", NULL },
                { "[Credentials]\nFor=https://host\nUser=a\nPassword=hush\nAwsSigv4=aws:amz:eu:s3\n", NULL },
                { "[Credentials]\nUser=u\nPassword=hush\n", "0: For= is missing" },
                { "[Credentials]\nFor=mirror:/x\nPassword=hush\nUser=u\n", "0: For= is not the beginning" },
                { "[Credentials]\nFor=https://u:hush@host\n", "0: For= is not the beginning" },
                { "[Credentials]\nFor=https://host\nPassword=hush\n", "0: Password= without User=" },
                { "[Credentials]\nFor=https://host\nAwsSigv4=x\n", "0: AwsSigv4= without" },
                { "[Credentials]\nFor=https://host\nKeyFile=/hush\n", "0: CertificateFile= and KeyFile=" },
                { "[Credentials]\nFor=https://host\nKeyFile=hush\n", "3: an absolute path" },
                { "[Credentials]\nFor=https://host\nPasswort=hush\n", "3: unknown setting" },
                { "[Protect]\nFor=https://host\n", "2: it is in another section" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                _cleanup_credentials_ Credentials c = {};
                unsigned problems;

                *f->said = '\0';
                assert_int_equal(credentials_parse(cases[i].text, strlen(cases[i].text), say, f, &c,
                                                   &problems), 0);
                if (!cases[i].said ? problems != 0
                                   : strncmp(f->said, cases[i].said, strlen(cases[i].said)) != 0)
                        fail_msg("%s%s", cases[i].text, f->said);
                assert_null(strstr(f->said, "hush"));
        }
}

static void loaded(const Folder *f, const char *uri, const char *user) {
        _cleanup_credentials_ Credentials c = {};
        _cleanup_free_ char *why = NULL;

        if (credentials_load(f->path, uri, &c, &why) != 0)
                fail_msg("%s", why);
        if (!user)
                assert_null(c.prefix);
        else
                assert_string_equal(c.user, user);
}

/* Proves that the longest beginning counts, by whole components, and never for another host, port or scheme.
 */
static void test_longest(void **state) {
        const Folder *f = *state;

        put(f, "a.conf", "[Credentials]\nFor=https://host/db/deep/\nUser=deep\n", 0600);
        put(f, "b.conf", "[Credentials]\nFor=https://host\nUser=host\n", 0400);
        put(f, "c.conf", "[Credentials]\nFor=https://host/db\nUser=db\n", 0600);
        put(f, "ignored.conf~", "nonsense", 0644);
        loaded(f, "https://host/db/deep/x", "deep");
        loaded(f, "https://host/db/deep", "deep");
        loaded(f, "https://host/db/deeper", "db");
        loaded(f, "https://host/dbx", "host");
        loaded(f, "https://host", "host");
        loaded(f, "https://host.evil/db", NULL);
        loaded(f, "https://hosts", NULL);
        loaded(f, "https://host:8443/db", NULL);
        loaded(f, "http://host/db", NULL);
}

static void unusable(const Folder *f, const char *word) {
        _cleanup_credentials_ Credentials c = {};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(credentials_load(f->path, "https://host/db", &c, &why), CREDENTIALS_E_UNUSABLE);
        if (!why || !strstr(why, word) || strstr(why, "hush"))
                fail_msg("\"%s\" does not say \"%s\"", why, word);
}

/* Proves that a file that others can read, a link, or one with an error is not used, nor passed over. */
static void test_unsafe(void **state) {
        const Folder *f = *state;
        char path[128], text[256];

        for (unsigned bit = 1; bit <= 0040; bit <<= 1) {
                put(f, "a.conf", "[Credentials]\nFor=https://host\nUser=u\nPassword=hush\n", 0600 | bit);
                unusable(f, "only root can read");
        }
        put(f, "a.conf", "[Credentials]\nFor=https://host\nPassword=hush\n", 0600);
        unusable(f, "--check-config");

        put(f, "elsewhere", "[Credentials]\nFor=https://host\nUser=u\n", 0600);
        (void) snprintf(path, sizeof(path), "%s/a.conf", f->path);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("elsewhere", path), 0);
        unusable(f, "only root can read");
        assert_int_equal(unlink(path), 0);

        (void) snprintf(text, sizeof(text), "[Credentials]\nFor=https://host\nCertificateFile=%s/cert\n"
                        "KeyFile=%s/key\n", f->path, f->path);
        put(f, "a.conf", text, 0600);
        unusable(f, "cert cannot be read");
        put(f, "cert", "CERT", 0644);
        put(f, "key", "hush", 0640);
        unusable(f, "key is not used");
        put(f, "key", "hush", 0600);
        {
                _cleanup_credentials_ Credentials c = {};
                _cleanup_free_ char *why = NULL;

                assert_int_equal(credentials_load(f->path, "https://host/db", &c, &why), 0);
                assert_string_equal(c.certificate, "CERT");
                assert_string_equal(c.key, "hush");
        }
}

/* Proves that no folder is no credentials. */
static void test_none(void **state) {
        _cleanup_credentials_ Credentials c = {};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(credentials_load("/nowhere", "https://host", &c, &why), 0);
        assert_null(c.prefix);
        assert_int_equal(credentials_load(NULL, "https://host", &c, &why), 0);
        assert_null(c.prefix);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = { TEST(test_parse), TEST(test_longest), TEST(test_unsafe),
                                            cmocka_unit_test(test_none) };

        if (!BEZOAR_HTTP)
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
