/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One file of credentials.d: what is shown to the server of a replica. */
typedef struct Credentials {
        char *prefix;                   /* For=: the beginning of the URI */
        char *user, *password;          /* basic authentication; of S3 the access key and the secret one */
        char *sigv4;                    /* "aws:amz:REGION:SERVICE" */
        char *certificate, *key, *ca;   /* in the file: absolute paths; loaded: what is in them, PEM */
        char *psk;                      /* the same, for TLS with keys known to both (NBD) */
} Credentials;

void credentials_done(Credentials *c);
#define _cleanup_credentials_ _cleanup_(credentials_done)

/* Reads a file's text; every problem is told to `problem` (whose negative errno ends it, and is returned),
 * with its line, or 0 for the whole, and never with a value in it. 0 also then: *ret_problems counts them.
 */
typedef int (*CredentialsProblemFn)(unsigned line, const char *sentence, void *userdata);
int credentials_parse(const char *text, size_t n, CredentialsProblemFn problem, void *userdata,
                      Credentials *ret, unsigned *ret_problems);

/* Is `uri`, in the form of replica_uri_make(), the prefix or below it, by whole components? */
bool credentials_fit(const Credentials *c, const char *uri);
