/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The file system gives out blocks as it likes. So that a guard is given certain ones, they are aimed at;
 * where that does not work, the guard is given piece after piece of the free space around them
 * (core/park). */

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

#include "core/park.h"
#include "worker/fiemap.h"
#include "worker/park-parts.h"

typedef struct Piece {
        const Park *park;
        RangeSet got;           /* on the device */
        RangeSet found;         /* of it, what is wanted */
        bool in_group;          /* some of it is where the wanted blocks are */
} Piece;

static void piece_done(Piece *piece) {
        rangeset_done(&piece->got);
        rangeset_done(&piece->found);
}
#define _cleanup_piece_ _cleanup_(piece_done)

static int look_at_extent(Range in_file, uint64_t at, uint32_t flags, void *userdata) {
        Piece *piece = userdata;
        const Park *p = piece->park;
        uint64_t group = p->wanted.items[0].start / p->groups.size;
        Range device = { at, at + range_size(in_file) };
        _cleanup_rangeset_ RangeSet hit = {};
        int r;

        if (flags & EXTENT_UNPLACED)
                return -EUCLEAN;
        if (device.start / p->groups.size <= group && group <= (device.end - 1) / p->groups.size)
                piece->in_group = true;
        r = rangeset_add(&piece->got, device);
        if (r >= 0)
                r = rangeset_clip(&p->wanted, device, &hit);
        return r < 0 ? r : rangeset_add_all(&piece->found, &hit);
}

int park_listed_pages(const Park *p, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet listed = {}, here = {};
        int r;

        r = site_listed(&p->site, (Range) { 0, p->site.size }, &listed);
        if (r < 0 && r != -EOVERFLOW)
                return r;
        r = guard_translate(&p->space, &listed, &here);
        return r < 0 ? r : rangeset_align_out(&here, REPAIR_UNIT, ret);
}

/* How much may be taken now. */
static int allowed(const Park *p, uint64_t *ret_free, uint64_t *ret_reserve) {
        struct statvfs v;

        if (fstatvfs(p->site.mount_fd, &v) < 0)
                return -errno;
        *ret_free = (uint64_t) v.f_bavail * v.f_frsize;
        *ret_reserve = park_reserve_of(&p->request->policy.park_reserve,
                                       (uint64_t) v.f_blocks * v.f_frsize);
        return 0;
}

/* Asks for a piece of free space at that place in the guard, and sees what it got. */
static int take(const Park *p, uint64_t at, uint64_t size, Piece *piece) {
        piece->park = p;
        /* ENOSPC may come after a part of it. */
        if (fallocate(p->guard.fd, FALLOC_FL_KEEP_SIZE, (off_t) at, (off_t) size) < 0 && errno != ENOSPC)
                return -errno;
        return fiemap_walk(p->guard.fd, (Range) { at, at + size }, look_at_extent, piece);
}

static int give_back(const Park *p, uint64_t at, uint64_t size) {
        return fallocate(p->guard.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) at,
                         (off_t) size) < 0 ? -errno : 0;
}

static int end_of(Range in_file, uint64_t at, uint32_t flags, void *userdata) {
        *(uint64_t *) userdata = in_file.end;
        return 0;
}

/* ---- by aiming ---- */

/* An extent of the guard, of one block. */
typedef struct Seed {
        uint64_t at;            /* in the file */
        uint64_t block;         /* on the device */
} Seed;

#define AIM_ROOM (UINT64_C(1) << 50)    /* before and behind a seed, in the file: more than any distance on
                                         * the device */
#define AIMS_MAX 16

/* XFS places a piece of a file behind the piece that comes before it in the file, as far behind it as it is
 * in the file when nothing comes after it (xfs_bmap_adjacent(), since ever); so one that lies before the
 * wanted block leads to it at once, wherever that is. From one that lies behind it there is a way as
 * well, but only over a distance of four times the size of the piece; it leads nearer. */
static int aim(const Park *p, Range run, Seed *seed, RangeSet *found) {
        bool before = seed->block < run.start;
        uint64_t distance = before ? run.start - seed->block : seed->block - run.start;
        uint64_t unit = p->groups.block_size, at = before ? seed->at + distance : seed->at - distance;
        uint64_t size = before ? range_size(run) : (distance / 4 + unit - 1) / unit * unit;
        uint64_t free = 0, reserve = 0;
        _cleanup_piece_ Piece piece = {};
        Seed next = *seed;
        int r;

        r = allowed(p, &free, &reserve);
        if (r < 0)
                return r;
        if (size > distance && !before)
                size = distance;
        if (free < reserve || free - reserve < size)
                return 1;
        r = take(p, at, size, &piece);
        if (r >= 0)
                r = rangeset_add_all(found, &piece.found);
        if (r < 0 || piece.found.n > 0)
                return r;

        /* The nearest way on: any block before it, else the one that is least far behind it. */
        for (size_t i = 0; i < piece.got.n; i++) {
                uint64_t block = piece.got.items[i].start;

                if (block / p->groups.size == run.start / p->groups.size &&
                    (block < run.start || (next.block > run.start && block < next.block)))
                        next.block = block;
        }
        if (before || next.block == seed->block)
                return give_back(p, at, size) < 0 ? -errno : 1;

        /* From there on with one block, at a place that is as good as the first. */
        seed->block = next.block;
        return 2;
}

