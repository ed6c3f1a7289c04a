/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "core/case.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

/* Cases as the daemon tells of them. */

typedef struct CaseFilter {
        bool closed;            /* closed cases too */
        char **states;          /* NULL: all */
        const char *device;     /* NULL */
        const char *path;       /* escaped; NULL */
        uint64_t limit;         /* 0: none */
} CaseFilter;

/* The cases as text; the caller frees it. 0, or a negative errno after an error was printed. */
int cases_fetch_json(Ctl *c, const CaseFilter *f, char **ret);

/* The same, decoded. */
int cases_fetch(Ctl *c, const CaseFilter *f, Cases *ret);

/* 0, or CTL_ERROR after an error was printed. */
int cases_print(Ctl *c, const Cases *l, uint64_t now);

/* Whose the bytes are, in a few words: "/srv/f", "inode 131", "free space". The caller frees it; NULL: no
 * memory. */
char *case_where(const Case *k);

/* When something last happened to it. */
uint64_t case_changed(const Case *k);
