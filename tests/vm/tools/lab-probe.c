/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls by name, for scenarios: each verb does one thing and prints what the kernel said, "ok …" or
 * the name of the error, so that a script can compare it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lab-ask.h"
#include "lab-count.h"

#define PAGE 4096UL
#define HUGE 0x200000UL

typedef struct Args {
        const char *path;
        uint64_t offset, length;
        int flags;
} Args;

static int say(ssize_t r) {
        if (r < 0)
                printf("%s\n", strerrorname_np(errno));
        else
                printf("ok %zd\n", r);
        return 0;
}

static int open_file(const Args *a, int flags) {
        int fd = open(a->path, flags | a->flags | O_CLOEXEC);

        if (fd < 0) {
                fprintf(stderr, "%s: %s\n", a->path, strerror(errno));
                exit(1);
        }
        return fd;
}

static void *buffer(uint64_t length, int fill) {
        void *p;

        if (posix_memalign(&p, PAGE, length + PAGE) != 0)
                exit(1);
        memset(p, fill, length);
        return p;
}

static int verb_read(const Args *a) {
        return say(pread(open_file(a, O_RDONLY), buffer(a->length, 0), a->length, a->offset));
}

static int verb_write(const Args *a) {
        int fd = open_file(a, O_RDWR);
        ssize_t n = pwrite(fd, buffer(a->length, 'Z'), a->length, a->offset);

        if (n >= 0 && fsync(fd) < 0)
                n = -1;
        return say(n);
}

static struct fiemap *fiemap(const Args *a, uint64_t offset, uint64_t length, unsigned count) {
        struct fiemap *m = calloc(1, sizeof(*m) + count * sizeof(m->fm_extents[0]));

        if (!m)
                exit(1);
        m->fm_start = offset;
        m->fm_length = length;
        m->fm_extent_count = count;
        m->fm_flags = FIEMAP_FLAG_SYNC;
        if (ioctl(open_file(a, O_RDONLY), FS_IOC_FIEMAP, m) < 0) {
                perror("fiemap");
                exit(1);
        }
        return m;
}

static int verb_phys(const Args *a) {
        struct fiemap *m = fiemap(a, a->offset, 1, 1);

        if (m->fm_mapped_extents == 0) {
                fprintf(stderr, "%s: nothing at %llu\n", a->path, (unsigned long long) a->offset);
                return 1;
        }
        printf("%llu\n", (unsigned long long) (m->fm_extents[0].fe_physical + a->offset -
                                               m->fm_extents[0].fe_logical) / 512);
        return 0;
}

static int verb_extents(const Args *a) {
        printf("%u\n", fiemap(a, 0, FIEMAP_MAX_OFFSET, 0)->fm_mapped_extents);
        return 0;
}

static int verb_lease(const Args *a) {
        return say(fcntl(open_file(a, O_RDWR), F_SETLEASE, F_WRLCK));
}

/* XFS hands out files by inode and generation, to write without touching the times: see xfs_fsop_handlereq
 * in xfs_fs.h, which is not installed with the kernel's headers. */

typedef struct XfsHandle {
        unsigned char fsid[8];
        uint16_t length;                /* of what follows */
        uint16_t padding;
        uint32_t generation;
        uint64_t inode;
} XfsHandle;

typedef struct XfsHandleRequest {
        uint32_t fd;
        void *path;
        uint32_t flags;
        void *in;
        uint32_t in_length;
        void *out;
        uint32_t *out_length;
} XfsHandleRequest;

#define XFS_IOC_OPEN_BY_HANDLE _IOWR('X', 107, XfsHandleRequest)

static int verb_handle_write(const Args *a) {
        XfsHandle handle = { .length = sizeof(handle) - offsetof(XfsHandle, padding) };
        XfsHandleRequest request = { .flags = O_RDWR, .in = &handle, .in_length = sizeof(handle) };
        char *folder = strdup(a->path);
        struct stat st;
        int fd = open_file(a, O_RDONLY), generation;

        if (!folder || fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_GETVERSION, &generation) < 0) {
                perror("handle");
                return 1;
        }
        handle.inode = st.st_ino;
        handle.generation = (uint32_t) generation;
        close(fd);
        fd = ioctl(open(dirname(folder), O_RDONLY | O_DIRECTORY), XFS_IOC_OPEN_BY_HANDLE, &request);
        if (fd < 0)
                return say(fd);
        return say(pwrite(fd, buffer(a->length, 'Z'), a->length, a->offset));
}

