/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads that live as long as the call: they inherit what the calling one may do (capabilities are each
 * thread's own), and none is left when a process is forked. */

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "util/parallel.h"

typedef struct Work {
        ParallelFn fn;
        void *userdata;
        size_t n;
        atomic_size_t next;
        atomic_int result;
} Work;

typedef struct Hand {
        Work *work;
        unsigned thread;
        pthread_t id;
} Hand;

unsigned parallel_threads(void) {
        cpu_set_t set;
        int n;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        n = CPU_COUNT(&set);
        return n < 1 ? 1 : (unsigned) n < PARALLEL_MAX ? (unsigned) n : PARALLEL_MAX;
}

static void *work(void *userdata) {
        Hand *h = userdata;
        Work *w = h->work;

        while (atomic_load(&w->result) == 0) {
                const size_t i = atomic_fetch_add(&w->next, 1);
                int r, none = 0;

                if (i >= w->n)
                        break;
                r = w->fn(h->thread, i, w->userdata);
                if (r != 0)
                        (void) atomic_compare_exchange_strong(&w->result, &none, r);
        }
        return NULL;
}

int parallel_for(unsigned threads, size_t n, ParallelFn fn, void *userdata) {
        Work w = { .fn = fn, .userdata = userdata, .n = n };
        Hand hands[PARALLEL_MAX];
        unsigned started = 1;
        sigset_t all, before;

        assert(fn);

        if (threads > PARALLEL_MAX)
                threads = PARALLEL_MAX;
        if (threads > n)
                threads = (unsigned) n;

        /* Signals are the calling thread's. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        for (; started < threads; started++) {
                hands[started] = (Hand) { .work = &w, .thread = started };
                if (pthread_create(&hands[started].id, NULL, work, &hands[started]) != 0)
                        break;
        }
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

        hands[0] = (Hand) { .work = &w };
        (void) work(&hands[0]);
        for (unsigned i = 1; i < started; i++)
                (void) pthread_join(hands[i].id, NULL);
        return atomic_load(&w.result);
}
