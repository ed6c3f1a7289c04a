/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is valid UTF-8: the table of well-formed byte sequences of RFC 3629, section 4. */

#include <assert.h>
#include <stdint.h>

#include "util/utf8.h"

/* By the first byte: how many bytes follow, and what the first of these may be; the others are 80..BF. */
static const struct {
        uint8_t first, last;
        uint8_t follow;
        uint8_t low, high;
} sequences[] = {
        { 0x00, 0x7f, 0, 0x00, 0x00 },
        { 0xc2, 0xdf, 1, 0x80, 0xbf },
        { 0xe0, 0xe0, 2, 0xa0, 0xbf },
        { 0xe1, 0xec, 2, 0x80, 0xbf },
        { 0xed, 0xed, 2, 0x80, 0x9f },
        { 0xee, 0xef, 2, 0x80, 0xbf },
        { 0xf0, 0xf0, 3, 0x90, 0xbf },
        { 0xf1, 0xf3, 3, 0x80, 0xbf },
        { 0xf4, 0xf4, 3, 0x80, 0x8f },
};

/* The length of the character at s; 0 for none. */
static size_t character(const uint8_t *s, size_t n) {
        for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
                if (s[0] < sequences[i].first || s[0] > sequences[i].last)
                        continue;
                if (n <= sequences[i].follow)
                        return 0;
                if (sequences[i].follow > 0 && (s[1] < sequences[i].low || s[1] > sequences[i].high))
                        return 0;
                for (size_t k = 2; k <= sequences[i].follow; k++)
                        if (s[k] < 0x80 || s[k] > 0xbf)
                                return 0;
                return 1U + sequences[i].follow;
        }
        return 0;
}

size_t utf8_valid_prefix(const char *s, size_t n) {
        size_t done = 0;

        assert(s || n == 0);

        while (done < n) {
                size_t k = character((const uint8_t *) s + done, n - done);

                if (k == 0)
                        break;
                done += k;
        }
        return done;
}
