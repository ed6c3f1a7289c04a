/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Owners are plain values: what a mapper said about some bytes. They own their strings and nothing else,
 * so that a copy is independent of the mapper, of the file and of the moment. */

#include <assert.h>

#include "core/owner.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

static const char *const owner_type_table[_OWNER_TYPE_MAX] = {
        [OWNER_FREE] = "free",
        [OWNER_FILE] = "file",
        [OWNER_METADATA] = "metadata",
        [OWNER_LOG] = "log",
        [OWNER_UNKNOWN] = "unknown",
        [OWNER_DEVICE_DAX] = "device-dax",
        [OWNER_UNMOUNTED] = "unmounted",
};

void owner_done(Owner *o) {
        assert(o);

        free(o->path);
        free(o->detail);
        o->path = o->detail = NULL;
        o->names = strv_free(o->names);
}

void owners_done(Owners *o) {
        assert(o);

        for (size_t i = 0; i < o->n; i++)
                owner_done(&o->items[i]);
        vec_done(o);
}

int owner_copy(const Owner *o, Owner *ret) {
        _cleanup_owner_ Owner c = {};
        int r;

        assert(o);
        assert(ret);

        r = str_copy(o->path, &c.path);
        if (r < 0)
                return r;
        r = str_copy(o->detail, &c.detail);
        if (r < 0)
                return r;
        r = strv_copy(o->names, &c.names);
        if (r < 0)
                return r;

        *ret = *o;
        ret->path = TAKE_PTR(c.path);
        ret->detail = TAKE_PTR(c.detail);
        ret->names = TAKE_PTR(c.names);
        return 0;
}

int owners_copy(const Owners *o, Owners *ret) {
        _cleanup_owners_ Owners c = {};
        int r;

        assert(o);
        assert(ret);

        for (size_t i = 0; i < o->n; i++) {
                _cleanup_owner_ Owner item = {};

                r = owner_copy(&o->items[i], &item);
                if (r < 0)
                        return r;
                r = vec_push(&c, item);
                if (r < 0)
                        return r;
                item = (Owner) {};
        }

        *ret = c;
        c = (Owners) {};
        return 0;
}

int owner_clamp(Owner *o, Range window) {
        uint64_t offset;
        Range in;

        assert(o);

        if (!range_intersect(o->range, window, &in))
                return 0;
        offset = o->offset;
        if (o->type == OWNER_FILE && __builtin_add_overflow(offset, in.start - o->range.start, &offset))
                return -EOVERFLOW;

        o->offset = offset;
        o->range = in;
        return 1;
}

static int push_clipped(const Owner *o, Range window, Owners *to) {
        _cleanup_owner_ Owner item = {};
        int r;

        r = owner_copy(o, &item);
        if (r >= 0)
                r = owner_clamp(&item, window);
        if (r >= 0)
                r = vec_push(to, item);
        if (r >= 0)
                item = (Owner) {};
        return r;
}

int owners_clip(const Owners *o, Range window, Owners *ret) {
        _cleanup_owners_ Owners clipped = {};
        Range in;

        assert(o);
        assert(ret);

        for (size_t i = 0; i < o->n; i++) {
                int r;

                if (!range_intersect(o->items[i].range, window, &in))
                        continue;
                r = push_clipped(&o->items[i], window, &clipped);
                if (r < 0)
                        return r;
        }

        *ret = clipped;
        clipped = (Owners) {};
        return 0;
}

const char *owner_type_to_string(OwnerType t) {
        return str_at(owner_type_table, _OWNER_TYPE_MAX, (int) t);
}

OwnerType owner_type_from_string(const char *s) {
        return (OwnerType) str_index(owner_type_table, _OWNER_TYPE_MAX, s);
}
