/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The XFS mapper against the kernel's XFS, on images of its own in a loop device: root, mkfs.xfs and a
 * kernel with XFS are needed, else it is skipped (exit 77) with the reason. What owns which block is learned
 * a second way, by FIEMAP of the files. All mounts are in a mount namespace of this program's own and end
 * with it. */

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "integration/image.h"
#include "map/mapper.h"
#include "tests/path-of.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/strv.h"
#include "util/vec.h"

#define BLOCK 4096U
#define IMAGE_SIZE (400U << 20)
#define FRAGMENTS 700   /* more extents than fit in an inode, and more than one GETFSMAP call returns */

static const MapperOps *xfs;

/* Makes and mounts a file system; the descriptor of its root, or -1: this kernel or mkfs.xfs cannot. */
static int mounted(const char *mkfs_options, const char *mount_options) {
        return make_image(IMAGE_SIZE, "mkfs.xfs -q -f", mkfs_options) ? mount_image("xfs", mount_options)
                                                                      : -1;
}

static int create_filled(int root, const char *path, size_t n) {
        int fd = create(root, path);

        fill(fd, 0, n);
        assert(fsync(fd) == 0);
        return fd;
}

typedef struct Extent {
        Range range;            /* on the device */
        uint64_t offset;
        uint32_t flags;
} Extent;

/* The n-th extent of a file. */
static bool extent_of(int fd, uint32_t n, Extent *ret) {
        const uint32_t room = 3 * FRAGMENTS;
        _cleanup_free_ struct fiemap *f = calloc(1, sizeof(*f) + room * sizeof(f->fm_extents[0]));
        const struct fiemap_extent *e;

        assert(f);
        f->fm_length = UINT64_MAX;
        f->fm_flags = FIEMAP_FLAG_SYNC;
        f->fm_extent_count = room;
        assert(ioctl(fd, FS_IOC_FIEMAP, f) == 0);
        assert(f->fm_mapped_extents < room);
        if (n >= f->fm_mapped_extents)
                return false;

        e = &f->fm_extents[n];
        *ret = (Extent) {
                .range = { e->fe_physical, e->fe_physical + e->fe_length },
                .offset = e->fe_logical,
                .flags = e->fe_flags,
        };
        return true;
}

static Extent first_extent(int fd) {
        Extent e;

        assert(extent_of(fd, 0, &e));
        return e;
}

/* Blocks [from, to) of an extent, on the device. */
static Range piece(Extent e, uint64_t from, uint64_t to) {
        return (Range) { e.range.start + from * BLOCK, e.range.start + to * BLOCK };
}

/* Asks, and checks that the answer covers the range in ascending order. The caller frees *ret. */
static void ask(int root, Range range, Owners *ret) {
        uint64_t next = range.start;
        int r;

        *ret = (Owners) {};
        r = mapper_walk(xfs, MAP_DATA(root), RANGESET_ONE(range), keep, ret);
        if (r != 0) {
                (void) fprintf(stderr, "asked for %#" PRIx64 " to %#" PRIx64 ": %d\n", range.start,
                               range.end, r);
                abort();
        }
        for (size_t i = 0; i < ret->n; i++) {
                assert(range_contains(range, ret->items[i].range));
                assert(ret->items[i].range.start <= next);
                if (next < ret->items[i].range.end)
                        next = ret->items[i].range.end;
        }
        assert(next == range.end);
}

/* The only owner of all of `range`. */
static void ask_one(int root, Range range, Owner *ret) {
        _cleanup_owners_ Owners owners;

        ask(root, range, &owners);
        assert(owners.n == 1);
        assert(range_equal(owners.items[0].range, range));
        assert(owner_copy(&owners.items[0], ret) == 0);
}

/* Checks that `range` belongs to that file alone, at that offset. */
static void expect_file(int root, Range range, int fd, uint64_t offset, bool unwritten) {
        _cleanup_owner_ Owner o = {};

        ask_one(root, range, &o);
        assert(o.type == OWNER_FILE);
        assert(o.inode == inode_of(fd));
        assert(o.generation == generation_of(fd));
        assert(o.offset == offset);
        assert(o.unwritten == unwritten);
        assert(!o.shared && !o.path && !o.detail);
}

/* Proves that file data is found exactly: a whole extent, one sector of it, and across the end of the file's
 * bytes. */
