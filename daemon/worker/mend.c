/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The file system rebuilds what was lost of its own, and we look at what became of the place: a header is
 * written where it was, which clears the poison; a btree gets other blocks, and the lost one is free space
 * then. Nothing is written by us, and no intent is logged: the file system's own log is what keeps a rebuild
 * from being half done. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/volume.h"
#include "util/file.h"
#include "util/vec.h"
#include "worker/freeze.h"
#include "worker/intents.h"
#include "worker/mend.h"
#include "worker/page.h"

typedef struct Mending {
        const Request *request;
        const Findings *f;
        Site site;
        int intents_fd, lock_fd;
        Mend mend;              /* as the file system says now */
        char *story;            /* what was tried, and what came of it */
        size_t story_size;
        FILE *out;              /* to `story` */
        unsigned rebuilt;
        ProgressFn progress;
        void *userdata;
        Result result;
} Mending;

enum {
        _MENDING_E_SUCCESS,

        MENDING_E_ENDED,        /* the outcome is in result */
};

#define ended(m, ...) (result_set(&(m)->result, __VA_ARGS__), MENDING_E_ENDED)

static void mending_done(Mending *m) {
        if (m->out)
                (void) fclose(m->out);
        free(m->story);
        site_close(&m->site);
        closep(&m->intents_fd);
        closep(&m->lock_fd);
        result_done(&m->result);
}

/* Where the pages are on the file system's device: in one piece there, or else nothing can be asked. */
static int fs_place(const Site *s, Range range, Range *ret) {
        _cleanup_spacemap_ SpaceMap map = {};
        uint64_t to;
        int r;

        r = site_places(s, range, &map);
        if (r < 0)
                return r;
        if (!volume_page_fits(&map, range, &to))
                return -ENOENT;
        *ret = (Range) { to, to + range_size(range) };
        return 0;
}

int mend_look(const Site *s, Range range, const RangeSet *bad, Mend *ret) {
        const MapSection section = site_section(s);
        _cleanup_rangeset_ RangeSet there = {};
        Mend m = {};
        Range place;
        int r;

        *ret = m;
        if (s->mount_fd < 0 || s->volume->hindrance)
                return 0;

        r = fs_place(s, range, &place);
        for (size_t i = 0; r >= 0 && i < bad->n; i++)
                r = rangeset_add(&there, (Range) { bad->items[i].start - range.start + place.start,
                                                   bad->items[i].end - range.start + place.start });
        if (r >= 0)
                r = mapper_mendable(s->ops, &section, place, &there, &m);
        if (r >= 0)
                *ret = m;
        return r == -ENOMEM ? r : 0;
}

/* Still as it was located: nobody else's meanwhile, and its page there. */
static int prepare(Mending *m) {
        const Request *q = m->request;
        int r;

        if (q->policy.mode != MODE_REPAIR)
                return ended(m, CASE_WAITING, REASON_OBSERVE, NULL);

        r = intents_open(q->state_dir, &m->intents_fd);
        if (r >= 0)
                r = intents_lock(m->intents_fd, q->volume.device, &m->lock_fd);
        if (r == -EBUSY)
                return ended(m, CASE_WAITING, REASON_FILE_BUSY, "an earlier worker has not ended yet");
        if (r < 0)
                return r;

        r = site_open(&q->volume, &m->site);
        if (r > 0)
                return ended(m, CASE_WAITING, REASON_UNMOUNTED, NULL);
        if (r == 0 && m->site.read_only)
                return ended(m, CASE_WAITING, REASON_READ_ONLY, NULL);
        if (r == 0)
                r = mend_look(&m->site, m->f->range, &m->f->bad, &m->mend);
        if (r < 0)
                return r;
        if (m->mend.parts != m->f->mend.parts || m->mend.group != m->f->mend.group ||
            m->mend.inode != m->f->mend.inode || m->mend.generation != m->f->mend.generation)
                return ended(m, CASE_DETECTED, REASON_CHANGED, "the place has changed meanwhile");
        return 0;
}

static int note_owner(const Owner *o, void *userdata) {
        bool *metadata = userdata;

        *metadata = *metadata || o->type == OWNER_METADATA || o->type == OWNER_UNKNOWN;
        return 0;
}

/* Is the place settled, one way or the other: > 0; 0: it is still metadata that is listed. */
static int is_over(const Mending *m) {
        _cleanup_rangeset_ RangeSet listed = {}, pages = {};
        bool metadata = false;
        int r;

        r = site_listed(&m->site, m->f->range, &listed);
        if (r < 0 || listed.n == 0)
                return r < 0 ? r : 1;
        r = rangeset_add(&pages, m->f->range);
        if (r >= 0)
                r = site_walk(&m->site, &pages, note_owner, &metadata);
        return r < 0 ? r : !metadata;
}

