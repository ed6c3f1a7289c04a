/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Replicas that are files of this machine, for which a worker must have its rights: mirrors and images. What
 * they lie on may be a network or another program, and a system call about them may then take for ever, so
 * that not even SIGKILL ends it (fs/fuse/dev.c request_wait_answer() waits for what the other side has
 * begun; a directory of a suspended device is waited for in wait_on_buffer()). The worker holds the lock of
 * its device and has others to heal, so it does not make these calls: a thread does, for one call each. When
 * the time is over, the thread is left where it is with all that it needs, and puts that away if it ever
 * comes back. */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "replica/refuse.h"
#include "replica/replica-backends.h"
#include "replica/silent.h"
#include "util/str.h"
#include "util/time-util.h"

#define TIMEOUT_DEFAULT_USEC USEC_PER_MINUTE
#define CLOSE_USEC (5 * USEC_PER_SEC)   /* nobody needs its answer */
#define STACK_SIZE (256 * 1024)

typedef struct Call Call;

struct Call {
        pthread_mutex_t lock;
        pthread_cond_t over;
        bool done, left;        /* the thread has its answer; nobody waits for it any more */
        int (*run)(Call *c);
        int result;

        const ReplicaOps *ops;
        char *uri, *relative;
        Subject subject;        /* with `relative`; what it lends is not used by files */
        Replica *replica;       /* of the thread while it runs */
        Offer offer;
        uint64_t offset;
        uint8_t *bytes;
        size_t n;
};

typedef struct Aside {
        Replica replica;
        const ReplicaOps *ops;
        Replica *inner;         /* NULL: a thread hangs with it */
        char *uri;
        uint64_t deadline_usec;
} Aside;

