/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* What a running file system can rebuild of itself, entirely from what stands elsewhere in it, so that
 * nothing is lost by it. What it could only salvage (inodes, extended attributes, folders without parent
 * pointers) is not among these. In the order in which they are tried: what costs the least comes first. */
typedef enum MendPart {
        MEND_SUPERBLOCK,        /* a copy of it */
        MEND_AGF,               /* of an allocation group: header of its free space */
        MEND_AGFL,              /* its free list */
        MEND_AGI,               /* header of its inodes */
        MEND_BNOBT,             /* both btrees of its free space */
        MEND_REFCOUNTBT,
        MEND_INOBT,
        MEND_FINOBT,
        MEND_RMAPBT,            /* last of a group's: it takes a look at all files */
        MEND_DATA_MAP,          /* of an inode: btree of its extents */
        MEND_ATTRIBUTE_MAP,     /* the same of its attribute fork */
        MEND_DIRECTORY,         /* from the parent pointers of what is in it */
        _MEND_PART_MAX,
        _MEND_PART_INVALID = -EINVAL,
} MendPart;

#define MEND_BIT(p) (1U << (p))
#define MEND_OF_GROUP (MEND_BIT(MEND_DATA_MAP) - 1)
#define MEND_ALL (MEND_BIT(_MEND_PART_MAX) - 1)

typedef struct Mend {
        uint32_t parts;         /* MEND_BIT()s: the lost bytes are in one of these. Either all of a group, or
                                 * one of an inode. 0: nothing can be rebuilt */
        uint32_t group;
        uint64_t inode;
        uint32_t generation;
} Mend;

/* Nothing, or parts that it can have, together with what they are parts of. */
bool mend_is_sane(const Mend *m);

const char *mend_part_to_string(MendPart p);            /* "agf", "data-map", … */
MendPart mend_part_from_string(const char *s);
