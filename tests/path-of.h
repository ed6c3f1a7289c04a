/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "map/mapper.h"

/* For tests: a name of one file, looked for at and below `below`: one that is there if there is one, else
 * another. 0 and *ret, which the caller frees, or what mapper_names() says. */
static inline int path_of(const MapperOps *ops, int mount_fd, uint64_t inode, uint32_t generation,
                          const char *below, char **ret) {
        char *folders[] = { (char *) below, NULL };
        MapFile f = { .inode = inode, .generation = generation };
        size_t n = strlen(below), best = 0;
        int r;

        while (n > 0 && below[n - 1] == '/')
                n--;
        if (n == 1 && below[0] == '.')
                n = 0;
        r = mapper_names(ops, mount_fd, &f, 1, folders, NULL);
        if (r == 0)
                r = f.error;
        if (r == 0) {
                for (size_t i = 0; f.names[i]; i++)
                        if (strncmp(f.names[i], below, n) == 0 &&
                            (n == 0 || f.names[i][n] == '/' || f.names[i][n] == '\0')) {
                                best = i;
                                break;
                        }
                *ret = strdup(f.names[best]);
        }
        map_file_done(&f);
        return r;
}
