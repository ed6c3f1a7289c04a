/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file that is not safe is not used, and neither is what it was for: to ask without credentials, or with
 * those of another file, would be to ask for something else. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replica/credentials-files.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/private-file.h"
#include "util/str.h"

#define unusable(why, ...) str_fail((why), CREDENTIALS_E_UNUSABLE, __VA_ARGS__)

static void forget(char *text) {
        explicit_bzero(text, strlen(text));
        free(text);
}

/* 0, also for a file that is not for `uri`: prefix is NULL then. */
static int load_one(int dir_fd, const char *name, Credentials *ret, char **ret_why) {
        unsigned problems = 0;
        char *text;
        size_t n;
        int r;

        r = private_file_read(dir_fd, name, &text, &n);
        if (r == PRIVATE_FILE_E_UNSAFE)
                return unusable(ret_why,
                                "the credentials in %s are not used: it is not a file that only root "
                                "can read",
                                name);
        if (r < 0)
                return r == -ENOMEM ? r : unusable(ret_why, "the credentials in %s cannot be read: %s", name,
                                                   strerror(-r));

        r = credentials_parse(text, n, NULL, NULL, ret, &problems);
        forget(text);
        if (r < 0)
                return r;
        if (problems > 0) {
                credentials_done(ret);
                return unusable(ret_why, "the credentials in %s are not used: bezoard --check-config tells "
                                "what is wrong in it", name);
        }
        return 0;
}

/* From the path of a file to what is in it. */
static int load_file(char **path, bool secret, char **ret_why) {
        char *text;
        size_t n;
        int r;

        if (!*path)
                return 0;
        r = secret ? private_file_read(AT_FDCWD, *path, &text, &n)
                   : file_read(AT_FDCWD, *path, PRIVATE_FILE_MAX, &text, &n);
        if (r == PRIVATE_FILE_E_UNSAFE)
                return unusable(ret_why, "%s is not used: it is not a file that only root can read", *path);
        if (r < 0)
                return r == -ENOMEM ? r : unusable(ret_why, "%s cannot be read: %s", *path, strerror(-r));
        if (strlen(text) != n) {
                forget(text);
                return unusable(ret_why, "%s is no text", *path);
        }
        free(*path);
        *path = text;
        return 0;
}

static int load_files(Credentials *c, char **ret_why) {
        int r;

        r = load_file(&c->certificate, false, ret_why);
        if (r == 0)
                r = load_file(&c->key, true, ret_why);
        if (r == 0)
                r = load_file(&c->ca, false, ret_why);
        if (r == 0)
                r = load_file(&c->psk, true, ret_why);
        return r;
}

static int is_conf(const struct dirent *e) {
        size_t n = strlen(e->d_name);

        return e->d_name[0] != '.' && n > 5 && strcmp(e->d_name + n - 5, ".conf") == 0;
}

int credentials_load(const char *dir, const char *uri, Credentials *ret, char **ret_why) {
        _cleanup_credentials_ Credentials best = {};
        _cleanup_close_ int dir_fd = -1;
        struct dirent **names = NULL;
        int n, r = 0;

        assert(uri);

        if (dir)
                dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0) {
                *ret = (Credentials) {};
                return 0;
        }
        n = scandirat(dir_fd, ".", &names, is_conf, alphasort);
        if (n < 0)
                return -errno;

        for (int i = 0; i < n; i++) {
                _cleanup_credentials_ Credentials c = {};

                if (r == 0)
                        r = load_one(dir_fd, names[i]->d_name, &c, ret_why);
                if (r == 0 && credentials_fit(&c, uri) &&
                    (!best.prefix || strlen(c.prefix) > strlen(best.prefix))) {
                        credentials_done(&best);
                        best = c;
                        c = (Credentials) {};
                }
                free(names[i]);
        }
        free(names);
        if (r == 0)
                r = load_files(&best, ret_why);
        if (r != 0)
                return r;

        *ret = best;
        best = (Credentials) {};
        return 0;
}
