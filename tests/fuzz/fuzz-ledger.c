/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any file in the ledger: it is a case, which is stored and read to the same text, or it is set aside, or it
 * is empty, which a power cut leaves; and the next id is one that was not there. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/codec.h"
#include "fuzz.h"
#include "service/ledger.h"

#define ID 7
#define FILE_NAME "cases/7.json"

typedef struct Seen {
        Case *c;
        unsigned aside;
} Seen;

static int on_found(Case *c, void *userdata) {
        Seen *s = userdata;

        must(!s->c);
        s->c = c;
        return 0;
}

static void on_aside(const char *path, const char *why, void *userdata) {
        Seen *s = userdata;

        must(path && why && *why);
        s->aside++;
}

static const LedgerVisitor visitor = { .found = on_found, .set_aside = on_aside };

static void load(Seen *s) {
        Ledger *l = NULL;

        *s = (Seen) {};
        must(ledger_open(fuzz_folder(), 10, &l) == 0);
        must(ledger_load(l, &visitor, s) == 0);
        must(ledger_next_id(l) > ID);
        must(!s->c || s->c->id == ID);
        if (s->c)
                must(ledger_store(l, s->c) == 0);
        ledger_free(l);
}

static void remove_aside(void) {
        char path[PATH_MAX];

        (void) snprintf(path, sizeof(path), "%s/" FILE_NAME ".bad", fuzz_folder());
        (void) unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Seen first, second;

        fuzz_file(FILE_NAME, data, size);
        load(&first);
        must(!!first.c + first.aside == (size > 0));
        if (first.c) {
                char *once = codec_case_encode(first.c), *twice;

                load(&second);
                must(second.c && second.aside == 0);
                twice = codec_case_encode(second.c);
                must(once && twice && strcmp(once, twice) == 0);
                free(once);
                free(twice);
                case_free(second.c);
        }
        case_free(first.c);
        remove_aside();
        return 0;
}
