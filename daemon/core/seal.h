/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/range.h"
#include "util/cleanup.h"

/* A seal: what every page of a file hashed to while it was good. It is one file in the store
 * (worker/seal-store):
 *
 *     head      SEAL_HEAD_SIZE bytes (below), then the path, then SHA-256 of both
 *     block 0   the digests of SEAL_BLOCK_PAGES pages, 32 bytes each, then the block's check
 *     block 1   … the last block has as many digests as there are pages left
 *
 * The digest of a page is SHA-256 of its REPAIR_UNIT bytes, of the last page of those that the file has. The
 * check of a block is SHA-256 of the seal's id, the block's number (8 bytes) and its digests, so that a
 * block of another seal or from another place is found out. Digests are found by arithmetic: one page costs
 * one head and one block, however large the file. The whole is 0.8 % of the file.
 *
 * The head, integers in little-endian order, offsets in bytes:
 *
 *     0 magic (8)         8 id (16)             24 inode                       32 generation (4)
 *     36 path, bytes (4)  40 size of the file   48 mtime, seconds               56 ctime, seconds
 *     64 mtime, nanoseconds (4)                 68 ctime, nanoseconds (4)       72 sealed at, usec */

#define SEAL_DIGEST 32
#define SEAL_HEAD_SIZE 80
#define SEAL_PATH_MAX 4096
#define SEAL_BLOCK_PAGES 127
#define SEAL_BLOCK_SIZE ((SEAL_BLOCK_PAGES + 1) * SEAL_DIGEST)

typedef struct SealTime {
        int64_t sec;
        uint32_t nsec;
} SealTime;

typedef struct Seal {
        uint8_t id[16];         /* random, of this sealing */
        uint64_t inode;
        uint32_t generation;
        uint64_t size;          /* of the file, bytes; never 0 */
        SealTime mtime, ctime;
        uint64_t sealed_at;     /* microseconds since the epoch */
        char *path;             /* one of its names then; raw bytes */
} Seal;

void seal_done(Seal *s);
#define _cleanup_seal_ _cleanup_(seal_done)

/* The head with the path, without its check. The caller frees *ret. 0, -EINVAL (a size or a path that cannot
 * be sealed), -ENOMEM. */
int seal_head_encode(const Seal *s, uint8_t **ret, size_t *ret_size);

/* How long the head is, with its path and its check, by its first SEAL_HEAD_SIZE bytes. 0 or -EBADMSG. */
int seal_head_size(const uint8_t *head, size_t *ret);

/* The reverse of seal_head_encode(), for `size` bytes as that made them. 0, -EBADMSG, -ENOMEM. */
int seal_head_decode(const uint8_t *head, size_t size, Seal *ret);

/* How many pages it has digests of, and how many of them in block `block`; blocks begin at multiples of
 * SEAL_BLOCK_SIZE behind the head. */
uint64_t seal_pages(const Seal *s);
uint64_t seal_blocks(const Seal *s);
size_t seal_block_pages(const Seal *s, uint64_t block);

/* Of the file's bytes, those of page `page`. */
Range seal_page_range(const Seal *s, uint64_t page);

/* Is the file still as it was sealed: the same inode, size, and times? The ctime is among them because
 * everybody may set an mtime back (utimensat(2)), and nobody a ctime; so a rename, a link or a chmod ends a
 * seal, too. */
bool seal_is_current(const Seal *s, uint64_t inode, uint32_t generation, uint64_t size, SealTime mtime,
                     SealTime ctime);

/* File systems count time in ticks, of up to 2 s. A file that is changed in the tick in which it was sealed
 * could look unchanged, so only a file whose ctime is that old can be sealed: at `now`, as `sealed_at`. */
#define SEAL_SETTLE_USEC UINT64_C(2000000)
bool seal_time_has_settled(SealTime ctime, uint64_t now);
