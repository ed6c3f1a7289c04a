/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bezoar-fetch: asks one replica that is reached over a network or by running a program, for a worker at the
 * other end of the connection that is its standard input. It parses what strangers send, so it has no rights
 * at all, and refuses to begin when it has any. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "build-config.h"
#include "fetch/serve.h"

static void help(void) {
        puts("bezoar-fetch [OPTIONS…]\n\n"
             "Asks a replica behind a network or a program, for a bezoar-worker that is connected to its\n"
             "standard input. Started by systemd (bezoar-fetch.socket).\n\n"
             "  -h --help                 Show this help\n"
             "     --version              Show the version");
}

int main(int argc, char *argv[]) {
        int fd, r;

        if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
                help();
                return EXIT_SUCCESS;
        }
        if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                puts("bezoar " BEZOAR_VERSION);
                return EXIT_SUCCESS;
        }
        if (argc > 1) {
                fprintf(stderr, "bezoar-fetch takes no arguments; see --help.\n");
                return EXIT_FAILURE;
        }
        if (geteuid() == 0) {
                fprintf(stderr, "bezoar-fetch must not run as root.\n");
                return EXIT_FAILURE;
        }

        (void) signal(SIGPIPE, SIG_IGN);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
                perror("bezoar-fetch");
                return EXIT_FAILURE;
        }

        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        r = fd < 0 ? -errno : fetch_serve(fd);
        if (r < 0 && r != -EPIPE && r != -ETIMEDOUT)
                fprintf(stderr, "bezoar-fetch: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
