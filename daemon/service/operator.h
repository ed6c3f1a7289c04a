/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "util/cleanup.h"

#define OPERATOR_NOBODY UINT32_MAX      /* no uid */

/* Who has said something, as far as the bus and the kernel tell. */
typedef struct Operator {
        uint32_t uid;           /* of his connection to the bus */
        char *user;             /* its name; NULL: not known here */
        uint32_t pid;           /* of the program that has the connection; 0: not known */
        char *comm;             /* its name, which it may choose; NULL */
        uint32_t login_uid;     /* who had logged in, whatever he became since; OPERATOR_NOBODY */
        char *login_user;       /* NULL */
        char *session;          /* of logind; NULL */
} Operator;

void operator_done(Operator *o);
#define _cleanup_operator_ _cleanup_(operator_done)

/* Fills in the names of uid and login_uid from /etc/passwd: other sources of names may make us wait. */
void operator_name(Operator *o);

/* "root (uid 0, logged in as alice, pid 4242, bezoarctl)"; the caller frees it. NULL: no memory. */
char *operator_describe(const Operator *o);
