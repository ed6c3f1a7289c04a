/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The XFS mapper on a file system with a realtime device, each of the two on a loop device of its own.
 * Blocks of both have the same addresses, so that whoever mistakes the one for the other is wrong at once.
 * What owns which block is learned a second way, by FIEMAP of the files. Root, mkfs.xfs and a kernel with
 * realtime XFS are needed, else it is skipped. */

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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/image.h"
#include "map/mapper.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/vec.h"

#define BLOCK 4096U
#define SIZE (300U << 20)       /* of each device */
#define BLOCKS (SIZE / BLOCK)
#define FILES 200U
#define EXTENTS 256U            /* of one file, at most */

static const MapperOps *xfs;

typedef struct Block {
        uint64_t inode;         /* 0: no file's */
        uint64_t offset;
        bool unwritten;
} Block;

typedef struct Lab {
        int root;
        MapSection on[2];       /* data, realtime */
        uint64_t own;           /* so much at the start of the realtime device can be the file system's */
        int fds[FILES];         /* every other one is on the realtime device */
        Block *forward[2];      /* BLOCKS of each device, by FIEMAP */
} Lab;

static dev_t device_of(const char *name_in) {
        char name[64] = "";
        FILE *f = fopen(name_in, "re");
        struct stat st;

        assert(f && fgets(name, sizeof(name), f));
        assert(fclose(f) == 0);
        name[strcspn(name, "\n")] = '\0';
        assert(stat(name, &st) == 0);
        return st.st_rdev;
}

/* The file must be empty. */
static void put_on(int fd, bool realtime) {
        struct fsxattr x;

        assert(ioctl(fd, FS_IOC_FSGETXATTR, &x) == 0);
        x.fsx_xflags = (x.fsx_xflags & ~(uint32_t) FS_XFLAG_REALTIME) | (realtime ? FS_XFLAG_REALTIME : 0);
        assert(ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0);
}

static int create_on(int root, bool realtime, const char *path) {
        int fd = create(root, path);

        put_on(fd, realtime);
        return fd;
}

static struct fiemap *extents_of(int fd, uint32_t flags) {
        struct fiemap *f = calloc(1, sizeof(*f) + EXTENTS * sizeof(f->fm_extents[0]));

        assert(f);
        f->fm_length = UINT64_MAX;
        f->fm_flags = flags;
        f->fm_extent_count = EXTENTS;
        assert(ioctl(fd, FS_IOC_FIEMAP, f) == 0 && f->fm_mapped_extents < EXTENTS);
        return f;
}

/* Where the file has its first byte. */
static Range first_page(int fd) {
        _cleanup_free_ struct fiemap *f = extents_of(fd, FIEMAP_FLAG_SYNC);

        assert(f->fm_mapped_extents > 0 && f->fm_extents[0].fe_logical == 0);
        return (Range) { f->fm_extents[0].fe_physical, f->fm_extents[0].fe_physical + BLOCK };
}

static void note_file(Block *forward, int fd) {
        _cleanup_free_ struct fiemap *f = extents_of(fd, FIEMAP_FLAG_SYNC);

        for (uint32_t i = 0; i < f->fm_mapped_extents; i++) {
                const struct fiemap_extent *e = &f->fm_extents[i];

                for (uint64_t at = 0; at < e->fe_length; at += BLOCK) {
                        Block *b = &forward[(e->fe_physical + at) / BLOCK];

                        assert(e->fe_physical + at < SIZE && b->inode == 0);
                        *b = (Block) { inode_of(fd), e->fe_logical + at,
                                       e->fe_flags & FIEMAP_EXTENT_UNWRITTEN };
                }
        }
}

static void note_all(Lab *lab) {
        for (unsigned part = 0; part < 2; part++)
                memset(lab->forward[part], 0, BLOCKS * sizeof(Block));
        for (unsigned i = 0; i < FILES; i++)
                if (lab->fds[i] >= 0)
                        note_file(lab->forward[i % 2], lab->fds[i]);
}

/* The answer to a question, against the forward map. */
typedef struct Check {
        const Lab *lab;
        unsigned part;
        uint64_t next, free, unknown;
        bool quiet;             /* nothing changes meanwhile */
} Check;

static void wrong(const Check *c, const Owner *o, const Block *b, uint64_t at) {
        (void) fprintf(stderr, "%s device, %#" PRIx64 ": told %s of inode %" PRIu64 " at %#" PRIx64
                       ", is of inode %" PRIu64 " at %#" PRIx64 "%s\n", c->part ? "realtime" : "data", at,
                       owner_type_to_string(o->type), o->inode, o->offset + (at - o->range.start), b->inode,
                       b->offset, b->unwritten ? ", unwritten" : "");
        abort();
}