static void tell(const Mending *m, MendPart part) {
        Result r = { .id = m->request->id, .progress = true, .state = CASE_REPAIRING,
                     .exclusion = _EXCLUSION_INVALID };

        if (asprintf(&r.detail, "the file system is asked to rebuild its %s", mend_part_to_string(part)) < 0)
                r.detail = NULL;
        m->progress(&r, m->userdata);
        free(r.detail);
}

/* A header is written where it was, but only when the file system empties its log: freezing has that done at
 * once. Where it may not be frozen, it is done within the minute, and the list will say so. */
static int write_back(Mending *m) {
        Freeze freeze = FREEZE_NULL;
        int r;

        if (syncfs(m->site.mount_fd) < 0)
                return -errno;
        if (!m->f->freezable)
                return 0;
        r = freeze_begin(&m->site, m->intents_fd, &freeze);
        if (r < 0)
                return r == -EBUSY ? 0 : r;
        r = freeze_end(&freeze, &m->result.frozen_usec);
        return r == -ESTALE ? 0 : r;
}

/* > 0: the place is settled; 0: everything was tried. */
static int rebuild(Mending *m) {
        int r = 0;

        for (MendPart p = 0; r == 0 && p < _MEND_PART_MAX; p++) {
                if (!(m->mend.parts & MEND_BIT(p)))
                        continue;
                tell(m, p);
                r = mapper_mend(m->site.ops, m->site.mount_fd, &m->mend, p);
                if (r == -ENOENT) { /* this file system has none */
                        r = 0;
                        continue;
                }
                fprintf(m->out, "%s%s: %s", ftell(m->out) > 0 ? ", " : "", mend_part_to_string(p),
                        r == 0 ? "rebuilt" : r == -EUCLEAN ? "damaged still" : strerror(-r));
                m->rebuilt += r == 0;
                r = r == 0 ? is_over(m) : r == -ENOMEM ? r : 0;
        }
        if (r == 0 && m->rebuilt > 0) {
                r = write_back(m);
                if (r >= 0)
                        r = is_over(m);
        }
        return r;
}

/* The bytes that are there now. */
static int read_back(const Mending *m) {
        _cleanup_free_ void *page = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        int r = page ? 0 : -ENOMEM;

        for (uint64_t at = m->f->range.start; r >= 0 && at < m->f->range.end; at += REPAIR_UNIT)
                r = pread_full(m->site.block_fd, page, REPAIR_UNIT, at);
        return r < 0 ? r : 0;
}

static int conclude(Mending *m, bool over) {
        _cleanup_rangeset_ RangeSet listed = {};
        int r;

        r = site_listed(&m->site, m->f->range, &listed);
        if (r < 0)
                return r;
        if (fflush(m->out) != 0)
                return -ENOMEM;

        if (m->rebuilt == 0)
                return ended(m, CASE_DETECTED, REASON_NONE, "%s", m->story);
        m->result.writer = WRITER_MEND;
        if (listed.n > 0)
                return ended(m, CASE_DETECTED, REASON_NONE, "%s, %s", m->story,
                             over ? "in other blocks" : "and the kernel lists the place still");
        r = read_back(m);
        if (r < 0)
                return ended(m, CASE_DETECTED, REASON_NONE, "%s, but the place cannot be read: %s", m->story,
                             strerror(-r));
        return ended(m, CASE_HEALED, REASON_NONE, "%s by the file system, and the medium is clean there",
                     m->story);
}

int mend(const Request *request, ProgressFn progress, void *userdata, Result *ret) {
        __attribute__((cleanup(mending_done))) Mending m = {
                .request = request,
                .site = SITE_NULL,
                .intents_fd = -1,
                .lock_fd = -1,
                .progress = progress,
                .userdata = userdata,
                .result = { .id = request->id, .writer = WRITER_AUTO, .exclusion = _EXCLUSION_INVALID },
        };
        int r;

        assert(progress);

        if (request->ranges.n != 1 || !request->state_dir || request->plan.verdict != VERDICT_MEND ||
            request->ranges.items[0].mend.parts == 0)
                return -EINVAL;
        m.f = request->ranges.items;
        m.out = open_memstream(&m.story, &m.story_size);
        if (!m.out)
                return -ENOMEM;

        r = prepare(&m);
        if (r == 0) {
                r = rebuild(&m);
                if (r >= 0)
                        r = conclude(&m, r > 0);
        }
        if (r < 0)
                return r;

        *ret = m.result;
        m.result = (Result) {};
        return 0;
}
