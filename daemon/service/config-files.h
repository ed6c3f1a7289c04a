/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The names of the files NAME.conf in the folder `sub` below root_fd, sorted; hidden ones and all others
 * (editors' and packagers' copies) are left out. 0, also when there is no such folder, or a negative
 * errno. The caller frees *ret, which may be NULL: none. */
int config_files_list(int root_fd, const char *sub, char ***ret);

typedef struct ConfigText {
        char *text;             /* NULL: masked by a link to /dev/null */
        size_t n;
        bool open_to_all;       /* everybody may write to it */
} ConfigText;

void config_text_done(ConfigText *t);
#define _cleanup_config_text_ _cleanup_(config_text_done)

/* 0, -ENOENT, -EFBIG (CONFIG_FILE_MAX), -EBADF (no regular file), or another negative errno. Never blocks
 * on what is no regular file. */
int config_text_read(int root_fd, const char *path, ConfigText *ret);

#define CONFIG_FILE_MAX ((size_t) 256 * 1024)
