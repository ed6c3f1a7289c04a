/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* kill-trace OPTIONS -- PROGRAM ARGUMENTS…: runs a daemon, its workers and what these fork, and sends
 * SIGKILL to some of them immediately before or after the N-th call of one of them that changes something
 * (kill-points.c). What is not killed goes on; kill-trace ends when all have ended.
 *
 *      --log=FILE              one line for each such call: "ROLE NUMBER CALL"; "killed" when it happened
 *      --role=ROLE             whose calls are counted: daemon, worker, guardian (worker/freeze.h)
 *      --at=N --when=before|after      the N-th
 *      --call=PATTERN          …of those that one of the patterns (glob(7)) fits, by "NAME" or "NAME PATH"
 *      --kill=ROLE[,ROLE…]     who is killed
 *      --list=FILE --device=NODE --absent=FILE         the medium (kill-medium.h)
 *
 * Exit status: 0, 3 (that call never came), 77 (cannot be done on this machine), 1.
 *
 * A filter (seccomp(2), SECCOMP_RET_TRACE) stops them at the begin of the calls that matter, ptrace(2) at
 * their end. A process that is killed while it is stopped at the begin of a call does not do it
 * (__seccomp_filter()). */

#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill-medium.h"
#include "kill-points.h"

#if !defined(__x86_64__)
int main(void) {
        return 77;
}
#else

#define PROCESSES 64
#define PATTERNS 16

typedef enum Role { ROLE_NONE, DAEMON, WORKER, GUARDIAN, _ROLES } Role;
static const char *const role_names[] = { "none", "daemon", "worker", "guardian" };

typedef struct Process {
        pid_t pid;
        Role role;
        bool stopped;           /* began, and waits for its role to be known */
        bool killed;
        bool last;              /* of the call that it is in: it is killed at the end */
        Call call;
        Played played;
} Process;

typedef struct Trace {
        Process items[PROCESSES];
        size_t n;
        Medium medium;
        FILE *log;
        Role role;              /* whose calls */
        const char *calls[PATTERNS];    /* only those that one of them fits; none: all */
        size_t n_calls;
        unsigned seen;
        unsigned at;            /* 0: nobody is killed */
        bool after, done;
        unsigned victims;       /* bits */
        unsigned count[_ROLES];
        Process *waits;         /* stopped at the point, not killed: until the victims have ended */
        enum __ptrace_request how;      /* in which way it goes on then */
} Trace;

static Process *process_of(Trace *t, pid_t pid) {
        for (size_t i = 0; i < t->n; i++)
                if (t->items[i].pid == pid)
                        return t->items + i;
        return NULL;
}

static Process *process_add(Trace *t, pid_t pid, Role role) {
        for (size_t i = 0; i <= t->n && i < PROCESSES; i++)
                if (i == t->n || t->items[i].pid == 0) {
                        t->n += i == t->n;
                        t->items[i] = (Process) { .pid = pid, .role = role };
                        return t->items + i;
                }
        errx(1, "too many processes");
}

static void go_on(pid_t pid, enum __ptrace_request how, int sig) {
        if (ptrace(how, pid, 0, (long) sig) < 0 && errno != ESRCH)
                err(1, "ptrace");
}

/* ---- killing ---- */

static bool victims_live(const Trace *t) {
        for (size_t i = 0; i < t->n; i++)
                if (t->items[i].pid && t->items[i].killed)
                        return true;
        return false;
}

/* `p` is stopped at the point, and goes on (`how`) when those who are killed have ended. True: it is one of
 * them. */
static bool kill_all(Trace *t, Process *p, enum __ptrace_request how) {
        fprintf(t->log, "killed\n");
        (void) fflush(t->log);
        t->done = true;
        for (size_t i = 0; i < t->n; i++) {
                Process *q = t->items + i;

                if (q->pid && q->role != ROLE_NONE && t->victims & (1U << q->role)) {
                        q->killed = true;
                        (void) kill(q->pid, SIGKILL);
                }
        }
        if (!p->killed) {
                t->waits = p;
                t->how = how;
        }
        return p->killed;
}

static void release(Trace *t) {
        Process *p = t->waits;

        if (!p || victims_live(t))
                return;
        t->waits = NULL;
        go_on(p->pid, t->how, 0);
}

