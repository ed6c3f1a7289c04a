/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ext4 mapper against the kernel's ext4, on images of its own in a loop device: root, mke2fs and a
 * kernel with ext4 are needed, else it is skipped (exit 77) with the reason. What owns which block is
 * learned a second way: by FIEMAP of all files (the forward map), and from statfs(2). All mounts are in a
 * mount namespace of this program's own and end with it. */

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "integration/image.h"
#include "map/mapper.h"
#include "tests/path-of.h"
#include "unit/random.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/vec.h"

#define BLOCK UINT64_C(4096)
#define IMAGE_SIZE (UINT64_C(512) << 20)
#define FRAGMENTS 700   /* more extents than one block of an extent tree holds */

static const MapperOps *ext4;
static Random dice = { RANDOM_SEED };

static int mount_it(void) {
        return mount_image("ext4", "user_xattr");
}

/* Makes and mounts a file system; the descriptor of its root, or -1: this kernel or mke2fs cannot. */
static int mounted(const char *mkfs_options) {
        return make_image(IMAGE_SIZE, "mke2fs -q -F -t ext4", mkfs_options) ? mount_it() : -1;
}

/* What memory has set aside is given back. */
static void mount_again(int *fd) {
        unmount(*fd);
        *fd = mount_it();
        assert(*fd >= 0);
}

/* --- the forward map */

static int by_start(const void *a, const void *b) {
        const Owner *x = a, *y = b;

        return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

/* Adds the extents of a file that lie somewhere. */
static void map_file(int fd, Owners *map) {
        enum { ROOM = 256 };
        _cleanup_free_ struct fiemap *f = calloc(1, sizeof(*f) + ROOM * sizeof(f->fm_extents[0]));
        uint64_t at = 0;

        assert(f);
        for (;;) {
                *f = (struct fiemap) { .fm_start = at, .fm_length = UINT64_MAX - at,
                                      .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = ROOM };
                assert(ioctl(fd, FS_IOC_FIEMAP, f) == 0);
                if (f->fm_mapped_extents == 0)
                        return;
                for (uint32_t i = 0; i < f->fm_mapped_extents; i++) {
                        const struct fiemap_extent *e = &f->fm_extents[i];
                        const Owner o = {
                                .type = OWNER_FILE,
                                .range = { e->fe_physical, e->fe_physical + e->fe_length },
                                .inode = inode_of(fd),
                                .generation = generation_of(fd),
                                .offset = e->fe_logical,
                                .unwritten = e->fe_flags & FIEMAP_EXTENT_UNWRITTEN,
                        };

                        if (!(e->fe_flags & (FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_UNKNOWN)))
                                assert(vec_push(map, o) == 0);
                        at = e->fe_logical + e->fe_length;
                        if (e->fe_flags & FIEMAP_EXTENT_LAST)
                                return;
                }
        }
}

static Owners *mapping;         /* nftw() knows no userdata */

static int map_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        _cleanup_close_ int fd = -1;

        if (!S_ISREG(st->st_mode))
                return 0;
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
                map_file(fd, mapping);
        return 0;
}

static void map_all(const char *path, Owners *ret) {
        *ret = (Owners) {};
        mapping = ret;
        assert(nftw(path, map_one, 64, FTW_PHYS) == 0);
        if (ret->n > 0)
                qsort(ret->items, ret->n, sizeof(*ret->items), by_start);
}

/* The file that has this byte of the device; NULL: none. */
static const Owner *owner_at(const Owners *map, uint64_t byte) {
        size_t low = 0, high = map->n;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (map->items[middle].range.end > byte)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low < map->n && map->items[low].range.start <= byte ? &map->items[low] : NULL;
}

/* --- asking */

static void ask(int root, const RangeSet *ranges, Owners *ret) {
        *ret = (Owners) {};
        assert(mapper_walk(ext4, MAP_DATA(root), ranges, keep, ret) == 0);
}

static void ask_one(int root, Range range, Owner *ret) {
        _cleanup_owners_ Owners owners;

        ask(root, RANGESET_ONE(range), &owners);
        assert(owners.n == 1);
        assert(range_equal(owners.items[0].range, range));
        assert(owner_copy(&owners.items[0], ret) == 0);
}

