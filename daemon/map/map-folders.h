/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "map/map-sought.h"
#include "util/cleanup.h"

/* Of the search through the folders only. */

typedef struct MapFolder {
        char *path;             /* below the folder of the search; "": itself */
        uint64_t inode;
} MapFolder;

/* Folders that are yet to be searched. */
typedef struct MapFolders {
        MapFolder *items;
        size_t n, allocated;
        bool longest;           /* the next one is the one that has waited longest */
} MapFolders;

void map_folders_done(MapFolders *l);
#define _cleanup_map_folders_ _cleanup_(map_folders_done)

/* `name` in `folder`, both as paths; the caller frees it. NULL: no memory. */
char *map_folders_join(const char *folder, const char *name);

/* 0 or -ENOMEM. */
int map_folders_push(MapFolders *l, const char *folder, const char *name, uint64_t inode);

/* Takes over what is in `from`, which is empty then. 0 or -ENOMEM; then something may be left in it. */
int map_folders_move(MapFolders *l, MapFolders *from);

/* The path of the next one (there must be one); the caller frees it. */
char *map_folders_pop(MapFolders *l, const MapSought *sought);
