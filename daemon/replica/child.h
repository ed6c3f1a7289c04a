/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHILD_SAYS_MAX 160

/* How a program that was run ended. */
typedef struct ChildEnd {
        int status;             /* exit status; -1: by a signal, or it was killed here */
        int signal;             /* that ended it; 0: none */
        bool too_much;          /* it wrote more than was asked for, and was killed */
        size_t n;               /* bytes of its output */
        char says[CHILD_SAYS_MAX];      /* the first line that it wrote to its standard error, printable */
} ChildEnd;

/* Runs a program with these arguments and this environment, nothing else of ours, in a session of its own,
 * and puts at most `max` bytes of what it writes into buf. What it leaves running in its process group is
 * killed when it ends, and all of it at the deadline (CLOCK_MONOTONIC). 0, -ETIMEDOUT, or another negative
 * errno. */
int child_run(char *const *argv, char *const *envp, void *buf, size_t max, uint64_t deadline_usec,
              ChildEnd *ret);
