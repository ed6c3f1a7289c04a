/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* fault-at PROGRAM ARGUMENT…: runs it, and lets single system calls of it and of its children fail (with
 * FAULT_OWN in the environment: of it alone), as told on the Unix socket that is its descriptor
 * FAULT_CONTROL, a line each:
 *
 *      record                  note all calls from now on
 *      arm CALL N ERRNO        from now on, the Nth CALL (from 1) fails with this error number, once
 *      calls                   answered by what was noted, a line each "CALL WHAT", and "." at the end
 *      off                     answered by 1 if what was armed has happened, 0 if not; nothing is armed now
 *
 * What stands in FAULT_FIRST is told it before the program begins.
 *
 * seccomp_unotify(2), not ptrace(2): the program may be traced by others besides, and a call that is to
 * succeed goes on as it is. WHAT is the descriptor's path or the path that was asked for, as far as it can
 * be read. The listener goes to this process by pidfd_getfd(2): the child waits with it before it becomes
 * the program. */

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where a call says what it is about. */
enum { NOTHING, FD, PATH };

static const struct { int nr; const char *name; int about, argument; } table[] = {
#define CALL(name, about, argument) { SCMP_SYS(name), #name, about, argument }
        CALL(openat, PATH, 1), CALL(openat2, PATH, 1), CALL(open_by_handle_at, NOTHING, 0),
        CALL(name_to_handle_at, PATH, 1),
        CALL(read, FD, 0), CALL(pread64, FD, 0), CALL(readv, FD, 0), CALL(preadv, FD, 0), CALL(write, FD, 0),
        CALL(pwrite64, FD, 0), CALL(writev, FD, 0), CALL(pwritev, FD, 0), CALL(pwritev2, FD, 0),
        CALL(fsync, FD, 0), CALL(fdatasync, FD, 0), CALL(syncfs, FD, 0), CALL(sync_file_range, FD, 0),
        CALL(msync, NOTHING, 0), CALL(mmap, NOTHING, 0), CALL(ioctl, FD, 0), CALL(fcntl, FD, 0),
        CALL(flock, FD, 0), CALL(fallocate, FD, 0), CALL(ftruncate, FD, 0), CALL(fstat, FD, 0),
        CALL(newfstatat, PATH, 1), CALL(statx, PATH, 1), CALL(statfs, PATH, 0), CALL(fstatfs, FD, 0),
        CALL(faccessat2, PATH, 1), CALL(access, PATH, 0), CALL(readlink, PATH, 0), CALL(readlinkat, PATH, 1),
        CALL(getdents64, FD, 0), CALL(lseek, FD, 0), CALL(rename, PATH, 0), CALL(renameat, PATH, 1),
        CALL(renameat2, PATH, 1), CALL(linkat, PATH, 1), CALL(unlink, PATH, 0), CALL(unlinkat, PATH, 1),
        CALL(mkdir, PATH, 0), CALL(mkdirat, PATH, 1), CALL(fchmod, FD, 0), CALL(fchown, FD, 0),
        CALL(utimensat, PATH, 1), CALL(fgetxattr, FD, 0), CALL(copy_file_range, FD, 0),
        CALL(madvise, NOTHING, 0),
        CALL(socket, NOTHING, 0), CALL(socketpair, NOTHING, 0), CALL(connect, FD, 0), CALL(sendmsg, FD, 0),
        CALL(recvmsg, FD, 0), CALL(sendto, FD, 0), CALL(recvfrom, FD, 0), CALL(pipe2, NOTHING, 0),
        CALL(dup3, FD, 0), CALL(clone, NOTHING, 0), CALL(clone3, NOTHING, 0), CALL(vfork, NOTHING, 0),
        CALL(epoll_create1, NOTHING, 0), CALL(epoll_ctl, FD, 0), CALL(timerfd_create, NOTHING, 0),
        CALL(timerfd_settime, FD, 0), CALL(signalfd4, NOTHING, 0), CALL(inotify_init1, NOTHING, 0),
        CALL(inotify_add_watch, PATH, 1), CALL(eventfd2, NOTHING, 0), CALL(memfd_create, NOTHING, 0),
        CALL(getrandom, NOTHING, 0), CALL(capset, NOTHING, 0), CALL(pidfd_open, NOTHING, 0),
        CALL(pidfd_send_signal, NOTHING, 0), CALL(setsockopt, FD, 0), CALL(bind, FD, 0),
#undef CALL
};

