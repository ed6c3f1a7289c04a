/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writers that wrap a writer. `dry` writes nothing. `fault` is for tests: it sleeps, fails or kills at a
 * named point, as fault_parse() reads it from the worker's environment (BEZOAR_FAULT):
 *
 *      POINT:ACTION[=VALUE][,POINT:ACTION[=VALUE]…]
 *      POINT   a name, "before-write", "after-write", or one that the worker calls itself (fault_point())
 *      ACTION  sleep=SECONDS  kill (SIGKILL to ourselves)  error=ERRNO (a number)
 *              stop (SIGSTOP to ourselves: until somebody has done what he wants meanwhile)
 *              skip (before-write only: say 0, write nothing)
 *              absent (before-write only: say WRITE_E_ABSENT, write nothing)
 *              unlist (around a write: the whole list of bad blocks is emptied, as the kernel would
 *                      for the page; only where BEZOAR_SYSFS says that it is not the kernel's) */

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/parse.h"
#include "util/strv.h"
#include "util/sysfs.h"
#include "write/writer.h"

static int dry_write(Writer *w, const Target *t, const void *page) {
        return 0;
}

static const WriterOps writer_dry_ops = { .name = "dry", .write = dry_write };

int writer_dry_new(Writer *next, Writer **ret) {
        Writer *w = calloc(1, sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (Writer) { .ops = &writer_dry_ops, .next = next };
        *ret = w;
        return 0;
}

static int unlist(const char *disk) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (!disk || !secure_getenv("BEZOAR_SYSFS"))
                return -EINVAL;
        r = sysfs_attribute("block", disk, "badblocks", &path);
        return r < 0 ? r : truncate(path, 0) < 0 ? -errno : 0;
}

/* `part` is "POINT:ACTION=VALUE". 0 and the action begins, or 1: not this point. */
static int fault_apply(const char *part, size_t n, const char *point, const char *disk) {
        _cleanup_free_ char *copy = strndup(part, n);
        char *action, *value;
        uint64_t number = 0;

        if (!copy)
                return -ENOMEM;
        action = strchr(copy, ':');
        if (!action)
                return -EINVAL;
        *action++ = '\0';
        if (strcmp(copy, point) != 0)
                return 0;

        value = strchr(action, '=');
        if (value) {
                *value++ = '\0';
                if (parse_u64(value, &number) < 0 || number > 4096)
                        return -EINVAL;
        }

        if (strcmp(action, "sleep") == 0)
                (void) sleep((unsigned) number);
        else if (strcmp(action, "kill") == 0)
                (void) raise(SIGKILL);
        else if (strcmp(action, "stop") == 0)
                (void) raise(SIGSTOP);
        else if (strcmp(action, "error") == 0)
                return -(int) number;
        else if (strcmp(action, "skip") == 0)
                return FAULT_E_SKIP;
        else if (strcmp(action, "absent") == 0)
                return FAULT_E_ABSENT;
        else if (strcmp(action, "unlist") == 0)
                return unlist(disk);
        else
                return -EINVAL;
        return 0;
}

int fault_point_on(const char *spec, const char *point, const char *disk) {
        int r = 0;

        assert(point);

        for (const char *p = spec; r == 0 && p && *p;) {
                size_t n = strcspn(p, ",");

                r = fault_apply(p, n, point, disk);
                p += n + (p[n] == ',');
        }
        return r;
}

int fault_point(const char *spec, const char *point) {
        return fault_point_on(spec, point, NULL);
}

typedef struct FaultWriter {
        Writer writer;
        char *spec;
} FaultWriter;

static int fault_write(Writer *w, const Target *t, const void *page) {
        const FaultWriter *f = (const FaultWriter *) w;
        int r, after;

        r = fault_point_on(f->spec, "before-write", t->disk);
        if (r < 0)
                return r;
        if (r == FAULT_E_ABSENT)
                return WRITE_E_ABSENT;
        if (r != FAULT_E_SKIP) {
                r = writer_write(w->next, t, page);
                if (r != 0)
                        return r;
        }

        after = fault_point_on(f->spec, "after-write", t->disk);
        return after < 0 ? after : 0;
}

static void fault_close(Writer *w) {
        FaultWriter *f = (FaultWriter *) w;

        free(f->spec);
}

static const WriterOps writer_fault_ops = { .name = "fault", .write = fault_write, .close = fault_close };

int writer_fault_new(Writer *next, const char *spec, Writer **ret) {
        FaultWriter *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->writer = (Writer) { .ops = &writer_fault_ops, .next = next };
        f->spec = strdup(spec);
        if (!f->spec) {
                free(f);
                return -ENOMEM;
        }

        *ret = &f->writer;
        return 0;
}
