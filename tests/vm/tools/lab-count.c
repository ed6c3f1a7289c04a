/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lab-count.h"

#define SECTORS 8
#define SECTOR 512

static volatile sig_atomic_t ended;
static sigjmp_buf bus_error;
static volatile uint64_t expected[SECTORS], stores, lost, longest, errors;

static void on_term(int sig) {
        (void) sig;
        ended = 1;
}

static void on_bus_error(int sig) {
        (void) sig;
        siglongjmp(bus_error, 1);
}

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* One store, which is counted when it has been made. */
static void count(volatile uint64_t *counter, volatile uint64_t *wanted) {
        uint64_t found = *counter;

        lost += found != *wanted;
        *counter = found + 1;
        *wanted = found + 1;
        stores++;
}

_Noreturn void count_stores(volatile void *page, unsigned bad) {
        volatile uint64_t *counters[SECTORS];
        volatile uint64_t last;

        signal(SIGTERM, on_term);
        signal(SIGBUS, on_bus_error);
        for (unsigned i = 0; i < SECTORS; i++) {
                counters[i] = (volatile uint64_t *) ((volatile char *) page + i * SECTOR);
                expected[i] = i == bad ? 0 : *counters[i];
        }
        printf("holding\n");
        fflush(stdout);

        /* While the page is poisoned a fault on it is SIGBUS: whoever touches it just as the kernel
         * write-protects it (page_vma_mkclean_one() takes the entry away for a moment) can get one. */
        last = now_usec();
        if (sigsetjmp(bus_error, 1)) {
                errors++;
                usleep(1000);
        }
        while (!ended) {
                uint64_t now;

                for (unsigned i = 0; i < SECTORS; i++)
                        if (i != bad)
                                count(counters[i], expected + i);
                now = now_usec();
                if (now - last > longest)
                        longest = now - last;
                last = now;
        }
        for (unsigned i = 0; i < SECTORS; i++)
                lost += i != bad && *counters[i] != expected[i];
        printf("%llu stores, %llu lost, longest pause %llu, %llu bus errors\n", (unsigned long long) stores,
               (unsigned long long) lost, (unsigned long long) longest, (unsigned long long) errors);
        exit(EXIT_SUCCESS);
}
