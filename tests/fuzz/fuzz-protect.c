/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A whole folder of configuration: the input, cut at its NULs, is bezoar.conf, a drop-in, two protect files
 * and a file of credentials. Whatever stands there: it is read, a file with an error protects nothing, with
 * an error in bezoar.conf nothing is repaired, and no two folders that are protected overlap. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "service/config.h"

static const char *const names[] = {
        "bezoar.conf",        "bezoar.conf.d/10.conf", "protect.d/a.conf",
        "protect.d/b.conf",   "credentials.d/x.conf",
};

#define NAMES (sizeof(names) / sizeof(*names))

static void check_sentences(const Diagnostics *d) {
        size_t errors = 0;

        for (size_t i = 0; i < d->n; i++) {
                char *line = diagnostic_format(d->items + i);

                must(line && !strchr(line, '\n') && !strchr(line, 0x1b));
                errors += d->items[i].severity == SEVERITY_ERROR;
                free(line);
        }
        must(errors == d->errors);
}

static bool is_below(const char *path, const char *folder) {
        size_t n = strlen(folder);

        return strncmp(path, folder, n) == 0 &&
               (path[n] == '\0' || path[n] == '/' || strcmp(folder, "/") == 0);
}

static bool has_error(const Diagnostics *d, const char *name) {
        for (size_t i = 0; i < d->n; i++)
                if (d->items[i].severity == SEVERITY_ERROR && strstr(d->items[i].file, name))
                        return true;
        return false;
}

static void check_policy(const Policy *p, const Diagnostics *d) {
        must(!has_error(d, "bezoar.conf") || p->mode == MODE_OBSERVE);
        for (size_t i = 0; i < p->protects.n; i++) {
                const Protect *a = p->protects.items + i;
                char file[64];

                (void) snprintf(file, sizeof(file), "protect.d/%s.conf", a->name);
                must(!has_error(d, file));
                must(!a->path != !a->device);
                for (size_t k = 0; k < i; k++) {
                        const Protect *b = p->protects.items + k;

                        must(!a->path || !b->path || (!is_below(a->path, b->path) &&
                                                      !is_below(b->path, a->path)));
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *at = data, *const end = data + size;
        Diagnostics d = {};
        Policy policy;

        for (size_t i = 0; i < NAMES; i++) {
                const uint8_t *zero = at < end ? memchr(at, 0, (size_t) (end - at)) : NULL,
                              *stop = zero && i < NAMES - 1 ? zero : end;

                fuzz_file(names[i], at, (size_t) (stop - at));
                at = stop < end ? stop + 1 : end;
        }

        must(config_load(fuzz_folder(), &policy, &d) == 0);
        check_sentences(&d);
        check_policy(&policy, &d);
        policy_done(&policy);
        diagnostics_done(&d);
        return 0;
}
