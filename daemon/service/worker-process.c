/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker is a child with a Unix socket for its standard input and output. One that is parted with keeps
 * only its sd-event child source, which reaps the process whenever it ends: one that hangs in the kernel
 * holds up nobody. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "service/worker-process.h"
#include "util/vec.h"

#define FDS_MAX 253                             /* SCM_MAX_FD */
#define BUFFER_MAX ((size_t) 32 * 1024 * 1024)           /* a line longer than this is no answer */

typedef struct Bytes {
        char *items;
        size_t n, allocated;
} Bytes;

struct WorkerProcess {
        pid_t pid;
        bool ended;
        int fd;
        sd_event_source *io, *child;
        const WorkerCallbacks *callbacks;
        void *userdata;
        Bytes in, out;
        size_t sent;                            /* of out */
        struct { int *items; size_t n, allocated; } fds;        /* that came with the line that is being
                                                                 * read */
        bool *freed;                            /* set when the object is freed under a callback's hands */
};

static int spawn(const char *path, int fd, pid_t *ret) {
        char *argv[] = { (char *) path, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none, all;
        int r;

        (void) sigemptyset(&none);
        (void) sigfillset(&all);

        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        if (posix_spawnattr_init(&attr) != 0) {
                posix_spawn_file_actions_destroy(&actions);
                return -ENOMEM;
        }

        r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attr, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attr, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = posix_spawn(ret, path, &actions, &attr, argv, environ);

        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata) {
        WorkerProcess *w = userdata;
        char text[128];

        if (!w) { /* let go before, only to be reaped: the loop's reference is the last one */
                (void) sd_event_source_set_floating(s, false);
                return 0;
        }
        w->ended = true;

        if (si->si_code == CLD_EXITED)
                (void) snprintf(text, sizeof(text), "the worker ended with exit status %d", si->si_status);
        else
                (void) snprintf(text, sizeof(text), "the worker was killed by %s", strsignal(si->si_status));

        if (w->callbacks)
                w->callbacks->gone(-ECHILD, text, w->userdata);
        return 0;
}

static void gone(WorkerProcess *w, const char *detail) {
        if (w->callbacks)
                w->callbacks->gone(-ECHILD, detail, w->userdata);
}

static int keep_fds(WorkerProcess *w, struct msghdr *msg) {
        int r = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        if (r >= 0)
                                r = vec_push(&w->fds, fd);
                        if (r < 0)
                                (void) close(fd);
                }
        }
        return r;
}

/* > 0: more has come, 0: nothing for now, < 0: the other end is gone or the socket failed. */
static int receive(WorkerProcess *w) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        } control;
        struct iovec iov;
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof(control) };
        ssize_t n;
        int r;

        if (w->in.n > BUFFER_MAX)
                return -EFBIG;
        r = vec_reserve((void **) &w->in.items, &w->in.allocated, w->in.n + 16384, 1);
        if (r < 0)
                return r;

        iov = (struct iovec) { w->in.items + w->in.n, 16384 };
        n = recvmsg(w->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
                return -EPIPE;

        w->in.n += (size_t) n;
        r = keep_fds(w, &msg);
        return r < 0 ? r : 1;
}

static void close_fds(WorkerProcess *w) {
        for (size_t i = 0; i < w->fds.n; i++)
                closep(w->fds.items + i);
        w->fds.n = 0;
}

/* Hands out whole lines. Descriptors come with the first bytes of their line, and may be read together with
 * the end of the one before: they are of the line that was begun last. False: the object is gone. */
static bool hand_out(WorkerProcess *w) {
        bool freed = false;
        char *newline;

        while (w->in.n > 0 && (newline = memchr(w->in.items, '\n', w->in.n))) {
                size_t n = (size_t) (newline - w->in.items);
                _cleanup_free_ char *line = strndup(w->in.items, n);

                vec_remove(&w->in, 0, n + 1);
                w->freed = &freed;
                if (line && w->callbacks)
                        w->callbacks->line(line, w->fds.items, w->in.n > 0 ? 0 : w->fds.n, w->userdata);
                if (freed)
                        return false;
                w->freed = NULL;
                if (w->in.n == 0)
                        close_fds(w);
        }
        return true;
}

