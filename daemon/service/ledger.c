/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The record of cases. The names of the files are the index: they tell which ids are taken, so that no
 * counter can get lost or disagree. The newest case is never pruned, hence the highest name is always the
 * highest id that was stored. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/codec.h"
#include "service/ledger.h"
#include "util/file.h"
#include "util/vec.h"

/* "18446744073709551615.json.bad.99" */
#define NAME_SIZE 48

#define CASE_FILE_MAX ((size_t) 16 * 1024 * 1024)

typedef struct Entry {
        uint64_t id;
        bool closed;
        bool durable;           /* what there is of it survives a power cut, and what replaces it must as
                                 * well */
} Entry;

struct Ledger {
        char *path;             /* of the folder, for complaints */
        int dir_fd;             /* -1: keeps nothing */
        uint64_t next_id;
        size_t history, closed;
        struct { Entry *items; size_t n, allocated; } entries;  /* by id */
};

Ledger *ledger_free(Ledger *l) {
        if (!l)
                return NULL;

        closep(&l->dir_fd);
        vec_done(&l->entries);
        free(l->path);
        free(l);
        return NULL;
}

/* Where `id` is, or belongs. */
static size_t entry_index(const Ledger *l, uint64_t id) {
        size_t low = 0, high = l->entries.n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (l->entries.items[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int entry_add(Ledger *l, uint64_t id, Entry **ret) {
        size_t i = entry_index(l, id);

        if (i == l->entries.n || l->entries.items[i].id != id) {
                int r = vec_insert(&l->entries, i, ((Entry) { .id = id }));
                if (r < 0)
                        return r;
        }
        if (id >= l->next_id)
                l->next_id = id + 1;
        *ret = &l->entries.items[i];
        return 0;
}

static void entry_set_closed(Ledger *l, Entry *e, bool closed) {
        l->closed += closed;
        l->closed -= e->closed;
        e->closed = closed;
}

static void entry_remove(Ledger *l, size_t i) {
        entry_set_closed(l, &l->entries.items[i], false);
        vec_remove(&l->entries, i, 1);
}

/* The id in front of ".json", and what stands behind it; false for any other name. */
static bool parse_name(const char *name, uint64_t *ret_id, const char **ret_rest) {
        uint64_t id = 0;
        const char *p;

        if (*name < '1' || *name > '9')
                return false;
        for (p = name; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(id, UINT64_C(10), &id) ||
                    __builtin_add_overflow(id, (uint64_t) (*p - '0'), &id))
                        return false;
        if (id >= UINT64_MAX / 2 || strncmp(p, ".json", 5) != 0)        /* so far nobody counts: not ours */
                return false;

        *ret_id = id;
        *ret_rest = p + 5;
        return true;
}

static int scan_name(Ledger *l, const char *name) {
        const char *rest;
        uint64_t id;
        Entry *e;

        /* what file_replace() was writing when the machine stopped */
        if (name[0] == '.' && parse_name(name + 1, &id, &rest) && *rest == '.') {
                (void) unlinkat(l->dir_fd, name, 0);
                return 0;
        }

        if (!parse_name(name, &id, &rest))
                return 0;
        if (*rest == '\0')
                return entry_add(l, id, &e);
        if (strncmp(rest, ".bad", 4) == 0 && id >= l->next_id)
                l->next_id = id + 1;
        return 0;
}

static void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

static int scan(Ledger *l) {
        _cleanup_(closedirp) DIR *d = NULL;
        _cleanup_close_ int fd = openat(l->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d)
                return -errno;
        TAKE_FD(fd);

        for (;;) {
                struct dirent *e;
                int r;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return -errno;
                r = scan_name(l, e->d_name);
                if (r < 0)
                        return r;
        }
}

static int open_folder(Ledger *l, const char *state_dir) {
        if (asprintf(&l->path, "%s/cases", state_dir) < 0) {
                l->path = NULL;
                return -ENOMEM;
        }
        /* on a read-only file system there may be one to be read; if there is none, open says so. Should a
         * crash take the new folder away again, it takes nothing that the kernel does not still list. */
        (void) mkdir(l->path, 0700);
        l->dir_fd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l->dir_fd < 0)
                return -errno;
        return scan(l);
}

int ledger_open(const char *state_dir, size_t history, Ledger **ret) {
        _cleanup_(ledger_freep) Ledger *l = NULL;

        assert(history >= 1);
        assert(ret);

        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->dir_fd = -1;
        l->next_id = 1;
        l->history = history;

        if (state_dir) {
                int r = open_folder(l, state_dir);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(l);
        return 0;
}

/* Never over another file: that was somebody's evidence too. */
static int rename_bad(const Ledger *l, uint64_t id) {
        char name[NAME_SIZE], bad[NAME_SIZE];

        (void) snprintf(name, sizeof(name), "%" PRIu64 ".json", id);
        for (unsigned i = 0; i < 100; i++) {
                if (i == 0)
                        (void) snprintf(bad, sizeof(bad), "%" PRIu64 ".json.bad", id);
                else
                        (void) snprintf(bad, sizeof(bad), "%" PRIu64 ".json.bad.%u", id, i);
                if (renameat2(l->dir_fd, name, l->dir_fd, bad, RENAME_NOREPLACE) == 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

enum {
        _READ_E_SUCCESS,

        READ_E_BAD,             /* it holds no case: set it aside */
        READ_E_FAILED,          /* it could not be read, this time */
        READ_E_EMPTY,
};

/* 0 and the case; READ_E_* and a sentence; or -ENOMEM. */
static int read_case(const Ledger *l, uint64_t id, const char *name, Case **ret, char **ret_why) {
        _cleanup_(case_freep) Case *c = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        r = file_read(l->dir_fd, name, CASE_FILE_MAX, &text, &n);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return asprintf(ret_why, "it cannot be read: %s", strerrordesc_np(-r)) < 0 ? -ENOMEM
                                                                                           : READ_E_FAILED;
        if (n == 0)
                return READ_E_EMPTY;
        if (strlen(text) != n)
                return asprintf(ret_why, "it has a NUL byte") < 0 ? -ENOMEM : READ_E_BAD;

        r = codec_case_decode(text, &c, ret_why);
        if (r < 0)
                return r == -EBADMSG ? READ_E_BAD : r;
        if (c->id != id)
                return asprintf(ret_why, "it holds case %" PRIu64, c->id) < 0 ? -ENOMEM : READ_E_BAD;

        *ret = TAKE_PTR(c);
        return 0;
}

/* Reads one case and hands it on. */
static int load_entry(Ledger *l, size_t i, const LedgerVisitor *visitor, void *userdata) {
        uint64_t id = l->entries.items[i].id;
        _cleanup_free_ char *why = NULL, *path = NULL;
        char name[NAME_SIZE];
        Case *c = NULL;
        int r;

        (void) snprintf(name, sizeof(name), "%" PRIu64 ".json", id);
        r = read_case(l, id, name, &c, &why);
        if (r < 0)
                return r;
        /* Its first state was on its way when the power failed: the kernel's list has the rest. */
        if (r == READ_E_EMPTY) {
                (void) file_remove(l->dir_fd, name);
                entry_remove(l, i);
                return 0;
        }
        if (r == 0) {
                l->entries.items[i].durable = true;
                entry_set_closed(l, &l->entries.items[i], case_state_is_closed(c->state));
                return visitor->found(c, userdata);
        }

        if (asprintf(&path, "%s/%s", l->path, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        entry_remove(l, i);
        if (r == READ_E_BAD)
                (void) rename_bad(l, id);       /* else it is found again next time; it is told either way */
        visitor->set_aside(path, why, userdata);
        return 0;
}

int ledger_load(Ledger *l, const LedgerVisitor *visitor, void *userdata) {
        assert(l);
        assert(visitor);

        /* by id, not by index: found() may store */
        for (uint64_t next = 0;;) {
                size_t i = entry_index(l, next);
                int r;

                if (i == l->entries.n)
                        return 0;
                next = l->entries.items[i].id + 1;
                r = load_entry(l, i, visitor, userdata);
                if (r < 0)
                        return r;
        }
}

uint64_t ledger_next_id(Ledger *l) {
        assert(l);

        return l->next_id++;
}

/* What cannot be removed now is tried again after the next store: history that is too long harms nobody. */
static void prune(Ledger *l) {
        for (size_t i = 0; i < l->entries.n && l->closed > l->history;) {
                char name[NAME_SIZE];

                if (!l->entries.items[i].closed) {
                        i++;
                        continue;
                }
                (void) snprintf(name, sizeof(name), "%" PRIu64 ".json", l->entries.items[i].id);
                if (file_remove(l->dir_fd, name) < 0)
                        return;
                entry_remove(l, i);
        }
}

/* That poison was found, and whose it is, is not worth waiting for the disk, while it is to be healed: after
 * a power cut the kernel's list tells the same. Whatever comes after that is. That a worker begins is, since
 * the intent log tells of cases by their numbers: it must not outlive a case, whose number would be given to
 * another. */
static bool state_is_durable(CaseState s) {
        return s != CASE_DETECTED && s != CASE_LOCATED;
}

int ledger_store(Ledger *l, const Case *c) {
        _cleanup_free_ char *text = NULL;
        char name[NAME_SIZE];
        Entry *e;
        size_t n;
        int r;

        assert(l);
        assert(c);
        assert(c->id > 0 && c->id < UINT64_MAX / 2);

        if (c->id >= l->next_id)
                l->next_id = c->id + 1;
        if (l->dir_fd < 0)
                return 0;

        text = codec_case_encode(c);
        if (!text)
                return -ENOMEM;
        n = strlen(text);
        text[n] = '\n';                 /* in the place of the NUL: a file of lines */
        r = entry_add(l, c->id, &e);
        if (r < 0)
                return r;
        (void) snprintf(name, sizeof(name), "%" PRIu64 ".json", c->id);
        if (e->durable || state_is_durable(c->state))
                r = file_replace(l->dir_fd, name, text, n + 1, 0600);
        else
                r = file_replace_lazily(l->dir_fd, name, text, n + 1, 0600);
        if (r < 0)
                return r;
        e->durable = e->durable || state_is_durable(c->state);

        entry_set_closed(l, e, case_state_is_closed(c->state));
        prune(l);
        return 0;
}
