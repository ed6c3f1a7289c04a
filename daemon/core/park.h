/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* To own one certain free block, a guard file is given free space piece by piece until the block is among
 * it, and all the rest is given back. How much at once: large pieces first, for these are what free space
 * mostly consists of; smaller ones when there are no larger ones left where the block is, so that the
 * small gaps come last. A piece that came from elsewhere is given back at once. */
typedef struct ParkSearch {
        uint64_t block;         /* of the file system: what a file can own at least */
        uint64_t piece;         /* that is asked for next; 0: the search is over */
        unsigned pieces;        /* so far */
} ParkSearch;

#define PARK_PIECES_MAX 100000  /* a search that takes longer is given up; the next one begins with what the
                                 * file system looks like then */

/* `group_size`: of the group of the file system that the block is in. */
void park_search_begin(ParkSearch *s, uint64_t group_size, uint64_t block);

/* How much to ask for now: whole blocks, and no more than leaves `reserve` of the `free` bytes that there
 * are now. 0: the search is over. */
uint64_t park_search_next(ParkSearch *s, uint64_t free, uint64_t reserve);

/* There was no such piece where the block is. */
void park_search_missed(ParkSearch *s);