static void test_file(int root) {
        _cleanup_close_ int fd = create_filled(root, "file", 64 * BLOCK - 100);
        const Extent e = first_extent(fd);
        const Range sector = { e.range.start + 5 * BLOCK + 512, e.range.start + 5 * BLOCK + 1024 };

        assert(e.offset == 0);
        expect_file(root, e.range, fd, 0, false);
        expect_file(root, sector, fd, 5 * BLOCK + 512, false);
        expect_file(root, (Range) { e.range.end - 512, e.range.end }, fd, range_size(e.range) - 512, false);
        expect_file(root, (Range) { e.range.start + 1, e.range.start + 2 }, fd, 1, false);
}

/* Proves that allocated and never written is told apart from data. */
static void test_unwritten(int root) {
        _cleanup_close_ int fd = create(root, "unwritten");
        Extent e;

        assert(fallocate(fd, 0, 0, 16 * BLOCK) == 0);
        fill(fd, 4 * BLOCK, BLOCK);
        assert(fsync(fd) == 0);
        e = first_extent(fd);
        assert(e.flags & FIEMAP_EXTENT_UNWRITTEN);
        expect_file(root, (Range) { e.range.start + 512, e.range.start + 1024 }, fd, 512, true);
        expect_file(root, piece(e, 4, 5), fd, 4 * BLOCK, false);
}

/* XFS frees the blocks of deleted files in the background. */
static void wait_for(int root, Range range, OwnerType type) {
        for (int i = 0;; i++) {
                _cleanup_owners_ Owners owners = {};

                assert(mapper_walk(xfs, MAP_DATA(root), RANGESET_ONE(range), keep, &owners) == 0);
                if (owners.n == 1 && owners.items[0].type == type)
                        return;
                assert(i < 1000);
                (void) usleep(10 * 1000);
        }
}

/* Proves that what was a file's is free after it was deleted, also when less than a block is asked for, or
 * two. */
static void test_free(int root) {
        int fd = create_filled(root, "doomed", 16 * BLOCK);
        const Extent e = first_extent(fd);
        const Range pieces[] = {
                { e.range.start, e.range.start + 512 },
                { e.range.start + 3 * BLOCK, e.range.start + 4 * BLOCK },
                { e.range.start + 3 * BLOCK + 512, e.range.start + 5 * BLOCK + 512 },
        };

        assert(close(fd) == 0);
        assert(unlinkat(root, "doomed", 0) == 0);
        assert(syncfs(root) == 0);
        wait_for(root, pieces[0], OWNER_FREE);
        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
                _cleanup_owner_ Owner o = {};

                ask_one(root, pieces[i], &o);
                assert(o.type == OWNER_FREE);
        }
}

/* Proves that shared bytes have all their owners, and that the flag is for the bytes that were asked for,
 * not for their extent. */
static void test_shared(int root) {
        _cleanup_close_ int fd = create_filled(root, "original", 16 * BLOCK), copy = create(root, "copy");
        const Extent e = first_extent(fd);
        struct file_clone_range c = { .src_fd = fd, .src_offset = 4 * BLOCK, .src_length = 4 * BLOCK };
        _cleanup_owners_ Owners owners;

        assert(ioctl(copy, FICLONERANGE, &c) == 0);
        assert(fsync(copy) == 0);
        ask(root, piece(e, 5, 6), &owners);
        assert(owners.n == 2);
        for (size_t i = 0; i < 2; i++) {
                const Owner *o = &owners.items[i];
                const bool first = o->inode == inode_of(fd);

                assert(o->type == OWNER_FILE && o->shared);
                assert(first || o->inode == inode_of(copy));
                assert(o->offset == (first ? 5 * BLOCK : BLOCK));
        }
        assert(owners.items[0].inode != owners.items[1].inode);
        expect_file(root, piece(e, 1, 2), fd, BLOCK, false);
        expect_file(root, (Range) { e.range.start + 8 * BLOCK, e.range.end }, fd, 8 * BLOCK, false);
}

/* Proves that a file that shares bytes with itself counts as shared. */
static void test_shared_with_itself(int root) {
        _cleanup_close_ int fd = create_filled(root, "twice", 4 * BLOCK);
        const Extent e = first_extent(fd);
        struct file_clone_range c = { .src_fd = fd, .src_length = BLOCK, .dest_offset = 8 * BLOCK };
        _cleanup_owners_ Owners owners;

        assert(ioctl(fd, FICLONERANGE, &c) == 0);
        assert(fsync(fd) == 0);
        ask(root, (Range) { e.range.start, e.range.start + BLOCK }, &owners);
        assert(owners.n == 2);
        assert(owners.items[0].shared && owners.items[1].shared);
        assert(owners.items[0].offset == 0 && owners.items[1].offset == 8 * BLOCK);
}

