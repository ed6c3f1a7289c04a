/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Paths are bytes, JSON and terminals take text. The escape keeps readable what is readable and brings
 * every byte back: what is no valid UTF-8 (by the table of RFC 3629), control characters (C0, DEL and
 * C1), and the backslash that begins an escape. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/codec.h"

/* The length of the well-formed character at s, 0 for none. The bytes after it are only read as far as
 * they continue it, so that the NUL at the end stops this. */
static size_t utf8_length(const uint8_t *s) {
        uint8_t low = 0x80, high = 0xbf;
        size_t n;

        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                n = 2;
        else if (s[0] >= 0xe0 && s[0] <= 0xef)
                n = 3;
        else if (s[0] >= 0xf0 && s[0] <= 0xf4)
                n = 4;
        else
                return 0;

        /* the second byte: no overlong forms, no surrogates, nothing above U+10FFFF */
        if (s[0] == 0xe0)
                low = 0xa0;
        else if (s[0] == 0xed)
                high = 0x9f;
        else if (s[0] == 0xf0)
                low = 0x90;
        else if (s[0] == 0xf4)
                high = 0x8f;

        for (size_t i = 1; i < n; i++) {
                if (s[i] < low || s[i] > high)
                        return 0;
                low = 0x80;
                high = 0xbf;
        }
        return n;
}

static bool is_plain(const uint8_t *s, size_t n) {
        if (n == 1)
                return s[0] >= 0x20 && s[0] != 0x7f && s[0] != '\\';
        return n > 1 && !(s[0] == 0xc2 && s[1] < 0xa0);        /* U+0080 to U+009F */
}

char *codec_path_escape(const char *path) {
        static const char hex[] = "0123456789abcdef";
        const uint8_t *s = (const uint8_t *) path;
        char *text, *end;

        assert(path);

        text = end = reallocarray(NULL, strlen(path) + 1, 4);
        if (!text)
                return NULL;

        while (*s != '\0') {
                size_t n = utf8_length(s);

                if (is_plain(s, n)) {
                        end = mempcpy(end, s, n);
                        s += n;
                        continue;
                }
                *end++ = '\\';
                *end++ = 'x';
                *end++ = hex[*s >> 4];
                *end++ = hex[*s & 0xf];
                s++;
        }
        *end = '\0';
        return text;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EBADMSG;
}

int codec_path_unescape(const char *text, char **ret) {
        _cleanup_free_ char *path = NULL;
        char *end;

        assert(text);
        assert(ret);

        path = end = malloc(strlen(text) + 1);
        if (!path)
                return -ENOMEM;

        while (*text != '\0') {
                int high, low;

                if (*text != '\\') {
                        *end++ = *text++;
                        continue;
                }
                if (text[1] != 'x')
                        return -EBADMSG;
                high = hex_digit(text[2]);
                if (high < 0)
                        return -EBADMSG;
                low = hex_digit(text[3]);
                if (low < 0 || (high == 0 && low == 0))        /* a path has no NUL */
                        return -EBADMSG;
                *end++ = (char) (high << 4 | low);
                text += 4;
        }
        *end = '\0';

        *ret = TAKE_PTR(path);
        return 0;
}
