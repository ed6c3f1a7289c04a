/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Regions and namespaces. The point of it is where the bytes of a disk are in physical memory. A namespace
 * is claimed by a pfn, dax or btt device that keeps a header of its own in front: what the disk shows begins
 * at the *claimant's* resource, some MiB behind the namespace's (drivers/nvdimm/pfn_devs.c
 * resource_show(), which counts start_pad and dataoff in). A namespace that nobody claims shows all of
 * itself: raw mode, and legacy persistent memory (e820), which has struct pages without a pfn device. */

#include <assert.h>
#include <daxctl/libdaxctl.h>
#include <errno.h>
#include <limits.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <stdlib.h>
#include <uuid/uuid.h>

#include "topo/topo-parts.h"
#include "util/str.h"
#include "util/strv.h"
#include "util/vec.h"

static void log_nothing(struct ndctl_ctx *ctx, int priority, const char *file, int line, const char *fn,
                        const char *format, va_list args) {
}

/* libndctl waits for udev to become idle, by default up to 5 s, again for each kind of device, each time it
 * looks for devices: it would hold up the daemon's event loop while a busy machine starts. What is not there
 * yet announces itself by a uevent. Only the environment sets that time, and 0 would mean for ever. */
int topo_open_ndctl(struct ndctl_ctx **ret) {
        bool given = getenv("NDCTL_TIMEOUT");
        struct ndctl_ctx *ctx;
        int r;

        if (!given && setenv("NDCTL_TIMEOUT", "1", 0) < 0)
                return -errno;
        r = ndctl_new(&ctx);
        if (!given)
                (void) unsetenv("NDCTL_TIMEOUT");
        if (r != 0)
                return r < 0 ? r : -EIO;

        ndctl_set_log_fn(ctx, log_nothing);
        *ret = ctx;
        return 0;
}

/* Resources read as all ones where the kernel does not tell: to others than root, or of a device without a
 * driver. */
static Range known_range(unsigned long long start, unsigned long long size) {
        Range r = {};

        if (start != ULLONG_MAX && size != ULLONG_MAX)
                (void) range_init(start, size, &r);
        return r;
}

static NamespaceMode read_mode(struct ndctl_namespace *n) {
        switch ((int) ndctl_namespace_get_mode(n)) {
        case NDCTL_NS_MODE_RAW:
                return NAMESPACE_RAW;
        case NDCTL_NS_MODE_FSDAX:
                return NAMESPACE_FSDAX;
        case NDCTL_NS_MODE_SECTOR:
                return NAMESPACE_SECTOR;
        case NDCTL_NS_MODE_DEVDAX:
                return NAMESPACE_DEVDAX;
        default:
                return NAMESPACE_UNKNOWN;
        }
}

/* What a namespace shows, and through whom. */
typedef struct Face {
        const char *disk;       /* "" or NULL: disabled */
        Range data;
        uuid_t uuid;            /* of the claimant, as ndctl list shows it */
} Face;

/* The device's name, where it is all of the device-dax region: one that was cut up (daxctl create-device)
 * has no one place. */
static const char *dax_device(struct ndctl_dax *dax) {
        struct daxctl_region *region = ndctl_dax_get_daxctl_region(dax);
        struct daxctl_dev *dev = region ? daxctl_dev_get_first(region) : NULL;

        if (!dev || daxctl_dev_get_next(dev) || daxctl_dev_get_size(dev) != ndctl_dax_get_size(dax))
                return NULL;
        return daxctl_dev_get_devname(dev);
}

