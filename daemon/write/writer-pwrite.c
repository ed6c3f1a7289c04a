/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The normal way. A write of one whole, aligned page to a DAX file clears the poison and copies in one go
 * (fs/dax.c, dax_iomap_iter(): retried with DAX_RECOVERY_WRITE; drivers/nvdimm/pmem.c,
 * pmem_recovery_write()). A part of a page is refused by the kernel with EFAULT.
 *
 * The kernel clears before it copies, and drops the range from its list whether or not the copy
 * succeeded. When the page is not present in the kernel's map (a machine check took it out, and nobody
 * had it mapped), the copy faults: EFAULT, poison gone from the list, data not written. That is
 * WRITE_E_ABSENT; the caller must not take the list's word for it. */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "write/writer-backends.h"

static int has_size(int fd, uint64_t size) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        return (uint64_t) st.st_size == size ? 0 : -ESTALE;
}

int write_page(const Target *t, const void *page) {
        ssize_t n;
        int r;

        r = has_size(t->file_fd, t->file_size);
        if (r < 0)
                return r;

        do
                n = pwrite(t->file_fd, page, REPAIR_UNIT, (off_t) t->offset);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EFAULT ? WRITE_E_ABSENT : -errno;

        /* The last page goes beyond the end of the file; its tail was zeroed by the caller, as the kernel
         * would. Only what this write has added is cut off again. */
        if (t->offset + (uint64_t) n > t->file_size) {
                r = has_size(t->file_fd, t->offset + (uint64_t) n);
                if (r < 0)
                        return r;
                if (ftruncate(t->file_fd, (off_t) t->file_size) < 0)
                        return -errno;
        }
        if ((uint64_t) n != REPAIR_UNIT)
                return -EIO;

        /* With DAX the kernel has copied past its caches (pmem_recovery_write()); what is left is the
         * device's own buffers, which page_put() has flushed through the device. */
        if (t->offset + REPAIR_UNIT <= t->file_size && file_is_dax(t->file_fd))
                return 0;
        return fdatasync(t->file_fd) < 0 ? -errno : 0;
}

static int pwrite_write(Writer *w, const Target *t, const void *page) {
        return write_page(t, page);
}

const WriterOps writer_pwrite_ops = {
        .name = "pwrite",
        .kind = WRITER_PWRITE,
        .write = pwrite_write,
};