typedef struct Metadata {
        uint64_t inode;
        const char *detail;
        bool found;
        Range range;            /* of the first */
} Metadata;

static int find_metadata(const Owner *o, void *userdata) {
        Metadata *m = userdata;

        if (m->found || o->type != OWNER_METADATA || o->inode != m->inode)
                return 0;
        if (strcmp(o->detail, m->detail) != 0)
                return 0;
        m->found = true;
        m->range = o->range;
        return 0;
}

/* Checks that the inode has metadata of that kind, and that it is found again by one of its sectors. */
static void expect_metadata(int root, uint64_t inode, const char *detail) {
        Metadata m = { .inode = inode, .detail = detail };
        _cleanup_owner_ Owner o = {};

        assert(syncfs(root) == 0);
        assert(mapper_walk(xfs, MAP_DATA(root), RANGESET_ONE({ 0, IMAGE_SIZE }), find_metadata, &m) == 0);
        if (!m.found) {
                (void) fprintf(stderr, "no %s\n", detail);
                abort();
        }
        ask_one(root, (Range) { m.range.end - 512, m.range.end }, &o);
        assert(o.type == OWNER_METADATA && o.inode == inode && strcmp(o.detail, detail) == 0);
}

/* Proves that what belongs to an inode without being a file's data is metadata: folders, links, attributes.
 * */
