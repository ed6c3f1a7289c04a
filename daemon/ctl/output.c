/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What all verbs print: errors, what was done, JSON. Nothing from outside reaches the terminal but through
 * text_clean(). */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "ctl/ctl.h"
#include "ctl/text.h"
#include "util/cleanup.h"

__attribute__((format(printf, 3, 0)))
static void print_clean(FILE *f, const char *before, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL, *clean = NULL;

        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        clean = text ? text_clean(text) : NULL;
        (void) fprintf(f, "%s%s\n", before, clean ? clean : "out of memory");
}

int ctl_fail(const char *format, ...) {
        va_list ap;

        assert(format);

        (void) fflush(stdout);
        va_start(ap, format);
        print_clean(stderr, "bezoarctl: ", format, ap);
        va_end(ap);
        return CTL_ERROR;
}

int ctl_fail_memory(void) {
        return ctl_fail("Out of memory.");
}

void ctl_say(const Ctl *c, const char *format, ...) {
        va_list ap;

        assert(c);
        assert(format);

        if (c->quiet)
                return;
        va_start(ap, format);
        print_clean(stdout, "", format, ap);
        va_end(ap);
}

void ctl_page(Ctl *c) {
        assert(c);

        if (!c->no_pager)
                pager_open(&c->pager);
}

int ctl_print_json(Ctl *c, const char *text) {
        _cleanup_free_ char *pretty = NULL;
        int r;

        assert(c);
        assert(c->json != JSON_OFF);
        assert(text);

        if (c->json == JSON_PRETTY) {
                r = codec_json_pretty(text, &pretty);
                if (r < 0)
                        return ctl_fail("The answer of bezoard is no JSON: %s", strerror(-r));
        }
        ctl_page(c);
        (void) puts(pretty ? pretty : text);
        return CTL_FINE;
}
