/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/volume.h"
#include "topo/topo.h"
#include "util/parse.h"
#include "util/strv.h"
#include "util/vec.h"
#include "worker/by-hand.h"
#include "worker/freeze.h"
#include "worker/intents.h"
#include "worker/serve.h"

static int parse_range(const char *text, Range *ret) {
        _cleanup_free_ char *copy = strdup(text);
        uint64_t start, length;
        char *plus;

        if (!copy)
                return -ENOMEM;
        plus = strchr(copy, '+');
        if (!plus)
                return -EINVAL;
        *plus++ = '\0';
        if (parse_size(copy, &start) < 0 || parse_size(plus, &length) < 0)
                return -EINVAL;
        return range_init(start, length, ret);
}

/* One request for each volume: a range may lie over several partitions. */
typedef struct Asking {
        Request *request;
        const RangeSet *bad;
        int out_fd;
} Asking;

static int ask_piece(Range piece, const Volume *v, void *userdata) {
        const Asking *a = userdata;
        Request q = *a->request;        /* lent, but for volume and ranges */
        Findings f = { .range = piece };
        int r;

        r = rangeset_clip(a->bad, piece, &f.bad);
        if (r >= 0 && f.bad.n > 0) {
                q.volume = *v;
                q.ranges.items = &f;
                q.ranges.n = q.ranges.allocated = 1;
                r = serve_request(&q, NULL, a->out_fd);
        }
        findings_done(&f);
        return r;
}

/* All that is bad, or the range as if it were. */
static int ask_ranges(const ByHand *h, const Topology *t, const char *disk, Request *request, int out_fd) {
        _cleanup_rangeset_ RangeSet bad = {}, pages = {};
        Asking a = { request, &bad, out_fd };
        bool truncated;
        Range range;
        int r;

        if (h->range) {
                r = parse_range(h->range, &range);
                if (r < 0) {
                        fprintf(stderr,
                                "--range=%s: a start and a length in bytes are wanted, as in 1M+4K.\n",
                                        h->range);
                        return r;
                }
                r = range_align_out(range, SECTOR_SIZE, &range);
                if (r >= 0)
                        r = rangeset_add(&bad, range);
        } else
                r = topo_badblocks(disk, request->volume.region, request->volume.window, &bad, &truncated);
        if (r >= 0)
                r = rangeset_align_out(&bad, REPAIR_UNIT, &pages);

        for (size_t i = 0; r >= 0 && i < pages.n; i++)
                r = volume_split(t, disk, pages.items[i], ask_piece, &a);
        return r;
}

bool by_hand_verb(const char *verb) {
        Verb v = verb ? verb_from_string(verb) : _VERB_INVALID;

        return streq_ptr(verb, "thaw") || ((int) v >= 0 && verb_is_of_machine(v));
}

static int by_hand_thaw(const ByHand *h) {
        _cleanup_close_ int fd = -1;
        int r;

        r = intents_open(h->state_dir, &fd);
        if (r >= 0)
                r = freeze_end_left(fd, NULL);
        if (r > 0)
                fprintf(stderr, "Thawed %d file system%s that a repair had left frozen.\n", r,
                        r > 1 ? "s" : "");
        return r < 0 ? r : 0;
}

int by_hand(const ByHand *h, int out_fd) {
        _cleanup_topology_ Topology t = {};
        _cleanup_request_ Request request = { .verb = VERB_LOCATE, .no_path = h->no_path };
        _cleanup_free_ char *error = NULL;
        const char *disk;
        int r;

        if (streq_ptr(h->verb, "thaw"))
                return by_hand_thaw(h);
        if (by_hand_verb(h->verb)) {
                request.verb = verb_from_string(h->verb);
                return serve_request(&request, NULL, out_fd);
        }
        if (!streq_ptr(h->verb, "locate")) {
                fprintf(stderr,
                        "--device= goes with the verb 'locate'; 'repair' and 'settle' read their request "
                        "from standard input.\n");
                return -EINVAL;
        }

        policy_init(&request.policy);
        r = h->topology ? topo_load(h->topology, &t, &error) : topo_read(&t);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", h->topology ? h->topology : "Reading the topology", error
                        ? error : strerror(-r));
                return r;
        }

        disk = strrchr(h->device, '/') ? strrchr(h->device, '/') + 1 : h->device;
        r = volume_of_disk(&t, disk, &request.volume, &request.physical, &request.physical_known);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", h->device,
                        r == -ENOENT ? "not a block device on persistent memory" : strerror(-r));
                return r;
        }

        return ask_ranges(h, &t, disk, &request, out_fd);
}