/* Keeps the file by an O_PATH descriptor that came from a handle. */
static int verb_hold_opath(const Args *a) {
        struct file_handle *h = calloc(1, sizeof(*h) + MAX_HANDLE_SZ);
        char *folder = strdup(a->path);
        int mount_id, fd;

        if (!h || !folder)
                return 1;
        h->handle_bytes = MAX_HANDLE_SZ;
        if (name_to_handle_at(AT_FDCWD, a->path, h, &mount_id, 0) < 0)
                return say(-1);
        fd = open_by_handle_at(open(dirname(folder), O_RDONLY | O_DIRECTORY), h, O_PATH | O_CLOEXEC);
        if (fd < 0)
                return say(-1);
        printf("holding\n");
        fflush(stdout);
        for (;;)
                pause();
}

/* Mapped access: a bad page answers with SIGBUS, which is an answer like any other here. */

static sigjmp_buf bus_error;

static void on_bus_error(int sig) {
        (void) sig;
        siglongjmp(bus_error, 1);
}

static volatile unsigned char *map(const Args *a, uint64_t align, uint64_t length) {
        uint64_t start = a->offset / align * align;
        void *hint = NULL, *p;

        /* A 2 MiB entry needs an address that is aligned like the file's offset. */
        if (align > PAGE) {
                hint = mmap(NULL, align + length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                hint = (void *) (((uintptr_t) hint + align - 1) / align * align);
        }
        p = mmap(hint, length, PROT_READ | PROT_WRITE, MAP_SHARED | (hint ? MAP_FIXED : 0),
                 open_file(a, O_RDWR), start);
        if (p == MAP_FAILED) {
                perror("mmap");
                exit(1);
        }
        signal(SIGBUS, on_bus_error);
        return (volatile unsigned char *) p + (a->offset - start);
}

static int verb_load(const Args *a) {
        volatile unsigned char *p = map(a, PAGE, PAGE);

        if (sigsetjmp(bus_error, 1))
                return printf("SIGBUS\n") < 0;
        printf("ok %u\n", *p);
        return 0;
}

static int verb_store(const Args *a) {
        volatile unsigned char *p = map(a, PAGE, PAGE);

        if (sigsetjmp(bus_error, 1))
                return printf("SIGBUS\n") < 0;
        *p = 'Z';
        return say(0);
}

/* Stores LENGTH bytes of standard input through a mapping and keeps it: the first steps of reviving a
 * page. */
static int verb_store_stdin(const Args *a) {
        volatile unsigned char *p = map(a, PAGE, PAGE);
        uint64_t i;
        int c;

        if (sigsetjmp(bus_error, 1))
                return printf("SIGBUS\n") < 0;
        for (i = 0; i < a->length && (c = getchar()) != EOF; i++)
                p[i] = (unsigned char) c;
        printf("holding %llu bytes\n", (unsigned long long) i);
        fflush(stdout);
        for (;;) {                      /* hard_offline_page may send SIGBUS: not a reason to unmap */
                sigsetjmp(bus_error, 1);
                pause();
        }
}

/* Of a device-dax: from standard input, to standard output. */
static int verb_dax_store(const Args *a) {
        volatile unsigned char *p = map(a, HUGE, (a->offset % HUGE + a->length + HUGE - 1) / HUGE * HUGE);
        int c;

        for (uint64_t i = 0; i < a->length && (c = getchar()) != EOF; i++)
                p[i] = (unsigned char) c;
        return 0;
}

static int verb_dax_load(const Args *a) {
        volatile unsigned char *p = map(a, HUGE, (a->offset % HUGE + a->length + HUGE - 1) / HUGE * HUGE);

        return fwrite((const void *) p, 1, a->length, stdout) != a->length;
}

static _Noreturn void hold(const Args *a, uint64_t size) {
        volatile unsigned char *p = map(a, size, size);
        unsigned char first = 0;

        if (!sigsetjmp(bus_error, 1))
                first = *p;
        printf("holding %u\n", first);
        fflush(stdout);
        for (;;) {                      /* a machine check may send SIGBUS: keep the mapping all the same */
                sigsetjmp(bus_error, 1);
                pause();
        }
}

static int verb_hold_map(const Args *a) {
        hold(a, PAGE);
}

static int verb_hold_pmd(const Args *a) {
        hold(a, HUGE);
}

/* Stores a new byte each millisecond. */
static _Noreturn int verb_hold_store(const Args *a) {
        volatile unsigned char *p = map(a, PAGE, PAGE);

        printf("holding\n");
        fflush(stdout);
        for (;; usleep(1000))
                (*p)++;
}

/* LENGTH is the number of the sector that is left alone. */
static _Noreturn int verb_hold_count(const Args *a) {
        count_stores(map(a, PAGE, PAGE), (unsigned) a->length);
}

static void say_when(const char *what) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        printf("%lld.%06ld %s\n", (long long) t.tv_sec, t.tv_nsec / 1000, what);
        fflush(stdout);
}

