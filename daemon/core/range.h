/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The unit of the kernel's bad-block lists (block/badblocks.c), and the smallest piece of poison that
 * they name. */
#define SECTOR_SIZE UINT64_C(512)

/* The unit of a repair: the DAX recovery write takes whole pages only (drivers/nvdimm/pmem.c,
 * pmem_recovery_write()). */
#define REPAIR_UNIT UINT64_C(4096)
#define SECTORS_PER_UNIT (REPAIR_UNIT / SECTOR_SIZE)

/* A half-open byte range, [start, end). All addresses in this project are bytes; a range that came in as
 * sectors or blocks is converted at the edge that read it. Never empty: start < end. */
typedef struct Range {
        uint64_t start;
        uint64_t end;
} Range;

/* 0, or -EINVAL when empty, or -EOVERFLOW when start + size does not fit. */
int range_init(uint64_t start, uint64_t size, Range *ret);

/* The same in 512-byte sectors. */
int range_init_sectors(uint64_t start_sector, uint64_t sectors, Range *ret);

/* True, and the overlap in *ret, when the two share at least one byte. */
bool range_intersect(Range a, Range b, Range *ret);

/* The smallest range of whole `unit`s (a power of two) that covers r; -EOVERFLOW at the very top. */
int range_align_out(Range r, uint64_t unit, Range *ret);

/* r moved by `up` bytes towards higher addresses; -EOVERFLOW. */
int range_shift_up(Range r, uint64_t up, Range *ret);

/* r moved by `down` bytes towards 0; -EOVERFLOW when it would start below 0. */
int range_shift_down(Range r, uint64_t down, Range *ret);

static inline uint64_t range_size(Range r) {
        return r.end - r.start;
}

static inline bool range_contains(Range outer, Range inner) {
        return outer.start <= inner.start && inner.end <= outer.end;
}

static inline bool range_equal(Range a, Range b) {
        return a.start == b.start && a.end == b.end;
}

static inline bool range_is_aligned(Range r, uint64_t unit) {
        return ((r.start | r.end) & (unit - 1)) == 0;
}
