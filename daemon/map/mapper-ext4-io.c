/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How libext2fs reaches the device: through a descriptor that is there already, and for reading only. The
 * library's own way (unix_io) syncs the device when it opens it, keeps copies of what it has read, and could
 * write. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "map/mapper-ext4.h"
#include "util/file.h"

static errcode_t io_open(const char *name, int flags, io_channel *ret);

static int io_fd(io_channel c) {
        return (int) (intptr_t) c->private_data;
}

static errcode_t io_close(io_channel c) {
        if (--c->refcount > 0)
                return 0;
        free(c->name);
        free(c);
        return 0;
}

static errcode_t io_set_block_size(io_channel c, int size) {
        c->block_size = size;
        return 0;
}

/* A negative `count` is in bytes. */
static errcode_t io_read64(io_channel c, unsigned long long block, int count, void *data) {
        const uint64_t unit = (uint64_t) c->block_size,
                       size = count < 0 ? (uint64_t) -(int64_t) count : (uint64_t) count * unit;
        int r;

        r = pread_full(io_fd(c), data, size, block * unit);
        return r < 0 ? -r : 0;
}

static errcode_t io_read(io_channel c, unsigned long block, int count, void *data) {
        return io_read64(c, block, count, data);
}

static errcode_t io_write64(io_channel c, unsigned long long block, int count, const void *data) {
        return EROFS;
}

static errcode_t io_write(io_channel c, unsigned long block, int count, const void *data) {
        return EROFS;
}

static errcode_t io_flush(io_channel c) {
        return 0;
}

static struct struct_io_manager manager = {
        .magic = EXT2_ET_MAGIC_IO_MANAGER,
        .name = "a descriptor",
        .open = io_open,
        .close = io_close,
        .set_blksize = io_set_block_size,
        .read_blk = io_read,
        .write_blk = io_write,
        .flush = io_flush,
        .read_blk64 = io_read64,
        .write_blk64 = io_write64,
};

static errcode_t io_open(const char *name, int flags, io_channel *ret) {
        io_channel c = calloc(1, sizeof(*c));
        char *copy = strdup(name);

        if (!c || !copy) {
                free(c);
                free(copy);
                return EXT2_ET_NO_MEMORY;
        }

        *c = (struct struct_io_channel) {
                .magic = EXT2_ET_MAGIC_IO_CHANNEL,
                .manager = &manager,
                .name = copy,
                .block_size = 1024,
                .refcount = 1,
                .private_data = (void *) (intptr_t) atoi(name),
        };
        *ret = c;
        return 0;
}

io_manager ext4_io(void) {
        return &manager;
}
