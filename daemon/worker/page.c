/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "util/sysfs.h"
#include "worker/clone.h"
#include "worker/page.h"
#include "worker/window.h"

static int chain_open(WriterKind kind, Writer **ret) {
        _cleanup_(writer_freep) Writer *w = NULL;
        const char *fault = getenv("BEZOAR_FAULT");
        Writer *f;
        int r;

        r = writer_open(kind, &w);
        if (r < 0)
                return r;
        if (fault) {
                r = writer_fault_new(w, fault, &f);
                if (r < 0)
                        return r;
                w = f;
        }

        *ret = TAKE_PTR(w);
        return 0;
}

static int is_listed(const Site *s, Range range) {
        _cleanup_rangeset_ RangeSet listed = {};
        int r = site_listed(s, range, &listed);

        return r < 0 ? r : listed.n > 0;
}

/* Has the device memory that a machine check can take out of the kernel's map? What has none, a raw
 * namespace or a loop device in a test, says 0 here. */
static bool can_be_absent(const Site *s) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t n;

        if (sysfs_attribute("block", s->disk, "queue/dax", &path) < 0 ||
            file_read(AT_FDCWD, path, 16, &text, &n) < 0)
                return true;
        return text[0] != '0';
}

/* A file without DAX is written by the block layer, which copies without fixups: a kernel oops where the
 * page is not present (pmem_do_write()). Present is a page of which something can be read. */
static int check_danger(const Site *s, const Target *t) {
        _Alignas(REPAIR_UNIT) uint8_t page[REPAIR_UNIT];
        _cleanup_rangeset_ RangeSet listed = {}, got = {};
        int r;

        if (site_is_dax(s) || file_is_dax(t->file_fd) || !can_be_absent(s))
                return 0;
        r = site_listed(s, t->range, &listed);
        if (r >= 0)
                r = page_salvage(s, t->range, &listed, page, &got);
        if (r < 0)
                return r;
        return got.n > 0 ? 0 : PAGE_E_DANGER;
}

/* Right before the write: is it still this file's, and may it be written in this way? */
static int look_before(const Site *s, WriterKind w, const Target *t) {
        MapOwns owns;
        int r;

        if (t->punched)         /* it has no block there, or one that nobody else can have */
                return 0;

        r = site_owns(s, t->file_fd, t->range, t->offset, &owns);
        if (r < 0)
                return r;
        if (owns != MAP_OWNED && !(owns == MAP_SHARED && writer_takes_shared(w)))
                return -ESTALE;
        return w == WRITER_CLONE ? 0 : check_danger(s, t); /* to the bad block nothing is written */
}

static int put_with(const Site *s, WriterKind kind, const Target *t, const void *page) {
        _cleanup_clone_set_ CloneSet clone = CLONE_SET_NULL;
        _cleanup_(writer_freep) Writer *w = NULL;
        Target target = *t;
        int r;

        r = look_before(s, kind, t);
        if (r == 0 && kind == WRITER_CLONE) {
                r = clone_prepare(s, t, &clone);
                if (r == CLONE_E_UNLIKE)
                        return PAGE_E_UNLIKE;
        }
        if (r == 0)
                r = chain_open(kind, &w);
        if (r != 0)
                return r;

        target.clone = &clone.target;
        r = writer_write(w, &target, page);
        if ((r == 0 || r == WRITE_E_STORED || r == WRITE_E_BUSY) && !site_is_dax(s) &&
            fdatasync(s->block_fd) < 0)
                return -errno;
        if (r == 0 && kind == WRITER_CLONE) {
                r = clone_confirm(&clone, page);
                return r == CLONE_E_DIFFERS ? PAGE_E_DIFFERS : r;
        }
        if (r == WRITE_E_UNLIKE)
                return PAGE_E_UNLIKE;
        if (r == WRITE_E_STORED || r == WRITE_E_BUSY)
                return r == WRITE_E_STORED ? PAGE_E_STORED : PAGE_E_BUSY;
        if (r != WRITE_E_ABSENT)
                return r;

        /* EFAULT: the kernel refused to clear, or it cleared and could not copy. Its list tells which. */
        r = is_listed(s, t->range);
        return r < 0 ? r : r > 0 ? PAGE_E_NOT_CLEARED : PAGE_E_ABSENT;
}

/* Bytes that have been stored may be newer already by a program that maps them: only when there is none
 * may they be stored once more, elsewhere. */
