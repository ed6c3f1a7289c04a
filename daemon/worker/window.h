/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/rangeset.h"
#include "worker/site.h"

/* What can still be read of a part of a file. */
typedef struct Window {
        Range range;            /* file offsets; within the file, but for the end of its last page */
        uint8_t *bytes;         /* range_size(range); zero where nothing survives; page-aligned */
        RangeSet surviving;     /* file offsets whose bytes are as the medium has them */
} Window;

void window_done(Window *w);
#define _cleanup_window_ _cleanup_(window_done)

/* Where the file's bytes lie on the device, for one extent: file offset `offset` is device address
 * `range.start`. */
typedef struct Extent {
        Range range;
        uint64_t offset;
} Extent;

/* Where a window is read. All is lent. */
typedef struct Outlook {
        const Site *site;
        int file_fd;
        uint64_t file_size;
        Extent extent;
        const RangeSet *bad;    /* the listed sectors (device addresses): never touched */
} Outlook;

/* Reads `wanted` (whole pages; clipped to file_size, aligned out to pages): through the file, and what
 * the kernel will not give there (a bad sector costs the whole page) sector by sector from the block
 * device, for pages of the extent. Bytes that cannot be read are no error: they do not survive. 0 or a
 * negative errno. */
int window_read(const Outlook *o, Range wanted, Window *ret);

/* Reads it again: the sectors that are not as they were (proof_moving()). 0 or a negative errno. */
int window_moving(const Outlook *o, const Window *w, RangeSet *ret);

/* The sectors of one page of the extent that are not in `bad`, from the block device into `page`
 * (REPAIR_UNIT bytes, aligned). *ret: their device addresses, as far as they could be read. 0 or a
 * negative errno (no memory). */
int page_salvage(const Site *s, Range page_range, const RangeSet *bad, uint8_t *page, RangeSet *ret);

/* A page of the file (file offsets, within w) as it would be with these bytes of a replica (of w->range) for
 * what does not survive. */
void window_page(const Window *w, const uint8_t *replica, Range page, uint8_t *ret);
