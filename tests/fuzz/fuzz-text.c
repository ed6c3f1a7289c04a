/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any name of a file on the way to a terminal: in a table and in wrapped text. Nothing comes out that is a
 * control character, and of the deceptive ones of Unicode none; and what is escaped can be read back. */

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "fuzz.h"
#include "util/utf8.h"

static void check_plain(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                must(((unsigned char) s[i] >= ' ' || s[i] == '\n') && s[i] != 0x7f);
        must(utf8_valid_prefix(s, n) == n);
        must(!memmem(s, n, "\xe2\x80\xae", 3));         /* right-to-left override */
        must(!memmem(s, n, "\xc2\x9b", 2));             /* a control sequence in one character */
}

static void check_table(const char *text) {
        static const char *const headings[] = { "PATH", ">N", "WHAT" };
        Table *t = table_new(headings, 3);
        char *printed = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&printed, &n);

        must(t && f);
        for (int i = 0; i < 2; i++) {
                table_add_path(t, text);
                table_addf(t, "%d", i);
                table_add(t, text, COLOUR_NONE);
        }
        table_wrap(t, 60);
        must(table_print(t, f, true, false) == 0);
        must(fclose(f) == 0);
        check_plain(printed, n);
        free(printed);
        table_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = fuzz_string(data, size), *safe, *clean, *back = NULL;
        char *printed = NULL;
        size_t n = 0;
        FILE *f;

        must(setlocale(LC_ALL, "C.UTF-8"));
        safe = text_safe(text);
        clean = text_clean(text);
        must(safe && clean);
        check_plain(safe, strlen(safe));
        check_plain(clean, strlen(clean));
        must(!strchr(safe, '\n') && !strchr(clean, '\n'));
        must(text_width(clean) <= strlen(clean) * 2);
        must(codec_path_unescape(safe, &back) == 0 && strcmp(back, text) == 0);

        f = open_memstream(&printed, &n);
        must(f);
        text_wrap(clean, 10, 4, 40, f);
        must(fclose(f) == 0);
        check_plain(printed, n);

        check_table(text);
        free(printed);
        free(back);
        free(safe);
        free(clean);
        free(text);
        return 0;
}