static void complain(const Owner *got, const Owner *expected) {
        (void) fprintf(stderr,
                       "%#" PRIx64 " to %#" PRIx64 ": %s inode %" PRIu64 " offset %" PRIu64 " (%s)\n",
                       got->range.start, got->range.end, owner_type_to_string(got->type), got->inode,
                       got->offset, got->detail ? got->detail : "");
        if (expected)
                (void) fprintf(stderr, "expected inode %" PRIu64 " generation %u, %#" PRIx64 " to %#" PRIx64
                               " at offset %" PRIu64 "\n", expected->inode, expected->generation,
                               expected->range.start, expected->range.end, expected->offset);
        abort();
}

/* One answer, against the forward map, block by block. `unknown`: may it be said? */
static void compare(const Owner *o, const Owners *map, bool unknown) {
        for (uint64_t at = o->range.start; at < o->range.end; at = (at / BLOCK + 1) * BLOCK) {
                const Owner *e = owner_at(map, at);

                if (o->type == OWNER_UNKNOWN && unknown)
                        continue;
                if (o->type != OWNER_FILE && (e || o->type == OWNER_UNKNOWN))
                        complain(o, e);
                if (o->type == OWNER_FILE &&
                    (!e || o->inode != e->inode || o->generation != e->generation ||
                     o->offset + (at - o->range.start) != e->offset + (at - e->range.start) ||
                     o->unwritten != e->unwritten || o->shared))
                        complain(o, e);
        }
}

static Range random_range(uint64_t end) {
        const uint64_t start = random_below(&dice, end / 512) * 512,
                       size = (1 + random_below(&dice, random_below(&dice, 4) ? 8 : 4000)) * 512;

        return (Range) { start, start + size < end ? start + size : end };
}

/* `n` random ranges, in questions of up to `at_once`. */
static void compare_random(int root, const Owners *map, size_t n, size_t at_once, bool unknown) {
        while (n > 0) {
                _cleanup_rangeset_ RangeSet ranges = {};
                _cleanup_owners_ Owners owners;
                uint64_t asked, answered = 0;

                for (size_t i = 0; i < at_once && n > 0; i++, n--)
                        assert(rangeset_add(&ranges, random_range(IMAGE_SIZE)) == 0);
                ask(root, &ranges, &owners);
                asked = rangeset_size(&ranges);
                for (size_t i = 0; i < owners.n; i++) {
                        compare(&owners.items[i], map, unknown);
                        answered += range_size(owners.items[i].range);
                }
                assert(asked == answered);
        }
}

typedef struct Census {
        uint64_t bytes[_OWNER_TYPE_MAX], next;
        bool directory, attributes, map, link, table;
} Census;

static int count(const Owner *o, void *userdata) {
        Census *c = userdata;
        const char *d = o->detail ? o->detail : "";

        assert(o->range.start == c->next);
        c->next = o->range.end;
        c->bytes[o->type] += range_size(o->range);
        c->directory |= strcmp(d, "directory") == 0;
        c->attributes |= strcmp(d, "extended attributes of inode") == 0;
        c->map |= strcmp(d, "extent map of inode") == 0;
        c->link |= strcmp(d, "symbolic link") == 0;
        c->table |= strcmp(d, "inode table") == 0;
        if (o->type == OWNER_UNKNOWN)
                (void) fprintf(stderr, "unknown: %#" PRIx64 " to %#" PRIx64 ": %s\n", o->range.start,
                               o->range.end, d);
        return 0;
}

/* --- a tree of many kinds of files */

static void make_many(int root, int files) {
        for (int i = 0; i < files; i++) {
                _cleanup_close_ int fd = -1;
                char path[64];

                (void) snprintf(path, sizeof(path), "d%d", i / 100);
                if (i % 100 == 0)
                        assert(mkdirat(root, path, 0700) == 0);
                (void) snprintf(path, sizeof(path), "d%d/f%d", i / 100, i);
                fd = create(root, path);
                for (uint64_t k = random_below(&dice, 4), at = 0; k > 0; k--) {
                        at += random_below(&dice, 3) * BLOCK;           /* perhaps a hole */
                        fill(fd, at, 1 + random_below(&dice, 3 * BLOCK));
                        at += 4 * BLOCK;
                }
                if (random_below(&dice, 8) == 0)
                        (void) fallocate(fd, FALLOC_FL_KEEP_SIZE, random_below(&dice, 50) * BLOCK,
                                         5 * BLOCK);
        }
}

