/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Half-open byte ranges with checked arithmetic. A range is never empty and its end fits: every function
 * that makes one says so or fails, so that no caller has to ask again. */

#include <assert.h>
#include <errno.h>

#include "core/range.h"

int range_init(uint64_t start, uint64_t size, Range *ret) {
        uint64_t end;

        assert(ret);

        if (size == 0)
                return -EINVAL;
        if (__builtin_add_overflow(start, size, &end))
                return -EOVERFLOW;

        *ret = (Range) { start, end };
        return 0;
}

int range_init_sectors(uint64_t start_sector, uint64_t sectors, Range *ret) {
        uint64_t start, size;

        if (sectors == 0)
                return -EINVAL;
        if (__builtin_mul_overflow(start_sector, SECTOR_SIZE, &start))
                return -EOVERFLOW;
        if (__builtin_mul_overflow(sectors, SECTOR_SIZE, &size))
                return -EOVERFLOW;

        return range_init(start, size, ret);
}

bool range_intersect(Range a, Range b, Range *ret) {
        uint64_t start = a.start > b.start ? a.start : b.start;
        uint64_t end = a.end < b.end ? a.end : b.end;

        assert(ret);

        if (start >= end)
                return false;

        *ret = (Range) { start, end };
        return true;
}

int range_align_out(Range r, uint64_t unit, Range *ret) {
        uint64_t end;

        assert(ret);
        assert(r.start < r.end);
        assert(unit > 0 && (unit & (unit - 1)) == 0);

        if (__builtin_add_overflow(r.end, unit - 1, &end))
                return -EOVERFLOW;

        *ret = (Range) { r.start & ~(unit - 1), end & ~(unit - 1) };
        return 0;
}

int range_shift_up(Range r, uint64_t up, Range *ret) {
        Range moved;

        assert(ret);

        if (__builtin_add_overflow(r.start, up, &moved.start) ||
            __builtin_add_overflow(r.end, up, &moved.end))
                return -EOVERFLOW;

        *ret = moved;
        return 0;
}

int range_shift_down(Range r, uint64_t down, Range *ret) {
        assert(ret);

        if (r.start < down)
                return -EOVERFLOW;

        *ret = (Range) { r.start - down, r.end - down };
        return 0;
}