static void forget(Trace *t, Process *p) {
        if (t->waits == p)
                t->waits = NULL;
        *p = (Process) {};
        release(t);
}

/* ---- calls ---- */

static void set_result(pid_t pid, long result, bool skip) {
        struct user_regs_struct r;

        if (ptrace(PTRACE_GETREGS, pid, 0, &r) < 0)
                return;
        if (skip)
                r.orig_rax = (unsigned long long) -1;
        r.rax = (unsigned long long) result;
        (void) ptrace(PTRACE_SETREGS, pid, 0, &r);
}

static bool counts(const Trace *t, const char *what) {
        char name[32];

        (void) snprintf(name, sizeof(name), "%.*s", (int) strcspn(what, " "), what);
        for (size_t i = 0; i < t->n_calls; i++)
                if (fnmatch(t->calls[i], name, 0) == 0 || fnmatch(t->calls[i], what, 0) == 0)
                        return true;
        return t->n_calls == 0;
}

static void call_begins(Trace *t, Process *p) {
        char what[256];
        struct user_regs_struct r;
        bool point;

        if (ptrace(PTRACE_GETREGS, p->pid, 0, &r) < 0)
                return;                         /* it has just been killed */
        p->call = (Call) { p->pid, (long) r.orig_rax, { r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9 } };
        p->last = false;

        point = call_changes(&p->call, what);
        if (point) {
                unsigned n = ++t->count[p->role];

                fprintf(t->log, "%s %u %s\n", role_names[p->role], n, what);
                (void) fflush(t->log);
                if (!t->done && p->role == t->role && counts(t, what) && ++t->seen == t->at) {
                        if (!t->after && kill_all(t, p, PTRACE_SYSCALL))
                                return;
                        p->last = t->after;
                }
        }
        medium_begin(&t->medium, &p->call, &p->played);
        if (p->played.doing == DOING_INSTEAD)
                set_result(p->pid, p->played.result, true);
        if (t->waits == p)
                release(t);     /* perhaps there was nobody to be killed */
        else
                go_on(p->pid, PTRACE_SYSCALL, 0);
}

static void call_ends(Trace *t, Process *p) {
        struct user_regs_struct r;
        long result, before;

        if (ptrace(PTRACE_GETREGS, p->pid, 0, &r) < 0)
                return;
        before = result = (long) r.rax;
        medium_end(&t->medium, &p->call, &p->played, &result);
        if (result != before)
                set_result(p->pid, result, false);
        p->played = (Played) {};
        if (p->last) {
                p->last = false;
                if (!kill_all(t, p, PTRACE_CONT))
                        release(t);
                return;
        }
        go_on(p->pid, PTRACE_CONT, 0);
}

/* ---- processes ---- */

static void child_begins(Trace *t, const Process *parent) {
        unsigned long pid;
        Process *p;

        if (ptrace(PTRACE_GETEVENTMSG, parent->pid, 0, &pid) < 0)
                return;
        p = process_of(t, (pid_t) pid);
        if (!p) {
                (void) process_add(t, (pid_t) pid, parent->role == DAEMON ? WORKER : GUARDIAN);
                return;
        }
        p->role = parent->role == DAEMON ? WORKER : GUARDIAN;
        if (p->stopped)
                go_on(p->pid, PTRACE_CONT, 0);
        p->stopped = false;
}

/* Let go before it is dead: its parent is told at once by its pidfd, and cannot wait for it as long as it
 * is traced. An event loop that is told only once would wait for ever. */
static void ends(Trace *t, Process *p) {
        struct pollfd end = { .fd = (int) syscall(SYS_pidfd_open, p->pid, 0), .events = POLLIN };

        (void) ptrace(PTRACE_DETACH, p->pid, 0, 0);
        if (end.fd >= 0) {
                (void) poll(&end, 1, -1);
                (void) close(end.fd);
        }
        forget(t, p);
}

