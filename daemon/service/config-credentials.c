/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/credentials.h"
#include "service/config-credentials.h"
#include "service/config-files.h"
#include "util/cleanup.h"
#include "util/private-file.h"
#include "util/strv.h"

typedef struct Checker {
        Diagnostics *d;
        const char *file;       /* for complaints */
} Checker;

static int complain(unsigned line, const char *sentence, void *userdata) {
        const Checker *c = userdata;

        return diagnostics_add(c->d, c->file, line, SEVERITY_ERROR, "%s", sentence);
}

/* A file that the credentials name: there, and where it holds a secret, nobody else's to read. */
static int check_named(const Checker *c, const char *path, bool secret) {
        char *text = NULL;
        size_t n = 0;
        struct stat st;
        int r;

        if (!path)
                return 0;
        r = secret ? private_file_read(AT_FDCWD, path, &text, &n) : stat(path, &st) < 0 ? -errno : 0;
        if (text)
                explicit_bzero(text, n);
        free(text);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (r == PRIVATE_FILE_E_UNSAFE)
                return diagnostics_add(
                        c->d, c->file, 0, SEVERITY_ERROR,
                        "%s is not used: it must be a file that only root can read, mode 0600", path);
        diagnostics_came_of(c->d, r);
        return diagnostics_add(c->d, c->file, 0, SEVERITY_ERROR, "%s cannot be read: %s", path,
                               strerror(-r));
}

static int check_text(Checker *c, const char *text, size_t n) {
        _cleanup_credentials_ Credentials k = {};
        unsigned problems;
        int r;

        r = credentials_parse(text, n, complain, c, &k, &problems);
        if (r >= 0)
                r = check_named(c, k.certificate, false);
        if (r >= 0)
                r = check_named(c, k.key, true);
        if (r >= 0)
                r = check_named(c, k.ca, false);
        if (r >= 0)
                r = check_named(c, k.psk, true);
        return r;
}

static int check_one(int root_fd, const char *root, const char *name, Diagnostics *d) {
        _cleanup_free_ char *path = NULL, *file = NULL;
        Checker c = { .d = d };
        char *text = NULL;
        size_t n = 0;
        int r;

        if (asprintf(&path, "credentials.d/%s", name) < 0 || asprintf(&file, "%s/%s", root, path) < 0)
                return -ENOMEM;
        c.file = file;

        r = private_file_read(root_fd, path, &text, &n);
        if (r == -ENOMEM)
                return r;
        if (r == PRIVATE_FILE_E_UNSAFE)
                return complain(0, "not used: it must be a file that only root can read, mode 0600", &c);
        if (r < 0)
                return complain(0, strerror(-r), &c);

        r = check_text(&c, text, n);
        explicit_bzero(text, n);
        free(text);
        return r;
}

int config_credentials_check(int root_fd, const char *root, Diagnostics *d) {
        _cleanup_strv_ char **names = NULL;
        int r;

        assert(root);
        assert(d);

        r = config_files_list(root_fd, "credentials.d", &names);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                diagnostics_came_of(d, r);
                return diagnostics_add(d, root, 0, SEVERITY_ERROR, "credentials.d cannot be read: %s",
                                       strerror(-r));
        }
        for (char **s = names; s && *s; s++) {
                r = check_one(root_fd, root, *s, d);
                if (r < 0)
                        return r;
        }
        return 0;
}
