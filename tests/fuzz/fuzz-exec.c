/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a program of exec: says to "stat", and on its standard error. The functions that read it are nobody
 * else's business, hence the file itself is included. */

#include "replica/replica-exec.c" // IWYU pragma: keep

#include "fuzz.h"

/* What the parser must have seen, said again in its one form. */
static void check_stat(const Likeness *l, bool timed) {
        char text[96];
        Likeness again = {};
        bool timed_again;

        if (timed)
                (void) snprintf(text, sizeof(text), "%" PRIu64 " %" PRIdMAX ".%09ld\n", l->size,
                                (intmax_t) l->mtime.tv_sec, l->mtime.tv_nsec);
        else
                (void) snprintf(text, sizeof(text), "%" PRIu64 "\n", l->size);
        must(parse_stat(text, &again, &timed_again) == 0 && timed_again == timed);
        must(again.size == l->size && again.mtime.tv_nsec == l->mtime.tv_nsec);
        must(again.mtime.tv_sec == l->mtime.tv_sec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = fuzz_string(data, size);
        Likeness l = {};
        bool timed = false;
        int r;

        r = parse_stat(text, &l, &timed);
        must(r == 0 || r == -EINVAL);
        if (r == 0) {
                must(l.mtime.tv_nsec >= 0 && l.mtime.tv_nsec < 1000000000);
                check_stat(&l, timed);
        }
        free(text);
        return 0;
}
