/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <linux/ioctl.h>
#include <linux/types.h>

/* What XFS says to programs, as far as it is asked here: fs/xfs/libxfs/xfs_fs.h of the kernel (ioctls,
 * structures) and fs/xfs/xfs_export.h (file handles), an interface that never changes. Stated again, so
 * that building needs no xfslibs-dev, and because the parent pointers are newer (6.10) than the headers
 * that distributions ship. The names are our own. */

typedef struct XfsGeometry {            /* struct xfs_fsop_geom, version 5 */
        __u32 block_size;
        __u32 unused1;
        __u32 ag_blocks;                /* blocks in an allocation group */
        __u32 ag_count;
        __u32 log_blocks;
        __u32 sector_size;
        __u32 inode_size;
        __u32 unused2;
        __u64 data_blocks;
        __u64 unused3[2];
        __u64 log_start;                /* block number; 0: the log is on a device of its own */
        __u32 unused4[6];
        __u32 unused5;                  /* version */
        __u32 flags;                    /* XFS_GEOM_* */
        __u32 unused6[6];
        __u64 reserved[17];
} XfsGeometry;
_Static_assert(sizeof(XfsGeometry) == 256, "size is part of the ioctl's number");
_Static_assert(__builtin_offsetof(XfsGeometry, data_blocks) == 32, "as in the kernel");
_Static_assert(__builtin_offsetof(XfsGeometry, log_start) == 56, "as in the kernel");
_Static_assert(__builtin_offsetof(XfsGeometry, flags) == 92, "as in the kernel");

#define XFS_GEOM_RMAPBT (1U << 19)      /* XFS_FSOP_GEOM_FLAGS_RMAPBT */
#define XFS_GEOM_REFLINK (1U << 20)     /* XFS_FSOP_GEOM_FLAGS_REFLINK */
#define XFS_GEOM_PARENT (1U << 25)      /* XFS_FSOP_GEOM_FLAGS_PARENT */
#define XFS_GEOM_METADIR (1U << 26)     /* XFS_FSOP_GEOM_FLAGS_METADIR */

/* Owners in GETFSMAP records with FMR_OF_SPECIAL_OWNER: XFS_FMR_OWN_*. FMR_OWN_FREE and _UNKNOWN are
 * common to all file systems. */
#define XFS_OWNER(n) (((__u64) 'X' << 32) | (n))
#define XFS_OWNER_FS XFS_OWNER(1)
#define XFS_OWNER_LOG XFS_OWNER(2)
#define XFS_OWNER_AG XFS_OWNER(3)
#define XFS_OWNER_INOBT XFS_OWNER(4)
#define XFS_OWNER_INODES XFS_OWNER(5)
#define XFS_OWNER_REFCOUNT XFS_OWNER(6)
#define XFS_OWNER_COW XFS_OWNER(7)
#define XFS_OWNER_DEFECTIVE XFS_OWNER(8)

typedef struct XfsStat {                /* struct xfs_bulkstat */
        __u64 ino;
        __u64 unused1;
        __u64 blocks;                   /* 0 for a data fork within the inode, whatever the other fork has */
        __u64 xflags;
        __u64 unused2[4];
        __u32 generation;
        __u32 unused3[13];
        __u32 attr_extents;
        __u16 unused4[4];
        __u16 mode;
        __u16 unused5;
        __u64 unused6[7];
} XfsStat;
_Static_assert(sizeof(XfsStat) == 192, "records follow each other");
_Static_assert(__builtin_offsetof(XfsStat, xflags) == 24, "as in the kernel");
_Static_assert(__builtin_offsetof(XfsStat, generation) == 64, "as in the kernel");
_Static_assert(__builtin_offsetof(XfsStat, attr_extents) == 120, "as in the kernel");
_Static_assert(__builtin_offsetof(XfsStat, mode) == 132, "as in the kernel");

typedef struct XfsBulk {                /* struct xfs_bulk_ireq */
        __u64 ino;                      /* in: the first inode that may be told; out: where to go on */
        __u32 flags;
        __u32 icount;                   /* in: room */
        __u32 ocount;                   /* out: filled */
        __u32 agno;
        __u64 reserved[5];
} XfsBulk;
_Static_assert(sizeof(XfsBulk) == 64, "records follow it");
#define XFS_BULK_SPECIAL (1U << 1)      /* XFS_BULK_IREQ_SPECIAL: ino is one of these: */
#define XFS_BULK_SPECIAL_ROOT 1U

#define XFS_CHUNK 64                    /* inodes in one record of the inode btree */

typedef struct XfsBulkstat {            /* struct xfs_bulkstat_req */
        XfsBulk head;
        XfsStat stats[XFS_CHUNK];
} XfsBulkstat;

typedef struct XfsInodes {              /* struct xfs_inumbers */
        __u64 first;
        __u64 allocated;                /* mask */
        __u64 unused;
} XfsInodes;

typedef struct XfsInumbers {            /* struct xfs_inumbers_req */
        XfsBulk head;
        XfsInodes chunks[256];
} XfsInumbers;

typedef struct XfsMapping {             /* struct getbmapx; all in sectors. The first one is the request: */
        __s64 offset;                   /* where to go on */
        __s64 block;                    /* in the device; negative: nowhere */
        __s64 length;
        __s32 count;                    /* in: room, with the first one */
        __s32 entries;                  /* out: filled, without the first one */
        __s32 iflags;                   /* XFS_MAP_* */
        __s32 oflags;                   /* XFS_MAPPED_* */
        __s32 unused[2];
} XfsMapping;
_Static_assert(sizeof(XfsMapping) == 48, "records follow each other");
#define XFS_MAP_ATTRIBUTES 0x1          /* BMV_IF_ATTRFORK */
#define XFS_MAP_UNWRITTEN 0x4           /* BMV_IF_PREALLOC */
#define XFS_MAP_DELAYED 0x8             /* BMV_IF_DELALLOC */
#define XFS_MAP_NO_HOLES 0x10           /* BMV_IF_NO_HOLES */
#define XFS_MAPPED_UNWRITTEN 0x1        /* BMV_OF_PREALLOC */
#define XFS_MAPPED_DELAYED 0x2          /* BMV_OF_DELALLOC */
#define XFS_MAPPED_SHARED 0x8           /* BMV_OF_SHARED */

