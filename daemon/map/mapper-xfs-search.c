/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One look at everything, for an XFS that has no reverse mapping: what is free or in a fixed place is told
 * by the kernel and the geometry; for the rest the extent maps of all files are read, by several threads,
 * the likely ones first, until every byte has an owner. An extent that is shared goes on being searched for
 * to the end, since the kernel says that there are others but not who. */

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "map/mapper-xfs.h"
#include "map/xfs-extents.h"
#include "util/parallel.h"
#include "util/vec.h"

void xfs_search_done(XfsSearch *s) {
        rangeset_done(&s->open);
        rangeset_done(&s->shared);
        rangeset_done(&s->allocated);
        owners_done(&s->owners);
}

/* With the lock. */
static int take_open(XfsSearch *s, const Owner *like, Range range) {
        int r;

        for (size_t i = 0; i < s->open.n; i++) {
                _cleanup_owner_ Owner o = {};

                if (s->open.items[i].start >= range.end)
                        break;
                r = owner_copy(like, &o);
                if (r < 0)
                        return r;
                o.range = range;
                r = owner_clamp(&o, s->open.items[i]);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;

                if (o.shared)
                        r = rangeset_add(&s->shared, o.range);
                else
                        r = 0;
                if (r >= 0)
                        r = vec_push(&s->owners, o);
                if (r < 0)
                        return r;
                o = (Owner) {};
        }
        return like->shared ? 0 : rangeset_subtract(&s->open, range);
}

/* Everything of `range` that is still asked for belongs to `like`, whose offset is that of range.start. */
static int take(XfsSearch *s, const Owner *like, Range range) {
        int r = 0;

        /* Nearly all extents of a file system have nothing to do with the question: no lock for them. */
        if (!rangeset_overlaps(s->asked, range))
                return 0;
        (void) pthread_mutex_lock(&s->lock);
        if (rangeset_overlaps(&s->open, range))
                r = take_open(s, like, range);
        s->done = s->open.n == 0;
        (void) pthread_mutex_unlock(&s->lock);
        return r;
}

static int take_as(XfsSearch *s, OwnerType type, const char *detail, Range range) {
        return take(s, &(Owner) { .type = type, .detail = (char *) detail }, range);
}

/* What is in the same place as long as the file system lives. */
static int take_fixed(XfsSearch *s, const XfsGeometry *g) {
        const uint64_t ag_size = (uint64_t) g->ag_blocks * g->block_size;
        Range log;
        int r = 0;

        if (s->on->part != FS_PART_DATA)
                return 0;
        if (xfs_log(g, &log))
                r = take_as(s, OWNER_LOG, NULL, log);

        for (uint32_t ag = 0; r >= 0 && ag < g->ag_count; ag++)
                if (rangeset_overlaps(&s->open, (Range) { ag * ag_size, ag * ag_size + ag_size }))
                        r = take_as(s, OWNER_METADATA, "superblock and allocation group headers",
                                    xfs_headers(g, ag));
        return r;
}

/* What is free; and what the kernel says is not. Of the rest it says nothing. */
static int take_free(XfsSearch *s, const XfsGeometry *g) {
        _cleanup_rangeset_ RangeSet asked = {};
        int r;

        r = rangeset_copy(&s->open, &asked);
        for (size_t i = 0; r >= 0 && i < asked.n; i++) {
                _cleanup_xfs_records_ XfsRecords records = {};
                Range wide, in;

                if (xfs_widen(asked.items[i], g->block_size, &wide) < 0)
                        continue; /* at the very end of all numbers is no file system */
                r = xfs_query(s->on, wide, &records);
                if (r != 0)
                        return r;

                for (size_t k = 0; r >= 0 && k < records.n; k++) {
                        r = range_init(records.items[k].fmr_physical, records.items[k].fmr_length, &in);
                        if (r < 0)
                                return -EUCLEAN;
                        if (!(records.items[k].fmr_flags & FMR_OF_SPECIAL_OWNER) ||
                            !range_intersect(in, asked.items[i], &in))
                                continue;
                        if (records.items[k].fmr_owner == XFS_OWNER_LOG && s->on->part != FS_PART_DATA)
                                return MAP_E_UNSUPPORTED; /* the device is not what it was taken for */
                        if (records.items[k].fmr_owner == FMR_OWN_FREE)
                                r = take_as(s, OWNER_FREE, NULL, in);
                        else
                                r = rangeset_add(&s->allocated, in);
                }
        }
        return r;
}

/* Blocks that have an inode in use in them. */
static int take_inodes(XfsSearch *s, const XfsGeometry *g, const XfsChunk *c) {
        const uint64_t start = xfs_inode_address(g, c->first);
        int r = 0;

        if (s->on->part != FS_PART_DATA ||
            !rangeset_overlaps(&s->open, (Range) { start, start + (uint64_t) XFS_CHUNK * g->inode_size }))
                return 0;

        for (unsigned i = 0; r >= 0 && i < XFS_CHUNK; i++) {
                const uint64_t block = xfs_inode_address(g, c->first + i);

                if (c->allocated & (UINT64_C(1) << i))
                        r = take_as(s, OWNER_METADATA, "inodes", (Range) { block, block + g->block_size });
        }
        return r;
}

