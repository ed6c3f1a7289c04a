/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/replica-uri.h"
#include "core/word.h"

#define ACCEPT "accept"
#define ZERO "zero"

void word_done(Word *w) {
        free(w->replica);
        free(w->shown);
        *w = (Word) {};
}

bool shown_token_is_valid(const char *s) {
        return strlen(s) == SHOWN_TOKEN && strspn(s, "0123456789abcdef") == SHOWN_TOKEN;
}

bool word_is_zeroes(const Word *w) {
        return strcmp(w->replica, REPLICA_URI_ZEROES) == 0;
}

/* Takes "TOKEN", where it ends with `end`, from the front of *s. No URI of a replica looks like that. */
static int take_token(const char **s, char end, Word *w) {
        char token[SHOWN_TOKEN + 1];

        if (strlen(*s) < SHOWN_TOKEN || (*s)[SHOWN_TOKEN] != end)
                return 0;
        memcpy(token, *s, SHOWN_TOKEN);
        token[SHOWN_TOKEN] = '\0';
        if (!shown_token_is_valid(token))
                return 0;

        w->shown = strdup(token);
        if (!w->shown)
                return -ENOMEM;
        *s += SHOWN_TOKEN + (end != '\0');
        return 0;
}

static int parse_accept(const char *s, Word *w) {
        const char *why;
        int r = take_token(&s, ':', w);

        return r < 0 ? r : replica_uri_make(s, &w->replica, &why);
}

static int parse_zero(const char *s, Word *w) {
        int r = 0;

        if (*s == ':') {
                s++;
                r = take_token(&s, '\0', w);
                if (r >= 0 && !w->shown)
                        return -EINVAL;
        }
        if (r >= 0 && *s)
                return -EINVAL;
        w->replica = strdup(REPLICA_URI_ZEROES);
        return r < 0 ? r : w->replica ? 0 : -ENOMEM;
}

int word_parse(const char *action, Word *ret) {
        _cleanup_word_ Word w = {};
        int r = -EINVAL;

        assert(action);
        assert(ret);

        if (strncmp(action, ACCEPT ":", strlen(ACCEPT ":")) == 0)
                r = parse_accept(action + strlen(ACCEPT ":"), &w);
        else if (strncmp(action, ZERO, strlen(ZERO)) == 0)
                r = parse_zero(action + strlen(ZERO), &w);
        if (r < 0)
                return r;

        *ret = w;
        w = (Word) {};
        return 0;
}

char *word_format(const Word *w) {
        const char *shown = w->shown ? w->shown : "";
        char *text;
        int n;

        if (word_is_zeroes(w))
                n = asprintf(&text, ZERO "%s%s", w->shown ? ":" : "", shown);
        else
                n = asprintf(&text, ACCEPT ":%s%s%s", shown, w->shown ? ":" : "", w->replica);
        return n < 0 ? NULL : text;
}
