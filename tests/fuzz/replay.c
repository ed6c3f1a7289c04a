/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What stands in for the fuzzing engine in an ordinary build: gives every file of the folders named to
 * the target, so that what was found once stays found. An empty corpus is a failure: it would prove
 * nothing. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "util/cleanup.h"
#include "util/file.h"

#define INPUT_MAX (16 * 1024 * 1024)

static int replay(const char *folder) {
        struct dirent **names;
        int n, seen = 0;

        n = scandir(folder, &names, NULL, alphasort);
        if (n < 0) {
                perror(folder);
                return -1;
        }

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL, *data = NULL;
                size_t size;

                if (names[i]->d_name[0] != '.' && asprintf(&path, "%s/%s", folder, names[i]->d_name) >= 0) {
                        if (file_read(AT_FDCWD, path, INPUT_MAX, &data, &size) < 0) {
                                fprintf(stderr, "%s: cannot be read\n", path);
                                exit(EXIT_FAILURE);
                        }
                        (void) LLVMFuzzerTestOneInput((const uint8_t *) data, size);
                        seen++;
                }
                free(names[i]);
        }
        free(names);
        return seen;
}

int main(int argc, char *argv[]) {
        for (int i = 1; i < argc; i++) {
                int n = replay(argv[i]);

                if (n <= 0)
                        return EXIT_FAILURE;
                printf("%s: %d inputs\n", argv[i], n);
        }
        return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
