/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "write/writer.h"

extern const WriterOps writer_pwrite_ops;
extern const WriterOps writer_revive_ops;
extern const WriterOps writer_block_ops;
extern const WriterOps writer_clone_ops;
extern const WriterOps writer_clear_ops;
extern const WriterOps writer_punch_ops;

/* The recovery write itself, for the backends that end in one: the whole page, then the file cut back to
 * its size, then fdatasync(2). 0, WRITE_E_ABSENT (EFAULT), or a negative errno. */
int write_page(const Target *t, const void *page);

/* Reads every good sector of the page through the block device, so that it is known that the page is present
 * (writer-block.c). 0, -EPERM where it has none, or a negative errno. */
int read_good_sectors(const Target *t);
