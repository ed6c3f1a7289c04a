/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the administrator allows, as a value: made by the configuration, sent to the worker, asked by the
 * planner. Paths are compared as they stand; who reads them normalises them. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy.h"
#include "util/parse.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/time-util.h"
#include "util/vec.h"

static const char *const mode_table[_MODE_MAX] = {
        [MODE_REPAIR] = "repair",
        [MODE_OBSERVE] = "observe",
};

static const char *const exclusion_table[_EXCLUSION_MAX] = {
        [EXCLUSION_LEASE] = "lease",
        [EXCLUSION_FREEZE] = "freeze",
        [EXCLUSION_OPTIMISTIC] = "optimistic",
};

static const char *const writer_table[_WRITER_MAX] = {
        [WRITER_AUTO] = "auto",
        [WRITER_PWRITE] = "pwrite",
        [WRITER_REVIVE] = "revive",
        [WRITER_BLOCK] = "block",
        [WRITER_CLONE] = "clone",
        [WRITER_PARK] = "park",
        [WRITER_MEND] = "mend",
        [WRITER_CLEAR] = "clear",
        [WRITER_PUNCH] = "punch",
};

void policy_init(Policy *p) {
        assert(p);

        *p = (Policy) {
                .mode = MODE_REPAIR,
                .rescan_usec = RESCAN_DEFAULT_USEC,
                .worker_timeout_usec = WORKER_TIMEOUT_DEFAULT_USEC,
                .budget_n = BUDGET_DEFAULT_N,
                .budget_usec = BUDGET_DEFAULT_USEC,
                .page_budget_n = PAGE_BUDGET_DEFAULT_N,
                .page_budget_usec = PAGE_BUDGET_DEFAULT_USEC,
                .park_reserve = PARK_RESERVE_DEFAULT,
        };
}

void policy_done(Policy *p) {
        assert(p);

        free(p->credentials_dir);
        free(p->notify_unit);
        p->credentials_dir = p->notify_unit = NULL;
        for (size_t i = 0; i < p->protects.n; i++)
                protect_done(&p->protects.items[i]);
        vec_done(&p->protects);
}

void protect_init(Protect *p) {
        assert(p);

        *p = (Protect) {
                .proof = PROOF_POLICY_DEFAULT,
                .exclusion = {
                        .items = { EXCLUSION_LEASE, EXCLUSION_FREEZE, EXCLUSION_OPTIMISTIC },
                        .n = 3,
                },
                .writer = WRITER_AUTO,
        };
}

void protect_done(Protect *p) {
        assert(p);

        free(p->name);
        free(p->path);
        free(p->device);
        p->name = p->path = p->device = NULL;
        p->replicas = strv_free(p->replicas);
}

int protect_copy(const Protect *p, Protect *ret) {
        _cleanup_protect_ Protect c = {};
        int r;

        assert(p);
        assert(ret);

        r = str_copy(p->name, &c.name);
        if (r < 0)
                return r;
        r = str_copy(p->path, &c.path);
        if (r < 0)
                return r;
        r = str_copy(p->device, &c.device);
        if (r < 0)
                return r;
        r = strv_copy(p->replicas, &c.replicas);
        if (r < 0)
                return r;

        c.proof = p->proof;
        c.exclusion = p->exclusion;
        c.writer = p->writer;
        *ret = c;
        c = (Protect) {};
        return 0;
}

const char *protect_relative(const Protect *p, const char *path) {
        size_t n;

        assert(p);
        assert(path);

        if (!p->path)
                return NULL;

        n = strlen(p->path);
        if (n == 0 || strncmp(path, p->path, n) != 0)
                return NULL;
        if (p->path[n - 1] == '/')              /* "/" alone ends in a slash that is the component's own */
                return path + n;
        if (path[n] == '/')
                return path + n + 1;
        return path[n] == '\0' ? path + n : NULL;
}

const Protect *policy_find_path(const Policy *p, const char *path) {
        const Protect *found = NULL;

        assert(p);
        assert(path);

        for (size_t i = 0; i < p->protects.n; i++) {
                const Protect *c = &p->protects.items[i];

                if (protect_relative(c, path) && (!found || strlen(c->path) > strlen(found->path)))
                        found = c;
        }
        return found;
}

const Protect *policy_find_device(const Policy *p, const char *device) {
        assert(p);
        assert(device);

        for (size_t i = 0; i < p->protects.n; i++)
                if (streq_ptr(p->protects.items[i].device, device))
                        return &p->protects.items[i];
        return NULL;
}

const Protect *policy_find_owner(const Policy *p, const Owner *o) {
        if (!o->path)
                return NULL;
        return o->type == OWNER_DEVICE_DAX ? policy_find_device(p, o->path) : policy_find_path(p, o->path);
}

const char *mode_to_string(Mode m) {
        return str_at(mode_table, _MODE_MAX, (int) m);
}

Mode mode_from_string(const char *s) {
        return (Mode) str_index(mode_table, _MODE_MAX, s);
}

