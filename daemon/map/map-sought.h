/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "map/mapper.h"

/* Between the searches for names only. */

/* Files whose names are looked for, by inode; several may have the same. They are lent. */
typedef struct MapSought {
        MapFile **items;
        size_t n;
} MapSought;

/* Those of `files` that are without an error and not complete, with inodes up to `last`. 0 or -ENOMEM. */
int map_sought_init(MapSought *s, MapFile *files, size_t n, uint64_t last);
void map_sought_done(MapSought *s);

/* The first one with this inode, or a larger one; s->n. */
size_t map_sought_find(const MapSought *s, uint64_t inode);
bool map_sought_has(const MapSought *s, uint64_t inode);

/* How far the inode is from the nearest of them. */
uint64_t map_sought_distance(const MapSought *s, uint64_t inode);
