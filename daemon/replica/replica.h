/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "core/credentials.h"
#include "core/offer.h"
#include "core/rangeset.h"
#include "core/replica-uri.h"
#include "core/spacemap.h"
#include "util/cleanup.h"

/* What is asked of a replica: the bytes of one file. */
typedef struct Subject {
        const char *relative;   /* path below the protect's Path=, no leading slash; "" for Path= itself */
        char *const *others;    /* more of such paths, NULL-terminated: other names of the file, to be
                                 * asked for where there is no such file; NULL: none */
        uint64_t size;          /* of the file that lost bytes */
        struct timespec mtime;
        bool untimed;           /* it is no file but a device-dax: nobody keeps a time of it, so that nothing
                                 * can be identical with it */
        uint32_t device_major, device_minor;    /* of the poisoned device: a replica there is none */
        uint32_t fs_major, fs_minor;    /* of the file system's own device, where that is another one and
                                         * does not stand on it: nor is a replica there. 0, 0: as above */
        const SpaceMap *places; /* file offsets -> addresses on the device of the file system, as far as they
                                 * are known: what an image of the device is asked for; NULL: none */
        uint64_t deadline_usec; /* CLOCK_MONOTONIC, for all that is asked of it; 0: a minute from now */
        const char *credentials_dir;    /* where a worker finds credentials; NULL: nowhere */
        const Credentials *credentials; /* what is to be shown; NULL: none */
} Subject;

typedef struct Replica Replica;

typedef struct ReplicaOps {
        ReplicaKind kind;
        bool image;             /* it has the bytes of the device, by address, and not those of files */

        /* Opens the replica for one subject; holds it open until close, so that what was checked is what is
         * read. As replica_open(), with what follows the colon of the URI; `offer` comes initialised
         * (OFFER_MISSING), with `replica` set. */
        int (*open)(const char *argument, const Subject *subject, Replica **ret, Offer *offer);
        void (*close)(Replica *r);

        /* Fills exactly n bytes from `offset` (of the file, or of the image), or fails; a short read is
         * -ENODATA. */
        int (*read)(Replica *r, uint64_t offset, void *buf, size_t n);
} ReplicaOps;

/* Where the bytes lie on this machine, as far as it knows. Set by the backend; all zero: elsewhere. */
typedef struct ReplicaSource {
        dev_t device;           /* the block device, or that of the file's file system; 0: not known */
        ino_t inode;            /* of the file; 0: it is the block device itself */
} ReplicaSource;

/* The first member of each backend's own struct. */
struct Replica {
        const ReplicaOps *ops;
        uint64_t size;                  /* of what can be read: the file, or the image */
        ReplicaSource source;
        SpaceMap places;                /* of the subject, for an image; the front's, as the next */
        char *uri;
};

extern const ReplicaOps *const replica_table[]; /* NULL-terminated; replicas.c */

enum {
        _REPLICA_E_SUCCESS,

        REPLICA_E_NONE,         /* nothing to read there: `offer` says why (state, detail) */
};

/* Opens `uri` ("mirror:/srv/mirror/db") for a subject. *offer (initialised by this call, owned by the
 * caller, also on failure) tells what is there: OFFER_HELD with PROOF_IDENTITY where size and mtime agree, a
 * sentence in `detail` where they do not. Other names of the file are tried by replicas that have files,
 * where they have none under the first. 0 and *ret, REPLICA_E_NONE, or a negative errno. */
int replica_open(const char *uri, const Subject *subject, Replica **ret, Offer *offer);

/* What of a part of the file the replica should have: all of it; for an image, what has a place on the
 * device. And what of that it has: not what lies behind its end. 0 or a negative errno. */
int replica_extent(const Replica *r, Range part, RangeSet *ret_should, RangeSet *ret_has);

/* As ops->read, with an offset in the file for every kind; -ENODATA when the range ends behind what the
 * replica has, -ENXIO when a part of it has no place on the device. */
int replica_read(Replica *r, uint64_t offset, void *buf, size_t n);

/* As ops->read, with an offset in what the backend has: for an image, an address in it. */
int replica_read_own(Replica *r, uint64_t offset, void *buf, size_t n);

/* Another request begins: what did not answer in time is not asked again within one, whoever wants it (the
 * offer is OFFER_UNREACHABLE at once); now it may be, unless a call to it hangs still. */
void replica_new_request(void);

/* Are two replicas read from one and the same place, so that they cannot vouch for each other: the same file
 * by two names, a block device and what lies on it, the same object by two spellings of a URI, a program of
 * the same name with the same arguments? Where that cannot be told, they are. 1, 0, or -ENOMEM. What a
 * server or a program reads is not known here. */
int replica_same_source(const char *uri_a, const ReplicaSource *a, const char *uri_b,
                        const ReplicaSource *b);

/* Does this error of a read mean that the replica is not there now, and may be later? */
bool replica_is_away(int error);

Replica *replica_free(Replica *r);
DEFINE_CLEANUP(Replica *, replica_free);
