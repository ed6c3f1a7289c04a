/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who called: what the bus said of the connection, and what /proc says of the process that has it, where
 * that is still the same user's. The name of a program is what it calls itself. */

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "core/codec.h"
#include "service/bus-internal.h"

static void creds_unrefp(sd_bus_creds **c) {
        (void) sd_bus_creds_unref(*c);
}

static void read_process(Operator *o) {
        __attribute__((cleanup(creds_unrefp))) sd_bus_creds *c = NULL;
        const char *comm = NULL, *session = NULL;
        uid_t uid, login;

        if (sd_bus_creds_new_from_pid(&c, (pid_t) o->pid,
                                      SD_BUS_CREDS_EUID | SD_BUS_CREDS_COMM | SD_BUS_CREDS_SESSION |
                                              SD_BUS_CREDS_AUDIT_LOGIN_UID) < 0 ||
            sd_bus_creds_get_euid(c, &uid) < 0 || uid != o->uid)
                return;

        if (sd_bus_creds_get_comm(c, &comm) >= 0)
                o->comm = codec_path_escape(comm);
        if (sd_bus_creds_get_session(c, &session) >= 0)
                o->session = strdup(session);
        if (sd_bus_creds_get_audit_login_uid(c, &login) >= 0)
                o->login_uid = login;
}

void bus_operator(const BusCall *c, Operator *ret) {
        *ret = (Operator) { .uid = c->uid, .pid = c->pid, .login_uid = OPERATOR_NOBODY };
        if (ret->pid > 0)
                read_process(ret);
        operator_name(ret);
}