/* Two files that grow in turns: many extents each. */
static void make_fragmented(int root) {
        _cleanup_close_ int a = create(root, "fragments-a"), b = create(root, "fragments-b");

        for (uint64_t i = 0; i < FRAGMENTS; i++) {
                fill(a, 2 * i * BLOCK, BLOCK);
                fill(b, 2 * i * BLOCK, BLOCK);
                assert(i % 7 != 0 || (fsync(a) == 0 && fsync(b) == 0));
        }
        assert(fsync(a) == 0 && fsync(b) == 0);
}

static void make_metadata(int root) {
        _cleanup_close_ int fd = create(root, "attributes"), dir = -1;
        char value[2000], target[1000];

        memset(value, 'v', sizeof(value));
        assert(fsetxattr(fd, "user.large", value, sizeof(value), 0) == 0);
        memset(target, 't', sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        assert(symlinkat(target, root, "long-link") == 0);
        assert(symlinkat("short", root, "short-link") == 0);
        assert(mknodat(root, "pipe", S_IFIFO | 0600, 0) == 0);
        assert(mkdirat(root, "wide", 0700) == 0);
        dir = openat(root, "wide", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int i = 0; i < 2000; i++) {
                char name[64];

                (void) snprintf(name, sizeof(name), "a-rather-long-name-of-an-empty-file-%d", i);
                (void) close(create(dir, name));
        }
}

static void make_large(int root) {
        _cleanup_close_ int fd = create(root, "large");

        fill(fd, 0, 20 << 20);
        assert(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 << 20, 3 << 20) == 0 ||
               errno == EOPNOTSUPP);
        assert(fsync(fd) == 0);
}

/* Some room in the middle, so that free space is not one piece. */
static void make_holes(int root, int files) {
        for (int i = 0; i < files; i += 3) {
                char path[64];

                (void) snprintf(path, sizeof(path), "d%d/f%d", i / 100, i);
                assert(unlinkat(root, path, 0) == 0);
        }
}

static void make_tree(int root, int files) {
        make_many(root, files);
        make_fragmented(root);
        make_metadata(root);
        make_large(root);
        make_holes(root, files);
        assert(syncfs(root) == 0);
}

/* Proves that every answer about random ranges is that of the forward map, one by one and many at once, and
 * that the whole device is accounted for: as much is free as the kernel says, nothing is unknown, and each
 * kind of metadata is named. */
static void test_forward_map(const char *options, int files) {
        int root = mounted(options);
        _cleanup_owners_ Owners map = {};
        struct statfs fs;
        Census c = {};
        uint64_t data = 0;

        if (root < 0) {
                (void) printf("  not tested: mke2fs %s\n", options);
                return;
        }
        make_tree(root, files);
        mount_again(&root);
        map_all("mnt", &map);
        for (size_t i = 0; i < map.n; i++)
                data += range_size(map.items[i].range);

        compare_random(root, &map, 300, 1, false);
        compare_random(root, &map, 1000, 200, false);

        assert(mapper_walk(ext4, MAP_DATA(root), RANGESET_ONE({ 0, IMAGE_SIZE }), count, &c) == 0);
        assert(c.next == IMAGE_SIZE);
        assert(fstatfs(root, &fs) == 0);
        assert(c.bytes[OWNER_FREE] == fs.f_bfree * BLOCK);
        assert(c.bytes[OWNER_FILE] == data);
        assert(c.bytes[OWNER_UNKNOWN] == 0);
        assert(c.bytes[OWNER_LOG] > 0 && c.table && c.directory && c.attributes && c.map && c.link);
        (void) printf("  mke2fs %s: %zu extents\n", options, map.n);
        unmount(root);
}

/* Proves that what the mapper cannot do is unknown, with a sentence. */
static void test_unsupported(const char *options) {
        _cleanup_owner_ Owner o = {};
        int root = mounted(options);

        if (root < 0) {
                (void) printf("  not tested: mke2fs %s\n", options);
                return;
        }
        (void) close(create(root, "file"));
        ask_one(root, (Range) { 100 << 20, (100 << 20) + 4096 }, &o);
        assert(o.type == OWNER_UNKNOWN && o.detail && strstr(o.detail, "cannot be mapped"));
        unmount(root);
}

/* Proves that files whose generation is 0, as mke2fs -d makes them, are found and opened, and that 0 does
 * not open any other generation. */
