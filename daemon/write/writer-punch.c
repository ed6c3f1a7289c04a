/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The old advice, for kernels whose write(2) does not clear (before 5.19): punch a hole where the page
 * is, and write the page. The file system gives it a block, perhaps another one; the bad one is free
 * space then, and stays bad until somebody is given it. Zeroes are read in between, so nobody else may
 * have the file open.
 *
 * What is punched is set free: never a page that is not present in the kernel's map, for its next owner
 * crashes the kernel. Present is a page of which a good sector can be read, immediately before. And never
 * what files share, of which one would have a block of its own then: the caller has just asked.
 *
 * The write is synchronous, but for this page only (RWF_DSYNC: vfs_fsync_range()): the log must not hold
 * the hole alone when the intent is forgotten; and fsync(2) of the whole file could touch pages that are
 * not present (see file_is_dax()). */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "write/writer-backends.h"

static int write_synchronously(const Target *t, const void *page) {
        const struct iovec v = { .iov_base = (void *) page, .iov_len = REPAIR_UNIT };
        ssize_t n;

        do
                n = pwritev2(t->file_fd, &v, 1, (off_t) t->offset, RWF_DSYNC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t) n == REPAIR_UNIT ? 0 : -EIO;
}

static int punch_write(Writer *w, const Target *t, const void *page) {
        int r;

        if (t->offset + REPAIR_UNIT > t->file_size || !t->bad)
                return -EINVAL;
        if (fcntl(t->file_fd, F_GETLEASE) != F_WRLCK)
                return -EPERM;

        if (!t->punched) {
                r = read_good_sectors(t);
                if (r < 0)
                        return r;
                if (fallocate(t->file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) t->offset,
                              REPAIR_UNIT) < 0)
                        return -errno;
                r = fault_point(getenv("BEZOAR_FAULT"), "punched");
                if (r < 0)
                        return r;
        }
        return write_synchronously(t, page);
}

const WriterOps writer_punch_ops = {
        .name = "punch",
        .kind = WRITER_PUNCH,
        .write = punch_write,
};
