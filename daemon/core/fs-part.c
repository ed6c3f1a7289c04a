/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/fs-part.h"
#include "util/str.h"

static const char *const fs_part_table[_FS_PART_MAX] = {
        [FS_PART_DATA] = "data",
        [FS_PART_LOG] = "log",
        [FS_PART_REALTIME] = "realtime",
};

const char *fs_part_to_string(FsPart p) {
        return str_at(fs_part_table, _FS_PART_MAX, (int) p);
}

FsPart fs_part_from_string(const char *s) {
        return (FsPart) str_index(fs_part_table, _FS_PART_MAX, s);
}
