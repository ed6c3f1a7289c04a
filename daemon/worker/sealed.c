/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/sealed.h"

void sealed_done(Sealed *s) {
        seal_file_close(&s->file);
        s->digester = digester_free(s->digester);
        *s = SEALED_NULL;
}

static SealTime seal_time(struct timespec t) {
        return (SealTime) { t.tv_sec, (uint32_t) t.tv_nsec };
}

int sealed_open(const char *state_dir, const char *uuid, uint64_t inode, uint32_t generation,
                const struct stat *st, Sealed *ret) {
        _cleanup_sealed_ Sealed s = SEALED_NULL;
        int r;

        if (state_dir && uuid) {
                r = digester_new(&s.digester);
                if (r < 0)
                        return r;
                r = seal_file_open(state_dir, uuid, inode, generation, s.digester, &s.file);
                if (r == -ENOMEM)
                        return r;
                /* A store that cannot be read proves nothing; other proofs may do. */
                s.current = r == 0 && seal_is_current(&s.file.seal, inode, generation,
                                                      (uint64_t) st->st_size, seal_time(st->st_mtim),
                                                      seal_time(st->st_ctim));
                s.state_dir = state_dir;
                s.uuid = uuid;
        }

        *ret = s;
        s = SEALED_NULL;
        return 0;
}

int sealed_check_page(const Sealed *s, uint64_t offset, const uint8_t *page) {
        uint8_t sealed[SEAL_DIGEST], now[SEAL_DIGEST];
        int r;

        assert(offset % REPAIR_UNIT == 0);

        if (!s->current || offset >= s->file.seal.size)
                return SEALED_E_SILENT;
        r = seal_file_digest(&s->file, s->digester, offset / REPAIR_UNIT, sealed);
        if (r != 0)
                return r == -ENOMEM ? r : SEALED_E_SILENT;
        r = digest(s->digester,
                   (const DigestPart[]) {
                           { page, range_size(seal_page_range(&s->file.seal, offset / REPAIR_UNIT)) }, {} },
                   now);
        if (r < 0)
                return r;
        return memcmp(sealed, now, SEAL_DIGEST) == 0 ? 0 : SEALED_E_DIFFERS;
}

int sealed_check(const Sealed *s, const Window *w, const uint8_t *replica, const RangeSet *lost) {
        _cleanup_rangeset_ RangeSet pages = {};
        int r;

        if (!s->current)
                return SEALED_E_SILENT;
        r = rangeset_align_out(lost, REPAIR_UNIT, &pages);
        if (r < 0)
                return r;
        assert(pages.n > 0);

        for (size_t i = 0; i < pages.n; i++)
                for (uint64_t at = pages.items[i].start; at < pages.items[i].end; at += REPAIR_UNIT) {
                        uint8_t page[REPAIR_UNIT];

                        assert(range_contains(w->range, (Range) { at, at + REPAIR_UNIT }));
                        window_page(w, replica, (Range) { at, at + REPAIR_UNIT }, page);
                        r = sealed_check_page(s, at, page);
                        if (r != 0)
                                return r;
                }
        return 0;
}

int sealed_restamp(Sealed *s, const struct stat *st) {
        SealTime mtime = seal_time(st->st_mtim), ctime = seal_time(st->st_ctim);
        const Seal *seal = &s->file.seal;

        assert(s->current);

        if (seal_is_current(seal, seal->inode, seal->generation, (uint64_t) st->st_size, mtime, ctime))
                return 0;
        return seal_restamp(s->state_dir, s->uuid, &s->file, s->digester, mtime, ctime);
}

int sealed_end(Sealed *s) {
        int r;

        assert(s->current);

        r = seal_remove(s->state_dir, s->uuid, s->file.seal.inode, s->file.seal.generation);
        if (r >= 0)
                s->current = false;
        return r;
}
