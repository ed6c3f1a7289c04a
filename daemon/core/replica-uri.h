/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/* The values of Replica=, as text: the daemon checks them, the worker asks what they name, and both read
 * them here. */
typedef enum ReplicaKind {
        REPLICA_MIRROR,         /* mirror:FOLDER */
        REPLICA_BLOCK,          /* block:DEVICE[@OFFSET] */
        REPLICA_NBD,            /* nbd:URI, or the URI alone */
        REPLICA_HTTP,           /* http://… */
        REPLICA_HTTPS,          /* https://… */
        REPLICA_EXEC,           /* exec:PROGRAM [ARGUMENT…] */
        REPLICA_ZEROES,         /* zero: what an operator may say in the place of one; no Replica= */
        _REPLICA_KIND_MAX,
        _REPLICA_KIND_INVALID = -EINVAL,
} ReplicaKind;

#define REPLICA_URI_ZEROES "zero:"

const char *replica_kind_to_string(ReplicaKind k);      /* the word before the colon */

/* The kind, by the whole word before the first colon; what follows it is *ret_argument (may be NULL; points
 * into `uri`). _REPLICA_KIND_INVALID: no such kind. */
ReplicaKind replica_kind_of(const char *uri, const char **ret_argument);

/* Was it left out when this version was built? */
bool replica_kind_is_built(ReplicaKind k);

/* The value in the one form that is compared and shown: paths without a slash at their end, "nbd:" before
 * every URI of that kind. 0; -EINVAL, with a part of a sentence in *ret_why (static); or -ENOMEM. The caller
 * frees *ret. */
int replica_uri_make(const char *value, char **ret, const char **ret_why);

/* Do two of them, each as replica_uri_make() has it, name the same thing, spelled in two ways? Of what is
 * reached by a URI: with and without encryption, a user, the port that goes without saying, letters of the
 * host's name in capitals, characters that need not be escaped, "//" and "." in the path. 1, 0, or
 * -ENOMEM. */
int replica_uri_alike(const char *a, const char *b);

/* The argument of block: the path, and how far into it byte 0 of the device lies. As above. */
int replica_block_parse(const char *argument, char **ret_path, uint64_t *ret_offset, const char **ret_why);

/* The argument of exec: words between spaces, the first an absolute path. As above; strv_free(). */
int replica_exec_parse(const char *argument, char ***ret_argv, const char **ret_why);
