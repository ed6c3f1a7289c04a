/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The guards that there are, and what they hold. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/strv.h"
#include "worker/alike.h"
#include "worker/fiemap.h"
#include "worker/guard.h"
#include "worker/window.h"

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

/* "park-START-LENGTH-BOOT", as guard_make() writes it. */
static bool parse_name(const char *name, Guard *g) {
        uint64_t start, length;
        char again[GUARD_NAME_MAX];

        if (sscanf(name, "park-%" SCNx64 "-%" SCNx64 "-%36s", &start, &length, g->boot_id) != 3 ||
            range_init(start, length, &g->target) < 0)
                return false;
        (void) snprintf(g->name, sizeof(g->name), "%s", name);
        (void) snprintf(again, sizeof(again), "park-%" PRIx64 "-%" PRIx64 "-%s", start, length, g->boot_id);
        return streq_ptr(again, name);
}

static int dir_open(int at, const char *name, DIR **ret) {
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d;

        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                const int r = -errno;

                (void) close(fd);
                return r;
        }
        *ret = d;
        return 0;
}

/* 0: also what is no guard, or vanished meanwhile. */
static int visit_file(int folder_fd, const char *folder, const char *name, int flags,
                      int (*fn)(Guard *g, void *userdata), void *userdata) {
        _cleanup_guard_ Guard g = GUARD_NULL;
        struct stat st;

        if (!parse_name(name, &g))
                return 0;
        (void) snprintf(g.folder, sizeof(g.folder), "%.31s", folder);
        g.folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);
        if (g.folder_fd < 0)
                return -errno;
        g.fd = openat(folder_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (g.fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(g.fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return 0;
        g.inode = st.st_ino;
        return fn(&g, userdata);
}

static int visit_folder(int guards_fd, const char *name, int flags, int (*fn)(Guard *g, void *userdata),
                        void *userdata) {
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        r = dir_open(guards_fd, name, &d);
        if (r < 0)
                return r == -ENOTDIR || r == -ENOENT ? 0 : r;
        for (;;) {
                const struct dirent *e = (errno = 0, readdir(d));

                if (!e)
                        return -errno;
                r = visit_file(dirfd(d), name, e->d_name, flags, fn, userdata);
                if (r != 0)
                        return r;
        }
}

int guards_walk(const Site *s, int flags, int (*fn)(Guard *g, void *userdata), void *userdata) {
        _cleanup_close_ int guards_fd = -1;
        _cleanup_(closedirp) DIR *d = NULL;
        int r;

        r = guards_open(s->mount_fd, &guards_fd);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = dir_open(guards_fd, ".", &d);
        if (r < 0)
                return r;
        for (;;) {
                const struct dirent *e = (errno = 0, readdir(d));

                if (!e)
                        return -errno;
                if (strncmp(e->d_name, "ag", 2) != 0)
                        continue;
                r = visit_folder(guards_fd, e->d_name, flags, fn, userdata);
                if (r != 0)
                        return r;
        }
}

typedef struct Wanted {
        uint64_t inode;
        Guard *ret;
} Wanted;

static int is_it(Guard *g, void *userdata) {
        Wanted *w = userdata;

        if (g->inode != w->inode)
                return 0;
        *w->ret = *g;
        *g = GUARD_NULL;
        return 1;
}

int guard_find(const Site *s, uint64_t inode, int flags, Guard *ret) {
        Wanted w = { inode, ret };
        int r = guards_walk(s, flags, is_it, &w);

        return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

static int add_owned(Range in_file, uint64_t at, uint32_t flags, void *userdata) {
        Range device = { at, at + range_size(in_file) };

        return flags & EXTENT_UNPLACED ? -EUCLEAN : rangeset_add(userdata, device);
}

int guard_owned(const Guard *g, RangeSet *ret) {
        _cleanup_rangeset_ RangeSet owned = {};
        int r;

        r = fiemap_walk(g->fd, GUARD_ALL, add_owned, &owned);
        if (r < 0)
                return r;
        *ret = owned;
        owned = (RangeSet) {};
        return 0;
}

typedef struct Surplus {
        const RangeSet *keep;
        RangeSet in_file;
} Surplus;

static int add_surplus(Range in_file, uint64_t at, uint32_t flags, void *userdata) {
        Range device = { at, at + range_size(in_file) };
        _cleanup_rangeset_ RangeSet give = {};
        Surplus *s = userdata;
        int r;

        if (flags & EXTENT_UNPLACED)
                return -EUCLEAN;
        r = rangeset_add(&give, device);
        if (r >= 0)
                r = rangeset_subtract_all(&give, s->keep);
        for (size_t i = 0; r >= 0 && i < give.n; i++)
                r = rangeset_add(&s->in_file,
                                 (Range) { in_file.start + (give.items[i].start - device.start),
                                           in_file.start + (give.items[i].end - device.start) });
        return r;
}

/* Folders that others still use say so. */
static void remove_folders(const Site *s) {
        _cleanup_close_ int guards_fd = -1;
        _cleanup_(closedirp) DIR *d = NULL;
        const struct dirent *e;

        if (guards_open(s->mount_fd, &guards_fd) < 0 || dir_open(guards_fd, ".", &d) < 0)
                return;
        assert(d);
        while ((e = readdir(d)))
                if (strncmp(e->d_name, "ag", 2) == 0 || strncmp(e->d_name, "new", 3) == 0)
                        (void) unlinkat(guards_fd, e->d_name, AT_REMOVEDIR);
        (void) unlinkat(s->mount_fd, GUARD_FOLDER, AT_REMOVEDIR);
}

int guard_shrink(const Guard *g, const RangeSet *keep) {
        Surplus surplus = { .keep = keep };
        int r;

        r = fiemap_walk(g->fd, GUARD_ALL, add_surplus, &surplus);
        for (size_t i = 0; r >= 0 && i < surplus.in_file.n; i++)
                if (fallocate(g->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                              (off_t) surplus.in_file.items[i].start,
                              (off_t) range_size(surplus.in_file.items[i])) < 0)
                        r = -errno;
        rangeset_done(&surplus.in_file);
        return r < 0 ? r : 0;
}

int guard_keep(const Site *s, Guard *g, const RangeSet *keep) {
        _cleanup_rangeset_ RangeSet owned = {};
        int r;

        r = guard_shrink(g, keep);
        if (r >= 0)
                r = guard_owned(g, &owned);
        if (r < 0)
                return r;

        if (owned.n > 0)
                return fsync(g->fd) < 0 ? -errno : 0;
        if (unlinkat(g->folder_fd, g->name, 0) < 0 && errno != ENOENT)
                return -errno;
        if (fsync(g->folder_fd) < 0)
                return -errno;
        remove_folders(s);
        return 0;
}

/* "HardwareCorrupted:     4 kB" of /proc/meminfo. -1: not told. */
static long failures_of_memory(void) {
        _cleanup_free_ char *text = NULL;
        const char *at;
        size_t n;

        if (file_read(AT_FDCWD, "/proc/meminfo", 65536, &text, &n) < 0)
                return -1;
        at = strstr(text, "HardwareCorrupted:");
        return at ? strtol(at + strlen("HardwareCorrupted:"), NULL, 10) : -1;
}

bool guard_pages_are_present(const Site *s, const Guard *g, Range pages, const RangeSet *listed,
                             const char *boot_id) {
        _cleanup_free_ uint8_t *page = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        bool older = !streq_ptr(g->boot_id, boot_id) && failures_of_memory() == 0;

        if (!page)
                return false;
        for (uint64_t at = pages.start; at < pages.end; at += REPAIR_UNIT) {
                _cleanup_rangeset_ RangeSet got = {};
                Range one = { at, at + REPAIR_UNIT };

                if (rangeset_contains(listed, one)) {
                        if (!older)
                                return false;
                        continue;
                }
                /* A page of which nothing is listed is not looked at: reading it could be what finds the
                 * next error. */
                if (rangeset_overlaps(listed, one) &&
                    (page_salvage(s, one, listed, page, &got) < 0 || got.n == 0))
                        return false;
        }
        return true;
}

typedef struct Tidy {
        const Site *site;
        const SpaceMap *space;
        char boot_id[37];
} Tidy;

static int tidy(Guard *g, void *userdata) {
        _cleanup_rangeset_ RangeSet owned = {}, keep = {}, listed = {}, here = {}, pages = {};
        const Tidy *t = userdata;
        int r;

        r = guard_owned(g, &owned);
        if (r >= 0)
                r = site_listed(t->site, (Range) { 0, t->site->size }, &listed);
        if (r == -EOVERFLOW)
                return 0; /* the list is cut off: all of it may be listed */
        if (r >= 0)
                r = guard_translate(t->space, &listed, &here);
        if (r >= 0)
                r = rangeset_align_out(&here, REPAIR_UNIT, &pages);
        if (r >= 0 && streq_ptr(g->boot_id, t->boot_id))
                r = rangeset_add(&pages, g->target);
        for (size_t i = 0; r >= 0 && i < owned.n; i++) {
                _cleanup_rangeset_ RangeSet part = {};

                r = rangeset_clip(&pages, owned.items[i], &part);
                if (r >= 0)
                        r = rangeset_add_all(&keep, &part);
        }
        if (r < 0 || (owned.n > 0 && rangeset_equal(&owned, &keep)))
                return r;
        return guard_keep(t->site, g, &keep);
}

/* What alike_make() has left there. */
static int sweep_folders(const Site *s) {
        _cleanup_close_ int guards_fd = -1;
        _cleanup_(closedirp) DIR *d = NULL;
        const struct dirent *e;
        int r;

        r = guards_open(s->mount_fd, &guards_fd);
        if (r >= 0)
                r = dir_open(guards_fd, ".", &d);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        assert(d);
        while ((e = readdir(d))) {
                _cleanup_close_ int fd = -1;

                if (strncmp(e->d_name, "ag", 2) == 0)
                        fd = openat(guards_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd >= 0)
                        alike_sweep(fd);
        }
        return 0;
}

int guards_tidy(const Site *s) {
        _cleanup_spacemap_ SpaceMap space = {};
        Tidy t = { .site = s, .space = &space };
        int r;

        r = guard_space(s, &space);
        if (r == -EOPNOTSUPP)
                return 0;
        if (r >= 0)
                r = sweep_folders(s);
        if (r >= 0)
                r = boot_id_read(t.boot_id);
        return r < 0 ? r : guards_walk(s, O_RDWR, tidy, &t);
}
