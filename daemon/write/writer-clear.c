/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A device-dax has neither read(2) nor write(2), and its driver knows nothing of poison: what lies below is
 * told to clear it, by its address (ND_CMD_CLEAR_ERROR, as `ndctl clear-errors` does), and then the bytes
 * are stored through a mapping. The kernel lets that happen to a device-dax in use
 * (nd_pmem_forget_poison_check() passes it over); ndctl itself disables the namespace first, which takes it
 * from everybody who has it mapped.
 *
 * Only the bad sectors are cleared and stored: stores of others to good ones cannot be lost. What clearing
 * leaves in them is the firmware's business, so that from then until the bytes are stored they are wrong and
 * no longer poison. The caller is told of this moment, to note what he finds: should the worker end in
 * between, it can be told later that nobody else has stored anything. So each run of them is brought to its
 * end before the next is begun.
 *
 * What a machine check took out of the kernel's map is not brought back by this. It does no harm here: a
 * device-dax is used through mappings of programs, which are whole (heal-device-dax). */

#include <assert.h>
#include <errno.h>
#include <ndctl/libndctl.h>
#include <stdlib.h>
#include <string.h>

#include "write/mapped.h"
#include "write/writer-backends.h"

DEFINE_CLEANUP(struct ndctl_ctx *, ndctl_unref);

static void ndctl_cmd_unrefp(struct ndctl_cmd **c) {
        if (*c)
                ndctl_cmd_unref(*c);
}

static struct ndctl_bus *find_bus(struct ndctl_ctx *ctx, const char *region) {
        struct ndctl_bus *bus;

        ndctl_bus_foreach(ctx, bus) {
                struct ndctl_region *r;

                ndctl_region_foreach(bus, r)
                        if (strcmp(ndctl_region_get_devname(r), region) == 0)
                                return bus;
        }
        return NULL;
}

/* Asks what may be cleared at once there: it is a power of two, and clearing less than that is refused. */
static int ask_capability(struct ndctl_bus *bus, uint64_t physical, struct ndctl_cmd **ret) {
        _cleanup_(ndctl_cmd_unrefp) struct ndctl_cmd *cap = ndctl_bus_cmd_new_ars_cap(bus, physical,
                                                                                      REPAIR_UNIT);
        unsigned unit;
        int r;

        if (!cap)
                return -EOPNOTSUPP;
        r = ndctl_cmd_submit_xlat(cap);
        if (r < 0)
                return r;
        unit = ndctl_cmd_ars_cap_get_clear_unit(cap);
        if (unit == 0 || unit > SECTOR_SIZE || SECTOR_SIZE % unit != 0)
                return -EOPNOTSUPP;

        *ret = TAKE_PTR(cap);
        return 0;
}

static int clear_one(struct ndctl_cmd *cap, uint64_t physical, uint64_t size) {
        _cleanup_(ndctl_cmd_unrefp) struct ndctl_cmd *clear = NULL;
        int r;

        clear = ndctl_bus_cmd_new_clear_error(physical, size, cap);
        if (!clear)
                return -EOPNOTSUPP;
        r = ndctl_cmd_submit_xlat(clear);
        if (r < 0)
                return r;
        return ndctl_cmd_clear_error_get_cleared(clear) == size ? 0 : -EIO;
}

/* What stands there now that it is poison no more. */
static void tell_cleared(const Target *t, const Mapped *m, Range run) {
        size_t at = run.start - t->range.start;
        uint8_t left[REPAIR_UNIT];

        if (mapped_load_part(m, at, left, range_size(run)) >= 0)
                t->clear->cleared(run, left, t->clear->userdata);
}

/* One run of bad sectors. */
static int restore(const Target *t, struct ndctl_cmd *cap, const Mapped *m, Range run, const uint8_t *page) {
        size_t at = run.start - t->range.start;
        int r;

        r = t->clear->look(run, t->clear->userdata);
        if (r >= 0)
                r = clear_one(cap, t->physical + at, range_size(run));
        if (r < 0)
                return r;

        tell_cleared(t, m, run);
        return mapped_store_part(m, at, page + at, range_size(run));
}

static int clear_write(Writer *w, const Target *t, const void *page) {
        _cleanup_(ndctl_unrefp) struct ndctl_ctx *ctx = NULL;
        _cleanup_(ndctl_cmd_unrefp) struct ndctl_cmd *cap = NULL;
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_mapped_ Mapped m = {};
        struct ndctl_bus *bus;
        int r;

        if (!t->clear || !t->bad || t->physical == 0)
                return -EINVAL;
        if (!mapped_flushes_alone())
                return -EOPNOTSUPP;

        /* Else libndctl waits for udev to become idle, for seconds. */
        if (setenv("NDCTL_TIMEOUT", "1", 0) < 0)
                return -errno;
        r = ndctl_new(&ctx);
        if (r < 0)
                return r;
        bus = find_bus(ctx, t->clear->region);
        if (!bus)
                return -ENODEV;

        r = ask_capability(bus, t->physical, &cap);
        if (r >= 0)
                r = rangeset_clip(t->bad, t->range, &bad);
        if (r >= 0)
                r = mapped_open(t->file_fd, t->offset, t->clear->align, &m);
        for (size_t i = 0; r >= 0 && i < bad.n; i++)
                r = restore(t, cap, &m, bad.items[i], page);
        return r;
}

const WriterOps writer_clear_ops = {
        .name = "clear",
        .kind = WRITER_CLEAR,
        .write = clear_write,
};