static void stopped(Trace *t, pid_t pid, int status) {
        int sig = WSTOPSIG(status), event = status >> 16;
        Process *p = process_of(t, pid);

        if (!p) {
                p = process_add(t, pid, ROLE_NONE);
                p->stopped = true;
                return;
        }
        switch (event) {
        case PTRACE_EVENT_SECCOMP:
                call_begins(t, p);
                break;
        case PTRACE_EVENT_FORK:
        case PTRACE_EVENT_VFORK:
        case PTRACE_EVENT_CLONE:
                child_begins(t, p);
                go_on(pid, PTRACE_CONT, 0);
                break;
        case PTRACE_EVENT_EXIT:
                ends(t, p);
                break;
        case PTRACE_EVENT_STOP:
                go_on(pid, sig == SIGTRAP ? PTRACE_CONT : PTRACE_LISTEN, 0);
                break;
        case 0:
                if (sig == (SIGTRAP | 0x80))
                        call_ends(t, p);
                else
                        go_on(pid, PTRACE_CONT, sig);
                break;
        default:
                go_on(pid, PTRACE_CONT, 0);
        }
}

static void follow(Trace *t) {
        int status;
        pid_t pid;

        for (;;) {
                Process *p;

                pid = waitpid(-1, &status, __WALL);
                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid < 0)
                        return;
                if (WIFSTOPPED(status)) {
                        stopped(t, pid, status);
                        continue;
                }
                p = process_of(t, pid);
                if (p)
                        forget(t, p);
        }
}

/* ---- the program ---- */

static int filter_calls(void) {
        struct sock_filter f[128];
        unsigned short n = 0;

        f[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        for (size_t i = 0; call_number(i) >= 0; i++) {
                f[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                       (unsigned) call_number(i), 0, 1);
                f[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
        }
        f[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog) { n, f });
}

static void begin(Trace *t, char **argv) {
        const unsigned long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP |
                                      PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                      PTRACE_O_TRACEEXIT;
        int status;
        pid_t pid = fork();

        if (pid < 0)
                err(1, "fork");
        if (pid == 0) {
                (void) raise(SIGSTOP);          /* until it is traced: the filter needs somebody */
                if (filter_calls() < 0)
                        _exit(77);
                execv(argv[0], argv);
                err(1, "%s", argv[0]);
        }
        if (waitpid(pid, &status, WUNTRACED) != pid || ptrace(PTRACE_SEIZE, pid, 0, options) < 0) {
                (void) kill(pid, SIGKILL);
                err(77, "no process can be traced here");
        }
        (void) process_add(t, pid, DAEMON);
        (void) kill(pid, SIGCONT);
}

static unsigned role_of(const char *name, size_t n) {
        for (unsigned i = 1; i < _ROLES; i++)
                if (strlen(role_names[i]) == n && strncmp(role_names[i], name, n) == 0)
                        return i;
        errx(1, "no role: %s", name);
}

static void parse(Trace *t, int argc, char **argv) {
        static const struct option options[] = {
                { "log", required_argument, NULL, 'l' },    { "role", required_argument, NULL, 'r' },
                { "at", required_argument, NULL, 'n' },     { "when", required_argument, NULL, 'w' },
                { "call", required_argument, NULL, 'c' },   { "kill", required_argument, NULL, 'k' },
                { "list", required_argument, NULL, 'b' },
                { "device", required_argument, NULL, 'd' }, { "absent", required_argument, NULL, 'a' },
                {},
        };
        struct stat st;
        int c;

        while ((c = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                switch (c) {
                case 'l':
                        t->log = fopen(optarg, "we");
                        break;
                case 'r':
                        t->role = role_of(optarg, strlen(optarg));
                        break;
                case 'n':
                        t->at = (unsigned) atoi(optarg);
                        break;
                case 'c':
                        if (t->n_calls == PATTERNS)
                                errx(1, "too many patterns");
                        t->calls[t->n_calls++] = optarg;
                        break;
                case 'w':
                        t->after = strcmp(optarg, "after") == 0;
                        break;
                case 'k':
                        for (const char *s = optarg; *s; s += strcspn(s, ","), s += *s == ',')
                                t->victims |= 1U << role_of(s, strcspn(s, ","));
                        break;
                case 'b':
                        t->medium.list = optarg;
                        break;
                case 'd':
                        if (stat(optarg, &st) < 0)
                                err(1, "%s", optarg);
                        t->medium.device = st.st_rdev;
                        break;
                case 'a':
                        t->medium.absent = optarg;
                        break;
                default:
                        exit(1);
                }
        if (!t->log || optind == argc)
                errx(1, "--log and a program are needed");
}

int main(int argc, char *argv[]) {
        static Trace t;

        parse(&t, argc, argv);
        begin(&t, argv + optind);
        follow(&t);
        return t.at && !t.done ? 3 : 0;
}
#endif
