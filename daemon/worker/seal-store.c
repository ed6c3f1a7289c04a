/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A seal is believed as far as its checks go, and no further: a head or a block that does not check is no
 * seal, and a proof less. */

#include <assert.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "util/file.h"
#include "worker/seal-store.h"

struct SealDraft {
        int folder_fd, fd;
        size_t head_size;
        char name[64], temporary[80];   /* temporary: "" when there is none any more */
};

/* Opens the folder, made if it is not there. */
static int open_folder(int dir_fd, const char *name, bool make) {
        int fd;

        if (make && mkdirat(dir_fd, name, 0700) < 0) {
                if (errno != EEXIST)
                        return -errno;
        } else if (make && fsync(dir_fd) < 0)
                return -errno;

        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* A UUID comes from the machine as a string; here it names a folder. */
static bool is_plain(const char *uuid) {
        return *uuid && strlen(uuid) < 64 && strspn(uuid, "0123456789abcdefABCDEF-") == strlen(uuid);
}

static int open_store(const char *state_dir, const char *uuid, bool make) {
        _cleanup_close_ int state_fd = -1, seal_fd = -1;

        if (!is_plain(uuid))
                return -EINVAL;
        state_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (state_fd < 0)
                return -errno;
        seal_fd = open_folder(state_fd, "seal", make);
        return seal_fd < 0 ? seal_fd : open_folder(seal_fd, uuid, make);
}

static void seal_name(uint64_t inode, uint32_t generation, char buf[static 64]) {
        (void) snprintf(buf, 64, "%" PRIx64 ".%" PRIx32, inode, generation);
}

static uint64_t block_offset(size_t head_size, uint64_t block) {
        return head_size + block * (uint64_t) SEAL_BLOCK_SIZE;
}

static int block_check(Digester *d, const Seal *s, uint64_t block, const uint8_t *digests, uint8_t *ret) {
        uint64_t number = htole64(block);

        return digest(d, (const DigestPart[]) { { s->id, sizeof(s->id) },
                                                { &number, sizeof(number) },
                                                { digests, seal_block_pages(s, block) * SEAL_DIGEST },
                                                {} }, ret);
}

SealDraft *seal_draft_free(SealDraft *draft) {
        if (!draft)
                return NULL;
        if (*draft->temporary)
                (void) unlinkat(draft->folder_fd, draft->temporary, 0);
        closep(&draft->fd);
        closep(&draft->folder_fd);
        free(draft);
        return NULL;
}

static int write_head(int fd, const Seal *s, Digester *d, size_t *ret_size) {
        _cleanup_free_ uint8_t *head = NULL;
        uint8_t check[SEAL_DIGEST];
        size_t size;
        int r;

        r = seal_head_encode(s, &head, &size);
        if (r >= 0)
                r = digest(d, (const DigestPart[]) { { head, size }, {} }, check);
        if (r >= 0)
                r = pwrite_full(fd, head, size, 0);
        if (r >= 0)
                r = pwrite_full(fd, check, sizeof(check), size);
        if (r >= 0)
                *ret_size = size + SEAL_DIGEST;
        return r;
}

int seal_draft_new(const char *state_dir, const char *uuid, Seal *s, Digester *d, SealDraft **ret) {
        _cleanup_(seal_draft_freep) SealDraft *draft = calloc(1, sizeof(*draft));
        char temporary[sizeof(draft->temporary)];
        int r;

        if (!draft)
                return -ENOMEM;
        draft->fd = -1;
        draft->folder_fd = open_store(state_dir, uuid, true);
        if (draft->folder_fd < 0)
                return draft->folder_fd;
        if (getrandom(s->id, sizeof(s->id), 0) != (ssize_t) sizeof(s->id))
                return -EIO;

        /* What is there under this name was left by a crash: seal_store_lock(). */
        seal_name(s->inode, s->generation, draft->name);
        (void) snprintf(temporary, sizeof(temporary), ".%s.new", draft->name);
        (void) unlinkat(draft->folder_fd, temporary, 0);
        draft->fd = openat(draft->folder_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           0600);
        if (draft->fd < 0)
                return -errno;
        (void) snprintf(draft->temporary, sizeof(draft->temporary), "%s", temporary);

        r = write_head(draft->fd, s, d, &draft->head_size);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(draft);
        return 0;
}

int seal_draft_block(SealDraft *draft, Digester *d, const Seal *s, uint64_t block, const uint8_t *digests) {
        size_t n = seal_block_pages(s, block) * SEAL_DIGEST;
        uint8_t whole[SEAL_BLOCK_SIZE];
        int r;

        memcpy(whole, digests, n);
        r = block_check(d, s, block, digests, whole + n);
        return r < 0 ? r : pwrite_full(draft->fd, whole, n + SEAL_DIGEST,
                                       block_offset(draft->head_size, block));
}

int seal_draft_commit(SealDraft *draft) {
        /* Not waited for: a machine that stops now may leave a part of it, which does not check, and is
         * no seal then. */
        if (renameat(draft->folder_fd, draft->temporary, draft->folder_fd, draft->name) < 0)
                return -errno;
        *draft->temporary = '\0';
        return 0;
}

void seal_file_close(SealFile *f) {
        closep(&f->fd);
        seal_done(&f->seal);
        *f = SEAL_FILE_NULL;
}

/* Too short is damaged, too. */
static int read_at(int fd, void *buf, size_t n, uint64_t offset) {
        int r = pread_full(fd, buf, n, offset);

        return r == -ENODATA || r == -EIO ? SEAL_E_DAMAGED : r;
}

static int read_head(SealFile *f, Digester *d) {
        uint8_t head[SEAL_HEAD_SIZE + SEAL_PATH_MAX + SEAL_DIGEST], check[SEAL_DIGEST];
        size_t size;
        int r;

        r = read_at(f->fd, head, SEAL_HEAD_SIZE, 0);
        if (r != 0)
                return r;
        if (seal_head_size(head, &f->head_size) < 0)
                return SEAL_E_DAMAGED;
        size = f->head_size - SEAL_DIGEST;
        r = read_at(f->fd, head + SEAL_HEAD_SIZE, f->head_size - SEAL_HEAD_SIZE, SEAL_HEAD_SIZE);
        if (r == 0)
                r = digest(d, (const DigestPart[]) { { head, size }, {} }, check);
        if (r != 0)
                return r;
        if (memcmp(check, head + size, SEAL_DIGEST) != 0)
                return SEAL_E_DAMAGED;

        r = seal_head_decode(head, size, &f->seal);
        return r == -EBADMSG ? SEAL_E_DAMAGED : r;
}

int seal_file_open(const char *state_dir, const char *uuid, uint64_t inode, uint32_t generation, Digester *d,
                   SealFile *ret) {
        _cleanup_seal_file_ SealFile f = SEAL_FILE_NULL;
        _cleanup_close_ int folder_fd = -1;
        char name[64];
        int r;

        folder_fd = open_store(state_dir, uuid, false);
        if (folder_fd < 0)
                return folder_fd == -ENOENT ? SEAL_E_NONE : folder_fd;
        seal_name(inode, generation, name);
        f.fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (f.fd < 0)
                return errno == ENOENT ? SEAL_E_NONE : -errno;

        r = read_head(&f, d);
        if (r != 0)
                return r;
        if (f.seal.inode != inode || f.seal.generation != generation)
                return SEAL_E_DAMAGED;

        *ret = f;
        f = SEAL_FILE_NULL;
        return 0;
}

int seal_file_digest(const SealFile *f, Digester *d, uint64_t page, uint8_t ret[static SEAL_DIGEST]) {
        uint64_t block = page / SEAL_BLOCK_PAGES;
        uint8_t whole[SEAL_BLOCK_SIZE], check[SEAL_DIGEST];
        size_t n;
        int r;

        assert(page < seal_pages(&f->seal));

        n = seal_block_pages(&f->seal, block) * SEAL_DIGEST;
        r = read_at(f->fd, whole, n + SEAL_DIGEST, block_offset(f->head_size, block));
        if (r == 0)
                r = block_check(d, &f->seal, block, whole, check);
        if (r != 0)
                return r;
        if (memcmp(check, whole + n, SEAL_DIGEST) != 0)
                return SEAL_E_DAMAGED;

        memcpy(ret, whole + page % SEAL_BLOCK_PAGES * SEAL_DIGEST, SEAL_DIGEST);
        return 0;
}

int seal_restamp(const char *state_dir, const char *uuid, SealFile *f, Digester *d, SealTime mtime,
                 SealTime ctime) {
        _cleanup_close_ int folder_fd = -1, fd = -1;
        struct stat ours, named;
        char name[64];
        int r;

        folder_fd = open_store(state_dir, uuid, false);
        if (folder_fd < 0)
                return folder_fd;
        seal_name(f->seal.inode, f->seal.generation, name);
        fd = openat(folder_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &named) < 0 || fstat(f->fd, &ours) < 0)
                return -errno;
        if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
                return -ESTALE;         /* sealed anew meanwhile */

        f->seal.mtime = mtime;
        f->seal.ctime = ctime;
        r = write_head(fd, &f->seal, d, &f->head_size);
        if (r < 0)
                return r;
        return fdatasync(fd) < 0 ? -errno : 0;
}

