/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/operator.h"

void operator_done(Operator *o) {
        free(o->user);
        free(o->comm);
        free(o->login_user);
        free(o->session);
        *o = (Operator) { .uid = OPERATOR_NOBODY, .login_uid = OPERATOR_NOBODY };
}

static char *name_of(uint32_t uid) {
        FILE *f = uid != OPERATOR_NOBODY ? fopen("/etc/passwd", "re") : NULL;
        char *name = NULL;

        while (f && !name) {
                const struct passwd *p = fgetpwent(f);

                if (!p)
                        break;
                if (p->pw_uid == uid)
                        name = strdup(p->pw_name);
        }
        if (f)
                (void) fclose(f);
        return name;
}

void operator_name(Operator *o) {
        free(o->user);
        o->user = name_of(o->uid);
        free(o->login_user);
        o->login_user = name_of(o->login_uid);
}

static void put_login(FILE *f, const Operator *o) {
        if (o->login_uid == OPERATOR_NOBODY || o->login_uid == o->uid)
                return;
        if (o->login_user)
                (void) fprintf(f, ", logged in as %s", o->login_user);
        else
                (void) fprintf(f, ", logged in as uid %" PRIu32, o->login_uid);
}

char *operator_describe(const Operator *o) {
        char *text = NULL;
        size_t n = 0;
        FILE *f;

        f = open_memstream(&text, &n);
        if (!f)
                return NULL;
        (void) fprintf(f, "%s%suid %" PRIu32, o->user ? o->user : "", o->user ? " (" : "", o->uid);
        if (!o->user)
                (void) fputs(" (no name known here", f);
        put_login(f, o);
        if (o->pid > 0)
                (void) fprintf(f, ", pid %" PRIu32, o->pid);
        if (o->comm)
                (void) fprintf(f, ", %s", o->comm);
        (void) fputc(')', f);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
