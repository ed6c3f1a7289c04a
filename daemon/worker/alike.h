/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* FICLONERANGE wants that both files have DAX, or neither (xfs_reflink_remap_prep()). Which a file has is
 * said when its inode comes into memory, and stays. Not every new file is like every old one:
 *
 * - Mounted with dax=inode, it is what the flag of the folder was.
 * - Before Linux 6.2 a file of XFS that has ever shared blocks has none, whatever the mount says
 *   (xfs_inode_supports_dax()); one that begins to share has it until its inode is read anew, at the latest
 *   after the next mount. New ones have it.
 *
 * So a file without DAX is one that shares a block with itself, and that the kernel has forgotten since. */

#define ALIKE_NAME_MAX 16

enum {
        _ALIKE_E_SUCCESS,

        ALIKE_E_NONE,           /* the kernel gives none; it may do later. What was made for it is left where
                                 * it is, for the next try. */
};

/* A new file in a folder that is the caller's alone, with DAX or without: empty, 0600, O_RDWR. It has a name
 * there, for the caller to give it another or to remove it. 0, ALIKE_E_NONE, or a negative errno. */
int alike_make(int folder_fd, bool dax, int *ret_fd, char ret_name[static ALIKE_NAME_MAX]);

/* Nothing of what a folder hands down to a new file may send its blocks elsewhere or limit them: realtime
 * device, extent size hints, project quota. 0 or a negative errno. */
int alike_set_plain(int fd);

/* Removes what earlier tries, or a crash, have left in such a folder. */
void alike_sweep(int folder_fd);