static int check_owner(const Owner *o, void *userdata) {
        Check *c = userdata;

        assert(o->range.start == c->next);
        c->next = o->range.end;
        c->free += o->type == OWNER_FREE ? range_size(o->range) : 0;
        c->unknown += o->type == OWNER_UNKNOWN ? range_size(o->range) : 0;

        for (uint64_t at = o->range.start; at < o->range.end; at += BLOCK) {
                const Block *b = &c->lab->forward[c->part][at / BLOCK];
                const bool same = o->type == OWNER_FILE && o->inode == b->inode &&
                                  o->offset + (at - o->range.start) == b->offset &&
                                  o->unwritten == b->unwritten && !o->shared;

                if (b->inode != 0 && !same && (c->quiet || o->type != OWNER_UNKNOWN))
                        wrong(c, o, b, at);
                if (b->inode == 0 && c->quiet && o->type == OWNER_FILE)
                        wrong(c, o, b, at);
                if (c->part == 1 && o->type != OWNER_FILE && o->type != OWNER_FREE &&
                    o->type != OWNER_UNKNOWN && at >= c->lab->own)
                        wrong(c, o, b, at);
        }
        return 0;
}

static Check check(const Lab *lab, unsigned part, Range range, bool quiet) {
        Check c = { .lab = lab, .part = part, .next = range.start, .quiet = quiet };

        assert(mapper_walk(xfs, &lab->on[part], RANGESET_ONE(range), check_owner, &c) == 0);
        assert(c.next == range.end);
        return c;
}

/* Files of both devices in turn, in pieces, with unwritten blocks and holes. */
static void make_files(Lab *lab) {
        unsigned seed = 1;

        for (unsigned i = 0; i < FILES; i++) {
                char name[32];

                (void) snprintf(name, sizeof(name), "file-%u", i);
                lab->fds[i] = create_on(lab->root, i % 2, name);
        }
        for (unsigned round = 0; round < 4; round++)
                for (unsigned i = 0; i < FILES; i++) {
                        const uint64_t at = (uint64_t) round * 32 * BLOCK;
                        const uint64_t n = 1 + (unsigned) rand_r(&seed) % 12;

                        if ((i + round) % 7 == 0)
                                assert(fallocate(lab->fds[i], 0, (off_t) at, (off_t) (n * BLOCK)) == 0);
                        else
                                fill(lab->fds[i], at, n * BLOCK - (i % 3 ? 0 : 100));
                }
        for (unsigned i = 0; i < FILES; i += 10) {
                char name[32];

                (void) snprintf(name, sizeof(name), "file-%u", i + i / 10 % 2);
                assert(close(lab->fds[i + i / 10 % 2]) == 0);
                lab->fds[i + i / 10 % 2] = -1;
                assert(unlinkat(lab->root, name, 0) == 0);
        }
        assert(syncfs(lab->root) == 0);
}

/* Files that were deleted are gone in the background. */
static void wait_for_inodegc(const Lab *lab) {
        for (int i = 0; i < 100; i++) {
                Check c = check(lab, 0, (Range) { 0, SIZE }, true);

                if (c.unknown <= BLOCK)
                        return;
                (void) usleep(50 * 1000);
        }
}

/* Proves that all of both devices is told as the files themselves tell it. `rest`: bytes of the realtime
 * device that may be nobody's. Where the realtime device has groups, they are described by files of the data
 * device that nobody is shown. */
static void test_forward(const Lab *lab, uint64_t rest) {
        const uint64_t unknown[] = { lab->own > 0 ? 64 * BLOCK : BLOCK, rest };
        unsigned seed = 7;

        for (unsigned part = 0; part < 2; part++) {
                Check c = check(lab, part, (Range) { 0, SIZE }, true);

                assert(c.free > SIZE / 4);
                if (c.unknown > unknown[part]) {
                        (void) fprintf(stderr, "%s device: %" PRIu64 " bytes are unknown\n",
                                       part ? "realtime" : "data", c.unknown);
                        abort();
                }
        }
        for (unsigned i = 0; i < 60; i++) {
                const uint64_t at = (uint64_t) rand_r(&seed) % (BLOCKS - 16) * BLOCK;
                const uint64_t n = 1 + (unsigned) rand_r(&seed) % 16;

                (void) check(lab, i % 2, (Range) { at, at + n * BLOCK }, true);
        }
}

static MapOwns owns(const Lab *lab, unsigned part, int fd, Range page) {
        MapOwns r = MAP_SHARED;

        assert(mapper_owns(xfs, &lab->on[part], fd, page, 0, &r) == 0);
        return r;
}

/* Proves that a page is a file's on its own device only, and that this moves with the file. */
static void test_moving(const Lab *lab) {
        _cleanup_close_ int fd = create_on(lab->root, false, "moving");
        Range page[2];

        for (unsigned i = 0; i < 4; i++) {
                const unsigned here = i % 2, there = !here;

                assert(ftruncate(fd, 0) == 0);
                put_on(fd, here);
                fill(fd, 0, 4 * BLOCK);
                assert(fsync(fd) == 0);
                page[here] = first_page(fd);
                assert(owns(lab, here, fd, page[here]) == MAP_OWNED);
                assert(owns(lab, there, fd, page[here]) == MAP_OTHERS);
                if (i > 0)
                        assert(owns(lab, there, fd, page[there]) == MAP_OTHERS);
        }
        assert(unlinkat(lab->root, "moving", 0) == 0);
}

