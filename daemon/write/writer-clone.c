/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The page is written to another block, which every file that has the bad one is given instead of it. So
 * nothing is written to the bad block, whose page may be absent; and it must not become free, since the
 * kernel crashes when it zeroes such a block for its next owner: a guard file is given it first.
 * FICLONERANGE changes extent maps only, no byte of the bad block is read (tests/vm: heal-shared-mce).
 *
 * The file that the caller is about comes last: as long as it has the bad block, whoever finds the poison
 * again finds that file, and begins from the start.
 *
 * Durable without syncing the files themselves: fsync(2) of a DAX file flushes whatever programs have stored
 * to it, by the kernel's own addresses, and one of these may be absent too. The log is forced by way of the
 * guard, which is changed after all of them and which nobody maps. */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "write/writer-backends.h"

static int clone_range(int from, uint64_t from_offset, uint64_t n, int to, uint64_t to_offset) {
        const struct file_clone_range c = {
                .src_fd = from,
                .src_offset = from_offset,
                .src_length = n,
                .dest_offset = to_offset,
        };

        return ioctl(to, FICLONERANGE, &c) < 0 ? -errno : 0;
}

static int new_block(const CloneTarget *c, const void *page, uint64_t n, int *ret) {
        _cleanup_close_ int fd = openat(c->folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = pwrite_full(fd, page, n, 0);
        if (r < 0)
                return r;
        if (fsync(fd) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

/* The new block (of fd) to whoever has the bad one. */
static int replace(const CloneTarget *c, int fd, uint64_t n, const CloneTo *to) {
        int r = c->look(to, c->userdata);

        return r < 0 ? r : clone_range(fd, 0, n, to->fd, to->offset);
}

static int force_log(int guard_fd) {
        return futimens(guard_fd, NULL) < 0 || fsync(guard_fd) < 0 ? -errno : 0;
}

static int clone_write(Writer *w, const Target *t, const void *page) {
        uint64_t n = t->offset + REPAIR_UNIT <= t->file_size ? REPAIR_UNIT : t->file_size - t->offset;
        const CloneTo self = { .fd = t->file_fd, .offset = t->offset };
        const CloneTarget *c = t->clone;
        _cleanup_close_ int fd = -1;
        int r;

        if (!c || !c->look)
                return -EINVAL;

        r = new_block(c, page, n, &fd);
        if (r >= 0)
                r = clone_range(t->file_fd, t->offset, n, c->guard_fd, 0);
        if (r >= 0)
                r = force_log(c->guard_fd);
        for (size_t i = 0; r >= 0 && i < c->n_others; i++)
                r = replace(c, fd, n, &c->others[i]);
        if (r >= 0)
                r = replace(c, fd, n, &self);
        if (r >= 0)
                r = force_log(c->guard_fd);
        if (r < 0)
                return r;

        (void) posix_fadvise(t->file_fd, (off_t) t->offset, REPAIR_UNIT, POSIX_FADV_DONTNEED);
        return 0;
}

const WriterOps writer_clone_ops = {
        .name = "clone",
        .kind = WRITER_CLONE,
        .write = clone_write,
};