static void test_generation_zero(void) {
        _cleanup_owners_ Owners map = {};
        _cleanup_close_ int fd = -1;
        int root, none = -1;

        assert(run("mkdir tree && head -c 100000 /dev/urandom >tree/a && cp tree/a tree/b") == 0);
        root = mounted("-d tree");
        assert(root >= 0);
        map_all("mnt", &map);
        assert(map.n >= 2 && map.items[0].generation == 0);
        compare_random(root, &map, 100, 10, false);
        for (size_t i = 0; i < map.n; i++) {
                _cleanup_owner_ Owner o = {};

                ask_one(root, map.items[i].range, &o);
                compare(&o, &map, false);
        }

        fd = create(root, "c");
        assert(generation_of(fd) != 0);
        assert(mapper_open(ext4, root, inode_of(fd), 0, O_RDONLY, &none) == MAP_E_GONE);
        assert(mapper_open(ext4, root, inode_of(fd), 0, O_PATH, &none) == MAP_E_GONE);
        assert(close(fd) == 0);
        fd = -1;
        unmount(root);
}

static Range first_range(int fd) {
        _cleanup_owners_ Owners map = {};

        map_file(fd, &map);
        assert(map.n > 0);
        return map.items[0].range;
}

/* Proves that the inodes of the file system itself are looked at also where all others have been after a
 * few: the folder at the root is metadata. */
static void test_small(void) {
        _cleanup_owner_ Owner o = {};
        int root;

        assert(make_image(UINT64_C(128) << 20, "mke2fs -q -F -t ext4", "-b 4096"));
        root = mount_it();
        assert(root >= 0);
        ask_one(root, first_range(root), &o);
        assert(o.type == OWNER_METADATA);
        unmount(root);
}

/* Proves that a deleted file that somebody has open is found, and opened, as long as it is. */
static void test_deleted(int root) {
        int fd = create(root, "doomed"), pin = -1, opened = -1;
        const uint64_t inode = inode_of(fd);
        const uint32_t generation = generation_of(fd);
        _cleanup_owner_ Owner o = {};
        char *path = NULL;
        Range range;

        fill(fd, 0, 3 * BLOCK);
        assert(fsync(fd) == 0);
        range = first_range(fd);
        assert(unlinkat(root, "doomed", 0) == 0);
        assert(syncfs(root) == 0);

        ask_one(root, range, &o);
        assert(o.type == OWNER_FILE && o.inode == inode && o.generation == generation && o.offset == 0);
        assert(mapper_open(ext4, root, inode, generation, O_PATH, &pin) == 0);
        assert(close(fd) == 0);
        assert(mapper_open(ext4, root, inode, generation, O_RDWR, &opened) == 0);
        assert(close(opened) == 0);
        assert(path_of(ext4, root, inode, generation, "", &path) == MAP_E_NOT_FOUND);

        assert(close(pin) == 0);
        assert(syncfs(root) == 0);
        assert(mapper_open(ext4, root, inode, generation, O_RDONLY, &opened) == MAP_E_GONE);
        assert(path_of(ext4, root, inode, generation, "", &path) == MAP_E_GONE);
        for (int i = 0;; i++) {
                _cleanup_owner_ Owner f = {};

                ask_one(root, range, &f);
                if (f.type == OWNER_FREE)
                        break;
                assert(f.type == OWNER_UNKNOWN && i < 100);
                (void) usleep(100 * 1000);
        }
}

static int count_files(const Owner *o, void *userdata) {
        *(unsigned *) userdata += o->type == OWNER_FILE;
        return 0;
}

/* Proves that a file that the asker has open is asked by his descriptor, and that his lease is not broken;
 * and that a file under a lease that he does not hold is not found. */
