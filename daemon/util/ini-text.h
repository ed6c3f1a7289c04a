/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The longest line, without the white space around it: a path of PATH_MAX and its key. */
#define INI_LINE_MAX 4200

typedef struct IniLine {
        const char *section;    /* "": before the first header */
        const char *key, *value;
        unsigned line;
        unsigned header;        /* counts the section headers before it: two may have the same name */
} IniLine;

/* What is found in a text. Both return 0, or a negative errno that ends the reading and is passed on. */
typedef struct IniVisitor {
        int (*setting)(const IniLine *line, void *userdata);
        int (*problem)(unsigned line, const char *sentence, void *userdata);
        void *userdata;
} IniVisitor;

/* Reads n bytes of text, from the first line to the last; what cannot be read is a problem, and the rest
 * is read all the same. Settings below a header that cannot be read are left out. 0, -ENOMEM, or what the
 * visitor returned. */
int ini_text_read(const char *text, size_t n, const IniVisitor *visitor);
