/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>

/* What of a file system may be on a device of its own. The data is on the file system's, and the rest too,
 * unless it was made otherwise. */
typedef enum FsPart {
        FS_PART_DATA,
        FS_PART_LOG,
        FS_PART_REALTIME,
        _FS_PART_MAX,
        _FS_PART_INVALID = -EINVAL,
} FsPart;

const char *fs_part_to_string(FsPart p);                /* "data", "log", "realtime" */
FsPart fs_part_from_string(const char *s);
