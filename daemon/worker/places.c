/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>

#include "worker/fiemap.h"
#include "worker/places.h"

/* The parts of a piece before and behind the extent. A piece that FIEMAP puts where the extent lies is
 * nonsense, and left out. */
typedef struct Finder {
        Range known;            /* file offsets of the extent */
        SpaceMap *map;
} Finder;

static int add(Finder *f, Range piece, uint64_t device) {
        int r;

        if (piece.start >= piece.end)
                return 0;
        r = spacemap_add(f->map, piece, device);
        return r == -EEXIST || r == -EOVERFLOW ? 0 : r;
}

static int take_piece(Range piece, uint64_t device, uint32_t flags, void *userdata) {
        Finder *f = userdata;
        Range before = piece, behind = piece;
        int r;

        if (flags & (EXTENT_UNPLACED | FIEMAP_EXTENT_UNWRITTEN))
                return 0;
        if (before.end > f->known.start)
                before.end = f->known.start;
        if (behind.start < f->known.end)
                behind.start = f->known.end;

        r = add(f, before, device);
        return r < 0 ? r : add(f, behind, device + (behind.start - piece.start));
}

/* From the poisoned device, which the extent is on, to the file system's. */
static int add_extent(const Site *s, const Extent *extent, Range known, SpaceMap *map) {
        _cleanup_spacemap_ SpaceMap in_device = {}, places = {};
        int r;

        r = spacemap_add(&in_device, known, extent->range.start);
        if (r >= 0)
                r = site_places(s, extent->range, &places);
        return r < 0 ? r : spacemap_compose(&in_device, &places, map);
}

int places_find(const Site *s, int file_fd, Range window, const Extent *extent, SpaceMap *ret) {
        SpaceMap map = {};
        Finder f = { .known = { extent->offset, extent->offset + range_size(extent->range) }, .map = &map };
        int r;

        assert(ret);

        if (site_is_dax(s))             /* an address is an offset there */
                return spacemap_add(ret, window, window.start);

        r = add_extent(s, extent, f.known, &map);
        if (r >= 0)
                r = fiemap_walk(file_fd, window, take_piece, &f);
        if (r < 0 && r != -EOPNOTSUPP && r != -ENOTTY) {
                spacemap_done(&map);
                return r;
        }

        *ret = map;
        return 0;
}
