/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "replica/silent.h"
#include "util/strv.h"

#define HANGING_MAX 8   /* threads of a worker that may hang at once; more than that is no worker any more */

/* Not a value that is handed around: a thread that comes back after hours knows of no caller. */
static struct {
        pthread_mutex_t lock;
        char **now;             /* silent in this request */
        char *hanging[HANGING_MAX];
} silent = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t hanging_find(const char *uri) {
        for (size_t i = 0; i < HANGING_MAX; i++)
                if (uri ? silent.hanging[i] && strcmp(silent.hanging[i], uri) == 0 : !silent.hanging[i])
                        return i;
        return HANGING_MAX;
}

bool silent_is(const char *uri) {
        bool is;

        (void) pthread_mutex_lock(&silent.lock);
        is = strv_contains(silent.now, uri) || hanging_find(uri) < HANGING_MAX;
        (void) pthread_mutex_unlock(&silent.lock);
        return is;
}

bool silent_is_full(void) {
        bool full;

        (void) pthread_mutex_lock(&silent.lock);
        full = hanging_find(NULL) == HANGING_MAX;
        (void) pthread_mutex_unlock(&silent.lock);
        return full;
}

bool silent_add(const char *uri, bool hangs) {
        bool kept = true;

        (void) pthread_mutex_lock(&silent.lock);
        if (hangs) {
                size_t i = hanging_find(NULL);

                if (i < HANGING_MAX)
                        silent.hanging[i] = strdup(uri);
                kept = i < HANGING_MAX && silent.hanging[i];
        } else if (!strv_contains(silent.now, uri))
                kept = strv_extend(&silent.now, uri) >= 0;
        (void) pthread_mutex_unlock(&silent.lock);
        return kept;
}

void silent_ended(const char *uri) {
        size_t i;

        (void) pthread_mutex_lock(&silent.lock);
        i = hanging_find(uri);
        if (i < HANGING_MAX) {
                free(silent.hanging[i]);
                silent.hanging[i] = NULL;
        }
        (void) pthread_mutex_unlock(&silent.lock);
}

void silent_forget(void) {
        (void) pthread_mutex_lock(&silent.lock);
        strv_free(silent.now);
        silent.now = NULL;
        (void) pthread_mutex_unlock(&silent.lock);
}
