/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kill-medium.h"

#define PAGE UINT64_C(4096)
#define SECTOR UINT64_C(512)
#define RANGES 512

typedef struct Sectors {
        uint64_t start, end;    /* bytes */
} Sectors;

typedef struct List {
        Sectors items[RANGES];
        size_t n;
} List;

/* ---- the list ---- */

static void list_read(const Medium *m, List *l) {
        uint64_t s, n;
        FILE *f = fopen(m->list, "re");

        if (!f)
                err(1, "%s", m->list);
        for (l->n = 0; fscanf(f, "%" SCNu64 " %" SCNu64 "\n", &s, &n) == 2; l->n++) {
                assert(l->n < RANGES);
                l->items[l->n] = (Sectors) { s * SECTOR, (s + n) * SECTOR };
        }
        (void) fclose(f);
}

/* At once: somebody may be reading it. */
static void list_write(const Medium *m, const List *l) {
        char name[4096];
        FILE *f;

        (void) snprintf(name, sizeof(name), "%s.new", m->list);
        f = fopen(name, "we");
        for (size_t i = 0; f && i < l->n; i++)
                fprintf(f, "%" PRIu64 " %" PRIu64 "\n", l->items[i].start / SECTOR,
                        (l->items[i].end - l->items[i].start) / SECTOR);
        if (!f || fclose(f) != 0 || rename(name, m->list) < 0)
                err(1, "%s", name);
}

static bool list_overlaps(const List *l, uint64_t start, uint64_t end) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].start < end && start < l->items[i].end)
                        return true;
        return false;
}

static void list_clear(const Medium *m, uint64_t start, uint64_t end) {
        List old, new = {};

        list_read(m, &old);
        for (size_t i = 0; i < old.n; i++) {
                Sectors s = old.items[i];

                assert(new.n + 2 <= RANGES);
                if (s.start < start)
                        new.items[new.n++] = (Sectors) { s.start, s.end < start ? s.end : start };
                if (s.end > end)
                        new.items[new.n++] = (Sectors) { s.start > end ? s.start : end, s.end };
        }
        list_write(m, &new);
}

/* "SECTOR COUNT", as written to the attribute. */
static void list_add(const Medium *m, const char *text) {
        uint64_t s, n;
        List l;

        list_read(m, &l);
        if (sscanf(text, "%" SCNu64 " %" SCNu64, &s, &n) != 2 || l.n == RANGES)
                errx(1, "not for a list of bad blocks: %s", text);
        l.items[l.n++] = (Sectors) { s * SECTOR, (s + n) * SECTOR };
        list_write(m, &l);
}

/* ---- a page that is not present ---- */

typedef enum Absence { PRESENT, TAKEN, OFFLINE } Absence;

/* "taken START" or "offline START". */
static Absence absence_of(const Medium *m, uint64_t start, uint64_t end) {
        char word[16];
        uint64_t at;
        FILE *f = m->absent ? fopen(m->absent, "re") : NULL;
        int n;

        if (!f)
                return PRESENT;
        n = fscanf(f, "%15s %" SCNu64, word, &at);
        (void) fclose(f);
        if (n != 2 || at >= end || at + PAGE <= start)
                return PRESENT;
        return strcmp(word, "offline") == 0 ? OFFLINE : TAKEN;
}

static void take_offline(const Medium *m) {
        char word[16];
        uint64_t at;
        FILE *f = m->absent ? fopen(m->absent, "r+e") : NULL;

        if (!f || fscanf(f, "%15s %" SCNu64, word, &at) != 2 || fseek(f, 0, SEEK_SET) < 0 ||
            fprintf(f, "offline %" PRIu64 "\n", at) < 0 || fclose(f) != 0)
                errx(1, "a page that is present is to be taken offline");
}

/* ---- where on the device ---- */

/* The descriptor of another process, the same open file: opening it once more would break its lease. */
static int borrow(pid_t pid, int fd) {
        int process = (int) syscall(SYS_pidfd_open, pid, 0), ours;

        if (process < 0)
                return -1;
        ours = (int) syscall(SYS_pidfd_getfd, process, fd, 0);
        (void) close(process);
        return ours;
}

