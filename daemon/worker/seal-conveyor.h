/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/stat.h>

#include "worker/seal-store.h"

/* Files are read and hashed by several threads: a small one by one of them, a large one by all. */

/* A file that is being sealed; opened, and under a read lease. The conveyor owns it once it has taken it. */
typedef struct Sealing {
        int fd;
        struct stat before;
        Seal seal;
        SealDraft *draft;

        /* the conveyor's */
        uint64_t taken, done;   /* blocks */
        int error;              /* the first one; then the rest is not read */
} Sealing;

Sealing *sealing_free(Sealing *s);
DEFINE_CLEANUP(Sealing *, sealing_free);

/* What Sealing.error can be besides a negative errno (of reading it, or of storing the seal: `stored`). */
enum {
        _SEALING_E_SUCCESS,

        SEALING_E_CHANGED,      /* somebody changed it, or opened it for writing, meanwhile */
        SEALING_E_UNREADABLE,   /* EIO: poison, or a page that is not present */
};

/* Called in one of the threads, one at a time: this file is done, well or badly (s->error). */
typedef void (*SealingFn)(const Sealing *s, void *userdata);
/* … and these bytes have been hashed. */
typedef void (*SealedBytesFn)(uint64_t bytes, void *userdata);

typedef struct Conveyor Conveyor;

/* 0 or a negative errno. */
int conveyor_new(unsigned threads, SealingFn done, SealedBytesFn bytes, void *userdata, Conveyor **ret);

/* Waits while the conveyor is full. Takes s over. */
void conveyor_put(Conveyor *c, Sealing *s);

/* Waits until everything is done, and ends the threads. */
Conveyor *conveyor_free(Conveyor *c);
DEFINE_CLEANUP(Conveyor *, conveyor_free);
