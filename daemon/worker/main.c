/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bezoar-worker: touches the medium, decides nothing. The daemon feeds it requests; by hand it is one
 * verb and one answer. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build-config.h"
#include "util/strv.h"
#include "worker/by-hand.h"
#include "worker/confine.h"
#include "worker/serve.h"

static void help(void) {
        printf("bezoar-worker [OPTIONS…] [locate|repair|settle|topology|health|scrub|thaw]\n"
               "bezoar-worker [OPTIONS…] seal PATH…\n\n"
               "Finds the owners of poisoned ranges, and restores what a plan says. Started by bezoard.\n\n"
               "Without a device: reads requests from standard input, one JSON value a line, and answers\n"
               "on standard output in the same way.\n\n"
               "  -h --help                 Show this help\n"
               "     --version              Show the version\n"
               "     --device=NODE          locate: the block device, /dev/pmem0\n"
               "     --range=START+LENGTH   locate: bytes (suffixes K, M, G); default: what is listed\n"
               "     --topology=FILE        locate, seal: a saved topology instead of this machine\n"
               "     --no-path              locate: inodes only, do not look for their names\n"
               "     --state=DIR            seal, thaw: the state folder (" BEZOAR_STATE_DIR ")\n"
               "     --force                seal: also what has a current seal\n"
               "  -q --quiet                seal: only what is wrong\n");
}

static int parse(int argc, char *argv[], ByHand *ret) {
        enum { ARG_VERSION = 0x100, ARG_DEVICE, ARG_RANGE, ARG_TOPOLOGY, ARG_STATE, ARG_FORCE, ARG_NO_PATH };
        static const struct option options[] = {
                { "help",     no_argument,       NULL, 'h'          },
                { "version",  no_argument,       NULL, ARG_VERSION  },
                { "device",   required_argument, NULL, ARG_DEVICE   },
                { "range",    required_argument, NULL, ARG_RANGE    },
                { "topology", required_argument, NULL, ARG_TOPOLOGY },
                { "no-path",  no_argument,       NULL, ARG_NO_PATH  },
                { "state",    required_argument, NULL, ARG_STATE    },
                { "force",    no_argument,       NULL, ARG_FORCE    },
                { "quiet",    no_argument,       NULL, 'q'          },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "hq", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case ARG_VERSION:
                        puts("bezoar " BEZOAR_VERSION);
                        return 0;
                case ARG_DEVICE:
                        ret->device = optarg;
                        break;
                case ARG_RANGE:
                        ret->range = optarg;
                        break;
                case ARG_TOPOLOGY:
                        ret->topology = optarg;
                        break;
                case ARG_NO_PATH:
                        ret->no_path = true;
                        break;
                case ARG_STATE:
                        ret->state_dir = optarg;
                        break;
                case ARG_FORCE:
                        ret->force = true;
                        break;
                case 'q':
                        ret->quiet = true;
                        break;
                default:
                        return -EINVAL;
                }

        ret->verb = optind < argc ? argv[optind++] : NULL;
        if (optind < argc && !streq_ptr(ret->verb, "seal")) {
                fprintf(stderr, "One verb at most: '%s' is too much.\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char *argv[]) {
        ByHand hand = { .state_dir = BEZOAR_STATE_DIR };
        int r;

        r = parse(argc, argv, &hand);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        /* A lease that is broken sends SIGIO; a daemon that goes away must not cut a write short. */
        (void) signal(SIGIO, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);

        if (streq_ptr(hand.verb, "seal"))
                return by_hand_seal(&hand, argv + optind) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        if (hand.device || by_hand_verb(hand.verb))
                r = by_hand(&hand, STDOUT_FILENO);
        else {
                r = confine();
                if (r >= 0)
                        r = serve(STDIN_FILENO, STDOUT_FILENO);
        }
        if (r < 0 && r != -EPIPE)
                fprintf(stderr, "bezoar-worker: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
