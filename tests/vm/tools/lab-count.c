/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lab-count.h"

#define SECTORS 8
#define SECTOR 512

static volatile sig_atomic_t ended;

static void on_term(int sig) {
        (void) sig;
        ended = 1;
}

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

_Noreturn void count_stores(volatile void *page, unsigned bad) {
        uint64_t expected[SECTORS], stores = 0, lost = 0, last, longest = 0;
        volatile uint64_t *counters[SECTORS];

        signal(SIGTERM, on_term);
        for (unsigned i = 0; i < SECTORS; i++) {
                counters[i] = (volatile uint64_t *) ((volatile char *) page + i * SECTOR);
                expected[i] = i == bad ? 0 : *counters[i];
        }
        printf("holding\n");
        fflush(stdout);

        last = now_usec();
        while (!ended) {
                uint64_t now;

                for (unsigned i = 0; i < SECTORS; i++) {
                        if (i == bad)
                                continue;
                        lost += *counters[i] != expected[i];
                        expected[i] = *counters[i] + 1;
                        *counters[i] = expected[i];
                        stores++;
                }
                now = now_usec();
                if (now - last > longest)
                        longest = now - last;
                last = now;
        }
        for (unsigned i = 0; i < SECTORS; i++)
                lost += i != bad && *counters[i] != expected[i];
        printf("%llu stores, %llu lost, longest pause %llu\n", (unsigned long long) stores,
               (unsigned long long) lost, (unsigned long long) longest);
        exit(EXIT_SUCCESS);
}
