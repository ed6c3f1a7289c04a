/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/mend.h"
#include "util/str.h"

static const char *const part_table[_MEND_PART_MAX] = {
        [MEND_SUPERBLOCK] = "superblock",
        [MEND_AGF] = "agf",
        [MEND_AGFL] = "agfl",
        [MEND_AGI] = "agi",
        [MEND_BNOBT] = "bnobt",
        [MEND_REFCOUNTBT] = "refcountbt",
        [MEND_INOBT] = "inobt",
        [MEND_FINOBT] = "finobt",
        [MEND_RMAPBT] = "rmapbt",
        [MEND_DATA_MAP] = "data-map",
        [MEND_ATTRIBUTE_MAP] = "attribute-map",
        [MEND_DIRECTORY] = "directory",
};

bool mend_is_sane(const Mend *m) {
        if (m->parts == 0 || (m->parts & ~MEND_OF_GROUP) == 0)
                return m->inode == 0 && m->generation == 0 && (m->parts != 0 || m->group == 0);
        return (m->parts & ~MEND_ALL) == 0 && (m->parts & (m->parts - 1)) == 0 && m->inode != 0 &&
               m->group == 0;
}

const char *mend_part_to_string(MendPart p) {
        return str_at(part_table, _MEND_PART_MAX, (int) p);
}

MendPart mend_part_from_string(const char *s) {
        return (MendPart) str_index(part_table, _MEND_PART_MAX, s);
}
