/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Names of files come from whoever may create files, and are shown to root. So nothing reaches the
 * terminal that is no plain character: no control sequences, no line feeds, no bytes that are not text, and
 * no characters that make a name look like another one. What is escaped can be read back
 * (codec_path_unescape()). */

#include <assert.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "core/codec.h"
#include "ctl/text.h"
#include "util/cleanup.h"
#include "util/time-util.h"

/* Narrower columns are not worth wrapping in. */
#define WRAP_MIN 20

/* Invisible, or turning the direction of what follows (Unicode category Cf, and the separators of lines
 * and paragraphs). */
static bool is_deceptive(wchar_t c) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x115f, 0x1160 },   { 0x180b, 0x180f },
                { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },   { 0x3164, 0x3164 },
                { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },
                { 0x1d173, 0x1d17a },                   { 0xe0000, 0xe0fff },
        };

        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
                if ((uint32_t) c >= ranges[i].first && (uint32_t) c <= ranges[i].last)
                        return true;
        return false;
}

/* The length of the character at s; *ret_columns 0 to 2, or -1 when it is not to be shown. */
static size_t next_character(const char *s, int *ret_columns) {
        mbstate_t state = {};
        wchar_t c = 0;
        size_t n;

        if ((unsigned char) *s < 0x80) {
                *ret_columns = (unsigned char) *s >= 0x20 && *s != 0x7f ? 1 : -1;
                return 1;
        }

        *ret_columns = -1;
        if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
                return 1;
        n = mbrtowc(&c, s, strlen(s), &state);
        if (n == 0 || n > 4)
                return 1;
        if (!is_deceptive(c))
                *ret_columns = wcwidth(c);
        return n;
}

char *text_clean(const char *s) {
        static const char hex[] = "0123456789abcdef";
        char *text, *end;

        assert(s);

        text = end = reallocarray(NULL, strlen(s) + 1, 4);
        if (!text)
                return NULL;

        while (*s != '\0') {
                int columns;

                for (size_t n = next_character(s, &columns); n > 0; n--, s++) {
                        if (columns >= 0) {
                                *end++ = *s;
                                continue;
                        }
                        *end++ = '\\';
                        *end++ = 'x';
                        *end++ = hex[(unsigned char) *s >> 4];
                        *end++ = hex[(unsigned char) *s & 0xf];
                }
        }
        *end = '\0';
        return text;
}

char *text_safe(const char *s) {
        _cleanup_free_ char *escaped = NULL;

        assert(s);

        escaped = codec_path_escape(s);
        return escaped ? text_clean(escaped) : NULL;
}

/* Columns of the first n bytes. */
static size_t width_n(const char *s, size_t n) {
        size_t width = 0;

        for (const char *end = s + n; s < end;) {
                int columns;

                s += next_character(s, &columns);
                width += columns > 0 ? (size_t) columns : 0;
        }
        return width;
}

size_t text_width(const char *s) {
        assert(s);

        return width_n(s, strlen(s));
}

void text_wrap(const char *text, size_t column, size_t indent, size_t width, FILE *f) {
        bool first = true;

        assert(text);
        assert(f);

        if (width < indent + WRAP_MIN) {
                (void) fputs(text, f);
                return;
        }
        while (*text != '\0') {
                /* blanks belong to the word after them, so that none is lost within a line */
                size_t blanks = strspn(text, " "), n = strcspn(text + blanks, " "), w;

                w = width_n(text, blanks + n);
                if (!first && blanks > 0 && column + w > width) {
                        (void) fprintf(f, "\n%*s", (int) indent, "");
                        column = indent;
                        text += blanks;
                        w -= blanks;
                        blanks = 0;
                }
                (void) fwrite(text, 1, blanks + n, f);
                column += w;
                text += blanks + n;
                first = false;
        }
}

const char *text_time(uint64_t usec, char buf[static TEXT_TIME_MAX]) {
        time_t t = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        assert(buf);

        if (usec == 0 || usec == USEC_INFINITY || !localtime_r(&t, &tm) ||
            strftime(buf, TEXT_TIME_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
                return strcpy(buf, "-");
        return buf;
}

const char *text_ago(uint64_t usec, uint64_t now, char buf[static TEXT_TIME_MAX]) {
        static const struct {
                uint64_t usec;
                const char *unit;
        } units[] = {
                { 24 * USEC_PER_HOUR, "d" },
                { USEC_PER_HOUR, "h" },
                { USEC_PER_MINUTE, "min" },
                { USEC_PER_SEC, "s" },
        };

        assert(buf);

        if (usec == 0 || usec == USEC_INFINITY)
                return strcpy(buf, "-");
        for (size_t i = 0; now > usec && i < sizeof(units) / sizeof(units[0]); i++)
                if (now - usec >= units[i].usec) {
                        (void) snprintf(buf, TEXT_TIME_MAX, "%" PRIu64 "%s ago",
                                        (now - usec) / units[i].usec, units[i].unit);
                        return buf;
                }
        return strcpy(buf, "now");
}
