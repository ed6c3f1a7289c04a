/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The front of the writers: whoever writes a page comes through writer_write(), which holds the contract
 * that keeps every backend safe: one whole page, aligned in the file, on the device and in memory, and
 * never a target without a file. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "write/writer-backends.h"
#include "write/writer.h"

const WriterOps *const writer_table[] = {
        &writer_pwrite_ops,
        &writer_revive_ops,
        &writer_block_ops,
        &writer_clone_ops,
        &writer_clear_ops,
        &writer_punch_ops,
        NULL,
};

int writer_open(WriterKind kind, Writer **ret) {
        assert(ret);

        for (const WriterOps *const *ops = writer_table; *ops; ops++)
                if ((*ops)->kind == kind) {
                        Writer *w = calloc(1, sizeof(*w));

                        if (!w)
                                return -ENOMEM;
                        w->ops = *ops;
                        *ret = w;
                        return 0;
                }

        return -EOPNOTSUPP;
}

bool file_is_dax(int fd) {
        struct statx stx;

        return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) >= 0 &&
               (stx.stx_attributes & STATX_ATTR_DAX);
}

int writer_write(Writer *w, const Target *t, const void *page) {
        assert(w);
        assert(t && t->file_fd >= 0 && t->disk);
        assert(range_size(t->range) == REPAIR_UNIT && range_is_aligned(t->range, REPAIR_UNIT));
        assert(t->offset % REPAIR_UNIT == 0 && t->offset < t->file_size);
        assert(page && (uintptr_t) page % REPAIR_UNIT == 0);

        return w->ops->write(w, t, page);
}

Writer *writer_free(Writer *w) {
        while (w) {
                Writer *next = w->next;

                if (w->ops->close)
                        w->ops->close(w);
                free(w);
                w = next;
        }
        return NULL;
}
