/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/offer.h"
#include "util/cleanup.h"

/* What is asked of a replica: the bytes of one file. */
typedef struct Subject {
        const char *relative;   /* path below the protect's Path=, no leading slash; "" for Path= itself */
        uint64_t size;          /* of the file that lost bytes */
        struct timespec mtime;
        uint32_t device_major, device_minor;    /* of the poisoned device: a replica there is none */
} Subject;

typedef struct Replica Replica;

typedef struct ReplicaOps {
        const char *name;       /* "mirror": the word before the colon in Replica= */
        const char *description;

        /* Checks an argument (what follows the colon) without touching anything, for --check-config.
         * *ret_error: a sentence, the caller frees it. 0 or -EINVAL. */
        int (*check)(const char *argument, char **ret_error);

        /* Opens the replica for one subject; holds it open until close, so that what was checked is what is
         * read. As replica_open(), without the prefix; `offer` comes initialised (OFFER_MISSING), with
         * `replica` set. */
        int (*open)(const char *argument, const Subject *subject, Replica **ret, Offer *offer);
        void (*close)(Replica *r);

        /* Fills exactly n bytes of the file from `offset`, or fails; a short read is -ENODATA. */
        int (*read)(Replica *r, uint64_t offset, void *buf, size_t n);
} ReplicaOps;

/* The first member of each backend's own struct. */
struct Replica {
        const ReplicaOps *ops;
        uint64_t size;                  /* of what can be read */
};

extern const ReplicaOps *const replica_table[]; /* NULL-terminated; replicas.c */

/* Checks the text of a Replica= value. 0 or -EINVAL with a sentence in *ret_error (the caller frees it). */
int replica_check(const char *uri, char **ret_error);

enum {
        _REPLICA_E_SUCCESS,

        REPLICA_E_NONE,         /* nothing to read there: `offer` says why (state, detail) */
};

/* Opens `uri` ("mirror:/srv/mirror/db") for a subject. *offer (initialised by this call, owned by the
 * caller, also on failure) tells what is there: OFFER_HELD with PROOF_IDENTITY where size and mtime agree, a
 * sentence in `detail` where they do not. 0 and *ret, REPLICA_E_NONE, or a negative errno. */
int replica_open(const char *uri, const Subject *subject, Replica **ret, Offer *offer);

/* As ops->read; -ENODATA when the range ends behind what the replica has. */
int replica_read(Replica *r, uint64_t offset, void *buf, size_t n);

Replica *replica_free(Replica *r);
DEFINE_CLEANUP(Replica *, replica_free);
