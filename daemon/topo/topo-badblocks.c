/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel's list of bad blocks, as block/badblocks.c badblocks_show() prints it: "sector count\n" lines,
 * into one page. It prints until the page is full, and sysfs then cuts the text to one byte less
 * (fs/sysfs/file.c sysfs_kf_seq_show()): with some 300 entries the last line is half a line. Half a number
 * is a wrong number, so that line is not believed. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "topo/topo.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/sysfs.h"

/* The largest page of any architecture. */
#define BADBLOCKS_SIZE_MAX ((size_t) 64 * 1024)

static int parse_number(const char **p, const char *end, uint64_t *ret) {
        const char *s = *p;
        uint64_t v = 0;

        for (; s < end && *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(v, 10, &v) ||
                    __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -EBADMSG;
        if (s == *p)
                return -EBADMSG;

        *p = s;
        *ret = v;
        return 0;
}

/* `end` is the line's newline. */
static int parse_line(const char *p, const char *end, Range *ret) {
        uint64_t sector, count;
        int r;

        r = parse_number(&p, end, &sector);
        if (r < 0)
                return r;
        if (p == end || *p++ != ' ')
                return -EBADMSG;
        r = parse_number(&p, end, &count);
        if (r < 0)
                return r;
        if (p != end || range_init_sectors(sector, count, ret) < 0)
                return -EBADMSG;
        return 0;
}

/* One byte less than a page, 4 KiB or larger. */
static bool fills_page(size_t length) {
        size_t page = length + 1;

        return page >= 4096 && (page & length) == 0;
}

int topo_badblocks_parse(const char *text, RangeSet *ret, bool *ret_truncated) {
        _cleanup_rangeset_ RangeSet set = {};
        const char *p, *newline;
        int r;

        assert(text);
        assert(ret);
        assert(ret_truncated);

        for (p = text; (newline = strchr(p, '\n')); p = newline + 1) {
                Range range;

                r = parse_line(p, newline, &range);
                if (r < 0)
                        return r;
                r = rangeset_add(&set, range);
                if (r < 0)
                        return r;
        }

        *ret_truncated = *p || fills_page((size_t) (p - text));
        *ret = set;
        set = (RangeSet) {};
        return 0;
}

static int read_list(const char *folder, const char *name, RangeSet *ret, bool *ret_truncated) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t size;
        int r;

        r = sysfs_attribute(folder, name, "badblocks", &path);
        if (r < 0)
                return r;
        r = file_read(AT_FDCWD, path, BADBLOCKS_SIZE_MAX, &text, &size);
        if (r < 0)
                return r;
        if (memchr(text, '\0', size))
                return -EBADMSG;
        return topo_badblocks_parse(text, ret, ret_truncated);
}

int topo_badblocks(const char *disk, const char *region, Range window, RangeSet *ret, bool *ret_truncated) {
        _cleanup_rangeset_ RangeSet all = {}, in_window = {}, moved = {};
        int r;

        assert(disk);

        if (!region)
                return read_list("block", disk, ret, ret_truncated);

        r = read_list("bus/nd/devices", region, &all, ret_truncated);
        if (r >= 0)
                r = rangeset_clip(&all, window, &in_window);
        for (size_t i = 0; r >= 0 && i < in_window.n; i++)
                r = rangeset_add(&moved, (Range) { in_window.items[i].start - window.start,
                                                   in_window.items[i].end - window.start });
        if (r < 0)
                return r;

        /* In order of address: a list that was cut off behind the window is complete for it. */
        if (*ret_truncated && all.n > 0 && all.items[all.n - 1].end >= window.end)
                *ret_truncated = false;
        *ret = moved;
        moved = (RangeSet) {};
        return 0;
}
