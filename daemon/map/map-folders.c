/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is still to be searched is a stack of paths. XFS and ext4 put a file near its folder: so among those
 * on top of the stack the one whose own inode number is nearest to one that is asked for comes next; and in
 * turn with it the one that has waited longest, because the folders on the way are not near. That is a
 * matter of time only: all have their turn, and near the top the stack is as shallow as a search depth
 * first. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "map/map-folders.h"
#include "util/vec.h"

#define CHOICE 1024     /* how many folders are compared */

void map_folders_done(MapFolders *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i].path);
        vec_done(l);
}

char *map_folders_join(const char *folder, const char *name) {
        char *path;

        if (asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", name) < 0)
                return NULL;
        return path;
}

int map_folders_push(MapFolders *l, const char *folder, const char *name, uint64_t inode) {
        _cleanup_free_ char *path = map_folders_join(folder, name);
        int r;

        if (!path)
                return -ENOMEM;
        r = vec_push(l, ((MapFolder) { path, inode }));
        if (r == 0)
                (void) TAKE_PTR(path);
        return r;
}

int map_folders_move(MapFolders *l, MapFolders *from) {
        for (size_t i = 0; i < from->n; i++) {
                const int r = vec_push(l, from->items[i]);

                if (r < 0)
                        return r;
                from->items[i].path = NULL;
        }
        from->n = 0;
        return 0;
}

char *map_folders_pop(MapFolders *l, const MapSought *sought) {
        const size_t n = l->n, first = n > CHOICE ? n - CHOICE : 0;
        uint64_t nearest = UINT64_MAX;
        size_t best = first;
        char *path;

        assert(n > 0);

        for (size_t i = first; i < n && !l->longest; i++) {
                const uint64_t d = map_sought_distance(sought, l->items[i].inode);

                if (d < nearest) {
                        nearest = d;
                        best = i;
                }
        }

        l->longest = !l->longest;
        path = l->items[best].path;
        vec_remove(l, best, 1);
        return path;
}
