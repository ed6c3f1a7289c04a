/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/sysmacros.h>

#include "core/case.h"
#include "core/rangeset.h"
#include "core/spacemap.h"
#include "map/mapper.h"
#include "util/cleanup.h"

enum {
        _SITE_E_SUCCESS,

        SITE_E_UNMOUNTED,       /* the file system is not mounted there, or another one is */
        SITE_E_GONE,            /* there is no such device */
};

/* A device with its file system, opened: everything that a worker asks is asked of these descriptors, so
 * that a device or a mount that is replaced meanwhile is not mistaken for the one that was found
 * poisoned. The file system may have another device than the one that was poisoned, a partition of it or
 * what device mapper made of it: addresses are always those of the poisoned one, and site_walk() knows the
 * difference. Or the poisoned one has another part of it than its data: then "the file system's device" is
 * what it has for that part. */
typedef struct Site {
        const Volume *volume;
        const char *disk;       /* "pmem0"; points into the Volume */
        uint32_t major, minor;  /* of the device */
        uint64_t size;          /* of the device */
        int block_fd;           /* O_RDONLY | O_DIRECT: sectors beside a bad one can be read here, not
                                 * through the file. -1: it cannot be read (device-dax, a region) */
        int mount_fd;           /* -1: not mounted */
        uint32_t fs_major, fs_minor;    /* of the file system's own device: the same, one that stands on it,
                                         * or, where this has another part of it, any */
        uint32_t part_major, part_minor;        /* of what the file system has for the part of it that is
                                         * here: the same, or one that stands on it */
        const MapperOps *ops;   /* NULL: no mapper for this file system */
        bool read_only;
        int dax_fd;             /* O_RDONLY: it is a device-dax, and read through mappings. -1: it is not */
        uint64_t dax_align;     /* it is mapped in pieces of that size */
        uint64_t dax_physical;  /* where its first byte is in physical memory */
        bool coarse;            /* its logical blocks are larger than sectors */
        struct { MapHeld *items; size_t n, allocated; } held;   /* site_hold() */
        const MapProgress *progress;    /* NULL, or who waits for a search that takes long; set by whoever
                                         * opened it */
} Site;

/* What the mapper is asked about. */
static inline MapSection site_section(const Site *s) {
        return (MapSection) { .mount_fd = s->mount_fd, .part = s->volume->part,
                              .device = makedev(s->part_major, s->part_minor) };
}

/* The Volume must outlive the Site. 0; SITE_E_UNMOUNTED, with *ret valid but for mount_fd; SITE_E_GONE;
 * or a negative errno. */
int site_open(const Volume *v, Site *ret);
void site_close(Site *s);
#define _cleanup_site_ _cleanup_(site_close)
#define SITE_NULL ((Site) { .block_fd = -1, .mount_fd = -1, .dax_fd = -1 })

static inline bool site_is_dax(const Site *s) {
        return s->dax_fd >= 0;
}

/* site_open() of a character device, as a device-dax: size, align and place in physical memory come from
 * sysfs. 0, SITE_E_GONE, or a negative errno. */
int site_open_dax(const Volume *v, Site *s);

/* Is the device-dax that was opened still the one of that name, in the same place? > 0 yes, 0 no, or a
 * negative errno. */
int site_dax_stays(const Site *s);

/* Bytes of what is repaired: of the file `fd`, or of the device-dax, whatever `fd` is. Of a device-dax
 * nothing that is listed may be asked for: it would be loaded. 0 or a negative errno, -EFAULT where a
 * mapping cannot be touched. */
int site_read(const Site *s, int fd, void *buf, size_t n, uint64_t offset);

/* The sectors of the device itself, past the file. Of a device-dax as above. */
int site_read_device(const Site *s, void *buf, size_t n, uint64_t at);

/* The device once more, O_RDWR, and a block device O_DIRECT. 0, or a negative errno (-EBUSY: this kernel
 * lets nobody write to a disk that is mounted). */
int site_open_device(const Site *s, int *ret_fd);

/* What the kernel lists now, within `window`. 0; -EOVERFLOW when its list is cut off before the end of
 * the window; or another negative errno. */
int site_listed(const Site *s, Range window, RangeSet *ret);

/* From here on this file is open, and leased perhaps, as `fd`, which stays the caller's: whoever asks about
 * the file by way of this Site asks that descriptor, and nobody opens the file once more. 0 or -ENOMEM. */
int site_hold(Site *s, uint64_t inode, uint32_t generation, int fd);
void site_let_go(Site *s, int fd);

/* Its descriptor; -1: it is not held. */
int site_held(const Site *s, uint64_t inode, uint32_t generation);

/* `relative`, a name below the mount, as a path. 0 or -ENOMEM; the caller frees *ret. */
int site_path(const Site *s, const char *relative, char **ret);

/* Whose the bytes of `ranges` of the device (whole pages) are: asks the mapper about the places that they
 * have on the file system's device, which are read from the kernel each time, and tells the owners in
 * addresses of the device, ascending, none of them over two pieces there. All of `ranges` is answered; what
 * has no place there, or none that can be computed with, is unknown, with a sentence. 0, MAP_E_GONE, a
 * negative errno, or what fn returned. */
int site_walk(const Site *s, const RangeSet *ranges, OwnerFn fn, void *userdata);

/* Where bytes of the device are on the file system's device, at this moment: device -> file system's device.
 * Empty when that no longer stands on this one. 0 or a negative errno. */
int site_places(const Site *s, Range range, SpaceMap *ret);

/* All of the file system's device, where none of it is on any other device than this, and its pages are
 * pages here: device -> file system's device. 0, -EOPNOTSUPP, or another negative errno. */
int site_whole(const Site *s, SpaceMap *ret);

/* mapper_owns() for a page of the device. A device-dax owns itself, as long as it is where it was. */
int site_owns(const Site *s, int fd, Range page, uint64_t offset, MapOwns *ret);