static int find_in_file(Range in_file, uint64_t at, uint32_t flags, void *userdata) {
        Seed *s = userdata;

        if (s->block < at || s->block >= at + range_size(in_file))
                return 0;
        s->at = in_file.start + (s->block - at);
        return 1;
}

/* All of the guard but one block, so that nothing else leads anywhere. */
static int keep_seed(const Park *p, Seed *s, const RangeSet *found) {
        _cleanup_rangeset_ RangeSet keep = {};
        int r;

        r = park_listed_pages(p, &keep);
        if (r >= 0)
                r = rangeset_add_all(&keep, found);
        if (r >= 0)
                r = rangeset_add(&keep, (Range) { s->block, s->block + p->groups.block_size });
        if (r >= 0)
                r = guard_shrink(&p->guard, &keep);
        if (r >= 0)
                r = fiemap_walk(p->guard.fd, GUARD_ALL, find_in_file, s);
        return r == 0 ? -ENODATA : r < 0 ? r : 0;
}

/* 0: found, or not by this way. */
static int search_by_aim(const Park *p, RangeSet *found) {
        uint64_t unit = p->groups.block_size, free = 0, reserve = 0;
        _cleanup_piece_ Piece first = {};
        Seed seed = {};
        int r;

        r = fiemap_walk(p->guard.fd, GUARD_ALL, end_of, &seed.at);   /* of an earlier try */
        seed.at += AIM_ROOM;
        if (r >= 0 && seed.at < AIM_ROOM * 1024)
                r = allowed(p, &free, &reserve);
        if (r < 0 || free < reserve || free - reserve < unit)
                return r;
        r = take(p, seed.at, unit, &first);
        if (r >= 0)
                r = rangeset_add_all(found, &first.found);
        if (r < 0 || !first.in_group || first.found.n > 0)
                return r;
        seed.block = first.got.items[0].start;

        for (unsigned i = 0, tries = 0; i < p->wanted.n && tries < AIMS_MAX; tries++) {
                if (rangeset_contains(found, p->wanted.items[i])) {
                        i++;
                        continue;
                }
                r = aim(p, p->wanted.items[i], &seed, found);
                if (r == 2)
                        r = keep_seed(p, &seed, found);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return 0;
}

/* ---- by looking through the group ---- */

/* Gives the guard one piece behind what it has. 0, 1: there was none where it is wanted. */
static int take_next(const Park *p, uint64_t size, uint64_t *at, RangeSet *found) {
        _cleanup_piece_ Piece piece = {};
        int r;

        r = take(p, *at, size, &piece);
        if (r >= 0)
                r = rangeset_add_all(found, &piece.found);
        if (r < 0)
                return r;
        if (!piece.in_group)
                return give_back(p, *at, size) < 0 ? -errno : 1;
        *at += size;
        return 0;
}

/* Until the guard owns all that is wanted, or there is no more that may be taken. What a file system keeps
 * for itself in each group is never had this way. */
static int search_group(const Park *p, RangeSet *found) {
        uint64_t at = 0, free = 0, reserve = 0, piece;
        ParkSearch s;
        int r;

        r = fiemap_walk(p->guard.fd, GUARD_ALL, end_of, &at);
        park_search_begin(&s, p->groups.size, p->groups.block_size);
        while (r >= 0 && !rangeset_equal(found, &p->wanted)) {
                r = allowed(p, &free, &reserve);
                if (r < 0)
                        return r;
                piece = park_search_next(&s, free, reserve);
                if (piece == 0)
                        return 0;
                r = take_next(p, piece, &at, found);
                if (r > 0)
                        park_search_missed(&s);
        }
        return r < 0 ? r : 0;
}

int park_search(const Park *p, RangeSet *found) {
        int r = park_fault(p, "park-aim");

        if (r == 0)
                r = search_by_aim(p, found);
        if (r >= 0 && !rangeset_equal(found, &p->wanted))
                r = search_group(p, found);
        return r;
}
