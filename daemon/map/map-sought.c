/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>

#include "map/map-sought.h"

static int by_inode(const void *a, const void *b) {
        const MapFile *const *x = a, *const *y = b;

        return (*x)->inode < (*y)->inode ? -1 : (*x)->inode > (*y)->inode;
}

int map_sought_init(MapSought *s, MapFile *files, size_t n, uint64_t last) {
        s->items = calloc(n + 1, sizeof(*s->items));
        if (!s->items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (files[i].error == 0 && !map_file_is_complete(&files[i]) && files[i].inode > 0 &&
                    files[i].inode <= last)
                        s->items[s->n++] = &files[i];
        if (s->n > 1)
                qsort(s->items, s->n, sizeof(*s->items), by_inode);
        return 0;
}

void map_sought_done(MapSought *s) {
        free(s->items);
}

size_t map_sought_find(const MapSought *s, uint64_t inode) {
        size_t low = 0, high = s->n;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (s->items[middle]->inode < inode)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool map_sought_has(const MapSought *s, uint64_t inode) {
        const size_t i = map_sought_find(s, inode);

        return i < s->n && s->items[i]->inode == inode;
}

uint64_t map_sought_distance(const MapSought *s, uint64_t inode) {
        const size_t i = map_sought_find(s, inode);
        uint64_t best = UINT64_MAX;

        if (i < s->n)
                best = s->items[i]->inode - inode;
        if (i > 0 && inode - s->items[i - 1]->inode < best)
                best = inode - s->items[i - 1]->inode;
        return best;
}
