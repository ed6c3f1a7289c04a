/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From files to a Policy. A file is read line by line into a Policy or a Protect, and each line that is
 * wrong becomes a complaint; whether what is left may be used is decided afterwards, file by file, and
 * always towards writing less. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/config-credentials.h"
#include "service/config-files.h"
#include "service/config-protect.h"
#include "service/config-table.h"
#include "service/config.h"
#include "util/ini-text.h"
#include "util/strv.h"
#include "util/utf8.h"
#include "util/vec.h"

/* Of one file; a file that is something else altogether is wrong in every line. */
#define PROBLEMS_MAX 20

/* One file that is being read. */
typedef struct File {
        const char *name;               /* for complaints */
        const char *section;            /* the one that it may have */
        void *object;                   /* that its settings go to */
        Diagnostics *d;
        unsigned problems;
        unsigned header_told;           /* the section that was last complained about, by its number + 1 */
        unsigned subject_line;          /* of the last Path= or Device= */
} File;

static int file_problem(unsigned line, const char *sentence, void *userdata) {
        File *f = userdata;

        f->problems++;
        if (f->problems > PROBLEMS_MAX)
                return 0;
        if (f->problems == PROBLEMS_MAX)
                sentence = "this and more is wrong; the rest is not told";
        return diagnostics_add(f->d, f->name, line, SEVERITY_ERROR, "%s", sentence);
}

__attribute__((format(printf, 3, 4)))
static int file_problemf(File *f, unsigned line, const char *format, ...) {
        _cleanup_free_ char *sentence = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&sentence, format, ap);
        va_end(ap);
        if (n < 0) {
                sentence = NULL;
                return -ENOMEM;
        }
        return file_problem(line, sentence, f);
}

/* Once for each header, not for each line below it. */
static int wrong_section(File *f, const IniLine *l) {
        bool known = strcmp(l->section, SECTION_BEZOAR) == 0 || strcmp(l->section, SECTION_PROTECT) == 0;

        if (f->header_told == l->header + 1)
                return 0;
        f->header_told = l->header + 1;

        if (!*l->section)
                return file_problemf(f, l->line, "a setting before any section; begin with [%s]",
                                     f->section);
        if (!known)
                return file_problemf(f, l->line, "unknown section [%s]; allowed is [%s]", l->section,
                                     f->section);
        return file_problemf(f, l->line, "section [%s] is not for this file; it belongs in %s", l->section,
                             strcmp(l->section, SECTION_PROTECT) == 0 ? "protect.d/NAME.conf"
                                                                      : "bezoar.conf");
}

static int unknown_setting(File *f, const IniLine *l) {
        char keys[256] = "";

        for (const Setting *s = setting_table; s->section; s++)
                if (strcmp(s->section, f->section) == 0 &&
                    strlen(keys) + strlen(s->key) + 3 < sizeof(keys)) {
                        strcat(keys, " ");
                        strcat(keys, s->key);
                        strcat(keys, "=");
                }
        return file_problemf(f, l->line, "unknown setting %s=; allowed in [%s] are%s", l->key, f->section,
                             keys);
}

static int take_setting(const IniLine *l, void *userdata) {
        _cleanup_free_ char *problem = NULL;
        const Setting *s;
        File *f = userdata;
        int r;

        if (strcmp(l->section, f->section) != 0)
                return wrong_section(f, l);
        s = setting_find(l->section, l->key);
        if (!s)
                return unknown_setting(f, l);

        r = setting_apply(s, l->value, f->object, &problem);
        if (r < 0)
                return r;
        if (r == SETTING_E_INVALID)
                return file_problem(l->line, problem, f);
        if (strcmp(l->key, "Path") == 0 || strcmp(l->key, "Device") == 0)
                f->subject_line = l->line;
        return 0;
}

static const char *read_error(int error) {
        switch (-error) {
        case EFBIG:
                return "the file is too large; at most 256K are allowed";
        case EBADF:
                return "no regular file";
        case ENOENT:
                return "a link to a file that is not there";
        default:
                return strerrordesc_np(-error);
        }
}

/* Reads one file into f->object. *ret_masked: it is a link to /dev/null, or (optional files) not there. */
static int file_load(File *f, int root_fd, const char *path, bool optional, bool *ret_masked) {
        const IniVisitor visitor = { .setting = take_setting, .problem = file_problem, .userdata = f };
        _cleanup_config_text_ ConfigText t = {};
        int r;

        r = config_text_read(root_fd, path, &t);
        if (r == -ENOMEM)
                return r;
        if (r < 0 && !(r == -ENOENT && optional)) {
                *ret_masked = false;
                diagnostics_came_of(f->d, r);
                return file_problemf(f, 0, "cannot be read: %s", read_error(r));
        }
        *ret_masked = !t.text;
        if (!t.text)
                return 0;

        if (t.open_to_all) {
                r = diagnostics_add(f->d, f->name, 0, SEVERITY_WARNING,
                                    "everybody may write to this file; chmod o-w it");
                if (r < 0)
                        return r;
        }
        return ini_text_read(t.text, t.n, &visitor);
}

