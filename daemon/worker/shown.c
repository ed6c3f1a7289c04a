/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/digest.h"
#include "worker/shown.h"

void shown_page(const Gathered *g, const Evidence *e, uint64_t file_size, const Step *s,
                uint8_t ret[static REPAIR_UNIT]) {
        assert(s->offset < file_size);

        window_page(&g->window, e->bytes, (Range) { s->offset, s->offset + REPAIR_UNIT }, ret);
        if (file_size - s->offset < REPAIR_UNIT)
                memset(ret + (file_size - s->offset), 0, REPAIR_UNIT - (file_size - s->offset));
}

/* Texts with the NUL at their end, so that what is one cannot be taken for two. */
static void put_text(FILE *f, const char *text) {
        (void) fwrite(text ? text : "", 1, strlen(text ? text : "") + 1, f);
}

static int put_step(FILE *f, const Request *q, const Gathered *g, const Evidence *e, const Step *s) {
        uint64_t file_size = q->ranges.items[0].file_size;
        _cleanup_rangeset_ RangeSet lost = {};
        uint8_t page[REPAIR_UNIT];
        int r;

        r = rangeset_clip(&g->lost, (Range) { s->offset, s->offset + REPAIR_UNIT }, &lost);
        if (r < 0)
                return r;
        (void) fprintf(f, "page %" PRIu64 " %" PRIu64, s->range.start, s->offset);
        for (size_t i = 0; i < lost.n; i++)
                (void) fprintf(f, " %" PRIu64 "-%" PRIu64, lost.items[i].start, lost.items[i].end);
        (void) fputc('\0', f);
        shown_page(g, e, file_size, s, page);
        (void) fwrite(page, 1, sizeof(page), f);
        return 0;
}

static int put_all(FILE *f, const Request *q, const Gathered *g, const Evidence *e) {
        const Owner *o = q->ranges.items[0].owners.items;
        int r = 0;

        put_text(f, "bezoar shown 1");
        (void) fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu64, q->id, o->inode, o->generation,
                       q->ranges.items[0].file_size);
        (void) fputc('\0', f);
        put_text(f, q->volume.device);
        put_text(f, q->volume.uuid);
        put_text(f, q->plan.replica);
        for (size_t i = 0; r >= 0 && i < q->plan.steps.n; i++)
                if (q->plan.steps.items[i].offset < q->ranges.items[0].file_size)
                        r = put_step(f, q, g, e, q->plan.steps.items + i);
        return r;
}

int shown_token(const Request *request, const Gathered *g, const Evidence *e,
                char ret[static SHOWN_TOKEN + 1]) {
        _cleanup_(digester_freep) Digester *d = NULL;
        _cleanup_free_ char *text = NULL;
        uint8_t sum[SEAL_DIGEST];
        size_t n = 0;
        FILE *f;
        int r;

        f = open_memstream(&text, &n);
        if (!f)
                return -ENOMEM;
        r = put_all(f, request, g, e);
        if (fclose(f) != 0 && r >= 0)
                r = -ENOMEM;
        if (r >= 0)
                r = digester_new(&d);
        if (r >= 0)
                r = digest(d, (const DigestPart[]) { { text, n }, {} }, sum);
        if (r < 0)
                return r;

        static_assert(2 * SEAL_DIGEST == SHOWN_TOKEN, "a token is a digest in hexadecimal");
        for (size_t i = 0; i < SEAL_DIGEST; i++)
                (void) snprintf(ret + 2 * i, 3, "%02x", sum[i]);
        return 0;
}

int shown_compare(const Gathered *g, const Evidence *e, uint64_t limit, Preview *p) {
        const bool zeroes = replica_kind_of(e->offer.replica, NULL) == REPLICA_ZEROES;
        int r;

        r = preview_add_lost(p, e->bytes, g->window.range.start, &g->lost, limit);
        for (size_t i = 0; r >= 0 && !zeroes && i < e->has.n; i++) {
                _cleanup_rangeset_ RangeSet both = {};

                r = rangeset_clip(&g->window.surviving, e->has.items[i], &both);
                if (r >= 0)
                        r = preview_add_survivors(p, g->window.bytes, e->bytes, g->window.range.start, &both,
                                                  limit);
        }
        preview_sort(p);
        return r;
}

int shown_contradicts_seal(const Request *request, const struct stat *st, const Gathered *g,
                           const Evidence *e, Sealed *ret) {
        const Owner *o = request->ranges.items[0].owners.items;
        _cleanup_sealed_ Sealed sealed = SEALED_NULL;
        int r;

        r = sealed_open(request->state_dir, request->volume.uuid, o->inode, o->generation, st, &sealed);
        if (r >= 0)
                r = sealed_check(&sealed, &g->window, e->bytes, &g->lost);
        if (r != SEALED_E_DIFFERS)
                return r < 0 ? r : 0;

        *ret = sealed;
        sealed = SEALED_NULL;
        return 1;
}
