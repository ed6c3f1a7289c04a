/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as tables of the device mapper: lines "linear PARAMETERS" and "striped PARAMETERS", each for the
 * next piece of a device. The links that come of them translate forth and back to the same byte. */

#include "topo/topo-dm.c" // IWYU pragma: keep

#include "fuzz.h"

#define PIECE (UINT64_C(1) << 30)

static void check_link(const TopoLink *l) {
        must(l->upper && l->lower);
        for (size_t i = 0; i < l->stripes.n; i++)
                must(stripe_is_valid(l->stripes.items + i));
        for (size_t i = 0; i < l->map.n; i++) {
                const SpaceSegment *p = l->map.items + i;

                must(p->from.start < p->from.end);
                must(p->to <= UINT64_MAX - range_size(p->from));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = fuzz_string(data, size), *save = NULL;
        struct udev *udev = udev_new();
        Topology t = {};
        uint64_t at = 0;

        must(udev);
        for (char *line = strtok_r(text, "\n", &save); line && at < 64 * PIECE;
             line = strtok_r(NULL, "\n", &save), at += PIECE) {
                Range upper = { at, at + PIECE };
                int r = 0;

                if (strncmp(line, "linear ", 7) == 0)
                        r = read_linear(udev, "dm-0", upper, line + 7, &t);
                else if (strncmp(line, "striped ", 8) == 0)
                        r = read_striped(udev, "dm-0", upper, line + 8, &t);
                must(r == 0 || r == -EBADMSG || r == -ENODEV);
        }
        drop_ambiguous("dm-0", &t);
        for (size_t i = 0; i < t.links.n; i++)
                check_link(t.links.items + i);
        topology_done(&t);
        udev_unref(udev);
        free(text);
        return 0;
}