typedef struct Look {
        XfsSearch *search;
        Owner like;
} Look;

static int look_at_extent(const XfsExtent *e, void *userdata) {
        Look *l = userdata;

        if (l->like.type == OWNER_FILE) {
                l->like.offset = e->offset;
                l->like.unwritten = e->unwritten;
                l->like.shared = e->shared;
        }
        return take(l->search, &l->like, e->range);
}

static int look_at_fork(XfsSearch *s, int fd, const XfsStat *st, bool attributes) {
        Look l = {
                .search = s,
                .like = {
                        .type = !attributes && S_ISREG(st->mode) ? OWNER_FILE : OWNER_METADATA,
                        .inode = st->ino,
                        .generation = st->generation,
                        .detail = attributes ? (char *) "extended attributes of inode" :
                                  S_ISREG(st->mode) ? NULL : (char *) "directory",
                },
        };

        return xfs_extents(fd, attributes, 0, UINT64_MAX, look_at_extent, &l);
}

/* What keeps us from one inode, and from no other. */
static bool is_its_own_trouble(int r) {
        return r == MAP_E_GONE || r == -EAGAIN || r == -EIO || r == -EUCLEAN || r == -EBADMSG ||
               r == -EINVAL;
}

/* Whatever lies on the device is the file system's own unless it is data of a regular file: of other inodes
 * it is enough to know what can be known. Symbolic links and special files cannot be opened by handle. */
static int look_at_inode(const XfsStat *st, void *userdata) {
        XfsSearch *s = userdata;
        const bool data = st->blocks > 0 && xfs_data_is_on(s->on, st);
        const bool attributes = st->attr_extents > 0 && s->on->part == FS_PART_DATA;
        _cleanup_close_ int opened = -1;
        int r, fd;

        if (s->done || !(data || attributes) || (!S_ISREG(st->mode) && !S_ISDIR(st->mode)))
                return 0;

        r = xfs_open_to_ask(s->on->mount_fd, s->asker, st->ino, st->generation, &opened, &fd);
        if (r == 0 && data)
                r = look_at_fork(s, fd, st, false);
        if (r == 0 && attributes)
                r = look_at_fork(s, fd, st, true);
        if (!is_its_own_trouble(r))
                return r;

        s->complete = false;
        return 0;
}

static int look_at_chunk(XfsSearch *s, const XfsChunk *c, XfsBulkstat *room) {
        uint64_t hidden = 0;
        int r;

        r = xfs_chunk_stat(s->on->mount_fd, c, room, look_at_inode, s, &hidden);
        for (unsigned i = 0; r == 0 && s->complete && hidden != 0 && i < XFS_CHUNK; i++)
                if ((hidden & (UINT64_C(1) << i)) && !xfs_inode_is_internal(s->on->mount_fd, c->first + i))
                        s->complete = false;
        return r;
}

/* All chunks, by several threads. */
typedef struct Crew {
        XfsSearch *search;
        const XfsChunk *chunks;
        XfsBulkstat *rooms;     /* one a thread */
} Crew;

static int look(unsigned thread, size_t i, void *userdata) {
        Crew *c = userdata;

        if (thread == 0)
                map_asker_tell(c->search->asker);
        return c->search->done ? 0 : look_at_chunk(c->search, &c->chunks[i], &c->rooms[thread]);
}

static int look_at_inodes(XfsSearch *s, const XfsGeometry *g) {
        const unsigned threads = parallel_threads();
        _cleanup_free_ XfsBulkstat *rooms = calloc(threads, sizeof(*rooms));
        _cleanup_xfs_chunks_ XfsChunks chunks = {};
        int r;

        if (!rooms)
                return -ENOMEM;
        r = xfs_chunks(s->on->mount_fd, &chunks);
        for (size_t i = 0; r >= 0 && i < chunks.n; i++)
                r = take_inodes(s, g, &chunks.items[i]);
        if (r < 0 || s->done)
                return r;

        xfs_chunks_order(s->on, g, &s->open, &rooms[0], &chunks);
        return parallel_for(threads, chunks.n, look,
                            &(Crew) { .search = s, .chunks = chunks.items, .rooms = rooms });
}

int xfs_search(const MapSection *on, const XfsGeometry *g, const RangeSet *ranges, const MapAsker *asker,
               XfsSearch *ret) {
        _cleanup_xfs_search_ XfsSearch s = { .on = on, .asker = asker, .asked = ranges,
                                            .lock = PTHREAD_MUTEX_INITIALIZER, .complete = true };
        int r;

        r = rangeset_copy(ranges, &s.open);
        if (r == 0)
                r = take_fixed(&s, g);
        if (r == 0)
                r = take_free(&s, g);
        if (r == 0 && s.open.n > 0)
                r = look_at_inodes(&s, g);
        if (r != 0)
                return r;

        *ret = s;
        ret->asked = NULL;
        s = (XfsSearch) {};
        return 0;
}
