/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Names of inodes, found in the folders themselves: for file systems whose inodes do not know their
 * parents. */

/* One name of the regular file `inode`, relative to mount_fd, at or below `below` ("" for all). Never
 * across a mount, never through a symbolic link. 0 and *ret (the caller frees it), MAP_E_NOT_FOUND, or a
 * negative errno: of a folder that could not be read, when the name was not in the others. Reading
 * changes no timestamp where the kernel lets us (O_NOATIME).
 *
 * Inode numbers are used again. The caller keeps the inode open meanwhile, so that the number stays what
 * it is. */
int map_path_search(int mount_fd, uint64_t inode, const char *below, char **ret);

/* Does `path`, relative to mount_fd, name the regular file `inode`, without a mount or a symbolic link on
 * the way? */
bool map_path_names(int mount_fd, const char *path, uint64_t inode);
