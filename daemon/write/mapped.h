/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* One page of a file through a shared mapping of it. The kernel does the copying, so that a page that
 * cannot be touched is -EFAULT here and not a SIGBUS. */
typedef struct Mapped {
        void *page;
} Mapped;

/* `offset` is that of a page. 0 or a negative errno. */
int mapped_open(int file_fd, uint64_t offset, Mapped *ret);
void mapped_close(Mapped *m);
#define _cleanup_mapped_ __attribute__((cleanup(mapped_close)))

/* REPAIR_UNIT bytes each way. Storing ends when they are out of the caches and have been loaded and compared
 * (-EIO when they differ). 0 or a negative errno. */
int mapped_load(const Mapped *m, void *ret);
int mapped_store(const Mapped *m, const void *page);