static void read_face(struct ndctl_namespace *n, Face *ret) {
        struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(n);
        struct ndctl_dax *dax = ndctl_namespace_get_dax(n);
        struct ndctl_btt *btt = ndctl_namespace_get_btt(n);

        *ret = (Face) {};
        if (pfn) {
                ndctl_pfn_get_uuid(pfn, ret->uuid);
                ret->data = known_range(ndctl_pfn_get_resource(pfn), ndctl_pfn_get_size(pfn));
                ret->disk = ndctl_pfn_is_enabled(pfn) ? ndctl_pfn_get_block_device(pfn) : NULL;
        } else if (dax) {
                ndctl_dax_get_uuid(dax, ret->uuid);
                ret->data = known_range(ndctl_dax_get_resource(dax), ndctl_dax_get_size(dax));
                ret->disk = ndctl_dax_is_enabled(dax) ? dax_device(dax) : NULL;
        } else if (btt) {
                ndctl_btt_get_uuid(btt, ret->uuid);
                ret->data = known_range(ndctl_namespace_get_resource(n), ndctl_namespace_get_size(n));
                ret->disk = ndctl_btt_is_enabled(btt) ? ndctl_btt_get_block_device(btt) : NULL;
        } else {
                ret->data = known_range(ndctl_namespace_get_resource(n), ndctl_namespace_get_size(n));
                ret->disk = ndctl_namespace_is_enabled(n) ? ndctl_namespace_get_block_device(n) : NULL;
        }

        if (uuid_is_null(ret->uuid))
                ndctl_namespace_get_uuid(n, ret->uuid);
}

static int copy_uuid(const uuid_t uuid, char **ret) {
        char text[UUID_STR_LEN];

        if (uuid_is_null(uuid))
                return str_copy(NULL, ret);
        uuid_unparse_lower(uuid, text);
        return str_copy(text, ret);
}

/* Items are filled in their places, so that half of one is freed with the Topology. */
static int add_namespace(struct ndctl_namespace *n, Topology *t) {
        TopoNamespace *to;
        Face face;
        int r;

        if (ndctl_namespace_get_size(n) == 0)
                return 0;       /* the seed: what the next namespace will be made of */

        r = vec_push(&t->namespaces, ((TopoNamespace) {}));
        if (r < 0)
                return r;
        to = &t->namespaces.items[t->namespaces.n - 1];

        read_face(n, &face);
        to->whole = known_range(ndctl_namespace_get_resource(n), ndctl_namespace_get_size(n));
        to->mode = read_mode(n);
        r = copy_uuid(face.uuid, &to->uuid);
        if (r < 0)
                return r;
        if (face.disk && *face.disk) {
                to->data = face.data;
                r = str_copy(face.disk, &to->disk);
                if (r < 0)
                        return r;
        }
        r = str_copy(ndctl_namespace_get_devname(n), &to->name);
        if (r < 0)
                return r;
        return str_copy(ndctl_region_get_devname(ndctl_namespace_get_region(n)), &to->region);
}

static int add_region(struct ndctl_region *region, Topology *t) {
        struct ndctl_dimm *dimm;
        TopoRegion *to;
        int r;

        r = vec_push(&t->regions, ((TopoRegion) {}));
        if (r < 0)
                return r;
        to = &t->regions.items[t->regions.n - 1];

        to->physical = known_range(ndctl_region_get_resource(region), ndctl_region_get_size(region));
        r = str_copy(ndctl_region_get_devname(region), &to->name);
        if (r < 0)
                return r;
        r = str_copy(ndctl_bus_get_devname(ndctl_region_get_bus(region)), &to->bus);
        if (r < 0)
                return r;

        ndctl_dimm_foreach_in_region(region, dimm) {
                r = strv_extend(&to->dimms, ndctl_dimm_get_devname(dimm));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_bus(struct ndctl_bus *bus, Topology *t) {
        struct ndctl_region *region;
        int r;

        ndctl_region_foreach(bus, region) {
                struct ndctl_namespace *n;

                if (ndctl_region_get_type(region) != ND_DEVICE_REGION_PMEM)
                        continue;
                r = add_region(region, t);
                if (r < 0)
                        return r;
                ndctl_namespace_foreach(region, n) {
                        r = add_namespace(n, t);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int topo_read_ndctl(Topology *t) {
        _cleanup_(ndctl_unrefp) struct ndctl_ctx *ctx = NULL;
        struct ndctl_bus *bus;
        int r;

        assert(t);

        r = topo_open_ndctl(&ctx);
        if (r < 0)
                return r;

        ndctl_bus_foreach(ctx, bus) {
                r = add_bus(bus, t);
                if (r < 0)
                        return r;
        }
        return 0;
}
