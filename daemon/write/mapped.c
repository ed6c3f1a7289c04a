/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Loads and stores by way of a memfd: pwrite(2) to it reads the mapping, pread(2) from it writes the
 * mapping, and both turn a fault into EFAULT. */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/range.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "write/mapped.h"

int mapped_open(int file_fd, uint64_t offset, Mapped *ret) {
        void *p;

        assert(offset % REPAIR_UNIT == 0);

        p = mmap(NULL, REPAIR_UNIT, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, (off_t) offset);
        if (p == MAP_FAILED)
                return -errno;

        ret->page = p;
        return 0;
}

void mapped_close(Mapped *m) {
        if (m->page)
                (void) munmap(m->page, REPAIR_UNIT);
        m->page = NULL;
}

static int bounce_open(void) {
        int fd = memfd_create("bezoar-page", MFD_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int mapped_load(const Mapped *m, void *ret) {
        _cleanup_close_ int fd = bounce_open();
        int r;

        if (fd < 0)
                return fd;
        r = pwrite_full(fd, m->page, REPAIR_UNIT, 0);
        return r < 0 ? r : pread_full(fd, ret, REPAIR_UNIT, 0);
}

/* Out of the processor's caches. msync(2) would do it by the kernel's own address of the page, which is not
 * there when the page is not present (dax_writeback_one(), dax_flush()): an oops. Only x86 takes pages away
 * (set_mce_nospec()). */
static int flush(void *page) {
#if defined(__x86_64__)
        for (size_t i = 0; i < REPAIR_UNIT; i += 64)
                __builtin_ia32_clflush((char *) page + i);
        __builtin_ia32_mfence();
        return 0;
#else
        return msync(page, REPAIR_UNIT, MS_SYNC) < 0 ? -errno : 0;
#endif
}

int mapped_store(const Mapped *m, const void *page) {
        _cleanup_close_ int fd = bounce_open();
        uint8_t back[REPAIR_UNIT];
        int r;

        if (fd < 0)
                return fd;
        r = pwrite_full(fd, page, REPAIR_UNIT, 0);
        if (r >= 0)
                r = pread_full(fd, m->page, REPAIR_UNIT, 0);
        if (r >= 0)
                r = flush(m->page);
        if (r >= 0)
                r = mapped_load(m, back);
        if (r >= 0 && memcmp(back, page, REPAIR_UNIT) != 0)
                r = -EIO;
        return r;
}
