/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/stat.h>

#include "core/fs-part.h"
#include "core/mend.h"
#include "core/owner.h"
#include "core/rangeset.h"

/* Whose a page is, asked of one file: mapper_owns(). */
typedef enum MapOwns {
        MAP_OTHERS,             /* certainly not this file's (any more), or not as written data */
        MAP_OWNED,              /* written, and of nobody else */
        MAP_SHARED,             /* also of others */
} MapOwns;

enum {
        _MAP_E_SUCCESS,

        MAP_E_UNSUPPORTED,      /* this file system cannot be asked: treat as OWNER_UNKNOWN */
        MAP_E_GONE,             /* unmounted, replaced, deleted while we asked: locate again */
        MAP_E_NOT_FOUND,        /* path(): no name below that folder */
};

/* What a file system is asked about: one of the devices that it has bytes on. All addresses are on that one,
 * and what lies at the same addresses of another one does not count. */
typedef struct MapSection {
        int mount_fd;           /* a folder of the file system, open for reading (no O_PATH) */
        FsPart part;            /* which of its devices: of data, or of realtime files */
        dev_t device;           /* that device, unless it is the file system's own (data) */
} MapSection;

#define MAP_DATA(fd) (&(const MapSection) { .mount_fd = (fd) })

/* Called in ascending order of owner->range.start. Owners may overlap: with reflink several files share
 * the same bytes. Non-zero stops the walk and is returned by mapper_walk(). The Owner belongs to the
 * caller; copy it. */
typedef int (*OwnerFn)(const Owner *owner, void *userdata);

/* A file system may fill its device group by group: a file's blocks are preferably taken from the group that
 * its inode is in, and the inode is in the group of its folder. */
typedef struct MapGroups {
        uint64_t size;                  /* of the device that is in one group, bytes */
        uint64_t n;
        unsigned inode_shift;           /* group of an inode: its number, shifted right by this */
        uint32_t block_size;
} MapGroups;

/* A search can take minutes. Who waits for it hears from time to time that it goes on: `fn` is called at
 * least once for some thousand inodes or folders that were looked at, by the thread that asked. */
typedef struct MapProgress {
        void (*fn)(void *userdata);
        void *userdata;
} MapProgress;

static inline void map_progress_tell(const MapProgress *p) {
        if (p && p->fn)
                p->fn(p->userdata);
}

/* A file that who asks has open, perhaps under a lease. To open it once more would break that lease, be it
 * by the same process (fs/locks.c, __break_lease(), asks for no owner), so it is never done: this descriptor
 * is asked instead. */
typedef struct MapHeld {
        uint64_t inode;
        uint32_t generation;
        int fd;                         /* lent */
} MapHeld;

/* Who asks; all may be empty. */
typedef struct MapAsker {
        const MapProgress *progress;
        const MapHeld *held;
        size_t n_held;
} MapAsker;

static inline void map_asker_tell(const MapAsker *a) {
        if (a)
                map_progress_tell(a->progress);
}

/* The descriptor that the asker (NULL: nobody) has of this file; -1: none. */
int map_asker_holds(const MapAsker *a, uint64_t inode, uint32_t generation);

/* A file whose names are asked for. */
typedef struct MapFile {
        uint64_t inode;
        uint32_t generation;
        uint32_t links;         /* how many names it has; those that the mount does not show among them */
        char **names;           /* NULL-terminated, relative to mount_fd, sorted */
        int error;              /* why it has none: MAP_E_NOT_FOUND, MAP_E_GONE, or a negative errno */
} MapFile;

void map_file_done(MapFile *f);
bool map_file_is_complete(const MapFile *f);

typedef struct MapFiles {
        MapFile *items;
        size_t n, allocated;
} MapFiles;

void map_files_done(MapFiles *l);
#define _cleanup_map_files_ _cleanup_(map_files_done)

