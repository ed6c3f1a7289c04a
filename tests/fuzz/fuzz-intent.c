/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any file in the intent log. The first byte says whether length and check are made to fit: then the input
 * is the text of a record, whose page and digest are put behind it. What is taken is whole and says where;
 * what is not is told by its name; and either can be stored and removed. */

#include <openssl/sha.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/range.h"
#include "fuzz.h"
#include "worker/intents.h"

#define NAME "pmem0-0000000000100000"

typedef struct Seen {
        unsigned good, bad;
        int dir_fd;
} Seen;

static int on_intent(const char *name, const Intent *i, const void *page, void *userdata) {
        Seen *s = userdata;

        must(strcmp(name, NAME) == 0 && !i == !page);
        s->good += !!i;
        s->bad += !i;
        if (!i)
                return 0;
        must(range_size(i->range) > 0 && range_size(i->range) <= REPAIR_UNIT);
        must(i->device);
        must((uintptr_t) page % REPAIR_UNIT == 0);
        return 0;
}

static uint8_t *record_of(const uint8_t *text, size_t size, size_t *ret_size) {
        uint8_t *record;
        size_t n = 0;

        while (n < size && text[n] != '\n')
                n++;
        *ret_size = n + 1 + REPAIR_UNIT + SHA256_DIGEST_LENGTH;
        record = calloc(1, *ret_size);
        must(record);
        if (n > 0)
                memcpy(record, text, n);
        record[n] = '\n';
        must(SHA256(record, n + 1 + REPAIR_UNIT, record + n + 1 + REPAIR_UNIT));
        return record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Seen seen = {};
        int dir_fd;

        if (size == 0)
                return 0;
        if (data[0] & 1) {
                size_t n;
                uint8_t *record = record_of(data + 1, size - 1, &n);

                fuzz_file("intent/" NAME, record, n);
                free(record);
        } else
                fuzz_file("intent/" NAME, data + 1, size - 1);

        must(intents_open(fuzz_folder(), &dir_fd) == 0);
        must(intents_walk(dir_fd, on_intent, &seen) == 0);
        must(seen.good + seen.bad == 1);
        (void) close(dir_fd);
        return 0;
}