typedef struct Where {
        bool file;
        Sectors items[64];
        size_t n;
} Where;

/* The places on the device that a call on `fd` is about; none: it is about something else. */
static void where_is(const Medium *m, pid_t pid, int fd, uint64_t offset, uint64_t size, Where *w) {
        struct {
                struct fiemap head;
                struct fiemap_extent items[64];
        } map = { .head = { .fm_start = offset, .fm_length = size, .fm_extent_count = 64 } };
        int ours = borrow(pid, fd);
        struct stat st;

        *w = (Where) {};
        if (ours < 0)
                return;
        if (fstat(ours, &st) >= 0 && S_ISBLK(st.st_mode) && st.st_rdev == m->device) {
                w->items[w->n++] = (Sectors) { offset, offset + size };
        } else if (S_ISREG(st.st_mode) && st.st_dev == m->device && ioctl(ours, FS_IOC_FIEMAP, &map) >= 0) {
                w->file = true;
                for (uint32_t i = 0; i < map.head.fm_mapped_extents; i++) {
                        const struct fiemap_extent *e = map.items + i;
                        uint64_t end = e->fe_logical + e->fe_length,
                                 from = e->fe_logical > offset ? e->fe_logical : offset,
                                 to = end < offset + size ? end : offset + size;

                        if (!(e->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_UNWRITTEN)) && from < to)
                                w->items[w->n++] = (Sectors) { e->fe_physical + (from - e->fe_logical),
                                                               e->fe_physical + (to - e->fe_logical) };
                }
        }
        (void) close(ours);
}

/* ---- calls ---- */

static void begin_read(const Medium *m, const Call *c, Played *p) {
        Where w;
        List l;

        where_is(m, c->pid, (int) c->args[0], c->args[3], c->args[2], &w);
        if (w.file)
                p->doing = DOING_READ;
        list_read(m, &l);
        for (size_t i = 0; i < w.n && p->doing != DOING_INSTEAD; i++) {
                uint64_t unit = w.file ? PAGE : SECTOR, start = w.items[i].start / unit * unit,
                         end = (w.items[i].end + unit - 1) / unit * unit;
                bool listed = list_overlaps(&l, start, end), absent = absence_of(m, start, end) != PRESENT;

                if (listed || absent)
                        *p = (Played) { .doing = DOING_INSTEAD,
                                         .result = w.file && !listed ? -EFAULT : -EIO };
        }
}

static void begin_write(const Medium *m, const Call *c, Played *p) {
        Where w;
        List l;

        where_is(m, c->pid, (int) c->args[0], c->args[3], c->args[2], &w);
        if (w.n == 0)
                return;
        list_read(m, &l);
        for (size_t i = 0; i < w.n; i++) {
                uint64_t start = w.items[i].start / PAGE * PAGE,
                         end = (w.items[i].end + PAGE - 1) / PAGE * PAGE;
                Absence absence = absence_of(m, start, end);
                bool listed = list_overlaps(&l, start, end);

                if (!w.file && absence != PRESENT)
                        errx(1, "a write to the device where the page is not present: the kernel is gone");
                if (!w.file)
                        continue;
                if (listed && (w.items[i].start != start || w.items[i].end != end)) {
                        *p = (Played) { .doing = DOING_INSTEAD, .result = -EFAULT };
                        return;
                }
                if (absence == TAKEN || (absence == OFFLINE && !listed)) {
                        if (listed)
                                list_clear(m, start, end);
                        *p = (Played) { .doing = DOING_INSTEAD, .result = -EFAULT };
                        return;
                }
        }
        if (w.n > 1)
                errx(1, "one write to several places is not played");
        *p = (Played) { .doing = DOING_WRITE, .start = w.items[0].start, .end = w.items[0].end };
}

static const char *const special[] = { NULL, "/sys/devices/system/memory/hard_offline_page", "/sys/block/" };

