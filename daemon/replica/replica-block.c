/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* block:DEVICE[@OFFSET]: an image of the device that the file system is on, on another device or in a file:
 * the lower half of a mirrored volume, a snapshot, what dd made. It knows no files and no times, so it can
 * show no identity; what it holds at the addresses of the window is compared by the worker.
 *
 * A device is read past the page cache, which may be older than the medium when something else writes there.
 * Both are read in whole pages. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/range.h"
#include "core/replica-uri.h"
#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "util/file.h"

#define PIECE UINT64_C(1048576)

typedef struct Block {
        Replica replica;
        int fd;
        uint64_t offset;        /* of the image in what fd is of */
        uint64_t end;           /* of that */
} Block;

static int refuse_open(Offer *offer, int error) {
        if (is_our_lack(error))
                return error;
        if (is_away(error) || error == -ENOENT || error == -ENOTDIR)
                return none(offer, OFFER_UNREACHABLE, "the image is not there: %s", strerror(-error));
        return none(offer, OFFER_UNREADABLE, "it cannot be opened: %s", strerror(-error));
}

/* Is it a device or a file, and not on the device that lost the bytes? Looked at before it is opened. */
static int judge(const Subject *subject, const struct stat *st, Offer *offer) {
        if (!S_ISBLK(st->st_mode) && !S_ISREG(st->st_mode))
                return none(offer, OFFER_NOT_REGULAR, "it is neither a block device nor a file");
        return refuse_same_device(subject, S_ISBLK(st->st_mode) ? st->st_rdev : st->st_dev, offer);
}

/* 0, REPLICA_E_NONE, or a negative errno. */
static int open_image(const char *path, const Subject *subject, Offer *offer, int *ret, uint64_t *ret_end,
                      ReplicaSource *ret_source) {
        _cleanup_close_ int look = -1, fd = -1;
        struct stat before, st;
        char link[64];
        int r;

        look = open(path, O_PATH | O_CLOEXEC);
        if (look < 0)
                return refuse_open(offer, -errno);
        if (fstat(look, &before) < 0)
                return refuse_open(offer, -errno);
        r = judge(subject, &before, offer);
        if (r != 0)
                return r;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", look);
        fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
                        (S_ISBLK(before.st_mode) ? O_DIRECT : 0));
        if (fd < 0)
                return refuse_open(offer, -errno);
        if (fstat(fd, &st) < 0)
                return refuse_open(offer, -errno);
        *ret_end = (uint64_t) st.st_size;
        if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret_end) < 0)
                return refuse_open(offer, -errno);

        *ret_source = S_ISBLK(st.st_mode) ? (ReplicaSource) { .device = st.st_rdev }
                                          : (ReplicaSource) { .device = st.st_dev, .inode = st.st_ino };
        *ret = TAKE_FD(fd);
        return 0;
}

static int block_open(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ Block *b = NULL;
        _cleanup_close_ int fd = -1;
        const char *why = NULL;
        ReplicaSource source;
        uint64_t offset, end;
        int r;

        r = replica_block_parse(argument, &path, &offset, &why);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return none(offer, OFFER_UNREACHABLE, "it names no image: %s", why);
        r = open_image(path, subject, offer, &fd, &end, &source);
        if (r != 0)
                return r;
        if (offset >= end)
                return none(offer, OFFER_SHORT, "it ends before the offset at which the image is to begin");

        b = malloc(sizeof(*b));
        if (!b)
                return -ENOMEM;
        *b = (Block) {
                .replica = { .size = end - offset, .source = source },
                .fd = TAKE_FD(fd),
                .offset = offset,
                .end = end,
        };
        offer->state = OFFER_HELD;
        offer->detail = strdup("an image of the device has no file times to compare");
        if (!offer->detail) {
                (void) close(b->fd);
                return -ENOMEM;
        }
        *ret = &TAKE_PTR(b)->replica;
        return 0;
}

static void block_close(Replica *r) {
        Block *b = (Block *) r;

        closep(&b->fd);
        free(b);
}

/* Whole pages around what is asked for. */
static int read_piece(const Block *b, Range wanted, uint8_t *to) {
        _cleanup_free_ uint8_t *pages = NULL;
        Range r = {};
        int q;

        q = range_align_out(wanted, REPAIR_UNIT, &r);
        if (q < 0)
                return q;
        if (r.end > b->end)
                r.end = b->end;
        pages = aligned_alloc(REPAIR_UNIT, (range_size(r) + REPAIR_UNIT - 1) / REPAIR_UNIT * REPAIR_UNIT);
        if (!pages)
                return -ENOMEM;

        q = pread_full(b->fd, pages, range_size(r), r.start);
        if (q < 0)
                return q;
        memcpy(to, pages + (wanted.start - r.start), range_size(wanted));
        return 0;
}

static int block_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        const Block *b = (const Block *) r;

        for (size_t done = 0; done < n;) {
                size_t k = n - done < PIECE ? n - done : PIECE;
                uint64_t at = b->offset + offset + done;
                int q = read_piece(b, (Range) { at, at + k }, (uint8_t *) buf + done);

                if (q < 0)
                        return q;
                done += k;
        }
        return 0;
}

const ReplicaOps replica_block = {
        .kind = REPLICA_BLOCK,
        .image = true,
        .open = block_open,
        .close = block_close,
        .read = block_read,
};
