/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as a file of credentials: it is read, and no complaint quotes a value of it. */

#include <string.h>

#include "core/credentials.h"
#include "core/replica-uri.h"
#include "fuzz.h"

typedef struct Complaints {
        const char *text;
        unsigned n;
} Complaints;

/* Sentences are constants: the only words of the input in them are words of the program. */
static int on_problem(unsigned line, const char *sentence, void *userdata) {
        Complaints *c = userdata;

        must(sentence && *sentence);
        must(sentence < c->text || sentence > c->text + strlen(c->text));
        c->n++;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = fuzz_string(data, size), *made = NULL;
        Complaints complaints = { .text = text };
        Credentials c = {};
        const char *why = NULL;
        unsigned problems = 0;

        must(credentials_parse(text, size, on_problem, &complaints, &c, &problems) == 0);
        must(problems == complaints.n);
        if (problems == 0) {
                must(c.prefix && credentials_fit(&c, c.prefix));
                must(replica_uri_make(c.prefix, &made, &why) == 0 && strcmp(made, c.prefix) == 0);
                must(!c.password || c.user);
                must(!c.certificate == !c.key);
        }
        free(made);
        credentials_done(&c);
        free(text);
        return 0;
}
