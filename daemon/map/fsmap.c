/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One question to FS_IOC_GETFSMAP: all records of a range of one device of the file system, in as many calls
 * as it takes. */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "map/fsmap.h"
#include "map/mapper.h"
#include "util/cleanup.h"

#define BATCH 128       /* records for one call */

/* A dev_t as the kernel encodes it in 32 bits: new_encode_dev(), include/linux/kdev_t.h. */
static uint32_t encode_device(dev_t d) {
        return (minor(d) & 0xff) | (major(d) << 8) | ((minor(d) & ~0xffU) << 12);
}

/* The keys of a query: the low one is where to begin, and the high one is greater than all records at its
 * place. */
static void query_init(struct fsmap_head *head, uint32_t device, Range range) {
        memset(head, 0, fsmap_sizeof(BATCH));
        head->fmh_count = BATCH;
        head->fmh_keys[0].fmr_device = device;
        head->fmh_keys[0].fmr_physical = range.start;
        head->fmh_keys[1].fmr_device = device;
        head->fmh_keys[1].fmr_physical = range.end - 1;
        head->fmh_keys[1].fmr_flags = UINT32_MAX;
        head->fmh_keys[1].fmr_owner = UINT64_MAX;
        head->fmh_keys[1].fmr_offset = UINT64_MAX;
}

static int query_take(const struct fsmap_head *head, uint32_t device, FsmapFn fn, void *userdata) {
        for (uint32_t i = 0; i < head->fmh_entries; i++) {
                int r;

                /* Its other devices are not asked about. Device numbers that are none come
                 * with an internal realtime section (Linux 6.15): a fantasy number could be ours by
                 * chance. */
                if (!(head->fmh_oflags & FMH_OF_DEV_T) || head->fmh_recs[i].fmr_device != device)
                        continue;
                r = fn(&head->fmh_recs[i], userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* EINVAL: the device is none that GETFSMAP knows by this number (XFS with an internal realtime section). */
static bool is_unsupported(int error) {
        return error == ENOTTY || error == EOPNOTSUPP || error == EINVAL;
}

int fsmap_query(const MapSection *on, Range range, FsmapFn fn, void *userdata) {
        _cleanup_free_ struct fsmap_head *head = NULL;
        const struct fsmap *last;
        uint32_t device;
        struct stat st;
        int r;

        if (fstat(on->mount_fd, &st) < 0)
                return -errno;
        if (on->part != FS_PART_DATA && on->device == st.st_dev)
                return MAP_E_UNSUPPORTED; /* its data, whatever it was taken for */
        device = encode_device(on->part == FS_PART_DATA ? st.st_dev : on->device);
        head = malloc(fsmap_sizeof(BATCH));
        if (!head)
                return -ENOMEM;

        for (query_init(head, device, range);; fsmap_advance(head)) {
                if (ioctl(on->mount_fd, FS_IOC_GETFSMAP, head) < 0)
                        return is_unsupported(errno) ? MAP_E_UNSUPPORTED : -errno;
                if (head->fmh_entries == 0)
                        return 0;
                if (head->fmh_entries > BATCH)
                        return -EUCLEAN;

                r = query_take(head, device, fn, userdata);
                if (r != 0)
                        return r;
                last = &head->fmh_recs[head->fmh_entries - 1];
                if (last->fmr_flags & FMR_OF_LAST)
                        return 0;
                if (memcmp(last, &head->fmh_keys[0], sizeof(*last)) == 0)
                        return -EUCLEAN; /* no progress */
        }
}