static void test_inode_metadata(int root) {
        _cleanup_close_ int fd = create_filled(root, "attributes", BLOCK);
        char name[32], value[3000], target[1000];
        struct stat st;

        assert(mkdirat(root, "many", 0700) == 0);
        for (int i = 0; i < 200; i++) {
                (void) snprintf(name, sizeof(name), "many/entry-%d", i);
                assert(close(create(root, name)) == 0);
        }
        assert(fstatat(root, "many", &st, 0) == 0);
        expect_metadata(root, st.st_ino, "directory");

        memset(value, 'v', sizeof(value));
        assert(fsetxattr(fd, "user.test", value, sizeof(value), 0) == 0);
        expect_metadata(root, inode_of(fd), "extended attributes of inode");
        expect_file(root, first_extent(fd).range, fd, 0, false);

        memset(target, 't', sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        assert(symlinkat(target, root, "link") == 0);
        assert(fstatat(root, "link", &st, AT_SYMLINK_NOFOLLOW) == 0);
        expect_metadata(root, st.st_ino, "symbolic link");
}

/* What a look at the whole device saw. */
typedef struct Census {
        uint64_t next;
        uint64_t inode, bytes;          /* of one file */
        bool free, log, maps, internal, unknown;
        unsigned copies;                /* of the superblock */
        bool headers, inode_btree, inodes, refcount, group_btrees, nameless;
} Census;

static int count(const Owner *o, void *userdata) {
        Census *c = userdata;
        const char *d = o->detail ?: "";

        assert(o->range.start <= c->next);
        if (c->next < o->range.end)
                c->next = o->range.end;
        if (o->type == OWNER_FILE && o->inode == c->inode)
                c->bytes += range_size(o->range);
        c->free |= o->type == OWNER_FREE;
        c->log |= o->type == OWNER_LOG;
        c->unknown |= o->type == OWNER_UNKNOWN;
        c->maps |= o->inode == c->inode && strcmp(d, "extent map of inode") == 0;
        c->internal |= strcmp(d, "quota file") == 0;
        c->headers |= o->range.start == 0 && strncmp(d, "superblock and ", 15) == 0;
        c->copies += strncmp(d, "superblock copy and headers of allocation group ", 48) == 0;
        c->inode_btree |= strncmp(d, "inode btree of allocation group ", 32) == 0;
        c->inodes |= strcmp(d, "inodes") == 0 || strncmp(d, "inodes of allocation group ", 27) == 0;
        c->refcount |= strncmp(d, "reference count btree of allocation group ", 42) == 0;
        c->group_btrees |= strncmp(d, "free space btrees or free list of allocation group ", 51) == 0;
        c->nameless |= strcmp(d, "metadata, of which kind is not told without rmapbt") == 0;
        return 0;
}

static Census census(int root, uint64_t inode) {
        Census c = { .inode = inode };

        assert(mapper_walk(xfs, MAP_DATA(root), RANGESET_ONE({ 0, IMAGE_SIZE }), count, &c) == 0);
        assert(c.next == IMAGE_SIZE);
        return c;
}

/* Proves that answers longer than one call are complete: every extent of a file in many pieces, and every
 * kind of owner. */
static void test_everything(int root) {
        _cleanup_close_ int fd = create(root, "pieces");
        Extent e;
        uint64_t bytes = 0;
        Census c;

        for (uint64_t i = 0; i < FRAGMENTS; i++)
                fill(fd, i * 2 * BLOCK, BLOCK);
        assert(fsync(fd) == 0);
        for (uint32_t i = 0; extent_of(fd, i, &e); i++) {
                bytes += range_size(e.range);
                if (i % 50 == 0)
                        expect_file(root, e.range, fd, e.offset, e.flags & FIEMAP_EXTENT_UNWRITTEN);
        }
        assert(extent_of(fd, 200, &e));

        c = census(root, inode_of(fd));
        assert(c.bytes == bytes);
        assert(c.free && c.log && c.maps && c.headers);
        assert(c.inode_btree && c.inodes && c.refcount && c.group_btrees && c.copies == 3);
}

/* Proves that all of the device is known but, before Linux 6.12, a free last block, and that what lies
 * behind the file system is not. */
static void test_end(int root) {
        const Range last = { IMAGE_SIZE - BLOCK, IMAGE_SIZE };
        _cleanup_owner_ Owner o = {}, behind = {}, top = {};

        ask_one(root, last, &o);
        assert(o.type == OWNER_FREE || o.type == OWNER_UNKNOWN);
        ask_one(root, (Range) { IMAGE_SIZE, IMAGE_SIZE + BLOCK }, &behind);
        assert(behind.type == OWNER_UNKNOWN);
        ask_one(root, (Range) { UINT64_MAX - 512, UINT64_MAX }, &top);
        assert(top.type == OWNER_UNKNOWN && top.detail);
}

static void wait_for_clock(void) {
        (void) usleep(20 * 1000);
}

/* Proves that reading and writing through an opened inode leave its times alone, and that it is the right
 * one. */
static void test_open(int root) {
        _cleanup_close_ int fd = create_filled(root, "times", BLOCK), opened = -1, reader = -1, pin = -1;
        const uint64_t inode = inode_of(fd);
        const uint32_t generation = generation_of(fd);
        struct stat before, after;
        char byte;
        int none = -1;

        assert(fstat(fd, &before) == 0);
        wait_for_clock();
        assert(mapper_open(xfs, root, inode, generation, O_RDWR, &opened) == 0);
        assert(mapper_open(xfs, root, inode, generation, O_RDONLY, &reader) == 0);
        assert(mapper_open(xfs, root, inode, generation, O_PATH, &pin) == 0);
        assert(fcntl(opened, F_GETFD) == FD_CLOEXEC && fcntl(pin, F_GETFD) == FD_CLOEXEC);
        assert(inode_of(opened) == inode && inode_of(pin) == inode);

        fill(opened, 100, 100);
        assert(pread(reader, &byte, 1, 0) == 1);
        assert(fsync(opened) == 0);
        assert(fstat(fd, &after) == 0);
        assert(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)) == 0);
        assert(memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)) == 0);
        assert(memcmp(&before.st_atim, &after.st_atim, sizeof(before.st_atim)) == 0);

        assert(mapper_open(xfs, root, inode, generation + 1, O_RDONLY, &none) == MAP_E_GONE);
        assert(mapper_open(xfs, root, inode, generation + 1, O_PATH, &none) == MAP_E_GONE);
        assert(mapper_open(xfs, root, 1U << 30, generation, O_RDONLY, &none) == MAP_E_GONE);
        assert(mapper_open(xfs, root, inode_of(root), generation_of(root), O_RDONLY, &none) == MAP_E_GONE);
        assert(none == -1);
}

