/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The page is written to another block, which every file that has the bad one is given instead of it. So
 * nothing is written to the bad block, whose page may be absent; and it must not become free, since the
 * kernel crashes when it zeroes such a block for its next owner: a guard file is given it first.
 * FICLONERANGE changes extent maps only, no byte of the bad block is read (tests/vm: heal-shared-mce). It
 * wants both files to have DAX, or neither. Where some of those that share the page have it and some have
 * not, which happens before Linux 6.2 (worker/alike.h), each kind is given a block of its own.
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

/* The files that have the new block, [1] with DAX; -1: nobody needs that one. */
typedef struct Blocks {
        int fds[2];
} Blocks;

static void blocks_done(Blocks *b) {
        closep(&b->fds[0]);
        closep(&b->fds[1]);
}

static int new_block(const CloneTarget *c, const void *page, uint64_t n, int user_fd, Blocks *b) {
        const bool dax = file_is_dax(user_fd);
        int r;

        if (b->fds[dax] >= 0)
                return 0;
        r = c->new_file(dax, &b->fds[dax], c->userdata);
        if (r == 0)
                r = pwrite_full(b->fds[dax], page, n, 0);
        if (r != 0)
                return r;
        return fsync(b->fds[dax]) < 0 ? -errno : 0;
}

/* The new block to whoever has the bad one. */
static int replace(const CloneTarget *c, const Blocks *b, uint64_t n, const CloneTo *to) {
        int r = c->look(to, c->userdata);

        return r < 0 ? r : clone_range(b->fds[file_is_dax(to->fd)], 0, n, to->fd, to->offset);
}

static int force_log(const CloneTarget *c) {
        return futimens(c->log_fd, NULL) < 0 || fsync(c->log_fd) < 0 ? -errno : 0;
}

static int clone_write(Writer *w, const Target *t, const void *page) {
        uint64_t n = t->offset + REPAIR_UNIT <= t->file_size ? REPAIR_UNIT : t->file_size - t->offset;
        const CloneTo self = { .fd = t->file_fd, .offset = t->offset };
        const CloneTarget *c = t->clone;
        _cleanup_(blocks_done) Blocks blocks = { { -1, -1 } };
        int r;

        if (!c || !c->guarded || !c->look || !c->new_file)
                return -EINVAL;

        r = new_block(c, page, n, self.fd, &blocks);
        for (size_t i = 0; r == 0 && i < c->n_others; i++)
                r = new_block(c, page, n, c->others[i].fd, &blocks);
        if (r != 0)
                return r;

        if (c->guard_fd >= 0)
                r = clone_range(t->file_fd, t->offset, n, c->guard_fd, 0);
        if (r >= 0)
                r = force_log(c);
        if (r >= 0)
                r = c->guarded(c->userdata);
        for (size_t i = 0; r >= 0 && i < c->n_others; i++)
                r = replace(c, &blocks, n, &c->others[i]);
        if (r >= 0)
                r = replace(c, &blocks, n, &self);
        if (r >= 0)
                r = force_log(c);
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
