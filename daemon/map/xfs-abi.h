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
        __u32 unused1[21];
        __u32 unused2;                  /* version */
        __u32 flags;                    /* XFS_GEOM_* */
        __u32 unused3[6];
        __u64 reserved[17];
} XfsGeometry;
_Static_assert(sizeof(XfsGeometry) == 256, "size is part of the ioctl's number");
_Static_assert(__builtin_offsetof(XfsGeometry, flags) == 92, "as in the kernel");

#define XFS_GEOM_RMAPBT (1U << 19)      /* XFS_FSOP_GEOM_FLAGS_RMAPBT */
#define XFS_GEOM_PARENT (1U << 25)      /* XFS_FSOP_GEOM_FLAGS_PARENT */

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
        __u64 unused1[7];
        __u32 generation;
        __u32 unused2[14];
        __u16 unused3[4];
        __u16 mode;
        __u16 unused4;
        __u64 unused5[7];
} XfsStat;
_Static_assert(sizeof(XfsStat) == 192, "records follow each other");
_Static_assert(__builtin_offsetof(XfsStat, generation) == 64, "as in the kernel");
_Static_assert(__builtin_offsetof(XfsStat, mode) == 132, "as in the kernel");

typedef struct XfsBulkstat {            /* struct xfs_bulkstat_req with room for one */
        __u64 ino;                      /* in: the first inode that may be told; out: where to go on */
        __u32 flags;
        __u32 icount;                   /* in: room */
        __u32 ocount;                   /* out: filled */
        __u32 agno;
        __u64 reserved[5];
        XfsStat stat;
} XfsBulkstat;
_Static_assert(__builtin_offsetof(XfsBulkstat, stat) == 64, "struct xfs_bulk_ireq");

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

#define XFS_GET_PARENTS_BY_HANDLE _IOWR('X', 63, XfsParents)    /* XFS_IOC_GETPARENTS_BY_HANDLE */
#define XFS_OPEN_BY_HANDLE _IOWR('X', 107, XfsHandleRequest)    /* XFS_IOC_OPEN_BY_HANDLE */
#define XFS_GET_GEOMETRY _IOR('X', 126, XfsGeometry)            /* XFS_IOC_FSGEOMETRY */
#define XFS_BULKSTAT _IOC(_IOC_READ, 'X', 127, 64)      /* XFS_IOC_BULKSTAT: size of an empty request */