/* Proves that a deleted file is a file as long as somebody has it open, and gone after that. */
static void test_deleted(int root) {
        int fd = create_filled(root, "deleted", BLOCK), opened = -1;
        const uint64_t inode = inode_of(fd);
        const uint32_t generation = generation_of(fd);
        const Extent e = first_extent(fd);
        _cleanup_close_ int pin = -1;
        _cleanup_owner_ Owner o = {};
        char *path = NULL;

        assert(mapper_open(xfs, root, inode, generation, O_PATH, &pin) == 0);
        assert(unlinkat(root, "deleted", 0) == 0);
        assert(close(fd) == 0);
        assert(syncfs(root) == 0);
        ask_one(root, e.range, &o); /* the O_PATH descriptor holds it */
        assert(o.type == OWNER_FILE && o.inode == inode && o.generation == generation);
        assert(mapper_open(xfs, root, inode, generation, O_RDONLY, &opened) == 0);
        assert(close(opened) == 0);
        assert(path_of(xfs, root, inode, generation, "", &path) == MAP_E_NOT_FOUND);

        assert(close(TAKE_FD(pin)) == 0);
        wait_for(root, e.range, OWNER_FREE);
        assert(mapper_open(xfs, root, inode, generation, O_RDONLY, &opened) == MAP_E_GONE);
        assert(path_of(xfs, root, inode, generation, "", &path) == MAP_E_GONE);
}

static void expect_path(int root, int fd, const char *below, const char *expected) {
        _cleanup_free_ char *path = NULL;
        int r = path_of(xfs, root, inode_of(fd), generation_of(fd), below, &path);

        assert(r == (expected ? 0 : MAP_E_NOT_FOUND));
        if (expected && strcmp(path, expected) != 0) {
                (void) fprintf(stderr, "expected %s, got %s\n", expected, path);
                abort();
        }
}

/* Proves that names are found, below a folder as well, by the way that this file system has, and not behind
 * another mount. */