typedef struct MapperOps {
        const char *name;               /* "xfs", "ext4", "devdax", … */
        const char *const *fs_types;    /* as in mountinfo, NULL-terminated */
        bool realtime;                  /* `walk` and `owns` can be asked about a realtime device too; all
                                         * others are asked about data only */
        bool keeps_times;               /* write(2) to what `open` has opened moves no time of the file */

        /* Whose the bytes of `ranges` (of the section's device; at least one) are. All ranges are asked for
         * at once, because one look at all inodes can answer them all. Owners of type OWNER_FILE have
         * inode, generation, offset and flags; no path. Who has bytes in several of the ranges is reported
         * for each of them. Of a range about which nothing can be found out an OWNER_UNKNOWN may say why,
         * in `detail`; the others are answered all the same. What the asker holds is not opened. 0, MAP_E_*,
         * or a negative errno. */
        int (*walk)(const MapSection *on, const RangeSet *ranges, const MapAsker *asker, OwnerFn fn,
                    void *userdata);

        /* Opens the inode without changing its timestamps, now or by writing (`keeps_times`), and without
         * waiting for who has a lease on it. `flags`: O_RDONLY or O_RDWR, or O_PATH. The
         * descriptor in *ret belongs to exactly that inode and generation. 0, MAP_E_GONE, or a negative
         * errno, -EWOULDBLOCK: somebody has a lease, and has been asked to give it up. */
        int (*open)(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret);

        /* Whether the file of fd (opened by `open`, no O_PATH) has `range` of the section's device, now, as
         * data at `offset`. Optional, for file systems that know it from the file at once and would have to
         * search for it in `walk`, opening files, which costs leases. 0; MAP_E_UNSUPPORTED: `walk` is to be
         * asked; or a negative errno, -EAGAIN: not to be told now. */
        int (*owns)(const MapSection *on, int fd, Range range, uint64_t offset, MapOwns *ret);

        /* Adds names of those of the files that are without `error` and not complete, relative to mount_fd,
         * as the file system's own records have them (parent pointers): hints, which the front checks. What
         * it has not is looked for in the folders. `error` may be set to MAP_E_GONE. Optional. 0, or
         * -ENOMEM. */
        int (*names)(int mount_fd, MapFile *files, size_t n);

        /* Optional. 0, MAP_E_UNSUPPORTED, or a negative errno. */
        int (*groups)(int mount_fd, MapGroups *ret);

        /* Can its files share blocks? Optional: no. */
        bool (*shares)(int mount_fd);

        /* Which parts of itself the file system, as it is mounted and on this kernel, can rebuild that have
         * the sectors `bad` within `range`. Changes nothing. Optional: none. 0, or a negative errno. */
        int (*mendable)(int mount_fd, Range range, const RangeSet *bad, Mend *ret);

        /* Has the file system rebuild one of the parts of `m`, whether it finds it damaged or not. 0: it
         * has, and has looked at it afterwards; -ENOENT: there is no such part; -EUCLEAN: it is damaged
         * still; or another negative errno. */
        int (*mend)(int mount_fd, const Mend *m, MendPart part);
} MapperOps;

extern const MapperOps *const mapper_table[];   /* NULL-terminated; mappers.c */

const MapperOps *mapper_find(const char *fs_type);

/* The only way in: checks the order, clamps to `ranges` (adding to `offset` what was cut from the front),
 * and reports as OWNER_UNKNOWN what the backend left out, so that the answer always covers all of
 * `ranges` and nothing beside them; no owner reaches over two of them. 0, MAP_E_GONE, a negative errno
 * (-EUCLEAN: the backend goes backwards, or over two ranges, and cannot be believed), or what fn
 * returned. ops NULL, or a section that it cannot be asked about: all of it is unknown. */
int mapper_search(const MapperOps *ops, const MapSection *on, const RangeSet *ranges, const MapAsker *asker,
                  OwnerFn fn, void *userdata);

/* The same for who holds nothing and is not interested in progress. */
static inline int mapper_walk(const MapperOps *ops, const MapSection *on, const RangeSet *ranges,
                              OwnerFn fn, void *userdata) {
        return mapper_search(ops, on, ranges, NULL, fn, userdata);
}

/* As ops->groups; what it says can be divided by. Only the data is in groups, here and below. */
int mapper_groups(const MapperOps *ops, const MapSection *on, MapGroups *ret);

/* Can its files share blocks (FICLONERANGE)? */
bool mapper_shares(const MapperOps *ops, const MapSection *on);

/* As ops->mendable, for metadata in `range` (of the section's device; whole pages); what it says makes
 * sense (mend.h), else -EUCLEAN. */
int mapper_mendable(const MapperOps *ops, const MapSection *on, Range range, const RangeSet *bad,
                    Mend *ret);

/* As ops->mend; `part` is one of m->parts. */
int mapper_mend(const MapperOps *ops, int mount_fd, const Mend *m, MendPart part);

/* As ops->open; checks that it is that inode of that file system and a regular file (fstat(2)), and,
 * unless O_PATH, that generation (FS_IOC_GETVERSION, where the file system answers it): else MAP_E_GONE.
 * The descriptor is O_CLOEXEC. */
int mapper_open(const MapperOps *ops, int mount_fd, uint64_t inode, uint32_t generation, int flags,
                int *ret);

/* Asks the file system now whether the file of fd (opened by mapper_open(), no O_PATH) has `range` of the
 * section's device as written data at `offset`. 0; -EAGAIN: the file system could not say; or another
 * negative errno. */
int mapper_owns(const MapperOps *ops, const MapSection *on, int fd, Range range, uint64_t offset,
                MapOwns *ret);

/* May ops->walk and ops->owns be asked about it? For the front only. */
static inline bool mapper_can_ask(const MapperOps *ops, const MapSection *on) {
        return ops && (on->part == FS_PART_DATA || (on->part == FS_PART_REALTIME && ops->realtime));
}

/* Names of files: from ops->names, and for those that have more, by walking the folders at and below
 * `folders` (relative to mount_fd, NULL-terminated; "" or "." for all; never across mounts, never through
 * symbolic links), in this order, once for all of the files, until all names have been found. A name is
 * checked against the inode (statx) before it is believed. Of each file inode and generation are given, and
 * the rest is zero; for each there are names then, or an error. 0, or -ENOMEM.
 *
 * `folders` limits the walk only: a name from ops->names may lie elsewhere. */
int mapper_names(const MapperOps *ops, int mount_fd, MapFile *files, size_t n, char *const *folders,
                 const MapProgress *progress);
