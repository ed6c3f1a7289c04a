/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Loads and stores by way of a memfd: pwrite(2) to it reads the mapping, pread(2) from it writes the
 * mapping, and both turn a fault into EFAULT: also a machine check, for which copy_from_user() has
 * fixups. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "core/range.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "write/mapped.h"

int mapped_open(int fd, uint64_t offset, uint64_t align, Mapped *ret) {
        int flags = fcntl(fd, F_GETFL);
        uint64_t start = offset - offset % align;
        void *p;

        assert(align >= REPAIR_UNIT && offset % REPAIR_UNIT == 0);

        if (flags < 0)
                return -errno;
        p = mmap(NULL, align, (flags & O_ACCMODE) == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                 fd, (off_t) start);
        if (p == MAP_FAILED)
                return -errno;

        *ret = (Mapped) { .page = (uint8_t *) p + (offset - start), .base = p, .length = align };
        return 0;
}

void mapped_close(Mapped *m) {
        if (m->base)
                (void) munmap(m->base, m->length);
        *m = (Mapped) {};
}

static int bounce_open(void) {
        int fd = memfd_create("bezoar-page", MFD_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int mapped_load_part(const Mapped *m, size_t at, void *ret, size_t n) {
        _cleanup_close_ int fd = bounce_open();
        int r;

        assert(at + n <= m->length - (size_t) (m->page - (uint8_t *) m->base));

        if (fd < 0)
                return fd;
        r = pwrite_full(fd, m->page + at, n, 0);
        return r < 0 ? r : pread_full(fd, ret, n, 0);
}

int mapped_load(const Mapped *m, void *ret) {
        return mapped_load_part(m, 0, ret, REPAIR_UNIT);
}

bool mapped_flushes_alone(void) {
#if defined(__x86_64__)
        return true;
#else
        return false;
#endif
}

/* Out of the processor's caches. msync(2) would do it by the kernel's own address of the page, which is not
 * there when the page is not present (dax_writeback_one(), dax_flush()): an oops. Only x86 takes pages away
 * (set_mce_nospec()). */
static int flush(const Mapped *m, size_t at, size_t n) {
#if defined(__x86_64__)
        for (size_t i = at / 64 * 64; i < at + n; i += 64)
                __builtin_ia32_clflush(m->page + i);
        __builtin_ia32_mfence();
        return 0;
#else
        return msync(m->base, m->length, MS_SYNC) < 0 ? -errno : 0;
#endif
}

int mapped_store_part(const Mapped *m, size_t at, const void *bytes, size_t n) {
        _cleanup_close_ int fd = bounce_open();
        uint8_t back[REPAIR_UNIT];
        int r;

        assert(at + n <= REPAIR_UNIT);

        if (fd < 0)
                return fd;
        r = pwrite_full(fd, bytes, n, 0);
        if (r >= 0)
                r = pread_full(fd, m->page + at, n, 0);
        if (r >= 0)
                r = flush(m, at, n);
        if (r >= 0)
                r = mapped_load_part(m, at, back, n);
        if (r >= 0 && memcmp(back, bytes, n) != 0)
                r = -EIO;
        return r;
}

int mapped_store(const Mapped *m, const void *page) {
        return mapped_store_part(m, 0, page, REPAIR_UNIT);
}

int mapped_read(int fd, uint64_t align, void *buf, size_t n, uint64_t offset) {
        for (size_t done = 0; done < n;) {
                _cleanup_mapped_ Mapped m = {};
                uint64_t at = offset + done, first = at - at % REPAIR_UNIT;
                size_t k;
                int r;

                r = mapped_open(fd, first, align, &m);
                if (r < 0)
                        return r;
                k = m.length - (size_t) (m.page - (uint8_t *) m.base) - (at - first);
                if (k > n - done)
                        k = n - done;
                r = mapped_load_part(&m, at - first, (uint8_t *) buf + done, k);
                if (r < 0)
                        return r;
                done += k;
        }
        return 0;
}
