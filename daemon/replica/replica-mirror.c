/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* mirror:DIR: the same files under the same relative names somewhere else: an rsync copy, a network
 * mount, a mounted snapshot. Where Path= is a single file, mirror:FILE is its copy.
 *
 * The file is looked up by the kernel below the mirror's folder, so that no link and no ".." can lead out
 * of it (RESOLVE_BENEATH). Links between folders inside the mirror are followed, a link in the file's own
 * place is not: a copy is a file. The file is looked at before it is opened, so that opening a FIFO or a
 * device does nothing and waits for nobody; what is read is the descriptor that was checked. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "replica/identity.h"
#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "util/file.h"
#include "util/openat2.h"

#define RESOLVE_INSIDE (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)

typedef struct Mirror {
        Replica replica;
        int fd;
} Mirror;

/* Where the file is looked up. */
typedef struct Place {
        int dir_fd;
        const char *path;       /* stays in it */
} Place;

/* Why the file could not be opened, in the words of the offer. */
static int refuse_error(Offer *offer, int error) {
        if (is_our_lack(error))
                return error;
        if (is_away(error))
                return none(offer, OFFER_UNREACHABLE, "the mirror does not answer: %s", strerror(-error));

        switch (-error) {
        case ENOENT:
                return none(offer, OFFER_MISSING, "the mirror has no file of that name");
        case ENOTDIR:
                return none(offer, OFFER_MISSING, "there is a file where a folder on the way should be");
        case ENAMETOOLONG:
                return none(offer, OFFER_MISSING, "the name is too long for the mirror");
        case EXDEV:
                return none(offer, OFFER_ESCAPES, "the path leads out of the mirror's folder");
        case ELOOP:
                return none(offer, OFFER_NOT_REGULAR, "symbolic links on the way lead nowhere");
        default:
                return none(offer, OFFER_UNREADABLE, "it cannot be opened: %s", strerror(-error));
        }
}

/* A link stands where the file should be. Where it leads is of no interest, but whether it leads out is. */
static int refuse_link(Offer *offer, const Place *p) {
        _cleanup_close_ int fd = -1;

        fd = openat2_resolve(p->dir_fd, p->path, O_PATH, RESOLVE_INSIDE);
        if (fd == -EXDEV)
                return none(offer, OFFER_ESCAPES, "it is a symbolic link that leads out of the mirror");
        return none(offer, OFFER_NOT_REGULAR, "it is a symbolic link");
}

static int refuse_type(Offer *offer, const Place *p, mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFLNK:
                return refuse_link(offer, p);
        case S_IFDIR:
                return none(offer, OFFER_NOT_REGULAR, "it is a folder");
        case S_IFIFO:
                return none(offer, OFFER_NOT_REGULAR, "it is a named pipe");
        case S_IFSOCK:
                return none(offer, OFFER_NOT_REGULAR, "it is a socket");
        default:
                return none(offer, OFFER_NOT_REGULAR, "it is a device");
        }
}

/* Opens for reading what stands there, if it is a regular file, and not on the device that lost the bytes:
 * there it may be another name of the very file, and opening that breaks the lease of who repairs it. 0,
 * REPLICA_E_NONE, or a negative errno. */
static int open_regular(const Place *p, const Subject *subject, Offer *offer, int *ret,
                        struct stat *ret_st) {
        const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        _cleanup_close_ int look = -1, fd = -1;
        struct stat before, st;
        int r;

        look = openat2_resolve(p->dir_fd, p->path, O_PATH | O_NOFOLLOW, RESOLVE_INSIDE);
        if (look < 0)
                return refuse_error(offer, look);
        if (fstat(look, &before) < 0)
                return refuse_error(offer, -errno);
        if (!S_ISREG(before.st_mode))
                return refuse_type(offer, p, before.st_mode);
        r = refuse_same_device(subject, before.st_dev, offer);
        if (r != 0)
                return r;

        fd = openat2_resolve(p->dir_fd, p->path, flags, RESOLVE_INSIDE);
        if (fd < 0)
                return refuse_error(offer, fd);
        if (fstat(fd, &st) < 0)
                return refuse_error(offer, -errno);
        if (!S_ISREG(st.st_mode) || st.st_dev != before.st_dev || st.st_ino != before.st_ino)
                return none(offer, OFFER_UNREADABLE, "it was replaced while it was being opened");

        *ret = TAKE_FD(fd);
        *ret_st = st;
        return 0;
}

/* Fills in what the file is worth. */
static int judge(const Subject *subject, const struct stat *st, Offer *offer) {
        const Likeness l = { .size = (uint64_t) st->st_size, .mtime = st->st_mtim, .ctime = st->st_ctim };

        offer->state = OFFER_HELD;
        if (identity_same(subject, &l)) {
                offer->proofs = PROOF_BIT(PROOF_IDENTITY);
                return 0;
        }
        offer->detail = identity_explain(subject, &l);
        return offer->detail ? 0 : -ENOMEM;
}

static int open_place(const Place *p, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ Mirror *m = NULL;
        struct stat st = {};
        int r;

        r = open_regular(p, subject, offer, &fd, &st);
        if (r != 0)
                return r;
        m = malloc(sizeof(*m));
        if (!m)
                return -ENOMEM;
        r = judge(subject, &st, offer);
        if (r != 0)
                return r;

        *m = (Mirror) {
                .replica.size = (uint64_t) st.st_size,
                .replica.source = { .device = st.st_dev, .inode = st.st_ino },
                .fd = TAKE_FD(fd),
        };
        *ret = &TAKE_PTR(m)->replica;
        return 0;
}

/* 0, REPLICA_E_NONE, or a negative errno. */
static int open_folder(const char *path, Offer *offer, int *ret) {
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0) {
                if (is_our_lack(-errno))
                        return -errno;
                return none(offer, OFFER_UNREACHABLE, "the mirror's folder is not there: %s",
                            strerror(errno));
        }
        *ret = fd;
        return 0;
}

/* mirror:FILE. The folder that it is in stands for the mirror: without it the replica as a whole is not
 * there. */
static int open_file(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_free_ char *folder = NULL;
        _cleanup_close_ int dir_fd = -1;
        Place p;
        int r;

        folder = strdup(argument);
        if (!folder)
                return -ENOMEM;
        *strrchr(folder, '/') = '\0';
        r = open_folder(*folder ? folder : "/", offer, &dir_fd);
        if (r != 0)
                return r;

        p = (Place) { .dir_fd = dir_fd, .path = strrchr(argument, '/') + 1 };
        if (!*p.path)
                return none(offer, OFFER_NOT_REGULAR, "it is a folder, and a copy of one file is asked for");
        return open_place(&p, subject, ret, offer);
}

static int mirror_open(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_close_ int dir_fd = -1;
        Place p;
        int r;

        if (argument[0] != '/')
                return none(offer, OFFER_UNREACHABLE, "the mirror's path is not absolute");
        if (!*subject->relative)
                return open_file(argument, subject, ret, offer);

        r = open_folder(argument, offer, &dir_fd);
        if (r != 0)
                return r;
        p = (Place) { .dir_fd = dir_fd, .path = subject->relative };
        return open_place(&p, subject, ret, offer);
}

static void mirror_close(Replica *r) {
        Mirror *m = (Mirror *) r;

        closep(&m->fd);
        free(m);
}

static int mirror_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        return pread_full(((Mirror *) r)->fd, buf, n, offset);
}

const ReplicaOps replica_mirror = {
        .kind = REPLICA_MIRROR,
        .open = mirror_open,
        .close = mirror_close,
        .read = mirror_read,
};