static int flush_out(WorkerProcess *w) {
        while (w->sent < w->out.n) {
                ssize_t n = send(w->fd, w->out.items + w->sent, w->out.n - w->sent,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        break;
                if (n < 0)
                        return -errno;
                w->sent += (size_t) n;
        }
        if (w->sent == w->out.n)
                w->sent = w->out.n = 0;

        return sd_event_source_set_io_events(w->io, w->out.n > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        WorkerProcess *w = userdata;
        int r = 0;

        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                do {
                        r = receive(w);
                        if (r > 0 && !hand_out(w))
                                return 0;
                } while (r > 0);
        }
        if (r >= 0 && (revents & EPOLLOUT))
                r = flush_out(w);

        /* When it has closed its end it is ending: the child source says how. Should only the connection
         * be lost, it learns that nothing more will come, and ends as well. */
        if (r == -EPIPE || r == -ECONNRESET) {
                (void) sd_event_source_set_enabled(w->io, SD_EVENT_OFF);
                (void) shutdown(w->fd, SHUT_RDWR);
        } else if (r < 0)
                gone(w, strerror(-r));
        return 0;
}

int worker_process_new(sd_event *event, const char *path, WorkerProcess **ret) {
        _cleanup_(worker_process_freep) WorkerProcess *w = NULL;
        int pair[2], r;

        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        w->fd = -1;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        w->fd = pair[0];
        r = spawn(path, pair[1], &w->pid);
        (void) close(pair[1]);
        if (r < 0) {
                w->pid = 0;
                return r;
        }

        r = sd_event_add_child(event, &w->child, w->pid, WEXITED, on_child, w);
        if (r >= 0)
                r = sd_event_add_io(event, &w->io, w->fd, EPOLLIN, on_io, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->child, "worker-process");
        (void) sd_event_source_set_description(w->io, "worker-socket");
        /* What it has said is read before it is mourned. */
        (void) sd_event_source_set_priority(w->child, SD_EVENT_PRIORITY_IDLE);

        *ret = TAKE_PTR(w);
        return 0;
}

void worker_process_set_callbacks(WorkerProcess *w, const WorkerCallbacks *callbacks, void *userdata) {
        w->callbacks = callbacks;
        w->userdata = userdata;
}

int worker_process_send(WorkerProcess *w, const char *line) {
        size_t n = strlen(line);
        int r;

        r = vec_reserve((void **) &w->out.items, &w->out.allocated, w->out.n + n + 1, 1);
        if (r < 0)
                return r;

        memcpy(w->out.items + w->out.n, line, n);
        w->out.items[w->out.n + n] = '\n';
        w->out.n += n + 1;
        return flush_out(w);
}

WorkerProcess *worker_process_free(WorkerProcess *w) {
        if (!w)
                return NULL;

        if (w->freed)
                *w->freed = true;
        sd_event_source_disable_unref(w->io);
        closep(&w->fd);
        if (w->child && !w->ended) {
                (void) sd_event_source_set_userdata(w->child, NULL);
                (void) sd_event_source_set_floating(w->child, true);
                sd_event_source_unref(w->child);
        } else
                sd_event_source_disable_unref(w->child);
        close_fds(w);
        vec_done(&w->fds);
        vec_done(&w->in);
        vec_done(&w->out);
        free(w);
        return NULL;
}

void worker_process_part(WorkerProcess *w, bool kill_it) {
        if (kill_it && !w->ended)
                (void) kill(w->pid, SIGKILL);
        if (w->freed)
                *w->freed = true;       /* whoever hands out its lines is to stop */
        w->freed = NULL;
        w->io = sd_event_source_disable_unref(w->io);
        closep(&w->fd);
        w->fd = -1;
        close_fds(w);
        vec_done(&w->in);
        vec_done(&w->out);
}

bool worker_process_has_ended(const WorkerProcess *w) {
        return w->ended;
}

pid_t worker_process_pid(const WorkerProcess *w) {
        return w->pid;
}
