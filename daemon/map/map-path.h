/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "map/mapper.h"

/* Names of inodes, found in the folders themselves: for file systems whose inodes do not know their
 * parents. */

/* Names, relative to mount_fd, of those of the files that are not complete, at or below `folders`
 * (NULL-terminated; "" for all), one after the other; what is below two of them is searched once. Never
 * across a mount, never through a symbolic link. 0, or a negative errno: of a folder that could not be read.
 * Names that were found stay in any case. Reading changes no timestamp where the kernel lets us (O_NOATIME).
 *
 * Inode numbers are used again. The caller keeps the inodes open meanwhile, so that the numbers stay what
 * they are. */
int map_names_search(int mount_fd, MapFile *files, size_t n, char *const *folders,
                     const MapProgress *progress);

/* Does `path`, relative to mount_fd, name the regular file `inode`, without a mount or a symbolic link on
 * the way? */
bool map_path_names(int mount_fd, const char *path, uint64_t inode);
