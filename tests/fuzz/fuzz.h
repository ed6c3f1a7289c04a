/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Takes any bytes; aborts where a promise is broken. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise. assert() is for the code under test: it says what may never be, whatever the input. */
#define must(condition)                 \
        do {                            \
                if (!(condition))       \
                        abort();        \
        } while (0)

/* A string in a block of exactly its size, so that reading behind it is seen. The caller frees it. */
char *fuzz_string(const uint8_t *data, size_t size);

/* The path of an empty folder in memory that is this process's own; it is made at the first call, and is
 * gone with the process. */
const char *fuzz_folder(void);

/* The file `name` below it has these bytes; the folders in its name are made. */
void fuzz_file(const char *name, const void *data, size_t size);

/* A descriptor of a file in memory with these bytes. */
int fuzz_memory(const void *data, size_t size);
