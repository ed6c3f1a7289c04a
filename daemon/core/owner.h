/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/range.h"
#include "util/cleanup.h"

/* Whose the bad bytes are. */
typedef enum OwnerType {
        OWNER_FREE,             /* nobody's */
        OWNER_FILE,             /* file data, at inode + offset */
        OWNER_METADATA,         /* the file system's own: leave it to its repair tool */
        OWNER_LOG,              /* its journal */
        OWNER_UNKNOWN,          /* the mapper cannot say: never write */
        OWNER_DEVICE_DAX,       /* the character device itself */
        OWNER_UNMOUNTED,        /* a device that nobody has mounted: cannot be asked yet */
        _OWNER_TYPE_MAX,
        _OWNER_TYPE_INVALID = -EINVAL,
} OwnerType;

#define OWNER_NAMES_MAX 256U

typedef struct Owner {
        OwnerType type;
        Range range;            /* on the block device */
        uint64_t inode;         /* OWNER_FILE (and metadata that belongs to one inode), as the two below */
        uint32_t generation;
        uint64_t offset;        /* of range.start in the file, bytes */
        bool shared;            /* other files share (some of) these bytes: reflink */
        bool unwritten;         /* allocated, never written: reads as zeroes, nothing is lost */
        bool guard;             /* OWNER_FILE: one of our own, made to keep these bytes from everybody
                                 * (worker/guard.h) */
        char *path;             /* absolute, one of the file's names; raw bytes as the kernel has them; NULL:
                                 * not known (yet) */
        char **names;           /* absolute, all of them, `path` among them, sorted; NULL: there is only
                                 * that. Of a file that has more than OWNER_NAMES_MAX, the first ones */
        char *detail;           /* what kind of metadata, in words: "inode btree"; NULL */
} Owner;

typedef struct Owners {
        Owner *items;
        size_t n, allocated;
} Owners;

void owner_done(Owner *o);
#define _cleanup_owner_ _cleanup_(owner_done)
void owners_done(Owners *o);
#define _cleanup_owners_ _cleanup_(owners_done)

/* Deep copies. 0 or -ENOMEM. */
int owner_copy(const Owner *o, Owner *ret);
int owners_copy(const Owners *o, Owners *ret);

/* Cuts o to what lies in `window`; `offset` of a file goes with it. 1; 0 when nothing of it lies there, and
 * o is as before; or -EOVERFLOW: the offset is beyond all counting. */
int owner_clamp(Owner *o, Range window);

/* *ret: copies of those of which something lies in `window`, cut to it. 0, -ENOMEM or -EOVERFLOW. */
int owners_clip(const Owners *o, Range window, Owners *ret);

const char *owner_type_to_string(OwnerType t);          /* "file", "device-dax", … */
OwnerType owner_type_from_string(const char *s);
