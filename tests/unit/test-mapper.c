/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "map/map-path.h"
#include "map/mapper.h"
#include "random.h"
#include "tests/path-of.h"
#include "util/cleanup.h"
#include "util/strv.h"

/* A file system that says what a test wants. */
typedef struct Fake {
        const Owner *owners;
        size_t n;
        int result;             /* of walk, after the owners */
        const char *opens;      /* path, below mount_fd, that open() opens; NULL: MAP_E_GONE */
        const char *path;       /* that names() adds; NULL: path_result */
        int path_result;
} Fake;

static Fake fake;

static int fake_walk(const MapSection *on, const RangeSet *ranges, const MapAsker *asker, OwnerFn fn,
                     void *userdata) {
        for (size_t i = 0; i < fake.n; i++) {
                int r = fn(&fake.owners[i], userdata);

                if (r != 0)
                        return r;
        }
        return fake.result;
}

static int fake_open(int mount_fd, uint64_t inode, uint32_t generation, int flags, int *ret) {
        int fd;

        if (!fake.opens)
                return MAP_E_GONE;
        fd = openat(mount_fd, fake.opens, flags | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

static int fake_names(int mount_fd, MapFile *files, size_t n) {
        for (size_t i = 0; i < n && fake.path; i++)
                if (files[i].error == 0 && strv_extend(&files[i].names, fake.path) < 0)
                        return -ENOMEM;
        return fake.path ? 0 : fake.path_result;
}

static int fake_owns(const MapSection *on, int fd, Range range, uint64_t offset, MapOwns *ret) {
        *ret = MAP_OWNED;
        return 0;
}

static const MapperOps fake_ops = {
        .name = "fake",
        .walk = fake_walk,
        .open = fake_open,
        .names = fake_names,
};
static const MapperOps data_only = { .name = "data", .walk = fake_walk, .owns = fake_owns };
static const MapperOps with_realtime = { .name = "realtime", .realtime = true, .walk = fake_walk,
                                       .owns = fake_owns };
static const MapperOps walk_only = { .name = "walk-only", .walk = fake_walk };

#define SEEN_MAX 64

typedef struct Seen {
        Owner owners[SEEN_MAX];
        size_t n;
        size_t stop_at;         /* 0: never */
        int stop_with;
} Seen;

static int see(const Owner *owner, void *userdata) {
        Seen *s = userdata;

        assert_true(s->n < SEEN_MAX);
        s->owners[s->n++] = *owner;
        return s->n == s->stop_at ? s->stop_with : 0;
}

static int walk_set(const Owner *owners, size_t n, int result, const RangeSet *asked, Seen *ret) {
        fake = (Fake) { .owners = owners, .n = n, .result = result };
        *ret = (Seen) {};
        return mapper_walk(&fake_ops, MAP_DATA(-1), asked, see, ret);
}

static int walk(const Owner *owners, size_t n, int result, Range asked, Seen *ret) {
        return walk_set(owners, n, result, RANGESET_ONE(asked), ret);
}

static Owner owner(OwnerType type, uint64_t start, uint64_t end, uint64_t inode, uint64_t offset) {
        return (Owner) { .type = type, .range = { start, end }, .inode = inode, .offset = offset };
}

/* Proves that the answer covers exactly what was asked, whatever the backend leaves out or adds. */
static void test_complete(void **state) {
        const Owner owners[] = {
                owner(OWNER_METADATA, 0, 50, 0, 0),             /* before it */
                owner(OWNER_FILE, 0, 120, 7, 4096),             /* starts before the asked range */
                owner(OWNER_FREE, 150, 160, 0, 0),
                owner(OWNER_FREE, 300, 400, 0, 0),              /* beyond it */
        };
        Seen s;

        assert_int_equal(walk(owners, 4, 0, (Range) { 100, 200 }, &s), 0);
        assert_int_equal(s.n, 4);
        assert_int_equal(s.owners[0].type, OWNER_FILE);
        assert_int_equal(s.owners[0].offset, 4096 + 100);
        assert_int_equal(s.owners[1].type, OWNER_UNKNOWN);
        assert_int_equal(s.owners[2].type, OWNER_FREE);
        assert_int_equal(s.owners[3].type, OWNER_UNKNOWN);
        assert_int_equal(s.owners[0].range.start, 100);
        assert_int_equal(s.owners[3].range.end, 200);
        for (size_t i = 1; i < s.n; i++)
                assert_int_equal(s.owners[i].range.start, s.owners[i - 1].range.end);
}

/* Proves that a file system is asked about none of its devices that it knows nothing of, so that what lies
 * at the same address of another one is not taken for the answer. */
static void test_sections(void **state) {
        const Owner owners[] = { owner(OWNER_FILE, 0, 4096, 7, 0) };
        _cleanup_(closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        const struct {
                const MapperOps *ops;
                FsPart part;
                bool asked;
        } table[] = {
                { &data_only, FS_PART_DATA, true },
                { &data_only, FS_PART_REALTIME, false },
                { &data_only, FS_PART_LOG, false },
                { &with_realtime, FS_PART_DATA, true },
                { &with_realtime, FS_PART_REALTIME, true },
                { &with_realtime, FS_PART_LOG, false },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                const MapSection on = { .mount_fd = -1, .part = table[i].part };
                MapOwns owns = MAP_SHARED;
                Seen s = {};

                fake = (Fake) { .owners = owners, .n = 1 };
                assert_int_equal(mapper_walk(table[i].ops, &on, RANGESET_ONE({ 0, 4096 }), see, &s), 0);
                assert_int_equal(s.n, 1);
                assert_int_equal(s.owners[0].type, table[i].asked ? OWNER_FILE : OWNER_UNKNOWN);
                assert_int_equal(mapper_owns(table[i].ops, &on, fd, (Range) { 0, 4096 }, 0, &owns) == 0,
                                 table[i].asked);
                assert_int_equal(owns, table[i].asked ? MAP_OWNED : MAP_SHARED);
        }
}

/* Proves that a file system that cannot answer, or not to the end, or that nobody knows, yields "unknown",
 * never "free". */
static void test_unsupported(void **state) {
        const Owner half = owner(OWNER_FILE, 100, 150, 7, 0);
        Seen s;

        assert_int_equal(walk(NULL, 0, MAP_E_UNSUPPORTED, (Range) { 100, 200 }, &s), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.owners[0].type, OWNER_UNKNOWN);
        assert_true(range_equal(s.owners[0].range, (Range) { 100, 200 }));

        assert_int_equal(walk(&half, 1, MAP_E_UNSUPPORTED, (Range) { 100, 200 }, &s), 0);
        assert_int_equal(s.n, 2);
        assert_int_equal(s.owners[1].type, OWNER_UNKNOWN);
        assert_true(range_equal(s.owners[1].range, (Range) { 150, 200 }));

        s = (Seen) {};
        assert_int_equal(mapper_walk(NULL, MAP_DATA(-1), RANGESET_ONE({ 100, 200 }), see, &s), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.owners[0].type, OWNER_UNKNOWN);
}

/* Proves that other troubles are passed on, and that nothing is made up after them. */
static void test_failure(void **state) {
        Seen s;

        assert_int_equal(walk(NULL, 0, MAP_E_GONE, (Range) { 100, 200 }, &s), MAP_E_GONE);
        assert_int_equal(s.n, 0);
        assert_int_equal(walk(NULL, 0, -EIO, (Range) { 100, 200 }, &s), -EIO);
        assert_int_equal(s.n, 0);
}

/* Proves that bytes shared by two files (reflink) are reported for both, and covered once. */
static void test_shared(void **state) {
        const Owner owners[] = { owner(OWNER_FILE, 100, 200, 7, 0), owner(OWNER_FILE, 120, 140, 8, 512) };
        Seen s;

        assert_int_equal(walk(owners, 2, 0, (Range) { 110, 200 }, &s), 0);
        assert_int_equal(s.n, 2);
        assert_int_equal(s.owners[0].inode, 7);
        assert_int_equal(s.owners[0].offset, 10);
        assert_int_equal(s.owners[1].inode, 8);
        assert_int_equal(s.owners[1].offset, 512);
}

/* Proves that a backend that goes backwards, says nothing about something, or counts past the end is not
 * believed. */
static void test_unbelievable(void **state) {
        const Owner backwards[] = { owner(OWNER_FREE, 150, 160, 0, 0), owner(OWNER_FILE, 140, 145, 7, 0) };
        const Owner empty = owner(OWNER_FREE, 150, 150, 0, 0);
        const Owner upside_down = owner(OWNER_FREE, 160, 150, 0, 0);
        const Owner overflow = owner(OWNER_FILE, 0, 200, 7, UINT64_MAX - 50);
        const Range asked = { 100, 200 };
        Seen s;

        assert_int_equal(walk(backwards, 2, 0, asked, &s), -EUCLEAN);
        assert_int_equal(walk(&empty, 1, 0, asked, &s), -EUCLEAN);
        assert_int_equal(walk(&upside_down, 1, 0, asked, &s), -EUCLEAN);
        assert_int_equal(walk(&overflow, 1, 0, asked, &s), -EUCLEAN);
        assert_int_equal(s.n, 0);
}

/* Proves that many ranges are answered at once: all of each, and nothing between them. */
static void test_set(void **state) {
        Range ranges[] = { { 100, 200 }, { 300, 400 }, { 500, 600 }, { 700, 800 } };
        const RangeSet asked = { .items = ranges, .n = 4 };
        const Owner owners[] = {
                owner(OWNER_FREE, 50, 80, 0, 0),                /* before all of them */
                owner(OWNER_FILE, 90, 250, 7, 0),               /* more than the first */
                owner(OWNER_METADATA, 220, 280, 0, 0),          /* between two */
                owner(OWNER_FILE, 310, 320, 8, 4096),
                owner(OWNER_FILE, 650, 750, 9, 0),              /* none has the third */
        };
        static const struct {
                OwnerType type;
                Range range;
                uint64_t inode, offset;
        } expected[] = {
                { OWNER_FILE, { 100, 200 }, 7, 10 },
                { OWNER_UNKNOWN, { 300, 310 }, 0, 0 },
                { OWNER_FILE, { 310, 320 }, 8, 4096 },
                { OWNER_UNKNOWN, { 320, 400 }, 0, 0 },
                { OWNER_UNKNOWN, { 500, 600 }, 0, 0 },
                { OWNER_FILE, { 700, 750 }, 9, 50 },
                { OWNER_UNKNOWN, { 750, 800 }, 0, 0 },
        };
        Seen s;

        assert_int_equal(walk_set(owners, 5, 0, &asked, &s), 0);
        assert_int_equal(s.n, 7);
        for (size_t i = 0; i < s.n; i++) {
                assert_int_equal(s.owners[i].type, expected[i].type);
                assert_true(range_equal(s.owners[i].range, expected[i].range));
                assert_int_equal(s.owners[i].inode, expected[i].inode);
                assert_int_equal(s.owners[i].offset, expected[i].offset);
        }

        assert_int_equal(walk_set(owners, 5, 0, &(RangeSet) {}, &s), 0);
        assert_int_equal(s.n, 0);
}

/* Proves that a backend that answers for two ranges at once, or for one that is done, is not believed. */
static void test_set_unbelievable(void **state) {
        Range ranges[] = { { 100, 200 }, { 300, 400 } };
        const RangeSet asked = { .items = ranges, .n = 2 };
        const Owner both = owner(OWNER_FILE, 150, 350, 7, 0);
        const Owner back[] = { owner(OWNER_FREE, 320, 330, 0, 0), owner(OWNER_FREE, 110, 120, 0, 0) };
        const Owner late[] = { owner(OWNER_FREE, 200, 330, 0, 0), owner(OWNER_FREE, 100, 210, 0, 0) };
        Seen s;

        assert_int_equal(walk_set(&both, 1, 0, &asked, &s), -EUCLEAN);
        assert_int_equal(s.n, 0);
        assert_int_equal(walk_set(back, 2, 0, &asked, &s), -EUCLEAN);
        assert_int_equal(walk_set(late, 2, 0, &asked, &s), -EUCLEAN);
}

/* Proves that a backend's own "unknown" comes through with its reason. */
static void test_reason(void **state) {
        Owner why = owner(OWNER_UNKNOWN, 100, 200, 0, 0);
        Seen s;

        why.detail = (char *) "it changed";
        assert_int_equal(walk(&why, 1, 0, (Range) { 120, 130 }, &s), 0);
        assert_int_equal(s.n, 1);
        assert_string_equal(s.owners[0].detail, "it changed");
}

/* Proves that the caller's word ends the walk and comes back as it is, also where a MAP_E_* has the same
 * number; at a gap too. */
static void test_stop(void **state) {
        const Owner owners[] = { owner(OWNER_FREE, 120, 140, 0, 0), owner(OWNER_FREE, 160, 180, 0, 0) };

        for (int with = -3; with <= 3; with++)
                for (size_t at = 1; at <= 5; at++) {
                        Seen s = { .stop_at = at, .stop_with = with };

                        fake = (Fake) { .owners = owners, .n = 2 };
                        assert_int_equal(mapper_walk(&fake_ops, MAP_DATA(-1), RANGESET_ONE({ 100, 200 }),
                                                     see, &s), with);
                        assert_int_equal(s.n, with == 0 ? 5 : at);
                }
}

/* Which of the ranges b lies in; asked->n: none. */
static size_t range_of(const RangeSet *asked, uint64_t b) {
        size_t i = 0;

        while (i < asked->n && !(asked->items[i].start <= b && b < asked->items[i].end))
                i++;
        return i;
}

/* What a backend says of `owners`: for each range those that have bytes in it, now cut to it, now not. */
static size_t answer(Random *random, const Owner *owners, size_t n, const RangeSet *asked, Owner *ret) {
        size_t count = 0;

        for (size_t i = 0; i < asked->n; i++)
                for (size_t k = 0; k < n; k++) {
                        Owner o = owners[k];
                        Range in;

                        if (!range_intersect(o.range, asked->items[i], &in))
                                continue;
                        if (asked->n > 1 || random_below(random, 2))
                                assert_int_equal(owner_clamp(&o, asked->items[i]), 1);
                        ret[count++] = o;
                }
        return count;
}

/* Proves, against a byte-wise model and for random answers about random sets, that every byte that was
 * asked for is vouched for by exactly the owners that the backend named, at the right offset, or is
 * unknown, and that no other byte is. */
static void test_model(void **state) {
        Random random_state = { RANDOM_SEED };

        for (int round = 0; round < 3000; round++) {
                _cleanup_rangeset_ RangeSet asked = {};
                Owner owners[6], said[36];
                size_t n = random_below(&random_state, 7), n_said;
                uint64_t at = 0;
                Seen s;

                for (size_t i = 0; i < n; i++) {
                        at += random_below(&random_state, 10);
                        owners[i] = owner(random_below(&random_state, 2) ? OWNER_FILE : OWNER_FREE, at,
                                          at + 1 + random_below(&random_state, 20), i + 1, 1000 * i);
                }
                for (size_t i = random_below(&random_state, 5) + 1; i > 0; i--) {
                        at = random_below(&random_state, 60);
                        assert_int_equal(rangeset_add(&asked, (Range) { at, at + 1 +
                                                      random_below(&random_state, 20) }), 0);
                }
                n_said = answer(&random_state, owners, n, &asked, said);
                assert_int_equal(walk_set(said, n_said, 0, &asked, &s), 0);

                for (uint64_t b = 0; b < 100; b++) {
                        const size_t in = range_of(&asked, b);
                        size_t named = 0, seen = 0, unknown = 0;

                        for (size_t i = 0; i < n; i++)
                                named += owners[i].range.start <= b && b < owners[i].range.end;
                        for (size_t i = 0; i < s.n; i++) {
                                const Owner *o = &s.owners[i];
                                const Owner *from = o->inode ? &owners[o->inode - 1] : NULL;

                                if (b < o->range.start || b >= o->range.end)
                                        continue;
                                check(in < asked.n && range_contains(asked.items[in], o->range), round);
                                seen += from != NULL;
                                unknown += o->type == OWNER_UNKNOWN;
                                if (from && o->type == OWNER_FILE)
                                        assert_int_equal(o->offset + (b - o->range.start),
                                                         from->offset + (b - from->range.start));
                        }
                        check(seen == (in < asked.n ? named : 0), round);
                        check(unknown == (in < asked.n && named == 0), round);
                }
        }
}

/* Proves that file systems are found by their whole name. */
static void test_find(void **state) {
        assert_non_null(mapper_find("xfs"));
        assert_string_equal(mapper_find("xfs")->name, "xfs");
        assert_string_equal(mapper_find("ext4")->name, "ext4");
        assert_string_equal(mapper_find("ext3")->name, "ext4");
        assert_null(mapper_find("ext2"));
        assert_null(mapper_find("xf"));
        assert_null(mapper_find("xfs2"));
        assert_null(mapper_find(""));
        assert_null(mapper_find("tmpfs"));
}

/* Proves that a mapper asked about another file system answers "unknown". (What it does on its own:
 * tests/integration.) */
static void test_elsewhere(void **state) {
        _cleanup_close_ int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Seen s = {};

        assert_true(fd >= 0);
        assert_int_equal(mapper_walk(mapper_find("xfs"), MAP_DATA(fd), RANGESET_ONE({ 4096, 8192 }), see,
                                     &s), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.owners[0].type, OWNER_UNKNOWN);

        s = (Seen) {};
        assert_int_equal(mapper_walk(mapper_find("ext4"), MAP_DATA(fd), RANGESET_ONE({ 4096, 8192 }), see,
                                     &s), 0);
        assert_int_equal(s.n, 1);
        assert_int_equal(s.owners[0].type, OWNER_UNKNOWN);
}

typedef struct Folder {
        char path[64];
        int fd;
} Folder;

static int set_up(void **state) {
        Folder *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void) strcpy(f->path, "/tmp/test-mapper-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        *state = f;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int tear_down(void **state) {
        Folder *f = *state;

        assert_int_equal(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        (void) close(f->fd);
        free(f);
        return 0;
}

static uint64_t make_file(const Folder *f, const char *path) {
        _cleanup_close_ int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        return st.st_ino;
}

static void make_folder(const Folder *f, const char *path) {
        assert_int_equal(mkdirat(f->fd, path, 0700), 0);
}

/* The generation, as the file system tells it; false where it does not. */
static bool generation_of(const Folder *f, const char *path, uint32_t *ret) {
        _cleanup_close_ int fd = openat(f->fd, path, O_RDONLY | O_CLOEXEC);
        int v[2] = {};

        assert_true(fd >= 0);
        if (ioctl(fd, FS_IOC_GETVERSION, v) < 0)
                return false;
        *ret = (uint32_t) v[0];
        return true;
}

/* Proves that a descriptor is handed on only when it is that inode, that generation and a regular file. */
static void test_open(void **state) {
        const Folder *f = *state;
        const uint64_t inode = make_file(f, "file");
        uint32_t generation = 0;
        const bool told = generation_of(f, "file", &generation);
        struct stat st;
        int fd = -1;

        make_folder(f, "folder");
        fake = (Fake) { .opens = "file" };
        for (size_t i = 0; i < 3; i++) {
                const int flags[] = { O_RDONLY, O_RDWR, O_PATH };

                assert_int_equal(mapper_open(&fake_ops, f->fd, inode, generation, flags[i], &fd), 0);
                assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_PATH), flags[i]);
                assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
                assert_int_equal(close(fd), 0);
        }
        fd = -7;
        assert_int_equal(mapper_open(&fake_ops, f->fd, inode + 1, generation, O_RDONLY, &fd), MAP_E_GONE);
        assert_int_equal(mapper_open(&fake_ops, f->fd, inode + 1, generation, O_PATH, &fd), MAP_E_GONE);
        if (told)
                assert_int_equal(mapper_open(&fake_ops, f->fd, inode, generation + 1, O_RDWR, &fd),
                                 MAP_E_GONE);

        fake.opens = "folder";
        assert_int_equal(fstatat(f->fd, "folder", &st, 0), 0);
        assert_int_equal(mapper_open(&fake_ops, f->fd, st.st_ino, 0, O_RDONLY, &fd), MAP_E_GONE);
        fake.opens = NULL;
        assert_int_equal(mapper_open(&fake_ops, f->fd, inode, generation, O_RDONLY, &fd), MAP_E_GONE);
        assert_int_equal(mapper_open(&walk_only, f->fd, inode, generation, O_RDONLY, &fd), -EOPNOTSUPP);
        assert_int_equal(mapper_open(NULL, f->fd, inode, generation, O_RDONLY, &fd), -EOPNOTSUPP);
        assert_int_equal(fd, -7);
}

/* Proves that the same inode number on another device is another file. */
static void test_open_other_device(void **state) {
        const Folder *f = *state;
        struct stat here, there;
        int fd = -1;

        assert_int_equal(fstat(f->fd, &here), 0);
        assert_int_equal(stat("/proc/version", &there), 0);
        assert_int_not_equal(here.st_dev, there.st_dev);
        fake = (Fake) { .opens = "/proc/version" };
        assert_int_equal(mapper_open(&fake_ops, f->fd, there.st_ino, 0, O_RDONLY, &fd), MAP_E_GONE);
}

/* The name found for an inode; `expected` NULL: none. */
static void check_path(const MapperOps *ops, int fd, uint64_t inode, const char *below,
                       const char *expected) {
        _cleanup_free_ char *path = NULL;
        int r = path_of(ops, fd, inode, 0, below, &path);

        assert_int_equal(r, expected ? 0 : MAP_E_NOT_FOUND);
        if (expected)
                assert_string_equal(path, expected);
        else
                assert_null(path);
}

/* Proves that a walk finds a name at every depth, and only at or below the folder that it was given, however
 * that is written. */
static void test_path_walk(void **state) {
        const Folder *f = *state;
        uint64_t top, deep, side;

        make_folder(f, "a");
        make_folder(f, "a/b");
        make_folder(f, "a/b/c");
        make_folder(f, "ab");
        top = make_file(f, "top");
        deep = make_file(f, "a/b/c/deep");
        side = make_file(f, "ab/side");

        check_path(NULL, f->fd, top, "", "top");
        check_path(NULL, f->fd, deep, "", "a/b/c/deep");
        check_path(NULL, f->fd, deep, ".", "a/b/c/deep");
        check_path(NULL, f->fd, deep, "a", "a/b/c/deep");
        check_path(NULL, f->fd, deep, "a/b//", "a/b/c/deep");
        check_path(NULL, f->fd, deep, "a/b/c/deep", "a/b/c/deep");
        check_path(NULL, f->fd, side, "ab", "ab/side");
        check_path(NULL, f->fd, side, "a", NULL);
        check_path(NULL, f->fd, top, "a", NULL);
        check_path(NULL, f->fd, top, "a/b/c/deep", NULL);
        check_path(NULL, f->fd, top, "gone", NULL);
        check_path(NULL, f->fd, top, "top/below", NULL);
        check_path(NULL, f->fd, top + 1000000, "", NULL);
}

/* Proves that folders, links and what they lead to are no names of a file. */
static void test_path_links(void **state) {
        const Folder *f = *state;
        struct stat st;
        uint64_t inode;

        make_folder(f, "in");
        make_folder(f, "out");
        inode = make_file(f, "out/file");
        assert_int_equal(symlinkat("../out", f->fd, "in/folder"), 0);
        assert_int_equal(symlinkat("../out/file", f->fd, "in/file"), 0);
        assert_int_equal(symlinkat("out", f->fd, "link"), 0);

        check_path(NULL, f->fd, inode, "in", NULL);
        check_path(NULL, f->fd, inode, "in/file", NULL);
        check_path(NULL, f->fd, inode, "link", NULL);
        check_path(NULL, f->fd, inode, "link/file", NULL);
        check_path(NULL, f->fd, inode, "..", NULL);
        check_path(NULL, f->fd, inode, "", "out/file");
        assert_int_equal(fstatat(f->fd, "out", &st, 0), 0);
        check_path(NULL, f->fd, st.st_ino, "", NULL);
        assert_int_equal(fstatat(f->fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
        check_path(NULL, f->fd, st.st_ino, "", NULL);
}

/* Proves that names are bytes. */
static void test_path_bytes(void **state) {
        const Folder *f = *state;
        uint64_t inode;

        make_folder(f, "a\nb");
        inode = make_file(f, "a\nb/\xff\x01 \\x");
        check_path(NULL, f->fd, inode, "", "a\nb/\xff\x01 \\x");
}

/* Proves that neither depth nor width costs descriptors, and that what is too deep for a path ends the
 * search, not the program. */
static void test_path_deep(void **state) {
        const Folder *f = *state;
        char path[2 * 300 + 8] = "", name[32];
        _cleanup_close_ int at = dup(f->fd);
        uint64_t inode, far;
        struct stat st;

        for (int i = 0; i < 300; i++) {
                (void) snprintf(name, sizeof(name), "w%d", i);
                make_folder(f, name);
                (void) strcat(path, i ? "/d" : "d");
                make_folder(f, path);
        }
        (void) strcat(path, "/f");
        inode = make_file(f, path);
        check_path(NULL, f->fd, inode, "", path);

        for (int i = 0; i < 50; i++) { /* 50 * 101 bytes: more than PATH_MAX */
                char longer[101];
                int next;

                memset(longer, 'x', 100);
                longer[100] = '\0';
                assert_int_equal(mkdirat(at, longer, 0700), 0);
                next = openat(at, longer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(next >= 0);
                (void) close(at);
                at = next;
        }
        (void) close(openat(at, "far", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        assert_int_equal(fstatat(at, "far", &st, 0), 0);
        far = st.st_ino;
        check_path(NULL, f->fd, far, "", NULL);

        /* nftw() could not remove them. */
        assert_int_equal(unlinkat(at, "far", 0), 0);
        for (int i = 0; i < 50; i++) {
                char longer[101];
                int up = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                memset(longer, 'x', 100);
                longer[100] = '\0';
                assert_true(up >= 0);
                assert_int_equal(unlinkat(up, longer, AT_REMOVEDIR), 0);
                (void) close(at);
                at = up;
        }
}

/* Proves that "no name" is said only when every folder could be read. */
static void test_path_unreadable(void **state) {
        const Folder *f = *state;
        _cleanup_free_ char *path = NULL;
        const uid_t user = geteuid();
        uint64_t inode, other;
        int r;

        make_folder(f, "a");
        make_folder(f, "closed");
        inode = make_file(f, "a/file");
        other = make_file(f, "closed/other");
        assert_int_equal(fchmod(f->fd, 0755), 0);
        assert_int_equal(fchmodat(f->fd, "a", 0755, 0), 0);
        assert_int_equal(fchmodat(f->fd, "closed", 0, 0), 0);
        if (user == 0)
                assert_int_equal(seteuid(65534), 0);
        r = path_of(NULL, f->fd, other, 0, "", &path);
        check_path(NULL, f->fd, inode, "", "a/file");
        assert_int_equal(seteuid(user), 0);
        assert_int_equal(fchmodat(f->fd, "closed", 0700, 0), 0);
        assert_int_equal(r, -EACCES);
        assert_null(path);
}

/* Proves that a name from the file system's own records is checked before it is believed, and that a name
 * where we were told to look is preferred. */
static void test_path_recorded(void **state) {
        const Folder *f = *state;
        uint32_t generation = 0;
        uint64_t inode;

        make_folder(f, "a");
        make_folder(f, "b");
        inode = make_file(f, "a/file");
        (void) make_file(f, "a/other");
        (void) generation_of(f, "a/file", &generation);

        static const struct {
                const char *path;
                int result;
                const char *below, *expected;
        } cases[] = {
                { "a/file", 0, "", "a/file" },
                { "a/file", 0, "a", "a/file" },
                { "a/file", 0, "b", "a/file" },                 /* its only name */
                { "a/other", 0, "", "a/file" },                 /* stale: the walk finds it */
                { "a/none", 0, "a", "a/file" },
                { "../x", 0, "a", "a/file" },
                { NULL, MAP_E_UNSUPPORTED, "", "a/file" },
                { NULL, MAP_E_NOT_FOUND, "", "a/file" },
                { NULL, -EIO, "", "a/file" },
                { NULL, MAP_E_UNSUPPORTED, "b", NULL },
                { "a/other", 0, "b", NULL },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                _cleanup_free_ char *path = NULL;
                int r;

                fake = (Fake) { .opens = "a/file", .path = cases[i].path, .path_result = cases[i].result };
                r = path_of(&fake_ops, f->fd, inode, generation, cases[i].below, &path);
                assert_int_equal(r, cases[i].expected ? 0 : MAP_E_NOT_FOUND);
                if (cases[i].expected)
                        assert_string_equal(path, cases[i].expected);
        }
}

/* Proves that of several names the one below is found, and another one only when there is none. */
static void test_path_hard_links(void **state) {
        const Folder *f = *state;
        _cleanup_free_ char *one = NULL, *two = NULL;
        uint32_t generation = 0;
        uint64_t inode;

        make_folder(f, "a");
        make_folder(f, "b");
        make_folder(f, "c");
        inode = make_file(f, "a/file");
        assert_int_equal(linkat(f->fd, "a/file", f->fd, "b/link", 0), 0);
        (void) generation_of(f, "a/file", &generation);

        fake = (Fake) { .opens = "a/file", .path = "a/file" };
        assert_int_equal(path_of(&fake_ops, f->fd, inode, generation, "b", &one), 0);
        assert_string_equal(one, "b/link");
        assert_int_equal(path_of(&fake_ops, f->fd, inode, generation, "c", &two), 0);
        assert_string_equal(two, "a/file");
}

/* Proves that one search finds all names of all files, each once, also where folders to begin with lie
 * within each other; and that what is complete is not looked for. */
static void test_names_of_many(void **state) {
        const Folder *f = *state;
        static const char *const folders[][4] = {
                { "", NULL },
                { "a", "", NULL },
                { "a/b", "a", "", NULL },
                { "", "a", NULL },
                { "gone", "", NULL },
        };
        uint64_t inodes[40];

        make_folder(f, "a");
        make_folder(f, "a/b");
        make_folder(f, "c");
        for (int i = 0; i < 40; i++) {
                static const char *const where[] = { "a", "a/b", "c" };
                char name[32], more[32];

                (void) snprintf(name, sizeof(name), "%s/%d", where[i % 3], i);
                inodes[i] = make_file(f, name);
                for (int k = 0; k < i % 4; k++) { /* so many more names */
                        (void) snprintf(more, sizeof(more), "%s/%d-%d", k % 2 ? "c" : "a/b", i, k);
                        assert_int_equal(linkat(f->fd, name, f->fd, more, 0), 0);
                }
        }

        for (size_t t = 0; t < sizeof(folders) / sizeof(folders[0]); t++) {
                MapFile files[41] = {};

                for (int i = 0; i < 40; i++)
                        files[i] = (MapFile) { .inode = inodes[39 - i],
                                              .links = 1 + (uint32_t) (39 - i) % 4 };
                files[40] = (MapFile) { .inode = inodes[0], .error = MAP_E_GONE, .links = 1 };
                assert_int_equal(map_names_search(f->fd, files, 41, (char *const *) folders[t], NULL), 0);
                for (int i = 0; i < 40; i++) {
                        assert_int_equal(strv_length(files[i].names), files[i].links);
                        for (char **n = files[i].names; *n; n++) {
                                struct stat st;

                                assert_int_equal(fstatat(f->fd, *n, &st, 0), 0);
                                assert_int_equal(st.st_ino, files[i].inode);
                                for (char **m = files[i].names; m < n; m++)
                                        assert_string_not_equal(*m, *n);
                        }
                        map_file_done(&files[i]);
                }
                assert_null(files[40].names);
        }
}

/* Proves that of a file all names are reported, in their order, and that it is known when there are more
 * than the folders show. */
static void test_names_all(void **state) {
        const Folder *f = *state;
        char *all[] = { (char *) "", NULL }, *one[] = { (char *) "a", NULL };
        MapFile file = {}, part = {};
        uint32_t generation = 0;
        uint64_t inode;

        make_folder(f, "a");
        make_folder(f, "b");
        inode = make_file(f, "a/z");
        assert_int_equal(linkat(f->fd, "a/z", f->fd, "b/y", 0), 0);
        assert_int_equal(linkat(f->fd, "a/z", f->fd, "a/x", 0), 0);
        (void) generation_of(f, "a/z", &generation);

        fake = (Fake) { .opens = "a/z", .path = "b/y" };
        file = (MapFile) { .inode = inode, .generation = generation };
        assert_int_equal(mapper_names(&fake_ops, f->fd, &file, 1, all, NULL), 0);
        assert_int_equal(file.error, 0);
        assert_int_equal(file.links, 3);
        assert_int_equal(strv_length(file.names), 3);
        assert_string_equal(file.names[0], "a/x");
        assert_string_equal(file.names[1], "a/z");
        assert_string_equal(file.names[2], "b/y");
        map_file_done(&file);

        fake.path = NULL;
        part = (MapFile) { .inode = inode, .generation = generation };
        assert_int_equal(mapper_names(&fake_ops, f->fd, &part, 1, one, NULL), 0);
        assert_int_equal(strv_length(part.names), 2);
        assert_false(map_file_is_complete(&part));
        map_file_done(&part);
}

/* Proves that a file without a name, and a file that is gone, are told apart, without a search. */
static void test_path_deleted(void **state) {
        const Folder *f = *state;
        _cleanup_close_ int fd = -1;
        char open_path[32];
        char *path = NULL;
        uint32_t generation = 0;
        uint64_t inode;

        inode = make_file(f, "file");
        (void) generation_of(f, "file", &generation);
        fd = openat(f->fd, "file", O_RDONLY | O_CLOEXEC);
        assert_int_equal(unlinkat(f->fd, "file", 0), 0);

        (void) snprintf(open_path, sizeof(open_path), "/proc/self/fd/%d", fd);
        fake = (Fake) { .opens = open_path };
        assert_int_equal(path_of(&walk_only, f->fd, inode, generation, "", &path), MAP_E_NOT_FOUND);
        fake.opens = NULL;
        assert_int_equal(path_of(&fake_ops, f->fd, inode, generation, "", &path), MAP_E_GONE);
        assert_null(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_complete),
                cmocka_unit_test(test_sections),
                cmocka_unit_test(test_unsupported),
                cmocka_unit_test(test_failure),
                cmocka_unit_test(test_shared),
                cmocka_unit_test(test_unbelievable),
                cmocka_unit_test(test_set),
                cmocka_unit_test(test_set_unbelievable),
                cmocka_unit_test(test_reason),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_model),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_elsewhere),
                TEST(test_open),
                TEST(test_open_other_device),
                TEST(test_path_walk),
                TEST(test_path_links),
                TEST(test_path_bytes),
                TEST(test_path_deep),
                TEST(test_path_unreadable),
                TEST(test_path_recorded),
                TEST(test_path_hard_links),
                TEST(test_names_of_many),
                TEST(test_names_all),
                TEST(test_path_deleted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