static void test_path(int root) {
        _cleanup_close_ int fd = -1, linked = -1, hidden = -1, sub = -1;
        char *path = NULL;

        assert(mkdirat(root, "d", 0700) == 0 && mkdirat(root, "d/e", 0700) == 0);
        assert(mkdirat(root, "over", 0700) == 0);
        fd = create_filled(root, "d/e/\xff\nname", BLOCK);
        expect_path(root, fd, "", "d/e/\xff\nname");
        expect_path(root, fd, "d", "d/e/\xff\nname");

        linked = create_filled(root, "d/one", BLOCK);
        assert(linkat(root, "d/one", root, "d/e/two", 0) == 0);
        expect_path(root, linked, "d/e", "d/e/two");

        sub = openat(root, "d/e", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* as if a part of it were mounted */
        assert(sub >= 0);
        expect_path(sub, linked, "", "two");
        expect_path(sub, fd, "", "\xff\nname");

        hidden = create_filled(root, "over/hidden", BLOCK);
        expect_path(root, hidden, "", "over/hidden");
        assert(mount("none", "mnt/over", "tmpfs", 0, NULL) == 0);
        expect_path(root, hidden, "", NULL);
        assert(umount("mnt/over") == 0);
        assert(mount("mnt/d", "mnt/over", NULL, MS_BIND, NULL) == 0); /* the same device, another mount */
        expect_path(root, hidden, "", NULL);
        assert(path_of(NULL, root, inode_of(fd), 0, "over", &path) == MAP_E_NOT_FOUND);
        assert(umount("mnt/over") == 0);
        expect_path(sub, hidden, "", NULL);
}

/* Proves that files of the file system itself (here: quota) are metadata, not a reason to ask for ever. */
static void test_internal(void) {
        int root = mounted("-m rmapbt=1,reflink=1", "uquota,pquota");

        if (root < 0) {
                (void) printf("  not tested: this kernel has no quota\n");
                return;
        }
        assert(syncfs(root) == 0);
        assert(census(root, 0).internal);
        unmount(root);
}

/* Proves that without a reverse mapping btree metadata is never free and never a file's: what the geometry
 * and the inodes tell is named, and the rest is metadata all the same. */
static void test_nameless_metadata(int root) {
        _cleanup_close_ int fd = create_filled(root, "pieces", BLOCK), empty = create(root, "attributes");
        char value[3000], target[1000];
        uint64_t bytes = 0;
        struct stat st;
        Extent e;
        Census c;

        for (uint64_t i = 0; i < FRAGMENTS; i++)
                fill(fd, i * 2 * BLOCK, BLOCK);
        assert(fsync(fd) == 0);
        memset(value, 'v', sizeof(value));
        assert(fsetxattr(empty, "user.test", value, sizeof(value), 0) == 0);
        expect_metadata(root, inode_of(empty), "extended attributes of inode");

        assert(mkdirat(root, "many", 0700) == 0);
        for (int i = 0; i < 200; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "many/entry-%d", i);
                assert(close(create(root, name)) == 0);
        }
        assert(fstatat(root, "many", &st, 0) == 0);
        expect_metadata(root, st.st_ino, "directory");

        memset(target, 't', sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        assert(symlinkat(target, root, "link") == 0);
        assert(syncfs(root) == 0);

        c = census(root, inode_of(fd));
        for (uint32_t i = 0; extent_of(fd, i, &e); i++)
                bytes += range_size(e.range);
        assert(c.bytes == bytes);
        assert(c.free && c.log && c.headers && c.inodes && c.nameless && !c.unknown);
}

/* Proves that a file that cannot be asked (somebody has a lease on it) makes nobody's block metadata: what
 * has no owner then is unknown, and what has one is found all the same. */
static void test_leased(int root) {
        _cleanup_close_ int fd = create_filled(root, "leased", BLOCK);
        _cleanup_close_ int other = create_filled(root, "other", BLOCK);
        _cleanup_owner_ Owner o = {};
        const Extent e = first_extent(fd);

        assert(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
        assert(signal(SIGIO, SIG_IGN) != SIG_ERR);
        expect_file(root, first_extent(other).range, other, 0, false);
        ask_one(root, e.range, &o);
        assert(o.type == OWNER_UNKNOWN);
        assert(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
        expect_file(root, e.range, fd, 0, false);
}

static MapHeld held_as(int fd) {
        return (MapHeld) { .inode = inode_of(fd), .generation = generation_of(fd), .fd = fd };
}

/* Proves that a file that the asker has open is asked by his descriptor: it is found, alone and among those
 * that share, and his lease is not broken. */
static void test_held(int root) {
        _cleanup_close_ int fd = create_filled(root, "held", BLOCK), copy = create(root, "held-too");
        const MapHeld held[] = { held_as(fd), held_as(copy) };
        const MapAsker asker = { .held = held, .n_held = 2 };
        const Extent e = first_extent(fd);

        for (size_t files = 1; files <= 2; files++) {
                _cleanup_owners_ Owners owners = {};

                if (files == 2)
                        assert(ioctl(copy, FICLONE, fd) == 0);
                assert(fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(copy, F_SETLEASE, F_WRLCK) == 0);
                assert(mapper_search(xfs, MAP_DATA(root), RANGESET_ONE(e.range), &asker, keep,
                                     &owners) == 0);
                assert(owners.n == files);
                for (size_t i = 0; i < files; i++)
                        assert(owners.items[i].type == OWNER_FILE && owners.items[i].shared == (files == 2));
                assert(fcntl(fd, F_GETLEASE) == F_WRLCK && fcntl(copy, F_GETLEASE) == F_WRLCK);
                assert(fcntl(fd, F_SETLEASE, F_UNLCK) == 0 && fcntl(copy, F_SETLEASE, F_UNLCK) == 0);
        }
}

static MapOwns owns_of(int root, int fd, Range page, uint64_t offset) {
        MapOwns owns;

        assert(mapper_owns(xfs, MAP_DATA(root), fd, page, offset, &owns) == 0);
        return owns;
}

/* Proves that a page is known to be a file's without opening it (that would cost the lease), and that a
 * mapping that is not exactly so is none. */
static void test_owns(int root) {
        _cleanup_close_ int fd = create_filled(root, "owns", 8 * BLOCK), copy = create(root, "owns-too");
        const Extent e = first_extent(fd);
        struct file_clone_range c = { .src_fd = fd, .src_offset = 4 * BLOCK, .src_length = BLOCK };

        assert(fcntl(fd, F_SETLEASE, F_RDLCK) < 0 || fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
        assert(owns_of(root, fd, piece(e, 2, 3), 2 * BLOCK) == MAP_OWNED);
        assert(owns_of(root, fd, piece(e, 2, 3), 3 * BLOCK) == MAP_OTHERS);
        assert(owns_of(root, copy, piece(e, 2, 3), 2 * BLOCK) == MAP_OTHERS);
        assert(ioctl(copy, FICLONERANGE, &c) == 0);
        assert(owns_of(root, fd, piece(e, 4, 5), 4 * BLOCK) == MAP_SHARED);
        assert(owns_of(root, copy, piece(e, 4, 5), 0) == MAP_SHARED);
        assert(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 6 * BLOCK, BLOCK) == 0);
        assert(owns_of(root, fd, piece(e, 6, 7), 6 * BLOCK) == MAP_OTHERS);
        assert(fallocate(fd, FALLOC_FL_KEEP_SIZE, 6 * BLOCK, BLOCK) == 0);
        assert(owns_of(root, fd, piece(e, 6, 7), 6 * BLOCK) == MAP_OTHERS);
}

/* Proves that blocks which are written anew in another place (copy on write of shared bytes) are never
 * taken for the file's before they are, nor the old ones after that. */
static void test_staging(int root) {
        _cleanup_close_ int fd = create_filled(root, "staged", 64 * BLOCK);
        _cleanup_close_ int copy = create(root, "staged-copy");
        struct file_clone_range c = { .src_fd = fd };
        const Extent old = first_extent(fd);
        Extent new;

        assert(ioctl(copy, FICLONERANGE, &c) == 0);
        assert(syncfs(root) == 0);
        fill(fd, 8 * BLOCK, BLOCK); /* reserves more than it needs (cowextsize), and has not written it */
        {
                _cleanup_owners_ Owners owners;

                ask(root, piece(old, 8, 9), &owners);
                assert(owners.n == 2 && owners.items[0].shared && owners.items[1].shared);
        }
        assert(fsync(fd) == 0);
        expect_file(root, piece(old, 8, 9), copy, 8 * BLOCK, false);
        assert(extent_of(fd, 1, &new) && new.offset == 8 * BLOCK);
        expect_file(root, new.range, fd, 8 * BLOCK, false);
}

/* Proves that data which has no place on the device yet is nowhere, and is not brought there by asking. */
static void test_delayed(int root) {
        _cleanup_close_ int fd = create(root, "delayed");
        struct stat st;
        Census c;

        assert(syncfs(root) == 0);
        fill(fd, 0, 16 * BLOCK);
        c = census(root, inode_of(fd));
        assert(c.bytes == 0);
        assert(fstat(fd, &st) == 0 && st.st_blocks > 0); /* reserved */
        assert(fsync(fd) == 0);
        expect_file(root, first_extent(fd).range, fd, 0, false);
}

/* Proves that files that the kernel is using itself are owners like all others: a program that runs, and
 * swap space. */
static void test_in_use(int root) {
        _cleanup_close_ int swap = create_filled(root, "swap", 64 * BLOCK), program = -1;
        const Extent swap_extent = first_extent(swap);
        pid_t pid;

        assert(fchmod(swap, 0600) == 0);
        if (run("mkswap mnt/swap >/dev/null 2>&1 && swapon mnt/swap >/dev/null 2>&1") == 0) {
                expect_file(root, swap_extent.range, swap, 0, false);
                assert(run("swapoff mnt/swap") == 0);
        } else
                (void) printf("  not tested: no swap space on a loop device here\n");

        assert(run("cp /bin/sleep mnt/program && sync mnt/program") == 0);
        program = openat(root, "program", O_RDONLY | O_CLOEXEC);
        assert(program >= 0);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
                (void) execl("mnt/program", "program", "1000", NULL);
                _exit(1);
        }
        (void) usleep(100 * 1000);
        expect_file(root, piece(first_extent(program), 0, 1), program, 0, false);
        assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

/* Proves that with the log on a device of its own nothing of this device is taken for the log, and that
 * what lies at the same numbers there is nobody's trouble. */
static void test_external_log(const char *rmapbt) {
        int root, fd;
        Census c;

        assert(run("truncate -s 64M log && losetup --find --show log >log.loop") == 0);
        assert(run("rm -f image && truncate -s %u image", IMAGE_SIZE) == 0);
        assert(run("mkfs.xfs -q -f -m rmapbt=%s,reflink=1 -l logdev=$(cat log.loop) image", rmapbt) == 0);
        assert(run("mount -t xfs -o loop,logdev=$(cat log.loop) image mnt") == 0);
        root = open("mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(root >= 0);

        fd = create_filled(root, "file", 16 * BLOCK);
        expect_file(root, first_extent(fd).range, fd, 0, false);
        c = census(root, inode_of(fd));
        assert(c.bytes == 16 * BLOCK && !c.log && c.headers && c.free);
        assert(close(fd) == 0);
        unmount(root);
        assert(run("losetup --detach $(cat log.loop)") == 0);
}

static void test_without_rmapbt(void) {
        int root = mounted("-m rmapbt=0,reflink=1", "defaults");

        assert(root >= 0);
        test_file(root);
        test_unwritten(root);
        test_free(root);
        test_shared(root);
        test_shared_with_itself(root);
        test_nameless_metadata(root);
        test_end(root);
        test_open(root);
        test_owns(root);
        test_leased(root);
        test_held(root);
        test_staging(root);
        test_delayed(root);
        test_in_use(root);
        test_deleted(root);
        test_path(root);
        unmount(root);
}

/* A file system with parent pointers. An mkfs.xfs that is too old for them makes one without; before there
 * is a first file, all that differs is the feature bit in the superblocks. */
static int mounted_with_parents(void) {
        int root = mounted("-m rmapbt=1,reflink=1 -n parent=1", "defaults");

        if (root >= 0)
                return root;
        assert(run("rm -f image && truncate -s %u image", IMAGE_SIZE) == 0);
        assert(run("mkfs.xfs -q -d agcount=2 -m rmapbt=1,reflink=1 image") == 0);
        for (int group = 0; group < 2; group++)
                if (run("xfs_db -x -c 'sb %d' -c 'write -d features_incompat 0x8b' image >db 2>&1",
                        group) != 0)
                        return -1;
        if (run("mount -t xfs -o loop image mnt >mount 2>&1") != 0)
                return -1;
        return open("mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The file system's own records have n names of it below root, and this among them. */
static void expect_recorded(int root, int fd, size_t n, const char *name) {
        MapFile f = { .inode = inode_of(fd), .generation = generation_of(fd), .links = UINT32_MAX };

        assert(xfs->names(root, &f, 1) == 0);
        assert(strv_length(f.names) == n && strv_contains(f.names, name));
        map_file_done(&f);
}

/* Proves that parent pointers lead to the same names as a walk; also for the file of which they fill more
 * than one buffer. */
static void test_parents(void) {
        int root = mounted_with_parents(), fd;
        char name[256] = "links/";

        if (root < 0) {
                (void) printf("  not tested: no parent pointers here (they need Linux 6.10)\n");
                return;
        }
        test_path(root);

        assert(mkdirat(root, "links", 0700) == 0 && mkdirat(root, "last", 0700) == 0);
        fd = create_filled(root, "links/first", BLOCK);
        expect_recorded(root, fd, 1, "links/first");
        memset(name + 6, 'n', 200);
        for (int i = 0; i < 100; i++) {
                (void) snprintf(name + 206, sizeof(name) - 206, "%d", i);
                assert(linkat(root, "links/first", root, name, 0) == 0);
        }
        assert(linkat(root, "links/first", root, "last/name", 0) == 0);
        {
                _cleanup_close_ int last = openat(root, "last", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                assert(last >= 0);
                expect_recorded(last, fd, 1, "name");
        }
        expect_recorded(root, fd, 102, "last/name");
        {
                MapFile gone = { .inode = inode_of(fd), .generation = generation_of(fd) + 1, .links = 1 };

                assert(xfs->names(root, &gone, 1) == 0 && gone.error == MAP_E_GONE && !gone.names);
        }
        assert(close(fd) == 0);
        unmount(root);
}

static void test_with_rmapbt(void) {
        int root = mounted("-m rmapbt=1,reflink=1", "defaults");

        if (root < 0)
                skip("no XFS with rmapbt can be made and mounted on a loop device here");
        test_file(root);
        test_unwritten(root);
        test_free(root);
        test_shared(root);
        test_shared_with_itself(root);
        test_inode_metadata(root);
        test_everything(root);
        test_end(root);
        test_open(root);
        test_owns(root);
        test_staging(root);
        test_delayed(root);
        test_in_use(root);
        test_deleted(root);
        test_path(root);
        unmount(root);
}

static void test_all(void) {
        xfs = mapper_find("xfs");
        assert(xfs);

        test_with_rmapbt();
        test_internal();
        test_without_rmapbt();
        test_external_log("1");
        test_external_log("0");
        test_parents();
}

int main(void) {
        return run_in_folder("/var/tmp/test-map-xfs-XXXXXX", "mkfs.xfs", "xfsprogs", test_all);
}
