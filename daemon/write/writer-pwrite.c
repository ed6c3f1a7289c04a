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
#include <unistd.h>

#include "write/writer-backends.h"

int write_page(const Target *t, const void *page) {
        uint64_t end = t->offset + REPAIR_UNIT;
        ssize_t n;

        do
                n = pwrite(t->file_fd, page, REPAIR_UNIT, (off_t) t->offset);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EFAULT ? WRITE_E_ABSENT : -errno;

        /* The last page goes beyond the end of the file; its tail was zeroed by the caller, as the kernel
         * would. */
        if (end > t->file_size && ftruncate(t->file_fd, (off_t) t->file_size) < 0)
                return -errno;
        if ((uint64_t) n != REPAIR_UNIT)
                return -EIO;

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
