/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Only the bad sectors, past the file system, which the caller has frozen. The driver clears each and
 * copies (drivers/nvdimm/pmem.c, pmem_do_write()); good sectors are not touched, so no store to them can be
 * lost, and all files that share the block are healed at once.
 *
 * A page that is not present in the kernel's map must never be written in this way: for less than a page
 * nothing brings it back (pmem_mkpage_present() counts whole pages), and the copy has no fixup: a kernel
 * oops. Present is a page of which a good sector can be read: the read has a fixup. So every good sector is
 * read here, immediately before; where one cannot be, or there is none, nothing is written. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "write/writer-backends.h"

int read_good_sectors(const Target *t) {
        _Alignas(REPAIR_UNIT) uint8_t found[REPAIR_UNIT];
        _cleanup_rangeset_ RangeSet good = {};
        int r;

        if (t->block_fd < 0)
                return -EINVAL;
        r = rangeset_add(&good, t->range);
        if (r >= 0)
                r = rangeset_subtract_all(&good, t->bad);
        if (r >= 0 && good.n == 0)
                return -EPERM;
        for (size_t i = 0; r >= 0 && i < good.n; i++) {
                Range g = good.items[i];

                r = pread_full(t->block_fd, found, range_size(g), g.start);
        }
        return r;
}

static int block_write(Writer *w, const Target *t, const void *page) {
        _cleanup_rangeset_ RangeSet bad = {};
        int r;

        if (t->block_fd < 0 || !t->bad)
                return -EINVAL;

        r = rangeset_clip(t->bad, t->range, &bad);
        if (r >= 0)
                r = read_good_sectors(t);
        if (r < 0)
                return r;

        for (size_t i = 0; i < bad.n; i++) {
                Range b = bad.items[i];

                assert(range_is_aligned(b, SECTOR_SIZE));
                r = pwrite_full(t->block_fd, (const uint8_t *) page + (b.start - t->range.start),
                                range_size(b), b.start);
                if (r < 0)
                        return r;
        }
        if (fdatasync(t->block_fd) < 0)
                return -errno;

        /* Without DAX the file may have a copy of the page in memory, also of what a cleared sector had:
         * what is read back, by us and by whoever reads the file, shall be what lies below. All of the
         * file: a page within a larger folio is not dropped for itself (find_lock_entries()). */
        (void) posix_fadvise(t->file_fd, 0, 0, POSIX_FADV_DONTNEED);
        return 0;
}

const WriterOps writer_block_ops = {
        .name = "block",
        .kind = WRITER_BLOCK,
        .write = block_write,
};