static void test_held(int root) {
        _cleanup_close_ int fd = create(root, "held");
        const MapHeld held = { .inode = inode_of(fd), .generation = generation_of(fd), .fd = fd };
        const MapAsker asker = { .held = &held, .n_held = 1 };
        Range range;
        unsigned found = 0;

        fill(fd, 0, BLOCK);
        assert(syncfs(root) == 0);
        range = first_range(fd);
        assert(signal(SIGIO, SIG_IGN) != SIG_ERR);
        assert(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
        assert(mapper_search(ext4, MAP_DATA(root), RANGESET_ONE(range), &asker, count_files, &found) == 0);
        assert(found == 1 && fcntl(fd, F_GETLEASE) == F_WRLCK);
        assert(mapper_walk(ext4, MAP_DATA(root), RANGESET_ONE(range), count_files, &found) == 0);
        assert(found == 1 && fcntl(fd, F_GETLEASE) != F_WRLCK);
}

/* Proves that an inode is opened only with its generation, that reading does not move its times, and that
 * whether it has a page is asked of it. */
static void test_open(int root) {
        _cleanup_close_ int fd = create(root, "open"), reader = -1, path_only = -1;
        const uint64_t inode = inode_of(fd);
        const uint32_t generation = generation_of(fd);
        struct stat before, after;
        MapOwns owns;
        Range range, page;
        int none = -1;
        char byte;

        fill(fd, 0, 4 * BLOCK);
        assert(fallocate(fd, 0, 16 * BLOCK, BLOCK) == 0);
        assert(fsync(fd) == 0);
        range = first_range(fd);
        assert(range_size(range) == 4 * BLOCK);
        assert(futimens(fd, (struct timespec[2]) { { .tv_sec = 1000 }, { .tv_sec = 2000 } }) == 0);
        assert(fstat(fd, &before) == 0);
        assert(mapper_open(ext4, root, inode, generation, O_RDONLY, &reader) == 0);
        assert(pread(reader, &byte, 1, 0) == 1);
        assert(mapper_open(ext4, root, inode, generation, O_PATH, &path_only) == 0);
        assert(fstat(fd, &after) == 0);
        assert(memcmp(&before.st_atim, &after.st_atim, 3 * sizeof(before.st_atim)) == 0);

        assert(mapper_open(ext4, root, inode, generation + 1, O_RDONLY, &none) == MAP_E_GONE);
        assert(mapper_open(ext4, root, inode, generation + 1, O_PATH, &none) == MAP_E_GONE);
        assert(mapper_open(ext4, root, UINT64_C(1) << 33 | inode, generation, O_RDONLY, &none) ==
               MAP_E_GONE);
        assert(mapper_open(ext4, root, inode_of(root), generation_of(root), O_RDONLY, &none) == MAP_E_GONE);
        assert(mapper_open(ext4, root, 8, 0, O_RDONLY, &none) == MAP_E_GONE);

        page = (Range) { range.start + BLOCK, range.start + 2 * BLOCK };
        assert(mapper_owns(ext4, MAP_DATA(root), reader, page, BLOCK, &owns) == 0 && owns == MAP_OWNED);
        assert(mapper_owns(ext4, MAP_DATA(root), reader, page, 2 * BLOCK, &owns) == 0 && owns == MAP_OTHERS);
        page = (Range) { range.start - BLOCK, range.start };
        assert(mapper_owns(ext4, MAP_DATA(root), reader, page, 0, &owns) == 0 && owns == MAP_OTHERS);
        assert(fallocate(fd, FALLOC_FL_ZERO_RANGE, BLOCK, BLOCK) == 0);
        page = (Range) { range.start + BLOCK, range.start + 2 * BLOCK };
        assert(mapper_owns(ext4, MAP_DATA(root), reader, page, BLOCK, &owns) == 0 && owns == MAP_OTHERS);
}

static void expect_path(int root, int fd, const char *below, const char *expected) {
        _cleanup_free_ char *path = NULL;

        assert(path_of(ext4, root, inode_of(fd), generation_of(fd), below, &path) == 0);
        if (strcmp(path, expected) != 0) {
                (void) fprintf(stderr, "expected '%s', got '%s'\n", expected, path);
                abort();
        }
}

/* Proves that names are found, also of files that were moved far from the folder that they were made in, of
 * hard links, and names that are no text. */
static void test_path(int root) {
        _cleanup_close_ int fd = -1, deep = -1;
        MapFile near;

        assert(mkdirat(root, "p", 0700) == 0 && mkdirat(root, "p/q", 0700) == 0);
        assert(mkdirat(root, "p/q/\xff\n", 0700) == 0);
        deep = create(root, "p/q/\xff\n/a\x01");
        fill(deep, 0, BLOCK);
        assert(syncfs(root) == 0);
        expect_path(root, deep, "", "p/q/\xff\n/a\x01");
        near = (MapFile) { .inode = inode_of(deep), .generation = generation_of(deep), .links = 1 };
        assert(ext4->names(root, &near, 1) == 0);
        assert(near.names && strcmp(near.names[0], "p/q/\xff\n/a\x01") == 0 && !near.names[1]);
        map_file_done(&near);

        assert(renameat(root, "p/q/\xff\n/a\x01", root, "p/moved") == 0);
        expect_path(root, deep, "", "p/moved");
        fd = create(root, "p/one");
        assert(linkat(root, "p/one", root, "p/q/two", 0) == 0);
        expect_path(root, fd, "p/q", "p/q/two");
        expect_path(root, fd, "p/one", "p/one");
}

/* --- broken metadata */

typedef struct Tree {
        uint64_t inode, block;  /* the first block of its extent tree; 0: not seen */
} Tree;

static int find_tree(const Owner *o, void *userdata) {
        Tree *t = userdata;

        if (t->block == 0 && o->inode == t->inode && o->detail &&
            strcmp(o->detail, "extent map of inode") == 0)
                t->block = o->range.start;
        return 0;
}

typedef struct Judge {
        const Owners *map;
        uint64_t unknown;
} Judge;

static int judge(const Owner *o, void *userdata) {
        Judge *j = userdata;

        compare(o, j->map, true);
        if (o->type == OWNER_UNKNOWN) {
                assert(o->detail && strstr(o->detail, "cannot be read"));
                j->unknown += range_size(o->range);
        }
        return 0;
}

/* Proves that an extent tree that is garbage, or looks like one and claims blocks at random, costs what it
 * mapped and no more: no crash, no loop, nothing that is not so. */
static void test_garbage(void) {
        struct {
                uint16_t magic, entries, max, depth;
                uint32_t generation;
                struct {
                        uint32_t block;
                        uint16_t length, start_high;
                        uint32_t start;
                } extents[(BLOCK - 12) / 12];
        } tree;
        _cleanup_close_ int image = -1, fd = -1;
        _cleanup_owners_ Owners map = {};
        int root = mounted("");
        Tree t = {};

        assert(root >= 0);
        make_tree(root, 500);
        mount_again(&root);
        map_all("mnt", &map);
        fd = openat(root, "fragments-a", O_RDONLY | O_CLOEXEC);
        t.inode = inode_of(fd);
        assert(close(fd) == 0);
        fd = -1;
        assert(mapper_walk(ext4, MAP_DATA(root), RANGESET_ONE({ 0, IMAGE_SIZE }), find_tree, &t) == 0);
        assert(t.block != 0);
        unmount(root);
        image = open("image", O_RDWR | O_CLOEXEC);
        assert(image >= 0);

        for (int round = 0; round < 6; round++) {
                Judge j = { .map = &map };

                for (size_t i = 0; i < sizeof(tree); i++)
                        ((uint8_t *) &tree)[i] = (uint8_t) random_below(&dice, 256);
                if (round % 2) {
                        tree.magic = 0xf30a;
                        tree.entries = tree.max = sizeof(tree.extents) / sizeof(tree.extents[0]);
                        tree.depth = round / 2;
                        for (size_t i = 0; i < tree.max; i++) {
                                tree.extents[i].block = (uint32_t) i;
                                tree.extents[i].length = 1;
                                tree.extents[i].start_high = 0;
                                tree.extents[i].start = (uint32_t) random_below(&dice, IMAGE_SIZE / BLOCK);
                        }
                }
                assert(pwrite_full(image, &tree, sizeof(tree), t.block) == 0);
                root = mount_it();
                assert(root >= 0);
                assert(mapper_walk(ext4, MAP_DATA(root), RANGESET_ONE({ 0, IMAGE_SIZE }), judge, &j) == 0);
                assert(j.unknown > 0 && j.unknown < 20 << 20);
                unmount(root);
        }
}

/* --- and while it changes */

__attribute__((noreturn))
static void churn(int which) {
        Random r = { RANDOM_SEED + (uint64_t) which };
        char name[64], other[64];

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) snprintf(name, sizeof(name), "mnt/churn%d", which);
        (void) mkdir(name, 0700);
        for (;;) {
                _cleanup_close_ int fd = -1;

                (void) snprintf(name, sizeof(name), "mnt/churn%d/%d", which, (int) random_below(&r, 60));
                (void) snprintf(other, sizeof(other), "mnt/churn%d/%d", which, (int) random_below(&r, 60));
                fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                if (fd < 0)
                        continue;
                switch (random_below(&r, 7)) {
                case 0:
                        (void) unlink(name);
                        break;
                case 1:
                        (void) rename(name, other);
                        break;
                case 2:
                        (void) !ftruncate(fd, (off_t) (random_below(&r, 40) * 1000));
                        break;
                case 3:
                        (void) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                         (off_t) (random_below(&r, 20) * BLOCK), 3 * BLOCK);
                        break;
                case 4:
                        (void) fallocate(fd, 0, (off_t) (random_below(&r, 20) * BLOCK), 9 * BLOCK);
                        break;
                default:
                        fill(fd, random_below(&r, 100000), 1 + random_below(&r, 30000));
                        if (random_below(&r, 4) == 0)
                                (void) fdatasync(fd);
                }
        }
}

