/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The piece of work is one block of digests (127 pages). Threads take the blocks of the oldest file until it
 * has no more, then those of the next: so a large file keeps all of them busy, and so do many small ones.
 * Whoever finishes the last block of a file looks whether it is still as it was, and commits the seal. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "util/file.h"
#include "util/vec.h"
#include "worker/seal-conveyor.h"

#define FILES_MAX 64            /* open at a time */
#define BLOCK_BYTES (SEAL_BLOCK_PAGES * REPAIR_UNIT)

struct Conveyor {
        pthread_mutex_t lock;
        pthread_cond_t more, room;
        struct { Sealing **items; size_t n, allocated; } files; /* with blocks that nobody has taken */
        size_t open;                    /* files put, and not done */
        bool closed;
        SealingFn done;
        SealedBytesFn bytes;
        void *userdata;
        pthread_t *threads;
        unsigned n_threads;
};

Sealing *sealing_free(Sealing *s) {
        if (!s)
                return NULL;
        seal_draft_free(s->draft);
        closep(&s->fd);                 /* the lease goes with it */
        seal_done(&s->seal);
        free(s);
        return NULL;
}

static bool is_leased(const Sealing *s) {
        return fcntl(s->fd, F_GETLEASE) == F_RDLCK;
}

static bool same_time(struct timespec a, struct timespec b) {
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whoever wants to open the file for writing waits for us: let him, at once. */
static int hash_block(Sealing *s, uint64_t block, Digester *d, uint8_t *buffer) {
        uint64_t first = block * SEAL_BLOCK_PAGES;
        size_t pages = seal_block_pages(&s->seal, block);
        uint64_t start = seal_page_range(&s->seal, first).start;
        uint64_t end = seal_page_range(&s->seal, first + pages - 1).end;
        uint8_t digests[SEAL_BLOCK_PAGES * SEAL_DIGEST];
        int r;

        if (!is_leased(s))
                return SEALING_E_CHANGED;
        r = pread_full(s->fd, buffer, end - start, start);
        if (r == -EIO || r == -EFAULT)
                return SEALING_E_UNREADABLE;
        if (r < 0)
                return r == -ENODATA ? SEALING_E_CHANGED : r;

        for (size_t i = 0; r >= 0 && i < pages; i++) {
                Range page = seal_page_range(&s->seal, first + i);

                r = digest(d,
                           (const DigestPart[]) { { buffer + (page.start - start), range_size(page) }, {} },
                           digests + i * SEAL_DIGEST);
        }
        return r < 0 ? r : seal_draft_block(s->draft, d, &s->seal, block, digests);
}

static int finish_file(Sealing *s) {
        struct stat now;

        if (s->error != 0)
                return s->error;
        if (fstat(s->fd, &now) < 0)
                return -errno;
        if (!is_leased(s) || now.st_size != s->before.st_size ||
            !same_time(now.st_mtim, s->before.st_mtim) || !same_time(now.st_ctim, s->before.st_ctim))
                return SEALING_E_CHANGED;

        return seal_draft_commit(s->draft);
}

/* Locked. NULL: nothing is left to do. */
static Sealing *take_block(Conveyor *c, uint64_t *ret) {
        Sealing *s;

        while (c->files.n == 0 && !c->closed)
                (void) pthread_cond_wait(&c->more, &c->lock);
        if (c->files.n == 0)
                return NULL;

        s = c->files.items[0];
        *ret = s->taken++;
        if (s->taken == seal_blocks(&s->seal))
                vec_remove(&c->files, 0, 1);
        return s;
}

/* Locked. */
static void give_back(Conveyor *c, Sealing *s, int error, uint64_t bytes) {
        if (error != 0 && s->error == 0)
                s->error = error;
        if (error == 0 && c->bytes)
                c->bytes(bytes, c->userdata);
        if (++s->done < seal_blocks(&s->seal))
                return;

        (void) pthread_mutex_unlock(&c->lock);
        error = finish_file(s);
        (void) pthread_mutex_lock(&c->lock);
        s->error = error;
        c->done(s, c->userdata);
        (void) sealing_free(s);
        c->open--;
        (void) pthread_cond_signal(&c->room);
}

static void *work(void *userdata) {
        _cleanup_(digester_freep) Digester *d = NULL;
        _cleanup_free_ uint8_t *buffer = malloc(BLOCK_BYTES);
        Conveyor *c = userdata;
        uint64_t block;
        Sealing *s;

        if (digester_new(&d) < 0)
                d = NULL;

        (void) pthread_mutex_lock(&c->lock);
        while ((s = take_block(c, &block))) {
                uint64_t bytes = (uint64_t) seal_block_pages(&s->seal, block) * REPAIR_UNIT;
                bool skip = s->error != 0;
                int r = -ENOMEM;

                (void) pthread_mutex_unlock(&c->lock);
                if (skip)
                        r = 0;
                else if (d && buffer)
                        r = hash_block(s, block, d, buffer);
                (void) pthread_mutex_lock(&c->lock);
                give_back(c, s, r, skip ? 0 : bytes);
        }
        (void) pthread_mutex_unlock(&c->lock);
        return NULL;
}

int conveyor_new(unsigned threads, SealingFn done, SealedBytesFn bytes, void *userdata, Conveyor **ret) {
        _cleanup_(conveyor_freep) Conveyor *c = calloc(1, sizeof(*c));

        assert(threads > 0);

        if (!c)
                return -ENOMEM;
        (void) pthread_mutex_init(&c->lock, NULL);
        (void) pthread_cond_init(&c->more, NULL);
        (void) pthread_cond_init(&c->room, NULL);
        c->done = done;
        c->bytes = bytes;
        c->userdata = userdata;
        c->threads = calloc(threads, sizeof(*c->threads));
        if (!c->threads || vec_reserve((void **) &c->files.items, &c->files.allocated, FILES_MAX,
                                       sizeof(*c->files.items)) < 0)
                return -ENOMEM;

        while (c->n_threads < threads) {
                int r = pthread_create(c->threads + c->n_threads, NULL, work, c);

                if (r != 0 && c->n_threads == 0)
                        return -r;
                if (r != 0)
                        break;          /* fewer will do */
                c->n_threads++;
        }

        *ret = TAKE_PTR(c);
        return 0;
}

void conveyor_put(Conveyor *c, Sealing *s) {
        (void) pthread_mutex_lock(&c->lock);
        while (c->open >= FILES_MAX)
                (void) pthread_cond_wait(&c->room, &c->lock);
        c->open++;
        c->files.items[c->files.n++] = s;       /* room was reserved for as many as can be open */
        (void) pthread_cond_broadcast(&c->more);
        (void) pthread_mutex_unlock(&c->lock);
}

Conveyor *conveyor_free(Conveyor *c) {
        if (!c)
                return NULL;

        (void) pthread_mutex_lock(&c->lock);
        c->closed = true;
        (void) pthread_cond_broadcast(&c->more);
        (void) pthread_mutex_unlock(&c->lock);
        for (unsigned i = 0; i < c->n_threads; i++)
                (void) pthread_join(c->threads[i], NULL);

        (void) pthread_cond_destroy(&c->room);
        (void) pthread_cond_destroy(&c->more);
        (void) pthread_mutex_destroy(&c->lock);
        vec_done(&c->files);
        free(c->threads);
        free(c);
        return NULL;
}
