/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/codec.h"
#include "util/file.h"
#include "worker/intents.h"

#define RECORD_MAX ((size_t) 256 * 1024) /* a path can have 4096 bytes, each escaped to five */

int intents_open(const char *state_dir, int *ret_fd) {
        _cleanup_close_ int state_fd = -1;
        int fd;

        state_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (state_fd < 0)
                return -errno;
        if (mkdirat(state_fd, INTENT_FOLDER, 0700) < 0) {
                if (errno != EEXIST)
                        return -errno;
        } else if (fsync(state_fd) < 0)
                return -errno;

        fd = openat(state_fd, INTENT_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        *ret_fd = fd;
        return 0;
}

int intents_lock(int dir_fd, const char *device, int *ret_fd) {
        const char *slash = strrchr(device, '/');
        _cleanup_close_ int fd = -1;
        char name[NAME_MAX];

        (void) snprintf(name, sizeof(name), ".lock-%.64s", slash ? slash + 1 : device);
        fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* "pmem0-0000000000100000": one page, one record. */
static void intent_name(const Intent *i, char buf[static NAME_MAX]) {
        const char *slash = strrchr(i->device, '/');

        (void) snprintf(buf, NAME_MAX, "%.64s-%016" PRIx64, slash ? slash + 1 : i->device, i->range.start);
}

/* Its note; a folder's walk passes over what begins with a dot. */
static void note_name(const Intent *i, char buf[static NAME_MAX]) {
        char name[NAME_MAX];

        intent_name(i, name);
        (void) snprintf(buf, NAME_MAX, ".left-%.100s", name);
}

static int note_remove(int dir_fd, const Intent *i) {
        char name[NAME_MAX];

        note_name(i, name);
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int record_make(const Intent *i, const void *page, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL, *record = NULL;
        size_t n, size;

        text = codec_intent_encode(i);
        if (!text)
                return -ENOMEM;

        n = strlen(text);
        size = n + 1 + REPAIR_UNIT + SHA256_DIGEST_LENGTH;
        if (size > RECORD_MAX)
                return -EFBIG;
        record = malloc(size);
        if (!record)
                return -ENOMEM;

        memcpy(record, text, n);
        record[n] = '\n';
        memcpy(record + n + 1, page, REPAIR_UNIT);
        if (!SHA256((const unsigned char *) record, n + 1 + REPAIR_UNIT,
                    (unsigned char *) record + n + 1 + REPAIR_UNIT))
                return -EIO;

        *ret = TAKE_PTR(record);
        *ret_size = size;
        return 0;
}

static int record_parse(char *record, size_t size, Intent *ret, void *page) {
        unsigned char digest[SHA256_DIGEST_LENGTH];
        char *newline;

        newline = memchr(record, '\n', size);
        if (!newline || (size_t) (newline - record) + 1 + REPAIR_UNIT + SHA256_DIGEST_LENGTH != size)
                return -EBADMSG;
        if (!SHA256((const unsigned char *) record, size - SHA256_DIGEST_LENGTH, digest) ||
            memcmp(digest, record + size - SHA256_DIGEST_LENGTH, SHA256_DIGEST_LENGTH) != 0)
                return -EBADMSG;

        memcpy(page, newline + 1, REPAIR_UNIT);
        *newline = '\0';
        return codec_intent_decode(record, ret, NULL);
}

static int record_visit(int dir_fd, const char *name, IntentFn fn, void *userdata) {
        _cleanup_free_ char *record = NULL;
        _cleanup_free_ void *page = NULL;
        _cleanup_intent_ Intent i = {};
        size_t size;
        int r;

        page = aligned_alloc(REPAIR_UNIT, REPAIR_UNIT);
        if (!page)
                return -ENOMEM;

        r = file_read(dir_fd, name, RECORD_MAX, &record, &size);
        if (r == -ENOENT)
                return 0;
        if (r < 0 && r != -EFBIG)
                return r;
        if (r >= 0)
                r = record_parse(record, size, &i, page);
        if (r == -ENOMEM)
                return r;

        return fn(name, r < 0 ? NULL : &i, r < 0 ? NULL : page, userdata);
}

static int is_other(const char *name, const Intent *older, const void *page, void *userdata) {
        return older && intent_memory(older, userdata) != INTENT_MEMORY_SAME ? INTENTS_E_OTHER : 0;
}

int intents_store(int dir_fd, const Intent *i, const void *page) {
        _cleanup_free_ char *record = NULL;
        char name[NAME_MAX];
        size_t size;
        int r;

        intent_name(i, name);
        r = record_visit(dir_fd, name, is_other, (void *) i);
        if (r == 0)
                r = record_make(i, page, &record, &size);
        if (r == 0)
                r = note_remove(dir_fd, i);
        if (r != 0)
                return r;
        return file_replace(dir_fd, name, record, size, 0600);
}

int intents_remove(int dir_fd, const Intent *i) {
        char name[NAME_MAX];
        int r;

        intent_name(i, name);
        r = file_remove(dir_fd, name);
        return r < 0 ? r : note_remove(dir_fd, i);
}

/* The digest that the record ends with says whose note it is: the boot is in it, and the page. */
typedef struct Note {
        uint8_t left[REPAIR_UNIT];
        uint8_t record[SHA256_DIGEST_LENGTH];
        uint8_t digest[SHA256_DIGEST_LENGTH];   /* of what comes before */
} Note;

static int note_make(const Intent *i, const void *page, const void *left, Note *ret) {
        _cleanup_free_ char *record = NULL;
        size_t size;
        int r;

        r = record_make(i, page, &record, &size);
        if (r < 0)
                return r;
        memcpy(ret->left, left, REPAIR_UNIT);
        memcpy(ret->record, record + size - SHA256_DIGEST_LENGTH, SHA256_DIGEST_LENGTH);
        return SHA256((const unsigned char *) ret, offsetof(Note, digest), ret->digest) ? 0 : -EIO;
}

int intents_note_left(int dir_fd, const Intent *i, const void *page, const void *left) {
        _cleanup_close_ int fd = -1;
        char name[NAME_MAX];
        Note note;
        int r;

        r = note_make(i, page, left, &note);
        if (r < 0)
                return r;
        note_name(i, name);
        fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        return pwrite_full(fd, &note, sizeof(note), 0);
}

int intents_left(int dir_fd, const Intent *i, const void *page, void *ret) {
        _cleanup_free_ char *text = NULL;
        char name[NAME_MAX];
        Note note;
        size_t n;
        int r;

        note_name(i, name);
        r = file_read(dir_fd, name, sizeof(note), &text, &n);
        if (r == -ENOENT || r == -EFBIG)
                return 0;
        if (r < 0)
                return r;
        if (n != sizeof(note))
                return 0;

        r = note_make(i, page, text, &note);
        if (r < 0)
                return r;
        if (memcmp(text, &note, sizeof(note)) != 0)
                return 0;
        memcpy(ret, text, REPAIR_UNIT);
        return 1;
}

int intents_end(int dir_fd, const Intent *i, IntentEnd end) {
        char name[NAME_MAX], ended[INTENT_ENDED_MAX];

        if (i->case_id == 0)
                return intents_remove(dir_fd, i);
        intent_name(i, name);
        intent_ended_name(i->case_id, end, name, ended);
        if (renameat(dir_fd, name, dir_fd, ended) < 0 && errno != ENOENT)
                return -errno;
        return fsync(dir_fd) < 0 ? -errno : note_remove(dir_fd, i);
}

static void dir_closep(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int names_walk(int dir_fd, int (*fn)(const char *name, void *userdata), void *userdata) {
        __attribute__((cleanup(dir_closep))) DIR *d = NULL;
        struct dirent *de;
        int fd, r = 0;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                (void) close(fd);
                return -ENOMEM;
        }

        while (r == 0 && (de = readdir(d)))
                r = fn(de->d_name, userdata);
        return r;
}

typedef struct Walk {
        int dir_fd;
        IntentFn fn;
        IntentEndedFn ended_fn;
        IntentEnd end;
        const char *disk;
        void *userdata;
} Walk;

/* What begins with a dot is over, or not finished, or no record. */
static int walk_name(const char *name, void *userdata) {
        const Walk *w = userdata;

        return name[0] == '.' ? 0 : record_visit(w->dir_fd, name, w->fn, w->userdata);
}

int intents_walk(int dir_fd, IntentFn fn, void *userdata) {
        Walk w = { .dir_fd = dir_fd, .fn = fn, .userdata = userdata };

        return names_walk(dir_fd, walk_name, &w);
}

static int ended_visit(const char *name, const Intent *i, const void *page, void *userdata) {
        const Walk *w = userdata;

        return i ? w->ended_fn(i, w->end, w->userdata) : 0;
}

static int walk_ended_name(const char *name, void *userdata) {
        Walk *w = userdata;
        uint64_t id;

        if (!intent_ended_parse(name, &id, &w->end))
                return 0;
        return record_visit(w->dir_fd, name, ended_visit, w);
}

int intents_walk_ended(int dir_fd, IntentEndedFn fn, void *userdata) {
        Walk w = { .dir_fd = dir_fd, .ended_fn = fn, .userdata = userdata };

        return names_walk(dir_fd, walk_ended_name, &w);
}

/* The note of a record (note_name()) that is there no more. */
static bool is_left_alone(int dir_fd, const char *name, const char *disk) {
        char begin[NAME_MAX];

        (void) snprintf(begin, sizeof(begin), ".left-%.64s-", disk);
        return strncmp(name, begin, strlen(begin)) == 0 &&
               faccessat(dir_fd, name + strlen(".left-"), F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int tidy_name(const char *name, void *userdata) {
        const Walk *w = userdata;
        char record[NAME_MAX], freeze[NAME_MAX];

        (void) snprintf(record, sizeof(record), "%.64s-", w->disk);
        (void) snprintf(freeze, sizeof(freeze), ".frozen-%.64s.", w->disk);
        if ((file_is_leftover(name, record) || file_is_leftover(name, freeze) ||
             is_left_alone(w->dir_fd, name, w->disk)) &&
            unlinkat(w->dir_fd, name, 0) < 0 && errno != ENOENT)
                return -errno;
        return 0;
}

int intents_tidy(int dir_fd, const char *device) {
        const char *slash = strrchr(device, '/');
        Walk w = { .dir_fd = dir_fd, .disk = slash ? slash + 1 : device };

        return names_walk(dir_fd, tidy_name, &w);
}
