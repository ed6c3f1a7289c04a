/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec-text.h"
#include "util/utf8.h"

#define ESCAPE 6                /* bytes of a \uXXXX */

static bool is_ascii(char c) {
        return ((unsigned char) c & 0x80) == 0;
}

/* The end of the string that begins after a quotation mark. NULL, with what is wrong with it: a NUL, at
 * which json-c cuts off the names of members, or an escape that would become another one. */
static const char *scan_string(const char *s, const char **ret_wrong) {
        while (*s != '\0' && *s != '"') {
                if (strncmp(s, "\\u0000", ESCAPE) == 0) {
                        *ret_wrong = "a string has a NUL in it";
                        return NULL;
                }
                if (s[0] == '\\' && !is_ascii(s[1])) {
                        *ret_wrong = "there is no such escape";
                        return NULL;
                }
                if (s[0] == '\\' && s[1] != '\0')
                        s++;
                s++;
        }
        if (*s == '\0') {
                *ret_wrong = "a string does not end";
                return NULL;
        }
        return s;
}

static bool is_above(const char *s, size_t digits, const char *most) {
        const size_t n = strlen(most);

        return digits > n || (digits == n && strncmp(s, most, n) > 0);
}

/* What json-c 0.16 lets through though it is strict: names in single quotes, a NUL in names, and whole
 * numbers that do not fit in 64 bits, of which it makes the nearest that does (json_parse_uint64() drops
 * ERANGE). NULL, or what is wrong. */
static const char *scan(const char *text) {
        const char *wrong = NULL;

        for (const char *s = text; *s != '\0'; s++) {
                size_t digits = strspn(s, "0123456789");

                if (is_above(s, digits, "18446744073709551615"))
                        return "a number is larger than 18446744073709551615";
                if (s > text && s[-1] == '-' && is_above(s, digits, "9223372036854775808"))
                        return "a number is smaller than -9223372036854775808";
                if (digits > 0) {
                        s += digits - 1;
                        continue;
                }
                if (*s == '\'')
                        return "single quotes are not JSON";
                if (*s != '"')
                        continue;
                s = scan_string(s + 1, &wrong);
                if (!s)
                        return wrong;
        }
        return NULL;
}

/* The character that begins at *s, which is valid; *s is set behind it. */
static uint32_t next_character(const char **s) {
        const unsigned char *c = (const unsigned char *) *s;
        const unsigned follow = c[0] < 0xe0 ? 1 : c[0] < 0xf0 ? 2 : 3;
        uint32_t character = c[0] & (0x3fU >> follow);

        for (unsigned i = 1; i <= follow; i++)
                character = character << 6 | (c[i] & 0x3fU);
        *s += follow + 1;
        return character;
}

/* RFC 8259, section 7: what is above U+FFFF as two surrogates. */
static char *put_escape(char *to, uint32_t character) {
        if (character > 0xffff) {
                character -= 0x10000;
                to = put_escape(to, 0xd800 | character >> 10);
                character = 0xdc00 | (character & 0x3ff);
        }
        return to + snprintf(to, ESCAPE + 1, "\\u%04x", (unsigned) character);
}

static char *to_ascii(const char *text) {
        size_t size = 1;
        char *ascii, *to;

        for (const char *s = text; *s != '\0'; s++)
                size += is_ascii(*s) ? 1 : ESCAPE / 2;          /* the shortest sequence has two bytes */
        ascii = to = malloc(size);
        if (!ascii)
                return NULL;
        for (const char *s = text; *s != '\0';)
                if (is_ascii(*s))
                        *to++ = *s++;
                else
                        to = put_escape(to, next_character(&s));
        *to = '\0';
        return ascii;
}

int codec_text_scan(const char *text, char **ret_ascii, const char **ret_wrong) {
        const size_t n = strlen(text);
        const char *s = text;

        assert(ret_ascii);
        assert(ret_wrong);

        *ret_wrong = utf8_valid_prefix(text, n) == n ? scan(text) : "it is not UTF-8";
        if (*ret_wrong)
                return -EBADMSG;
        while (*s != '\0' && is_ascii(*s))
                s++;
        *ret_ascii = *s != '\0' ? to_ascii(text) : NULL;
        return *s != '\0' && !*ret_ascii ? -ENOMEM : 0;
}