static bool is_stable(const Owners *stable, uint64_t inode) {
        for (size_t i = 0; i < stable->n; i++)
                if (stable->items[i].inode == inode)
                        return true;
        return false;
}

/* What nobody touches must be answered right, or not at all; and those files must not be said to have
 * anything else. */
static void check_stable(const Owner *o, const Owners *stable, size_t *right, size_t *unknown) {
        for (uint64_t at = o->range.start; at < o->range.end; at = (at / BLOCK + 1) * BLOCK) {
                const Owner *e = owner_at(stable, at);
                Owner here = *o;

                if (!e && !(o->type == OWNER_FILE && is_stable(stable, o->inode)))
                        continue;
                assert(owner_clamp(&here, (Range) { at, (at / BLOCK + 1) * BLOCK }) == 1);
                compare(&here, stable, true);
                *(o->type == OWNER_UNKNOWN ? unknown : right) += 1;
        }
}

/* Proves that while others create, write, truncate, punch, rename and delete, no answer is wrong, that most
 * of those about what nobody touches come, and that all are right again when it is over. */
static void test_changing(int seconds) {
        enum { CHURNERS = 4 };
        int root = mounted("");
        _cleanup_owners_ Owners stable = {}, after = {};
        size_t right = 0, unknown = 0, asked = 0;
        const time_t end = time(NULL) + seconds;
        pid_t children[CHURNERS];

        assert(root >= 0);
        make_tree(root, 3000);
        map_all("mnt", &stable);
        for (int i = 0; i < CHURNERS; i++) {
                children[i] = fork();
                assert(children[i] >= 0);
                if (children[i] == 0)
                        churn(i);
        }

        /* However slow the machine is, some questions are answered. */
        while (time(NULL) < end || (right <= 100 && time(NULL) < end + 300)) {
                _cleanup_rangeset_ RangeSet ranges = {};
                _cleanup_owners_ Owners owners;

                for (int i = 0; i < 30; i++) {
                        const Owner *o = &stable.items[random_below(&dice, stable.n)];
                        const Range r = i % 2 ? random_range(IMAGE_SIZE)
                                              : (Range) { o->range.start, o->range.start + BLOCK };

                        assert(rangeset_add(&ranges, r) == 0);
                }
                ask(root, &ranges, &owners);
                for (size_t i = 0; i < owners.n; i++)
                        check_stable(&owners.items[i], &stable, &right, &unknown);
                asked++;
        }
        for (int i = 0; i < CHURNERS; i++) {
                assert(kill(children[i], SIGKILL) == 0);
                assert(waitpid(children[i], NULL, 0) == children[i]);
        }
        (void) printf("  %zu questions while it changed: %zu blocks right, %zu unknown\n", asked, right,
                      unknown);
        assert(right > 100 && unknown < right / 100 + 1);

        mount_again(&root);
        map_all("mnt", &after);
        compare_random(root, &after, 1000, 100, false);
        unmount(root);
}

static void run_tests(void) {
        ext4 = mapper_find("ext4");
        assert(ext4);

        int root;

        test_forward_map("", 3000);
        test_forward_map("-O ^extent,^64bit", 1500);
        test_forward_map("-O inline_data", 1500);
        test_forward_map("-O ^flex_bg,^uninit_bg,^metadata_csum,^64bit -I 128", 1500);
        test_forward_map("-g 8192 -G 4", 1500);
        test_unsupported("-b 1024");
        test_unsupported("-O bigalloc -C 65536");
        test_generation_zero();
        test_small();

        root = mounted("");
        assert(root >= 0);
        test_deleted(root);
        test_open(root);
        test_held(root);
        test_path(root);
        unmount(root);

        test_garbage();
        test_changing(10);
}

int main(void) {
        return run_in_folder("/tmp/test-map-ext4-XXXXXX", "mke2fs", "e2fsprogs", run_tests);
}
