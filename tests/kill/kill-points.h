/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A system call as it was entered. */
typedef struct Call {
        pid_t pid;
        long nr;
        uint64_t args[6];
} Call;

/* The calls that are looked at, one after the other, -1 at the end: at others nobody is stopped. */
long call_number(size_t i);

/* Can something that outlives the caller be different after this call (file, name, medium, lease, freeze,
 * mapping that can be stored to, message to another process)? `ret_what`, of 256 bytes: for people. What is
 * written to standard error is not counted. */
bool call_changes(const Call *c, char *ret_what);
