/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#define PRIVATE_FILE_MAX 262144

enum {
        _PRIVATE_FILE_E_SUCCESS,

        PRIVATE_FILE_E_UNSAFE,  /* it is no regular file, or others than root and we may read or write it */
};

/* Reads a file that holds a secret: a regular file, no link, owned by root or by us, without rights for
 * group and others. 0, PRIVATE_FILE_E_UNSAFE, -EFBIG, or another negative errno. The caller frees *ret,
 * after explicit_bzero(). */
int private_file_read(int dir_fd, const char *path, char **ret, size_t *ret_size);