static void move_for_ever(int root) {
        _cleanup_close_ int fd = create_on(root, false, "restless");

        for (unsigned i = 1;; i++) {
                fill(fd, 0, (1 + i % 9) * 16 * BLOCK);
                assert(fsync(fd) == 0);
                assert(ftruncate(fd, 0) == 0);
                put_on(fd, i % 2);
        }
}

/* Proves that while a file moves between the devices nobody else's blocks are its own, nor free. */
static void test_meanwhile(const Lab *lab) {
        pid_t pid = fork();

        assert(pid >= 0);
        if (pid == 0)
                move_for_ever(lab->root);
        for (unsigned i = 0; i < 12; i++)
                (void) check(lab, i % 2, (Range) { 0, SIZE }, false);
        assert(kill(pid, SIGKILL) == 0);
        assert(waitpid(pid, NULL, 0) == pid);
        assert(unlinkat(lab->root, "restless", 0) == 0);
}

/* Proves that of a device which the file system has not, or not as its realtime device, nothing is told. */
static void test_elsewhere(const Lab *lab) {
        MapSection wrongs[] = {
                { .mount_fd = lab->root, .part = FS_PART_REALTIME, .device = makedev(4000, 77) },
                { .mount_fd = lab->root, .part = FS_PART_LOG, .device = lab->on[1].device },
                { .mount_fd = lab->root, .part = FS_PART_REALTIME },
        };
        struct stat st;

        assert(fstat(lab->root, &st) == 0);
        wrongs[2].device = st.st_dev;
        for (size_t i = 0; i < 3; i++) {
                _cleanup_owners_ Owners owners = {};

                assert(mapper_walk(xfs, &wrongs[i], RANGESET_ONE({ 0, SIZE }), keep, &owners) == 0);
                assert(owners.n == 1 && owners.items[0].type == OWNER_UNKNOWN);
        }
        assert(!mapper_shares(xfs, &lab->on[1]));
        assert(mapper_groups(xfs, &lab->on[1], &(MapGroups) {}) == MAP_E_UNSUPPORTED);
}

/* Nothing is given out beyond the end of files in advance: that is taken back when somebody who asked closes
 * the file. False: this kernel or mkfs.xfs cannot. */
static bool test_with(const char *options, uint64_t own, uint64_t rest) {
        Lab lab = { .root = -1, .own = own };

        assert(run("rm -f rt && truncate -s %u rt && losetup --find --show rt >rt.loop", SIZE) == 0);
        assert(run("rm -f image && truncate -s %u image", SIZE) == 0);
        if (run("mkfs.xfs -q -f %s,rtdev=$(cat rt.loop) image >mkfs 2>&1", options) != 0 ||
            run("mount -t xfs -o loop,allocsize=4k,rtdev=$(cat rt.loop) image mnt >mount 2>&1") != 0) {
                assert(run("losetup --detach $(cat rt.loop)") == 0);
                return false;
        }
        lab.root = open("mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(lab.root >= 0);
        lab.on[0] = (MapSection) { .mount_fd = lab.root };
        lab.on[1] = (MapSection) { .mount_fd = lab.root, .part = FS_PART_REALTIME,
                                   .device = device_of("rt.loop") };
        for (unsigned part = 0; part < 2; part++) {
                lab.forward[part] = calloc(BLOCKS, sizeof(Block));
                assert(lab.forward[part]);
        }

        make_files(&lab);
        note_all(&lab);
        wait_for_inodegc(&lab);
        test_forward(&lab, rest);
        test_moving(&lab);
        test_meanwhile(&lab);
        test_elsewhere(&lab);

        for (unsigned i = 0; i < FILES; i++)
                if (lab.fds[i] >= 0)
                        assert(close(lab.fds[i]) == 0);
        for (unsigned part = 0; part < 2; part++)
                free(lab.forward[part]);
        unmount(lab.root);
        assert(run("losetup --detach $(cat rt.loop)") == 0);
        return true;
}

static void test_all(void) {
        xfs = mapper_find("xfs");
        assert(xfs);

        if (!test_with("-m rmapbt=0,reflink=0 -r extsize=4k", 0, BLOCK))
                skip("no XFS with a realtime device can be made and mounted on loop devices here");
        /* Of what is given out a file may have a part, and the rest is nobody's. */
        assert(test_with("-m rmapbt=0,reflink=0 -r extsize=64k", 0, SIZE / 4));
        if (!test_with("-m rmapbt=1,reflink=0,metadir=1 -r extsize=4k", BLOCK, BLOCK))
                (void) printf("  not tested: no reverse mapping of realtime devices here\n");
}

int main(void) {
        return run_in_folder("/var/tmp/test-map-realtime-XXXXXX", "mkfs.xfs", "xfsprogs", test_all);
}
