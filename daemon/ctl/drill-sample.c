/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A reservoir for each page that is wanted: a file of p pages, when t have been seen with it, takes the
 * place with the probability p / t. So one walk will do, and memory for the pages that are chosen. */

#include <assert.h>
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "core/range.h"
#include "ctl/drill-sample.h"

void sample_done(Sample *s) {
        for (size_t i = 0; i < s->n; i++)
                free(s->items[i].path);
        free(s->items);
        *s = (Sample) {};
}

int sample_init(Sample *s, size_t wanted) {
        assert(wanted > 0);

        *s = (Sample) { .wanted = wanted };
        if (getrandom(&s->random, sizeof(s->random), 0) != sizeof(s->random))
                return -EIO;
        s->random |= 1;
        s->items = calloc(wanted, sizeof(*s->items));
        return s->items ? 0 : -ENOMEM;
}

/* 0 … n - 1, by xorshift64*; that n does not divide 2^64 does not matter here. */
static uint64_t below(Sample *s, uint64_t n) {
        s->random ^= s->random >> 12;
        s->random ^= s->random << 25;
        s->random ^= s->random >> 27;
        return s->random * UINT64_C(0x2545f4914f6cdd1d) % n;
}

static int add_file(Sample *s, const char *path, uint64_t size) {
        uint64_t pages = (size + REPAIR_UNIT - 1) / REPAIR_UNIT;

        if (pages == 0)
                return 0;
        s->pages += pages;
        s->n = s->wanted;
        for (size_t i = 0; i < s->n; i++) {
                uint64_t page = below(s, s->pages);
                char *copy;

                if (page >= pages)
                        continue;
                copy = strdup(path);
                if (!copy)
                        return -ENOMEM;
                free(s->items[i].path);
                s->items[i] = (SamplePage) { .path = copy, .offset = page * REPAIR_UNIT };
        }
        return 0;
}

static void fts_closep(FTS **f) {
        if (*f)
                (void) fts_close(*f);
}

int sample_add(Sample *s, const char *path, void (*fn)(const char *path, int error)) {
        __attribute__((cleanup(fts_closep))) FTS *fts = NULL;
        char *roots[] = { (char *) path, NULL };
        FTSENT *e;
        int r = 0;

        fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
        if (!fts)
                return -errno;

        while (r >= 0 && (e = fts_read(fts)))
                switch (e->fts_info) {
                case FTS_F:
                        r = add_file(s, e->fts_path, (uint64_t) e->fts_statp->st_size);
                        break;
                case FTS_D:
                        if (e->fts_level > 0 && strcmp(e->fts_name, ".bezoar") == 0)
                                (void) fts_set(fts, e, FTS_SKIP);
                        break;
                case FTS_DNR:
                case FTS_ERR:
                case FTS_NS:
                        fn(e->fts_path, e->fts_errno);
                        break;
                default:
                        break;
                }
        return r;
}
