/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guard around libinih. The library takes sections, keys and values apart; but as Debian and others
 * build it, it cuts lines at 200 bytes, takes an indented line for more of the setting before it and " ;"
 * for a comment, accepts "KEY: VALUE" and rubbish behind a header, keeps the number of the first bad line
 * only and tells its handler none. Each of these would change the meaning of a line in silence. So it is
 * fed one checked line at a time, which is how a setting gets its line number, and a long line in pieces,
 * which it takes for continuation lines and which are put together again here. */

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/ini-text.h"
#include "util/utf8.h"

/* libinih keeps section names, and the key of a continued line, in 50 bytes. */
#define NAME_LENGTH_MAX 48

typedef struct Reader {
        const IniVisitor *visitor;
        const char *next, *end;         /* the text that is still to be read */
        unsigned line, header;
        bool header_bad;                /* the latest header could not be read */

        const char *piece;              /* of the line that libinih is reading: what it has not got yet */
        size_t n_piece;
        bool is_setting, is_refused;
        size_t n_given, n_taken;        /* pieces given to libinih, and taken by it for one setting */

        char section[NAME_LENGTH_MAX + 1], key[NAME_LENGTH_MAX + 1], value[INI_LINE_MAX + 1];
        int result;
} Reader;

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static const char *check_characters(const char *s, size_t n) {
        if (memchr(s, '\0', n))
                return "a NUL byte, where only text is allowed";
        if (utf8_valid_prefix(s, n) < n)
                return "not valid UTF-8";
        for (size_t i = 0; i < n; i++)
                if (((unsigned char) s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
                        return "a control character, where only text is allowed";
        if (n > INI_LINE_MAX)
                return "line too long; at most 4200 bytes are allowed";
        return NULL;
}

static const char *check_header(const char *s, size_t n) {
        if (n < 3 || n > NAME_LENGTH_MAX || s[n - 1] != ']' || memchr(s + 1, '[', n - 1) ||
            memchr(s, ']', n - 1))
                return "no section header; allowed is [NAME] alone; what follows is not used";
        return NULL;
}

static const char *check_setting(const char *s, size_t n) {
        const char *equals = memchr(s, '=', n), *colon = memchr(s, ':', n);

        if (!equals || (colon && colon < equals))
                return "no setting; allowed is KEY=VALUE";
        if (equals == s)
                return "no key before '='; allowed is KEY=VALUE";
        if (equals - s > NAME_LENGTH_MAX)
                return "unknown setting";
        if (s[n - 1] == '\\')
                return "a line cannot be continued on the next; write it as one";
        for (size_t i = 1; i < n; i++)
                if (s[i] == ';' && is_blank(s[i - 1]))
                        return "';' after a space; a comment needs a line of its own";
        return NULL;
}

/* Takes the next line off the text and the white space off the line. False: there is none. */
static bool take_line(Reader *r, const char **ret, size_t *ret_n) {
        const char *s = r->next, *newline;
        size_t n;

        if (s == r->end)
                return false;

        newline = memchr(s, '\n', (size_t) (r->end - s));
        n = (size_t) ((newline ? newline : r->end) - s);
        r->next = newline ? newline + 1 : r->end;
        r->line++;

        if (r->line == 1 && n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {      /* a byte order mark */
                s += 3;
                n -= 3;
        }
        if (n > 0 && s[n - 1] == '\r')
                n--;
        while (n > 0 && is_blank(s[n - 1]))
                n--;
        for (; n > 0 && is_blank(*s); n--)
                s++;

        *ret = s;
        *ret_n = n;
        return true;
}

static void refuse(Reader *r, const char *sentence) {
        r->is_refused = true;
        r->n_piece = 0;
        r->result = r->visitor->problem(r->line, sentence, r->visitor->userdata);
}

/* Finds the next line that says something, and that libinih will read as it is meant. */
static bool next_line(Reader *r) {
        const char *s, *problem;
        size_t n;

        while (r->result == 0 && take_line(r, &s, &n)) {
                if (n == 0 || *s == '#' || *s == ';')
                        continue;

                r->is_setting = *s != '[';
                problem = check_characters(s, n);
                if (!problem)
                        problem = r->is_setting ? check_setting(s, n) : check_header(s, n);
                if (!r->is_setting) {
                        r->header++;
                        r->header_bad = problem;
                }
                if (problem) {
                        refuse(r, problem);
                        continue;
                }

                r->piece = s;
                r->n_piece = n;
                r->n_given = r->n_taken = 0;
                r->is_refused = false;
                r->value[0] = '\0';
                return true;
        }
        return false;
}

/* Where to cut: libinih strips white space at both ends of a piece, takes ';' and '#' at its start for a
 * comment, and must find the '=' in the first. 0: nowhere. */
static size_t cut_piece(const Reader *r, size_t max) {
        const char *s = r->piece, *equals = r->n_given == 0 ? memchr(s, '=', r->n_piece) : NULL;
        size_t min = equals ? (size_t) (equals - s) + 1 : 1;

        if (r->n_piece <= max)
                return r->n_piece;
        while (max >= min && (is_blank(s[max - 1]) || is_blank(s[max]) || s[max] == ';' || s[max] == '#'))
                max--;
        return max >= min ? max : 0;
}

/* The line before is complete: hand it on. */
static void finish_line(Reader *r) {
        const IniLine l = { r->section, r->key, r->value, r->line, r->header };

        if (!r->is_setting || r->is_refused)
                return;
        r->is_setting = false;

        if (r->n_taken == 0 || r->n_taken != r->n_given)
                refuse(r, "no setting; allowed is KEY=VALUE");
        else if (!r->header_bad)
                r->result = r->visitor->setting(&l, r->visitor->userdata);
}

/* libinih asks for the next line, as by fgets(3). */
static char *read_piece(char *buf, int size, void *userdata) {
        Reader *r = userdata;
        size_t n = 0;

        /* a key and its '=' fit into the first piece, with room for a space before, a newline and a NUL */
        if (size < NAME_LENGTH_MAX + 8)
                r->result = -EOPNOTSUPP;

        while (r->result == 0 && n == 0) {
                if (r->n_piece == 0) {
                        finish_line(r);
                        if (r->result != 0 || !next_line(r))
                                return NULL;
                }
                n = cut_piece(r, (size_t) size - 3);
                if (n == 0)
                        refuse(r, "a long line with too many spaces in a row");
        }
        if (r->result != 0)
                return NULL;

        buf[0] = ' ';
        memcpy(buf + (r->n_given > 0), r->piece, n);
        strcpy(buf + (r->n_given > 0) + n, "\n");
        r->piece += n;
        r->n_piece -= n;
        r->n_given++;
        return buf;
}

/* libinih found a setting, or more of its value. What it says is bounded by the line that it was given. */
static int take_setting(void *userdata, const char *section, const char *key, const char *value) {
        Reader *r = userdata;

        if (!key || !value)             /* builds that announce headers */
                return 1;

        if (r->n_taken == 0) {
                (void) stpncpy(r->section, section, NAME_LENGTH_MAX);
                (void) stpncpy(r->key, key, NAME_LENGTH_MAX);
        }
        if (strcmp(key, r->key) == 0)   /* else it is no continuation for this build */
                r->n_taken++;
        (void) strncat(r->value, value, INI_LINE_MAX - strlen(r->value));
        return 1;
}

int ini_text_read(const char *text, size_t n, const IniVisitor *visitor) {
        Reader r = { .visitor = visitor, .next = text, .end = text + n };
        int k;

        assert(text);
        assert(visitor);

        k = ini_parse_stream(read_piece, &r, take_setting, &r);
        if (k == -2)
                return -ENOMEM;
        if (r.result == 0)
                finish_line(&r);
        if (r.result == 0 && r.next != r.end)   /* a libinih that stops at the first error */
                refuse(&r, "the rest of the file cannot be read");
        return r.result;
}