typedef struct XfsHandle {              /* struct xfs_handle */
        __u32 fsid[2];                  /* not looked at: the descriptor says which file system */
        __u16 fid_len;                  /* of what follows it: XFS_FID_LEN */
        __u16 fid_pad;
        __u32 generation;
        __u64 ino;
} XfsHandle;
_Static_assert(sizeof(XfsHandle) == 24, "the kernel takes no other length");
#define XFS_FID_LEN 14

typedef struct XfsHandleRequest {       /* struct xfs_fsop_handlereq */
        __u32 fd;
        void *path;
        __u32 oflags;
        void *ihandle;
        __u32 ihandlen;
        void *ohandle;
        __u32 *ohandlen;
} XfsHandleRequest;
_Static_assert(sizeof(void *) != 8 || sizeof(XfsHandleRequest) == 56, "size is part of the ioctl's number");

typedef struct XfsFid {                 /* struct xfs_fid64: the file handle of open_by_handle_at(2) */
        __u64 ino;
        __u32 generation;
} __attribute__((packed)) XfsFid;
_Static_assert(sizeof(XfsFid) == 12, "three words");
#define XFS_FID_TYPE 0x81               /* FILEID_INO32_GEN | XFS_FILEID_TYPE_64FLAG */

typedef struct XfsParents {             /* struct xfs_getparents_by_handle */
        XfsHandle handle;
        __u32 cursor[4];                /* zero to begin; kept between calls */
        __u16 iflags;
        __u16 oflags;                   /* XFS_PARENTS_* */
        __u32 size;                     /* of the buffer, at most 64 KiB */
        __u64 reserved;
        __u64 buffer;                   /* filled with XfsParent; left alone when there is none */
} XfsParents;
_Static_assert(sizeof(XfsParents) == 64, "size is part of the ioctl's number");
#define XFS_PARENTS_ROOT (1U << 0)
#define XFS_PARENTS_DONE (1U << 1)

typedef struct XfsParent {              /* struct xfs_getparents_rec */
        XfsHandle handle;
        __u32 length;                   /* of this record; the last one reaches to the end of the buffer */
        __u32 reserved;
        char name[];                    /* with a NUL */
} XfsParent;
_Static_assert(__builtin_offsetof(XfsParent, name) == 32, "as in the kernel");

typedef struct XfsScrub {               /* struct xfs_scrub_metadata */
        __u32 type;                     /* XFS_SCRUB_* */
        __u32 flags;
        __u64 ino;                      /* of what belongs to an inode, as the generation */
        __u32 generation;
        __u32 group;                    /* of what belongs to an allocation group */
        __u64 reserved[5];
} XfsScrub;
_Static_assert(sizeof(XfsScrub) == 64, "size is part of the ioctl's number");
#define XFS_SCRUB_PROBE 0U              /* XFS_SCRUB_TYPE_PROBE, and so on */
#define XFS_SCRUB_SB 1U
#define XFS_SCRUB_AGF 2U
#define XFS_SCRUB_AGFL 3U
#define XFS_SCRUB_AGI 4U
#define XFS_SCRUB_BNOBT 5U
#define XFS_SCRUB_INOBT 7U
#define XFS_SCRUB_FINOBT 8U
#define XFS_SCRUB_RMAPBT 9U
#define XFS_SCRUB_REFCNTBT 10U
#define XFS_SCRUB_BMBTD 12U
#define XFS_SCRUB_BMBTA 13U
#define XFS_SCRUB_DIR 15U
#define XFS_SCRUB_REPAIR (1U << 0)      /* in: XFS_SCRUB_IFLAG_REPAIR */
#define XFS_SCRUB_FORCE (1U << 8)       /* in: XFS_SCRUB_IFLAG_FORCE_REBUILD (Linux 6.6) */
#define XFS_SCRUB_WRONG ((1U << 1) | (1U << 4)) /* out: XFS_SCRUB_OFLAG_CORRUPT, _XCORRUPT */
#define XFS_SCRUB_INCOMPLETE (1U << 5)  /* out: XFS_SCRUB_OFLAG_INCOMPLETE */

#define XFS_SCRUB_METADATA _IOWR('X', 60, XfsScrub)             /* XFS_IOC_SCRUB_METADATA */
#define XFS_GET_PARENTS_BY_HANDLE _IOWR('X', 63, XfsParents)    /* XFS_IOC_GETPARENTS_BY_HANDLE */
#define XFS_OPEN_BY_HANDLE _IOWR('X', 107, XfsHandleRequest)    /* XFS_IOC_OPEN_BY_HANDLE */
#define XFS_GET_GEOMETRY _IOR('X', 126, XfsGeometry)            /* XFS_IOC_FSGEOMETRY */
#define XFS_GET_MAPPINGS _IOC(_IOC_READ | _IOC_WRITE, 'X', 56, 32) /* XFS_IOC_GETBMAPX: size of a getbmap */
#define XFS_BULKSTAT _IOR('X', 127, XfsBulk)    /* XFS_IOC_BULKSTAT: size of an empty request */
#define XFS_INUMBERS _IOR('X', 128, XfsBulk)    /* XFS_IOC_INUMBERS: the same */