/* The sorted files of a folder; a folder that cannot be read is a complaint. */
static int folder_list(int root_fd, const char *root, const char *sub, char ***ret, Diagnostics *d) {
        _cleanup_free_ char *name = NULL;
        int r;

        r = config_files_list(root_fd, sub, ret);
        if (r >= 0 || r == -ENOMEM)
                return r;
        if (asprintf(&name, "%s/%s", root, sub) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        *ret = NULL;
        diagnostics_came_of(d, r);
        return diagnostics_add(d, name, 0, SEVERITY_ERROR, "cannot be read: %s", strerrordesc_np(-r));
}

static int load_main_file(int root_fd, const char *root, const char *path, bool optional, Policy *p,
                          Diagnostics *d) {
        File f = { .section = SECTION_BEZOAR, .object = p, .d = d };
        _cleanup_free_ char *name = NULL;
        bool masked;

        if (asprintf(&name, "%s/%s", root, path) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        f.name = name;
        return file_load(&f, root_fd, path, optional, &masked);
}

static int load_main(int root_fd, const char *root, Policy *p, Diagnostics *d) {
        _cleanup_strv_ char **names = NULL;
        size_t errors = d->errors;
        int r;

        r = load_main_file(root_fd, root, "bezoar.conf", true, p, d);
        if (r < 0)
                return r;
        r = folder_list(root_fd, root, "bezoar.conf.d", &names, d);
        if (r < 0)
                return r;

        for (char **s = names; s && *s; s++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "bezoar.conf.d/%s", *s) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                r = load_main_file(root_fd, root, path, false, p, d);
                if (r < 0)
                        return r;
        }

        if (d->errors == errors || p->mode == MODE_OBSERVE)
                return 0;
        p->mode = MODE_OBSERVE;
        return diagnostics_add(d, root, 0, SEVERITY_ERROR,
                               "nothing is repaired, as with Mode=observe, until bezoar.conf and "
                               "bezoar.conf.d are without an error");
}

/* The name goes into the journal and onto the bus. */
static bool name_is_plain(const char *s) {
        if (utf8_valid_prefix(s, strlen(s)) < strlen(s))
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

static int load_protect(int root_fd, const char *root, const char *file, Candidates *l, Diagnostics *d) {
        _cleanup_candidate_ Candidate c = {};
        _cleanup_free_ char *path = NULL;
        File f = { .section = SECTION_PROTECT, .object = &c.protect, .d = d };
        bool masked;
        int r;

        protect_init(&c.protect);
        if (asprintf(&c.file, "%s/protect.d/%s", root, file) < 0) {
                c.file = NULL;
                return -ENOMEM;
        }
        if (asprintf(&path, "protect.d/%s", file) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        c.protect.name = strndup(file, strlen(file) - strlen(".conf"));
        if (!c.protect.name)
                return -ENOMEM;

        f.name = c.file;
        r = file_load(&f, root_fd, path, false, &masked);
        if (r < 0 || masked)
                return r;
        if (!name_is_plain(file)) {
                r = file_problem(0, "its name is not valid UTF-8, or has control characters; rename it", &f);
                if (r < 0)
                        return r;
        }
        c.bad = f.problems > 0;
        c.line = f.subject_line;
        r = candidate_check(&c, d);
        if (r < 0)
                return r;

        r = vec_push(l, c);
        if (r < 0)
                return r;
        c = (Candidate) {};
        return 0;
}

static int load_protects(int root_fd, const char *root, Policy *p, Diagnostics *d) {
        _cleanup_candidates_ Candidates l = {};
        _cleanup_strv_ char **names = NULL;
        int r;

        r = folder_list(root_fd, root, "protect.d", &names, d);
        if (r < 0)
                return r;
        for (char **s = names; s && *s; s++) {
                r = load_protect(root_fd, root, *s, &l, d);
                if (r < 0)
                        return r;
        }
        r = candidates_check_overlaps(&l, d);
        if (r < 0)
                return r;

        for (size_t i = 0; i < l.n; i++) {
                if (l.items[i].bad)
                        continue;
                r = vec_push(&p->protects, l.items[i].protect);
                if (r < 0)
                        return r;
                l.items[i].protect = (Protect) {};
        }
        return 0;
}

int config_load(const char *root, Policy *ret, Diagnostics *d) {
        _cleanup_policy_ Policy p;
        _cleanup_close_ int root_fd = -1;
        int r;

        assert(root);
        assert(ret);
        assert(d);

        policy_init(&p);
        root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0)
                return -errno;

        r = load_main(root_fd, root, &p, d);
        if (r < 0)
                return r;
        r = load_protects(root_fd, root, &p, d);
        if (r >= 0)
                r = config_credentials_check(root_fd, root, d);
        if (r < 0)
                return r;
        if (asprintf(&p.credentials_dir, "%s/credentials.d", root) < 0) {
                p.credentials_dir = NULL;
                return -ENOMEM;
        }

        *ret = p;
        policy_init(&p);
        return 0;
}
