/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first look at the files that have lost bytes: each is opened once for all of its parts that follow
 * each other, held, and closed again. By several threads, since hundreds of files may be in one question. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/file.h"
#include "util/parallel.h"
#include "worker/locate-internal.h"

#define FEW 32U         /* fewer are not worth a thread */

static bool can_read(int fd, uint64_t file_size, uint64_t offset, uint64_t size) {
        uint8_t page[REPAIR_UNIT];

        for (uint64_t at = offset; at < offset + size && at < file_size; at += REPAIR_UNIT)
                if (pread_full(fd, page, at + REPAIR_UNIT <= file_size ? REPAIR_UNIT : file_size - at,
                               at) < 0)
                        return false;
        return true;
}

/* One more of the same file, which keeps its blocks and nothing more. */
static int open_hold(int fd, int *ret) {
        char path[32];
        int hold;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        hold = open(path, O_PATH | O_CLOEXEC);
        if (hold < 0)
                return -errno;
        *ret = hold;
        return 0;
}

static int look_by(int fd, int other_hold, const Findings *f, Look *k) {
        int r = 0;

        if (fstat(fd, &k->st) < 0)
                return -errno;
        if (other_hold < 0)
                r = open_hold(fd, &k->hold);
        else {
                k->hold = fcntl(other_hold, F_DUPFD_CLOEXEC, 0);
                if (k->hold < 0)
                        r = -errno;
        }
        if (r == 0)
                k->readable = can_read(fd, (uint64_t) k->st.st_size, f->owners.items->offset,
                                       range_size(f->range));
        return r;
}

static bool same_file(const Owner *a, const Owner *b) {
        return a->inode == b->inode && a->generation == b->generation;
}

void locate_look(const Locator *l, const Findings *f, size_t n, Look *ret) {
        _cleanup_close_ int fd = -1;
        const Owner *o = f->owners.items;
        int r;

        r = mapper_open(l->site.ops, l->site.mount_fd, o->inode, o->generation, O_RDONLY, &fd);
        for (size_t i = 0; i < n; i++) {
                ret[i].error = r == 0 ? look_by(fd, i > 0 ? ret[i - 1].hold : -1, f + i, &ret[i]) : r;
                ret[i].done = true;
        }
}

/* Of several owners the one that counts is not known yet. */
static bool has_file(const Findings *f) {
        return f->owners.n == 1 && f->owners.items->type == OWNER_FILE;
}

static bool follows(const Findings *before, const Findings *f) {
        return has_file(before) && same_file(before->owners.items, f->owners.items);
}

static int look_at(unsigned thread, size_t i, void *userdata) {
        const Locator *l = userdata;
        const Findings *found = l->reply->found.items;
        size_t end = i + 1;

        if (!has_file(found + i) || (i > 0 && follows(found + i - 1, found + i)))
                return 0;
        while (end < l->reply->found.n && has_file(found + end) && follows(found + i, found + end))
                end++;
        locate_look(l, found + i, end - i, l->looks + i);
        return 0;
}

int locate_look_at_all(Locator *l) {
        const size_t n = l->reply->found.n;

        l->looks = calloc(n + 1, sizeof(*l->looks));
        if (!l->looks)
                return -ENOMEM;
        for (; l->n_looks < n; l->n_looks++)
                l->looks[l->n_looks].hold = -1;
        return parallel_for(n < FEW ? 1 : parallel_threads(), n, look_at, l);
}

void locate_looks_done(Locator *l) {
        for (size_t i = 0; i < l->n_looks; i++)
                closep(&l->looks[i].hold);
        free(l->looks);
}
