/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One page of a file or of a device-dax through a shared mapping of it. The kernel does the copying, so that
 * a page that cannot be touched is -EFAULT here and not a SIGBUS. */
typedef struct Mapped {
        uint8_t *page;
        void *base;             /* of the mapping */
        size_t length;
} Mapped;

/* `offset` is that of a page. `align`: a device-dax is mapped in pieces of that size only; of a file
 * REPAIR_UNIT. Writable where the descriptor is. 0 or a negative errno. */
int mapped_open(int fd, uint64_t offset, uint64_t align, Mapped *ret);
void mapped_close(Mapped *m);
#define _cleanup_mapped_ __attribute__((cleanup(mapped_close)))

/* REPAIR_UNIT bytes each way. Storing ends when they are out of the caches and have been loaded and compared
 * (-EIO when they differ). 0 or a negative errno. */
int mapped_load(const Mapped *m, void *ret);
int mapped_store(const Mapped *m, const void *page);

/* The same with n bytes from `at` in the page on. */
int mapped_load_part(const Mapped *m, size_t at, void *ret, size_t n);
int mapped_store_part(const Mapped *m, size_t at, const void *bytes, size_t n);

/* Bytes of a device-dax, over as many pages as need be. What is poisoned must not be asked for: the kernel
 * does not look at its list when it maps such a device (drivers/dax/device.c dev_dax_fault()), so that it is
 * loaded. 0 or a negative errno. */
int mapped_read(int fd, uint64_t align, void *buf, size_t n, uint64_t offset);

/* Can bytes be had out of the processor's caches by address alone? Where not, it takes the file system's
 * help, and a device-dax has none. */
bool mapped_flushes_alone(void);
