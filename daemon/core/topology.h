/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fs-part.h"
#include "core/spacemap.h"
#include "core/stripe.h"

/* The machine as a value: what persistent memory there is, which block devices stand on it, what is
 * mounted. topo/ reads it from the running system or from a saved file; everything above works on the
 * value. All strings are owned by the Topology. */

typedef enum NamespaceMode {
        NAMESPACE_RAW,          /* no struct pages: block path only */
        NAMESPACE_FSDAX,
        NAMESPACE_SECTOR,       /* btt: sectors move; never translated */
        NAMESPACE_DEVDAX,
        NAMESPACE_UNKNOWN,
        _NAMESPACE_MODE_MAX,
        _NAMESPACE_MODE_INVALID = -EINVAL,
} NamespaceMode;

typedef struct TopoRegion {
        char *name;             /* "region0" */
        char *bus;              /* "ndbus0"; the bus's provider is of no use to us */
        Range physical;
        char **dimms;           /* "nmem0" …, all that the region is interleaved over */
} TopoRegion;

typedef struct TopoNamespace {
        char *name;             /* "namespace0.0" */
        char *region;           /* TopoRegion.name */
        char *uuid;             /* NULL: none */
        NamespaceMode mode;
        char *disk;             /* TopoDisk.name, or the device-dax name; NULL while disabled */
        Range whole;            /* physical range that it takes up, also while it is disabled */
        Range data;             /* physical range that `disk` shows: pfnX.Y/resource onwards for fsdax, not
                                 * the namespace's own resource */
} TopoNamespace;

typedef struct TopoDisk {
        char *name;             /* kernel name: "pmem0" */
        char *node;             /* "/dev/pmem0" */
        uint32_t major, minor;
        uint64_t size;
        uint32_t logical_block_size;
        bool badblocks;         /* has a badblocks attribute in sysfs */
        bool character;         /* a character device (device-dax); the numbers are of that kind */
} TopoDisk;

/* `upper` stands on `lower`: a partition on its disk, a device-mapper device on what it maps. */
typedef struct TopoLink {
        char *upper, *lower;    /* TopoDisk.name */
        SpaceMap map;           /* bytes of upper -> bytes of lower */
        struct { Stripe *items; size_t n, allocated; } stripes;         /* and these */
        char *opaque;           /* by what upper uses (also) bytes of lower that nobody can tell: "crypt",
                                 * "raid1", "md"; NULL: there is nothing more than map and stripes say */
} TopoLink;

void topo_link_done(TopoLink *l);

typedef struct TopoMount {
        char *disk;             /* TopoDisk.name */
        char *mountpoint;       /* where its root is visible: a mount of the file system's root is preferred
                                 * to a bind mount of a part */
        char *root;             /* which folder of the file system is mounted there: "/" nearly always */
        char *fs;               /* "xfs" */
        char *uuid;             /* of the file system; NULL: none found */
        char *options;          /* of the file system, as in mountinfo: "rw,dax=always,…" */
        bool read_only;
} TopoMount;

/* What a file system has on another device than its own. */
typedef struct TopoPart {
        char *disk;             /* TopoDisk.name: has this part, and nothing else of it */
        FsPart part;
        char *node;             /* the file system's own device, which need not be persistent memory */
        char *mountpoint, *fs, *uuid;   /* as in TopoMount */
} TopoPart;

void topo_part_done(TopoPart *p);

typedef struct Topology {
        struct { TopoRegion *items; size_t n, allocated; } regions;
        struct { TopoNamespace *items; size_t n, allocated; } namespaces;
        struct { TopoDisk *items; size_t n, allocated; } disks;
        struct { TopoLink *items; size_t n, allocated; } links;
        struct { TopoMount *items; size_t n, allocated; } mounts;
        struct { TopoPart *items; size_t n, allocated; } parts;
} Topology;

void topology_done(Topology *t);
#define _cleanup_topology_ _cleanup_(topology_done)

const char *namespace_mode_to_string(NamespaceMode m);
NamespaceMode namespace_mode_from_string(const char *s);

/* Each returns NULL for none; what is returned belongs to the Topology. */
const TopoRegion *topology_find_region(const Topology *t, const char *name);
const TopoDisk *topology_find_disk(const Topology *t, const char *name);
const TopoDisk *topology_find_disk_by_number(const Topology *t, uint32_t major, uint32_t minor);
const TopoNamespace *topology_find_namespace_by_disk(const Topology *t, const char *disk);
const TopoMount *topology_find_mount(const Topology *t, const char *disk);
const TopoPart *topology_find_part(const Topology *t, const char *disk);

/* Bytes of `disk` -> physical addresses, through partitions and device mapper. 0, -ENOENT when no
 * persistent memory is below it, -EOPNOTSUPP when a part of the stack is not linear (btt, stripes), -ELOOP,
 * -ENOMEM. */
int topology_physical(const Topology *t, const char *disk, SpaceMap *ret);

/* Where the bytes `part` of `disk` can be found on the devices that stand on it (itself included), each
 * device once, in the order of t->disks, with its map disk -> upper; an empty map for a device that shows
 * one of the bytes twice (a mirror), because nobody can tell which of the two is meant, or that deals them
 * out in too many chunks (STRIPE_PIECES_MAX): ask for less. Devices that show none of the bytes are left
 * out. `fn` returns non-zero to stop; that is returned. Otherwise 0, -ENOENT when there is no such disk,
 * -ELOOP, -ENOMEM. */
typedef int (*TopologyUpperFn)(const TopoDisk *upper, const SpaceMap *map, void *userdata);
int topology_uppers(const Topology *t, const char *disk, Range part, TopologyUpperFn fn, void *userdata);

/* Does `upper` stand on `lower`, over whatever is between them, followed or not? Not on itself. */
bool topology_stands_on(const Topology *t, const char *upper, const char *lower);
