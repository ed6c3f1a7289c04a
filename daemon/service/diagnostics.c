/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Complaints about the configuration. They quote what they complain about, which may be anything: it is
 * made printable here, once for all. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service/diagnostics.h"
#include "util/utf8.h"
#include "util/vec.h"

static void make_printable(char *s) {
        for (size_t left = strlen(s); left > 0;) {
                size_t valid = utf8_valid_prefix(s, left);

                for (size_t i = 0; i < valid; i++)
                        if ((unsigned char) s[i] < ' ' || s[i] == 0x7f)
                                s[i] = '?';
                if (valid == left)
                        break;
                s[valid] = '?';
                s += valid + 1;
                left -= valid + 1;
        }
}

static void diagnostic_done(Diagnostic *d) {
        free(d->file);
        free(d->text);
}

void diagnostics_done(Diagnostics *d) {
        assert(d);

        for (size_t i = 0; i < d->n; i++)
                diagnostic_done(&d->items[i]);
        vec_done(d);
        d->errors = d->passing = 0;
}

void diagnostics_came_of(Diagnostics *d, int error) {
        static const int passing[] = { EIO, EMFILE, ENFILE, EINTR, EAGAIN, ESTALE, ETIMEDOUT };

        for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
                d->passing += error == -passing[i];
}

int diagnostics_add(Diagnostics *d, const char *file, unsigned line, Severity severity, const char *format,
                    ...) {
        _cleanup_(diagnostic_done) Diagnostic new = { .line = line, .severity = severity };
        va_list ap;
        int n, r;

        assert(d);
        assert(file);

        va_start(ap, format);
        n = vasprintf(&new.text, format, ap);
        va_end(ap);
        if (n < 0) {
                new.text = NULL;
                return -ENOMEM;
        }
        new.file = strdup(file);
        if (!new.file)
                return -ENOMEM;
        make_printable(new.file);
        make_printable(new.text);

        r = vec_push(d, new);
        if (r < 0)
                return r;
        new = (Diagnostic) {};
        d->errors += severity == SEVERITY_ERROR;
        return 0;
}

char *diagnostic_format(const Diagnostic *d) {
        static const char *const words[_SEVERITY_MAX] = {
                [SEVERITY_ERROR] = "error", [SEVERITY_WARNING] = "warning"};
        char *text;
        int n;

        assert(d);

        if (d->line > 0)
                n = asprintf(&text, "%s:%u: %s: %s", d->file, d->line, words[d->severity], d->text);
        else
                n = asprintf(&text, "%s: %s: %s", d->file, words[d->severity], d->text);
        return n < 0 ? NULL : text;
}
