/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "util/cleanup.h"

/* What is wrong with the configuration, as values: who asked decides whether it becomes a log entry or a
 * line on the terminal. */

typedef enum Severity {
        SEVERITY_ERROR,         /* something is not in force */
        SEVERITY_WARNING,       /* in force as it stands, but hardly meant so */
        _SEVERITY_MAX,
} Severity;

typedef struct Diagnostic {
        char *file;             /* path; without control characters, and valid UTF-8, as `text` */
        unsigned line;          /* from 1; 0: the file as a whole */
        Severity severity;
        char *text;             /* what is wrong, and what is allowed; no capital, no full stop */
} Diagnostic;

typedef struct Diagnostics {
        Diagnostic *items;
        size_t n, allocated;
        size_t errors;          /* how many of them are errors */
        size_t passing;         /* how many of them say that something could not be read just now */
} Diagnostics;

void diagnostics_done(Diagnostics *d);
#define _cleanup_diagnostics_ _cleanup_(diagnostics_done)

/* 0 or -ENOMEM. */
__attribute__((format(printf, 5, 6))) int diagnostics_add(Diagnostics *d, const char *file, unsigned line,
                                                          Severity severity, const char *format, ...);

/* What is complained about came of this negative errno, which may be another one the next time: EIO of a bad
 * moment, no descriptor left. */
void diagnostics_came_of(Diagnostics *d, int error);

/* "FILE:LINE: error: sentence", or "FILE: error: sentence"; no newline. The caller frees it. NULL: no
 * memory. */
char *diagnostic_format(const Diagnostic *d);