#define N (sizeof(table) / sizeof(table[0]))

static struct {
        int control, listener;
        pid_t only;             /* 0: whoever it is */
        bool recording, happened;
        FILE *noted;
        char *text;
        size_t size;
        int armed;              /* in the table, -1: nothing */
        unsigned long left;     /* calls until it */
        int error;
} f = { .armed = -1 };

static int stop(const char *what) {
        (void) fprintf(stderr, "fault-at: %s: %s\n", what, strerror(errno));
        return 99;
}

static int find(const char *name) {
        for (size_t i = 0; i < N; i++)
                if (strcmp(table[i].name, name) == 0)
                        return (int) i;
        return -1;
}

static int find_number(int nr) {
        for (size_t i = 0; i < N; i++)
                if (table[i].nr == nr)
                        return (int) i;
        return -1;
}

/* ---- what it is about ---- */

static void note(const struct seccomp_notif *q, int i) {
        uint64_t argument = q->data.args[table[i].argument];
        char what[4096] = "", link[64];

        if (table[i].about == FD) {
                ssize_t n;

                (void) snprintf(link, sizeof(link), "/proc/%u/fd/%d", q->pid, (int) argument);
                n = readlink(link, what, sizeof(what) - 1);
                what[n > 0 ? n : 0] = '\0';
        } else if (table[i].about == PATH && argument) {
                struct iovec to = { what, 255 }, from = { (void *) argument, 255 };
                ssize_t n = process_vm_readv((pid_t) q->pid, &to, 1, &from, 1, 0);

                if (n <= 0) {   /* the string may end short of the end of what is mapped */
                        from.iov_len = to.iov_len = 4096 - argument % 4096;
                        n = process_vm_readv((pid_t) q->pid, &to, 1, &from, 1, 0);
                }
                what[n > 0 ? n : 0] = '\0';
        }
        for (char *c = what; *c; c++)
                if ((unsigned char) *c < ' ')
                        *c = '?';
        (void) fprintf(f.noted, "%s %s\n", table[i].name, what);
}

/* ---- the calls ---- */

static int one_call(struct seccomp_notif *q, struct seccomp_notif_resp *a) {
        int i;

        memset(q, 0, sizeof(*q));
        if (ioctl(f.listener, SECCOMP_IOCTL_NOTIF_RECV, q) < 0)
                return errno == EINTR || errno == ENOENT ? 0 : -1;

        *a = (struct seccomp_notif_resp) { .id = q->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
        i = f.only && (pid_t) q->pid != f.only ? -1 : find_number(q->data.nr);
        if (f.recording && i >= 0)
                note(q, i);
        if (i >= 0 && i == f.armed && !f.happened && --f.left == 0) {
                f.happened = true;
                a->flags = 0;
                a->error = -f.error;
        }
        if (ioctl(f.listener, SECCOMP_IOCTL_NOTIF_SEND, a) < 0 && errno != ENOENT)
                return -1;
        return 0;
}

static int answer(const char *text) {
        return write(f.control, text, strlen(text)) < 0 ? -1 : 0;
}

static int command(char *line) {
        char name[64];
        unsigned long n;
        int error;

        if (strcmp(line, "record") == 0) {
                if (f.noted)
                        (void) fclose(f.noted);
                free(f.text);
                f.noted = open_memstream(&f.text, &f.size);
                f.recording = true;
                return f.noted ? answer("ok\n") : -1;
        }
        if (strcmp(line, "calls") == 0) {
                f.recording = false;
                if (!f.noted || fflush(f.noted) != 0)
                        return -1;
                for (size_t done = 0; done < f.size;) {
                        ssize_t k = write(f.control, f.text + done, f.size - done);

                        if (k < 0)
                                return -1;
                        done += (size_t) k;
                }
                return answer(".\n");
        }
        if (sscanf(line, "arm %63s %lu %d", name, &n, &error) == 3) {
                f.armed = find(name);
                f.left = n;
                f.error = error;
                f.happened = false;
                return answer(f.armed < 0 || n == 0 ? "unknown\n" : "ok\n");
        }
        if (strcmp(line, "off") == 0) {
                f.armed = -1;
                return answer(f.happened ? "1\n" : "0\n");
        }
        return answer("unknown\n");
}

static int commands(void) {
        char buffer[512];
        ssize_t n = read(f.control, buffer, sizeof(buffer) - 1);

        if (n <= 0)
                return 1;
        buffer[n] = '\0';
        for (char *save = NULL, *line = strtok_r(buffer, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save))
                if (command(line) < 0)
                        return -1;
        return 0;
}

/* ---- the program ---- */

static int load_filter(void) {
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

        if (!ctx)
                return -1;
        for (size_t i = 0; i < N; i++)
                if (seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, table[i].nr, 0) < 0)
                        return -1;
        return seccomp_load(ctx) < 0 ? -1 : seccomp_notify_fd(ctx);
}