const char *exclusion_to_string(Exclusion e) {
        return str_at(exclusion_table, _EXCLUSION_MAX, (int) e);
}

Exclusion exclusion_from_string(const char *s) {
        return (Exclusion) str_index(exclusion_table, _EXCLUSION_MAX, s);
}

bool writer_takes_shared(WriterKind w) {
        return w == WRITER_BLOCK || w == WRITER_CLONE;
}

bool writer_suits(WriterKind w, Exclusion e) {
        if (w == WRITER_CLEAR)
                return e == EXCLUSION_OPTIMISTIC;
        if (w == WRITER_PUNCH)
                return e == EXCLUSION_LEASE;
        return (w == WRITER_BLOCK) == (e == EXCLUSION_FREEZE);
}

const char *writer_to_string(WriterKind w) {
        return str_at(writer_table, _WRITER_MAX, (int) w);
}

WriterKind writer_from_string(const char *s) {
        return (WriterKind) str_index(writer_table, _WRITER_MAX, s);
}

int exclusion_list_parse(const char *s, ExclusionList *ret) {
        ExclusionList l = {};

        assert(s);
        assert(ret);

        for (;;) {
                size_t word = strcspn(s, ",");
                int e = str_index_n(exclusion_table, _EXCLUSION_MAX, s, word);

                if (e < 0)
                        return -EINVAL;
                for (size_t i = 0; i < l.n; i++)
                        if ((int) l.items[i] == e)
                                return -EINVAL;
                l.items[l.n++] = (Exclusion) e; /* none twice: there is room for all */
                if (s[word] == '\0')
                        break;
                s += word + 1;
        }

        *ret = l;
        return 0;
}

char *exclusion_list_format(const ExclusionList *l) {
        size_t size = 1;
        char *text, *end;

        assert(l);
        assert(l->n <= _EXCLUSION_MAX);

        for (size_t i = 0; i < l->n; i++)
                size += strlen(exclusion_table[l->items[i]]) + 1;

        text = end = malloc(size);
        if (!text)
                return NULL;

        *end = '\0';
        for (size_t i = 0; i < l->n; i++) {
                if (i > 0)
                        *end++ = ',';
                end = stpcpy(end, exclusion_table[l->items[i]]);
        }
        return text;
}

int park_reserve_parse(const char *s, ParkReserve *ret) {
        _cleanup_free_ char *number = NULL;
        ParkReserve p = {};
        size_t n;
        int r;

        assert(s);
        assert(ret);

        n = strlen(s);
        if (n > 0 && s[n - 1] == '%') {
                number = strndup(s, n - 1);
                if (!number)
                        return -ENOMEM;
                r = parse_u64(number, &p.percent);
                if (r >= 0 && p.percent > 100)
                        r = -ERANGE;
        } else
                r = parse_size(s, &p.bytes);
        if (r < 0)
                return r;

        *ret = p;
        return 0;
}

uint64_t park_reserve_of(const ParkReserve *p, uint64_t fs_size) {
        uint64_t part;

        assert(p);

        /* Without the product, which may not fit. */
        part = fs_size / 100 * p->percent + fs_size % 100 * p->percent / 100;
        return part > p->bytes ? part : p->bytes;
}

int budget_parse(const char *s, uint64_t *ret_n, uint64_t *ret_usec) {
        _cleanup_free_ char *number = NULL;
        uint64_t n = 0, usec = 0;
        const char *slash;
        int r, k;

        assert(s);
        assert(ret_n);
        assert(ret_usec);

        slash = strchr(s, '/');
        if (!slash)
                return -EINVAL;
        number = strndup(s, (size_t) (slash - s));
        if (!number)
                return -ENOMEM;

        r = parse_u64(number, &n);
        k = parse_usec(slash + 1, &usec);
        if (r == -EINVAL || k == -EINVAL)
                return -EINVAL;
        if (r < 0 || k < 0 || n < 1 || n > BUDGET_MAX_N || usec < USEC_PER_SEC)
                return -ERANGE;

        *ret_n = n;
        *ret_usec = usec;
        return 0;
}

int policy_copy(const Policy *p, Policy *ret) {
        _cleanup_policy_ Policy copy = *p;
        int r;

        copy.credentials_dir = copy.notify_unit = NULL;
        copy.protects.items = NULL;
        copy.protects.n = copy.protects.allocated = 0;
        r = str_copy(p->notify_unit, &copy.notify_unit);
        if (r >= 0)
                r = str_copy(p->credentials_dir, &copy.credentials_dir);
        if (r < 0)
                return r;
        for (size_t i = 0; i < p->protects.n; i++) {
                _cleanup_protect_ Protect one = {};

                r = protect_copy(p->protects.items + i, &one);
                if (r >= 0)
                        r = vec_push(&copy.protects, one);
                if (r < 0)
                        return r;
                one = (Protect) {};
        }

        *ret = copy;
        copy = (Policy) {};
        return 0;
}
