/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `bezoar-worker seal`, and so `bezoarctl seal`: what happens is told to a person as it happens. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/codec.h"
#include "topo/topo.h"
#include "util/time-util.h"
#include "worker/by-hand.h"
#include "worker/seal-files.h"

#define PROGRESS_USEC (200 * USEC_PER_MSEC)
#define MIB (1024.0 * 1024.0)

typedef struct Tally {
        bool quiet, terminal, shown;
        size_t by_outcome[_SEAL_OUTCOME_MAX];
        uint64_t bytes, since, told;
} Tally;

static void show_progress(Tally *t) {
        uint64_t now = now_monotonic();

        if (!t->terminal || now - t->told < PROGRESS_USEC)
                return;
        t->told = now;
        t->shown = true;
        fprintf(stderr, "\rSealing: %zu files, %.0f MiB, %.0f MiB/s ", t->by_outcome[SEAL_SEALED],
                (double) t->bytes / MIB, (double) t->bytes / MIB / ((double) (now - t->since + 1) / 1e6));
}

static void clear_progress(Tally *t) {
        if (t->shown)
                fprintf(stderr, "\r%*s\r", 60, "");
        t->shown = false;
}

static void on_report(const SealReport *r, void *userdata) {
        Tally *t = userdata;

        t->bytes += r->bytes;
        if (r->path)
                t->by_outcome[r->outcome]++;
        if (r->path && !seal_outcome_is_fine(r->outcome)) {
                _cleanup_free_ char *path = codec_path_escape(r->path);

                clear_progress(t);
                fprintf(stderr, "%s: not sealed: %s%s%s\n", path ? path : "?",
                        seal_outcome_explain(r->outcome), r->error < 0 ? ": " : "",
                        r->error < 0 ? strerror(-r->error) : "");
        }
        show_progress(t);
}

/* Fine is what needs no seal, or has one now. */
static int sum_up(const Tally *t) {
        size_t fine = 0, bad = 0;

        for (SealOutcome o = 0; o < _SEAL_OUTCOME_MAX; o++)
                *(seal_outcome_is_fine(o) ? &fine : &bad) += t->by_outcome[o];

        if (!t->quiet)
                printf("%zu sealed (%.0f MiB in %.1f s), %zu had a current seal, %zu empty, "
                       "%zu not sealed.\n",
                       t->by_outcome[SEAL_SEALED], (double) t->bytes / MIB,
                       (double) (now_monotonic() - t->since) / 1e6, t->by_outcome[SEAL_UNCHANGED],
                       t->by_outcome[SEAL_EMPTY], bad);
        if (fine + bad == 0)
                fprintf(stderr, "There is no regular file there.\n");
        return bad > 0 || fine == 0 ? -ECANCELED : 0;
}

int by_hand_seal(const ByHand *h, char *const *paths) {
        _cleanup_topology_ Topology t = {};
        _cleanup_free_ char *error = NULL;
        Tally tally = { .quiet = h->quiet, .terminal = isatty(STDERR_FILENO), .since = now_monotonic() };
        long threads = sysconf(_SC_NPROCESSORS_ONLN);
        SealOptions o = { .state_dir = h->state_dir, .topology = &t, .force = h->force,
                          .threads = threads > 0 ? (unsigned) threads : 1 };
        int r;

        if (!paths[0]) {
                fprintf(stderr, "seal: which files? A file or folder is wanted.\n");
                return -ECANCELED;
        }
        r = h->topology ? topo_load(h->topology, &t, &error) : topo_read(&t);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", h->topology ? h->topology : "Reading the topology",
                        error ? error : strerror(-r));
                return -ECANCELED;
        }

        r = seal_files(&o, paths, on_report, &tally);
        clear_progress(&tally);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", h->state_dir,
                        r == -EBUSY ? "another sealing is running" : strerror(-r));
                return -ECANCELED;
        }
        return sum_up(&tally);
}