static bool poke(pid_t pid, uint64_t at, const char *text, size_t n) {
        char path[64];
        int fd;
        bool done;

        (void) snprintf(path, sizeof(path), "/proc/%d/mem", (int) pid);
        fd = open(path, O_RDWR | O_CLOEXEC);
        done = fd >= 0 && pwrite(fd, text, n, (off_t) at) == (ssize_t) n;
        if (fd >= 0)
                (void) close(fd);
        return done;
}

static bool peek(pid_t pid, uint64_t at, char *ret, size_t n) {
        for (size_t done = 0; done < n; done += 8) {   /* the text may end with the page that it is in */
                struct iovec ours = { ret + done, 8 }, its = { (void *) (uintptr_t) (at + done), 8 };

                if (process_vm_readv(pid, &ours, 1, &its, 1, 0) != 8)
                        return done > 0;
                if (memchr(ret + done, '\0', 8))
                        return true;
        }
        return false;
}

/* What is written to attributes of this very machine must never arrive there. */
static void begin_open(const Call *c, Played *p) {
        const char null[] = "/dev/null";
        Played new = { .doing = DOING_REDIRECTED };

        if ((c->args[2] & O_ACCMODE) == O_RDONLY || !peek(c->pid, c->args[1], new.text, sizeof(new.text)))
                return;
        if (strcmp(new.text, special[1]) == 0)
                new.special = 1;
        else if (strncmp(new.text, special[2], strlen(special[2])) == 0)
                new.special = 2;
        else if (strncmp(new.text, "/sys/", 5) == 0)
                errx(1, "%s is about to be written", new.text);
        else
                return;
        if (!poke(c->pid, c->args[1], null, sizeof(null)))
                err(1, "the path could not be replaced");
        *p = new;
}

/* Of the one process that has one open. */
static struct { pid_t pid; int fd, special; } attribute;

static void write_attribute(const Medium *m, const Call *c) {
        char text[64] = "";

        if (c->args[2] >= sizeof(text) || !peek(c->pid, c->args[1], text, sizeof(text) - 1))
                errx(1, "what is written to an attribute cannot be read");
        text[c->args[2]] = '\0';
        if (attribute.special == 1)
                take_offline(m);
        else
                list_add(m, text);
}

void medium_begin(const Medium *m, const Call *c, Played *ret) {
        *ret = (Played) {};
        if (!m->list)
                return;
        switch (c->nr) {
        case SYS_pread64:
                begin_read(m, c, ret);
                break;
        case SYS_pwrite64:
                begin_write(m, c, ret);
                break;
        case SYS_openat:
                begin_open(c, ret);
                break;
        }
}

/* What was read ahead may have been bad; and a file without DAX would be read from memory from then on. */
static void forget_pages(pid_t pid, int fd) {
        int ours = borrow(pid, fd);

        if (ours < 0)
                return;
        (void) posix_fadvise(ours, 0, 0, POSIX_FADV_DONTNEED);
        (void) close(ours);
}

void medium_end(const Medium *m, const Call *c, Played *p, long *result) {
        switch (p->doing) {
        case DOING_READ:
                forget_pages(c->pid, (int) c->args[0]);
                break;
        case DOING_INSTEAD:
                *result = p->result;
                break;
        case DOING_WRITE:
                if (*result > 0)
                        list_clear(m, p->start, p->end);
                if (*result > 0 && absence_of(m, p->start, p->end) == OFFLINE)
                        (void) unlink(m->absent);
                break;
        case DOING_REDIRECTED:
                if (!poke(c->pid, c->args[1], p->text, strlen(p->text) + 1))
                        err(1, "the path could not be put back");
                attribute.pid = c->pid;
                attribute.fd = (int) *result;
                attribute.special = p->special;
                break;
        case DOING_NOTHING:
                if (m->list && c->nr == SYS_write && attribute.special && c->pid == attribute.pid &&
                    (int) c->args[0] == attribute.fd && *result > 0) {
                        write_attribute(m, c);
                        attribute.special = 0;
                }
                break;
        }
}