/* Says each time when what reading gives becomes another: "SECONDS ok" or "SECONDS EIO". Until it is
 * killed. */
static _Noreturn int verb_watch(const Args *a) {
        int fd = open_file(a, O_RDONLY), last = -1;
        void *p = buffer(a->length, 0);

        for (;; usleep(2000)) {
                int now = pread(fd, p, a->length, a->offset) < 0 ? errno : 0;

                if (now == last)
                        continue;
                say_when(now ? strerrorname_np(now) : "ok");
                last = now;
        }
}

/* Says each time when a bad-block list changes: "SECONDS listed" or "SECONDS empty". Until it is killed. */
static _Noreturn int verb_watch_list(const Args *a) {
        struct pollfd p = { .fd = open_file(a, O_RDONLY), .events = POLLPRI };

        for (;;) {
                char text[4096];

                say_when(pread(p.fd, text, sizeof(text), 0) > 0 ? "listed" : "empty");
                poll(&p, 1, -1);
        }
}

/* Waits until OFFSET files got names in a folder, by rename(2), that do not begin with a dot, and says how
 * many microseconds passed from one to the next on average; 0 after the first. */
static int verb_await_names(const Args *a) {
        _Alignas(struct inotify_event) char buf[4096];
        struct timespec first = {}, last;
        uint64_t n = 0;
        int fd = inotify_init1(IN_CLOEXEC);

        if (inotify_add_watch(fd, a->path, IN_MOVED_TO) < 0) {
                perror(a->path);
                return 1;
        }
        printf("waiting\n");
        fflush(stdout);
        while (n < a->offset) {
                ssize_t size = read(fd, buf, sizeof(buf));

                if (size <= 0)
                        return 1;
                for (ssize_t at = 0; at < size;) {
                        const struct inotify_event *e = (const struct inotify_event *) (buf + at);

                        n += e->len > 0 && e->name[0] != '.';
                        at += (ssize_t) (sizeof(*e) + e->len);
                }
                clock_gettime(CLOCK_MONOTONIC, &last);
                if (first.tv_sec == 0)
                        first = last;
        }
        printf("%lld\n", n < 2 ? 0LL : ((last.tv_sec - first.tv_sec) * 1000000LL +
                                        (last.tv_nsec - first.tv_nsec) / 1000) / (long long) (n - 1));
        return 0;
}

static const struct {
        const char *name;
        int (*run)(const Args *a);
} verbs[] = {
        { "await-names",  verb_await_names  },
        { "dax-load",     verb_dax_load     },
        { "dax-store",    verb_dax_store    },
        { "extents",      verb_extents      },
        { "handle-write", verb_handle_write },
        { "hold-count",   verb_hold_count   },
        { "hold-map",     verb_hold_map     },
        { "hold-opath",   verb_hold_opath   },
        { "hold-pmd",     verb_hold_pmd     },
        { "hold-store",   verb_hold_store   },
        { "lease",        verb_lease        },
        { "load",         verb_load         },
        { "phys",         verb_phys         },
        { "read",         verb_read         },
        { "store",        verb_store        },
        { "store-stdin",  verb_store_stdin  },
        { "watch",        verb_watch        },
        { "watch-list",   verb_watch_list   },
        { "write",        verb_write        },
};

int main(int argc, char **argv) {
        Args a = {};

        if (argc == 2 && strcmp(argv[1], "ask") == 0)
                return ask_for_counts();
        if (argc >= 3) {
                a.path = argv[2];
                a.offset = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
                a.length = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
                a.flags = argc > 5 && strcmp(argv[5], "direct") == 0 ? O_DIRECT : 0;
                for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                        if (strcmp(argv[1], verbs[i].name) == 0)
                                return verbs[i].run(&a);
        }
        fprintf(stderr, "usage: lab-probe VERB FILE [OFFSET [LENGTH [direct]]], VERB being one of");
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                fprintf(stderr, " %s", verbs[i].name);
        fprintf(stderr, "\n");
        return 2;
}