static void become(char *argv[], _Atomic int *listener) {
        struct timespec pause = { .tv_nsec = 1000000 };
        int fd;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = load_filter();
        atomic_store(listener, fd < 0 ? -2 : fd);
        /* Nothing that the filter tells about may be called before it is listened to. */
        while (atomic_load(listener) != -3)
                (void) clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        (void) execv(argv[0], argv);
        _exit(99);
}

static int watch(pid_t child, int pidfd, struct seccomp_notif *q, struct seccomp_notif_resp *a) {
        struct pollfd p[] = { { f.listener, POLLIN, 0 }, { f.control, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
        int status;

        for (;;) {
                if (poll(p, 3, -1) < 0 && errno != EINTR)
                        return stop("poll");
                if (p[0].revents & POLLIN && one_call(q, a) < 0)
                        return stop("a call");
                if (p[1].revents && commands() != 0)
                        p[1].fd = -1;
                if (p[0].revents & POLLHUP)
                        p[0].fd = -1;
                /* Whoever is left of its children goes on without us, which is why it is waited for. */
                if (p[2].revents && !(p[0].revents & POLLIN))
                        break;
        }
        if (waitpid(child, &status, 0) < 0)
                return stop("waitpid");
        if (WIFSIGNALED(status)) {
                (void) signal(WTERMSIG(status), SIG_DFL);
                (void) raise(WTERMSIG(status));
        }
        return WEXITSTATUS(status);
}

int main(int argc, char *argv[]) {
        const char *control = getenv("FAULT_CONTROL"), *first = getenv("FAULT_FIRST");
        struct seccomp_notif_sizes sizes;
        _Atomic int *listener;
        pid_t child;
        int pidfd;

        if (argc < 2 || !control) {
                (void) fputs("FAULT_CONTROL=DESCRIPTOR fault-at PROGRAM ARGUMENT…\n", stderr);
                return 99;
        }
        f.control = atoi(control);
        if (first) {
                char line[512];

                (void) snprintf(line, sizeof(line), "%s", first);
                if (command(line) < 0)
                        return stop(first);
        }
        (void) fcntl(f.control, F_SETFD, FD_CLOEXEC);
        (void) unsetenv("FAULT_CONTROL");
        (void) unsetenv("FAULT_FIRST");
        if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
                return stop("seccomp");

        listener = mmap(NULL, sizeof(*listener), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (listener == MAP_FAILED)
                return stop("mmap");
        atomic_store(listener, -1);
        child = fork();
        if (child < 0)
                return stop("fork");
        if (child == 0)
                become(argv + 1, listener);

        if (getenv("FAULT_OWN"))
                f.only = child;
        pidfd = pidfd_open(child, 0);
        if (pidfd < 0)
                return stop("pidfd_open");
        while (atomic_load(listener) == -1)
                (void) usleep(500);
        if (atomic_load(listener) < 0)
                return stop("the filter");
        f.listener = pidfd_getfd(pidfd, atomic_load(listener), 0);
        if (f.listener < 0)
                return stop("pidfd_getfd");
        atomic_store(listener, -3);

        (void) close(STDIN_FILENO);     /* they are the program's */
        (void) close(STDOUT_FILENO);
        return watch(child, pidfd, calloc(1, sizes.seccomp_notif), calloc(1, sizes.seccomp_notif_resp));
}