static bool may_go_on(int r, const Target *t, WriterKind next) {
        switch (r) {
        case PAGE_E_ABSENT:
                return true;
        case PAGE_E_NOT_CLEARED:
        case PAGE_E_DANGER:
                return next == WRITER_CLONE;
        case PAGE_E_STORED:
                return next == WRITER_CLONE && fcntl(t->file_fd, F_GETLEASE) == F_WRLCK;
        default:
                return false;
        }
}

int page_put(const Site *s, const WriterKind *writers, size_t n, const Target *t,
             const void *page, WriterKind *ret_writer) {
        int r = -EINVAL;

        for (size_t i = 0; i < n; i++) {
                *ret_writer = writers[i];
                r = put_with(s, writers[i], t, page);
                if (i + 1 == n || !may_go_on(r, t, writers[i + 1]))
                        break;
        }
        return r == PAGE_E_BUSY ? PAGE_E_STORED : r;
}

static bool bytes_arrived(const Target *t, const uint8_t *back, const uint8_t *page, uint64_t n,
                          const RangeSet *must) {
        for (size_t i = 0; i < must->n; i++) {
                Range m;

                if (!range_intersect(must->items[i], (Range) { t->offset, t->offset + n }, &m))
                        continue;
                if (memcmp(back + (m.start - t->offset), page + (m.start - t->offset), range_size(m)) != 0)
                        return false;
        }
        return true;
}

/* Of a device-dax only what had to arrive is loaded: the rest may be listed. */
static int check_device(const Site *s, const Target *t, const uint8_t *page, const RangeSet *must) {
        uint8_t back[REPAIR_UNIT];

        for (size_t i = 0; i < must->n; i++) {
                Range m = must->items[i];
                int r;

                r = is_listed(s, m);
                if (r != 0)
                        return r > 0 ? PAGE_E_LISTED : r;
                r = site_read(s, t->file_fd, back, range_size(m), m.start);
                if (r < 0)
                        return r == -EFAULT ? PAGE_E_ABSENT : r;
                if (memcmp(back, page + (m.start - t->offset), range_size(m)) != 0)
                        return PAGE_E_DIFFERS;
        }
        return 0;
}

/* The file may be read from memory (without DAX), and may have been given another block; the device says
 * what the medium has. */
int page_check(const Site *s, const Target *t, const void *page, const RangeSet *must, bool elsewhere) {
        uint64_t n = t->offset + REPAIR_UNIT <= t->file_size ? REPAIR_UNIT : t->file_size - t->offset;
        _Alignas(REPAIR_UNIT) uint8_t back[REPAIR_UNIT];
        int r;

        if (site_is_dax(s))
                return check_device(s, t, page, must);
        r = pread_full(t->file_fd, back, n, t->offset);
        if (r == -EFAULT)
                return PAGE_E_ABSENT;
        if (r < 0)
                return r;
        if (!bytes_arrived(t, back, page, n, must))
                return PAGE_E_DIFFERS;
        if (elsewhere)
                return 0;

        r = is_listed(s, t->range);
        if (r != 0)
                return r > 0 ? PAGE_E_LISTED : r;

        r = pread_full(s->block_fd, back, REPAIR_UNIT, t->range.start);
        if (r < 0)
                return r;
        return bytes_arrived(t, back, page, n, must) ? 0 : PAGE_E_DIFFERS;
}

static int drop_cached(const Owner *o, void *userdata) {
        const Site *s = userdata;
        int fd = site_held(s, o->inode, o->generation);
        _cleanup_close_ int opened = -1;

        if (o->type != OWNER_FILE)
                return 0;
        if (fd < 0 && mapper_open(s->ops, s->mount_fd, o->inode, o->generation, O_RDONLY, &opened) == 0)
                fd = opened;
        if (fd >= 0 && !file_is_dax(fd))
                (void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        return 0;
}

void page_drop_cached(const Site *s, const Target *t) {
        _cleanup_rangeset_ RangeSet page = {};

        if (rangeset_add(&page, t->range) >= 0)
                (void) site_walk(s, &page, drop_cached, (void *) s);
}

void result_set(Result *r, CaseState state, Reason reason, const char *format, ...) {
        r->state = state;
        r->reason = reason;
        free(r->detail);
        r->detail = NULL;

        if (format) {
                va_list ap;

                va_start(ap, format);
                if (vasprintf(&r->detail, format, ap) < 0)
                        r->detail = NULL;
                va_end(ap);
        }
}
