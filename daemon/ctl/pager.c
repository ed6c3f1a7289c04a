/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pager is a child that reads our standard output. Leaving it early is no error, and ^C is for it
 * alone: while it runs, neither ends us, so that the exit status stays what it is to be. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/pager.h"
#include "util/parse.h"

#define PAGER_DEFAULT "if command -v less >/dev/null 2>&1; then exec less; else exec cat; fi"

/* A pager that is not there must not swallow what it was to show. */
#define PAGER_SCRIPT "eval \"$1\"; [ $? -ne 127 ] || exec cat"

/* A pager can start editors and shells: not with rights that the person at the terminal has got for this
 * command only. *ret_trusted: $PAGER may be used all the same. */
static bool is_secure(bool *ret_trusted) {
        const char *s = getenv("SYSTEMD_PAGERSECURE");
        bool secure = true;

        if (s) {
                *ret_trusted = true;
                (void) parse_bool(s, &secure);
        } else {
                secure = geteuid() != getuid() || getenv("SUDO_UID") || getenv("PKEXEC_UID");
                *ret_trusted = !secure;
        }
        return secure;
}

static const char *pager_command(bool trusted) {
        const char *s = getenv("SYSTEMD_PAGER");

        if (!s)
                s = getenv("PAGER");
        if (s && (s[0] == '\0' || strcmp(s, "cat") == 0))
                return NULL;
        return s && trusted ? s : PAGER_DEFAULT;
}

__attribute__((noreturn)) static void run_pager(const char *command, bool secure) {
        const char *less = getenv("SYSTEMD_LESS"), *charset = getenv("SYSTEMD_LESSCHARSET");

        (void) setenv("LESS", less ? less : "FRSXMK", true);
        if (charset)
                (void) setenv("LESSCHARSET", charset, true);
        if (secure)
                (void) setenv("LESSSECURE", "1", true);
        else
                (void) unsetenv("LESSSECURE");

        (void) execl("/bin/sh", "sh", "-c", PAGER_SCRIPT, "sh", command, (char *) NULL);
        _exit(EXIT_FAILURE);
}

void pager_open(Pager *p) {
        bool trusted, secure = is_secure(&trusted);
        const char *command = pager_command(trusted);
        int fds[2];
        pid_t pid;

        assert(p);

        if (p->pid > 0 || !command || !isatty(STDOUT_FILENO) || pipe2(fds, O_CLOEXEC) < 0)
                return;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                (void) dup2(fds[0], STDIN_FILENO);
                run_pager(command, secure);
        }
        if (pid > 0) {
                (void) signal(SIGPIPE, SIG_IGN);
                (void) signal(SIGINT, SIG_IGN);
                (void) dup2(fds[1], STDOUT_FILENO);
                p->pid = pid;
        }
        (void) close(fds[0]);
        (void) close(fds[1]);
}

void pager_close(Pager *p) {
        int null;

        assert(p);

        if (p->pid <= 0)
                return;

        (void) fflush(stdout);
        clearerr(stdout);
        null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null >= 0) {
                (void) dup2(null, STDOUT_FILENO);
                (void) close(null);
        } else
                (void) close(STDOUT_FILENO);

        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        p->pid = 0;
}