static Call *call_free(Call *c) {
        if (!c)
                return NULL;
        if (c->replica)
                c->ops->close(c->replica);
        offer_done(&c->offer);
        free(c->bytes);
        free(c->relative);
        free(c->uri);
        (void) pthread_cond_destroy(&c->over);
        (void) pthread_mutex_destroy(&c->lock);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(Call *, call_free);

static int call_new(const ReplicaOps *ops, const char *uri, int (*run)(Call *), Call **ret) {
        pthread_condattr_t attr;
        Call *c;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->ops = ops;
        c->run = run;
        (void) pthread_mutex_init(&c->lock, NULL);
        (void) pthread_condattr_init(&attr);
        (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&c->over, &attr);
        (void) pthread_condattr_destroy(&attr);
        c->uri = strdup(uri);
        if (!c->uri) {
                call_free(c);
                return -ENOMEM;
        }
        *ret = c;
        return 0;
}

static int run_open(Call *c) {
        const char *argument;

        (void) replica_kind_of(c->uri, &argument);
        return c->ops->open(argument, &c->subject, &c->replica, &c->offer);
}

static int run_read(Call *c) {
        return c->ops->read(c->replica, c->offset, c->bytes, c->n);
}

static int run_close(Call *c) {
        c->ops->close(TAKE_PTR(c->replica));
        return 0;
}

static void *thread_main(void *userdata) {
        Call *c = userdata;
        bool left;
        int r;

        r = c->run(c);
        (void) pthread_mutex_lock(&c->lock);
        c->result = r;
        c->done = true;
        left = c->left;
        (void) pthread_cond_signal(&c->over);
        (void) pthread_mutex_unlock(&c->lock);
        if (left) {
                _cleanup_free_ char *uri = TAKE_PTR(c->uri);

                call_free(c);   /* closing may hang once more */
                silent_ended(uri);
        }
        return NULL;
}

static int start(Call *c) {
        pthread_attr_t attr;
        pthread_t thread;
        int r;

        if (pthread_attr_init(&attr) != 0)
                return -ENOMEM;
        (void) pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        (void) pthread_attr_setstacksize(&attr, STACK_SIZE);
        r = pthread_create(&thread, &attr, thread_main, c);
        (void) pthread_attr_destroy(&attr);
        return -r;
}

/* Has it run, until the deadline. Its result; or, with *c NULL, since it is the thread's now, -ETIMEDOUT. */
static int call_run(Call **c, uint64_t deadline_usec) {
        const struct timespec until = { .tv_sec = (time_t) (deadline_usec / USEC_PER_SEC),
                                        .tv_nsec = (long) (deadline_usec % USEC_PER_SEC) * 1000 };
        Call *k = *c;
        bool done;
        int r;

        if (silent_is_full())
                return -ETIMEDOUT;
        r = start(k);
        if (r < 0)
                return r == -EAGAIN ? -ENOMEM : r;

        (void) pthread_mutex_lock(&k->lock);
        while (!k->done && pthread_cond_timedwait(&k->over, &k->lock, &until) == 0)
                ;
        done = k->done;
        r = k->result;
        if (!done) {
                k->left = true;
                (void) silent_add(k->uri, true);
                *c = NULL;
        }
        (void) pthread_mutex_unlock(&k->lock);
        return done ? r : -ETIMEDOUT;
}

/* Takes over what the thread has found. */
static int opened(Call *c, Aside *a, Offer *offer) {
        offer->state = c->offer.state;
        offer->proofs = c->offer.proofs;
        offer->untimed = c->offer.untimed;
        free(offer->detail);
        offer->detail = TAKE_PTR(c->offer.detail);
        if (c->result == 0) {
                a->inner = TAKE_PTR(c->replica);
                a->replica.size = a->inner->size;
                a->replica.source = a->inner->source;
        }
        return c->result;
}

static Aside *aside_free(Aside *a) {
        if (!a)
                return NULL;
        free(a->uri);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(Aside *, aside_free);

static int aside_open(const ReplicaOps *ops, const Subject *subject, Replica **ret, Offer *offer) {
        _cleanup_(aside_freep) Aside *a = NULL;
        _cleanup_(call_freep) Call *c = NULL;
        int r;

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->ops = ops;
        a->deadline_usec = subject->deadline_usec ? subject->deadline_usec
                                                  : now_monotonic() + TIMEOUT_DEFAULT_USEC;
        r = str_copy(offer->replica, &a->uri);
        if (r >= 0)
                r = call_new(ops, offer->replica, run_open, &c);
        if (r >= 0)
                r = str_copy(subject->relative, &c->relative);
        if (r < 0)
                return r;
        c->subject = *subject;
        c->subject.relative = c->relative;
        c->offer = (Offer) { .state = offer->state, .witness = offer->witness };

        r = call_run(&c, a->deadline_usec);
        if (r == -ETIMEDOUT)
                return none(offer, OFFER_UNREACHABLE, "there was no answer in time: what it lies on hangs");
        if (r < 0)
                return r;
        r = opened(c, a, offer);
        if (r == 0)
                *ret = &TAKE_PTR(a)->replica;
        return r;
}

static int aside_read(Replica *r, uint64_t offset, void *buf, size_t n) {
        Aside *a = (Aside *) r;
        _cleanup_(call_freep) Call *c = NULL;
        int q;

        if (!a->inner)
                return -ETIMEDOUT;
        q = call_new(a->ops, a->uri, run_read, &c);
        if (q < 0)
                return q;
        c->bytes = malloc(n);
        if (!c->bytes)
                return -ENOMEM;
        c->offset = offset;
        c->n = n;
        c->replica = TAKE_PTR(a->inner);

        q = call_run(&c, a->deadline_usec);
        if (!c)
                return q;
        a->inner = TAKE_PTR(c->replica);
        if (q >= 0)
                memcpy(buf, c->bytes, n);
        return q;
}

/* Of a file that is only read; but FUSE is told, and waited for (fs/fuse/file.c fuse_flush()). */
static void aside_close(Replica *r) {
        Aside *a = (Aside *) r;
        _cleanup_(call_freep) Call *c = NULL;

        if (a->inner && call_new(a->ops, a->uri, run_close, &c) >= 0) {
                c->replica = TAKE_PTR(a->inner);
                (void) call_run(&c, now_monotonic() + CLOSE_USEC);
        }
        if (a->inner)
                a->ops->close(a->inner);
        aside_free(a);
}

static int open_mirror(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        return aside_open(&replica_mirror, subject, ret, offer);
}

static int open_block(const char *argument, const Subject *subject, Replica **ret, Offer *offer) {
        return aside_open(&replica_block, subject, ret, offer);
}

const ReplicaOps replica_aside_mirror = {
        .kind = REPLICA_MIRROR,
        .open = open_mirror,
        .close = aside_close,
        .read = aside_read,
};

const ReplicaOps replica_aside_block = {
        .kind = REPLICA_BLOCK,
        .image = true,
        .open = open_block,
        .close = aside_close,
        .read = aside_read,
};