int seal_remove(const char *state_dir, const char *uuid, uint64_t inode, uint32_t generation) {
        _cleanup_close_ int folder_fd = open_store(state_dir, uuid, false);
        char name[64];

        if (folder_fd < 0)
                return folder_fd == -ENOENT ? 0 : folder_fd;
        seal_name(inode, generation, name);
        return file_remove(folder_fd, name);
}

int seal_store_lock(const char *state_dir, int *ret_fd) {
        _cleanup_close_ int state_fd = -1, seal_fd = -1;

        state_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (state_fd < 0)
                return -errno;
        seal_fd = open_folder(state_fd, "seal", true);
        if (seal_fd < 0)
                return seal_fd;
        if (flock(seal_fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;

        *ret_fd = TAKE_FD(seal_fd);
        return 0;
}

static void dir_closep(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

int seal_store_prune(const char *state_dir, const char *uuid, SealNameFn fn, void *userdata) {
        __attribute__((cleanup(dir_closep))) DIR *d = NULL;
        const struct dirent *e;
        int fd;

        fd = open_store(state_dir, uuid, false);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        d = fdopendir(fd);
        if (!d) {
                (void) close(fd);
                return -ENOMEM;
        }

        while ((e = readdir(d))) {
                char name[64];
                uint64_t inode;
                uint32_t generation;
                int r;

                if (sscanf(e->d_name, "%" SCNx64 ".%" SCNx32, &inode, &generation) != 2)
                        continue;
                seal_name(inode, generation, name);
                if (strcmp(name, e->d_name) != 0)
                        continue;
                r = fn(inode, generation, userdata);
                if (r < 0)
                        return r;
                if (r > 0)
                        (void) unlinkat(dirfd(d), name, 0);
        }
        return 0;
}
