/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A set of watched attributes. A watch has an address of its own, which the event loop knows it by; and it
 * is asked whether it still lives before it is kept, because a device that was removed and came back has the
 * same path and a new attribute. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/attribute-watch.h"
#include "source/watch-set.h"
#include "util/str.h"
#include "util/vec.h"

struct Watch {
        WatchSet *set;
        char *path, *device;
        AttributeWatch *attribute;
        bool wanted;
};

static Watch *watch_free(Watch *w) {
        if (!w)
                return NULL;

        attribute_watch_free(w->attribute);
        free(w->path);
        free(w->device);
        free(w);
        return NULL;
}
DEFINE_CLEANUP(Watch *, watch_free);

static void on_change(bool gone, void *userdata) {
        Watch *w = userdata;

        w->set->fn(w->device, gone, w->set->userdata);
}

/* 0, WATCH_E_IMPOSSIBLE, or a negative errno. */
static int watch_new(WatchSet *s, const char *path, const char *device, Watch **ret) {
        _cleanup_(watch_freep) Watch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;

        w->set = s;
        w->wanted = true;
        r = str_copy(path, &w->path);
        if (r < 0)
                return r;
        r = str_copy(device, &w->device);
        if (r < 0)
                return r;
        r = attribute_watch_open(s->event, path, REARM_READ, on_change, w, &w->attribute);
        if (r != 0)
                return r;

        *ret = TAKE_PTR(w);
        return 0;
}

/* The newest: one that took the place of a dead one comes after it. */
static Watch *find(const WatchSet *s, const char *path, const char *device) {
        for (size_t i = s->watches.n; i > 0; i--) {
                Watch *w = s->watches.items[i - 1];

                if (strcmp(w->path, path) == 0 && strcmp(w->device, device) == 0)
                        return w;
        }
        return NULL;
}

void watch_set_begin(WatchSet *s) {
        assert(s);

        for (size_t i = 0; i < s->watches.n; i++)
                s->watches.items[i]->wanted = false;
}

int watch_set_want(WatchSet *s, const char *path, const char *device) {
        _cleanup_(watch_freep) Watch *w = NULL;
        Watch *old;
        int r;

        assert(s);
        assert(path);
        assert(device);

        old = find(s, path, device);
        if (old && (old->wanted || attribute_watch_is_alive(old->attribute))) {
                old->wanted = true;
                return 0;
        }

        r = watch_new(s, path, device, &w);
        if (r != 0)
                return r == WATCH_E_IMPOSSIBLE ? 0 : r;
        r = vec_push(&s->watches, w);
        if (r < 0)
                return r;
        (void) TAKE_PTR(w);
        return 0;
}

void watch_set_end(WatchSet *s) {
        size_t n = 0;

        assert(s);

        for (size_t i = 0; i < s->watches.n; i++)
                if (s->watches.items[i]->wanted)
                        s->watches.items[n++] = s->watches.items[i];
                else
                        watch_free(s->watches.items[i]);
        s->watches.n = n;
}

void watch_set_done(WatchSet *s) {
        assert(s);

        watch_set_begin(s);
        watch_set_end(s);
        vec_done(&s->watches);
}
