/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One program, run to its end. The child gets /dev/null, a pipe and a pipe; a session and a process group of
 * its own; limits on memory, processor time and core files; and no way to gain privileges. It ends when the
 * process ends, not when its output does: a grandchild that keeps the pipe open holds up nobody, and is
 * killed with the group. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replica/child.h"
#include "util/cleanup.h"
#include "util/time-util.h"

#define MEMORY_MAX (UINT64_C(1) << 30)  /* of data; the unit of bezoar-fetch has a limit on all of it */
#define NEVER_STARTED 127

typedef struct Child {
        pid_t pid;
        int pid_fd, out, err;
        uint8_t *buf;
        size_t max;
        ChildEnd end;
} Child;

static void limit(int what, rlim_t value) {
        const struct rlimit l = { value, value };

        (void) setrlimit((__rlimit_resource_t) what, &l);
}

/* Between fork and exec. */
_Noreturn static void become(char *const *argv, char *const *envp, int out, int err, uint64_t left_usec) {
        sigset_t none;
        int null;

        (void) setsid();
        for (int i = 1; i < NSIG; i++)
                (void) signal(i, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);

        null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
            dup2(err, STDERR_FILENO) < 0 || close_range(3, ~0U, 0) < 0)
                _exit(NEVER_STARTED);

        limit(RLIMIT_CORE, 0);
        limit(RLIMIT_DATA, MEMORY_MAX);
        limit(RLIMIT_CPU, (rlim_t) (left_usec / USEC_PER_SEC + 1));
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || chdir("/") < 0)
                _exit(NEVER_STARTED);
        (void) umask(0077);
        (void) execve(argv[0], argv, envp);
        _exit(NEVER_STARTED);
}

static int start(Child *c, char *const *argv, char *const *envp, uint64_t left_usec) {
        int out[2] = { -1, -1 }, err[2] = { -1, -1 }, r = 0;

        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(err, O_CLOEXEC) < 0) {
                r = -errno;
                (void) close(out[0]);
                (void) close(out[1]);
                return r;
        }

        c->out = out[0];
        c->err = err[0];
        (void) fcntl(c->out, F_SETFL, O_NONBLOCK);
        (void) fcntl(c->err, F_SETFL, O_NONBLOCK);

        c->pid = fork();
        if (c->pid == 0)
                become(argv, envp, out[1], err[1], left_usec);
        if (c->pid < 0)
                r = -errno;
        (void) close(out[1]);
        (void) close(err[1]);
        if (r < 0)
                return r;

        c->pid_fd = pidfd_open(c->pid, 0);
        return c->pid_fd < 0 ? -errno : 0;
}

/* The process is not reaped yet, so that its number is still its own. */
static void end(Child *c) {
        siginfo_t si = {};

        if (c->pid > 0) {
                (void) kill(-c->pid, SIGKILL);
                (void) kill(c->pid, SIGKILL);
                while (waitid(P_PID, (id_t) c->pid, &si, WEXITED) < 0 && errno == EINTR)
                        ;
                c->end.status = si.si_code == CLD_EXITED ? si.si_status : -1;
                c->end.signal = si.si_code == CLD_EXITED ? 0 : si.si_status;
        }
        closep(&c->pid_fd);
        closep(&c->out);
        closep(&c->err);
}

/* Takes what is in the pipe. > 0: as much as is wanted, and there is more; 0: nothing more for now. */
static int take_output(Child *c) {
        for (;;) {
                uint8_t one;
                bool full = c->end.n == c->max;
                ssize_t n = read(c->out, full ? &one : c->buf + c->end.n, full ? 1 : c->max - c->end.n);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 && errno != EAGAIN ? -errno : 0;
                if (full)
                        return 1;
                c->end.n += (size_t) n;
        }
}

/* Keeps the first line, and throws the rest away. */
static void take_complaint(Child *c) {
        char text[512];
        ssize_t n;

        while ((n = read(c->err, text, sizeof(text))) > 0)
                for (ssize_t i = 0; i < n; i++) {
                        size_t at = strlen(c->end.says);

                        if (at + 1 >= sizeof(c->end.says) || (at > 0 && c->end.says[at - 1] == '\n'))
                                break;
                        if (text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'))
                                c->end.says[at] = text[i];
                }
}

/* Until the process has ended. 0, 1 (too much), or a negative errno. */
static int watch(Child *c, uint64_t deadline_usec) {
        bool closed = false, silent = false;

        for (;;) {
                struct pollfd p[] = { { .fd = c->pid_fd, .events = POLLIN },
                                      { .fd = closed ? -1 : c->out, .events = POLLIN },
                                      { .fd = silent ? -1 : c->err, .events = POLLIN } };
                uint64_t now = now_monotonic();
                int r;

                if (now >= deadline_usec)
                        return -ETIMEDOUT;
                r = poll(p, 3, (int) ((deadline_usec - now) / USEC_PER_MSEC % INT32_MAX + 1));
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r <= 0)
                        continue;

                r = take_output(c);
                take_complaint(c);
                if (r != 0 || p[0].revents)
                        return r;
                closed = closed || (p[1].revents & POLLHUP);
                silent = silent || (p[2].revents & POLLHUP);
        }
}

int child_run(char *const *argv, char *const *envp, void *buf, size_t max, uint64_t deadline_usec,
              ChildEnd *ret) {
        Child c = { .pid_fd = -1, .out = -1, .err = -1, .buf = buf, .max = max };
        uint64_t now = now_monotonic();
        int r;

        assert(argv && argv[0]);
        assert(ret);

        if (now >= deadline_usec)
                return -ETIMEDOUT;
        r = start(&c, argv, envp, deadline_usec - now);
        if (r >= 0)
                r = watch(&c, deadline_usec);
        end(&c);
        if (r < 0)
                return r;

        c.end.too_much = r > 0;
        c.end.says[strcspn(c.end.says, "\n")] = '\0';
        *ret = c.end;
        return 0;
}
