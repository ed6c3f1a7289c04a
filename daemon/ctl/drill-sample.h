/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"

/* Pages of files, chosen by chance, each page of every file with the same probability; one may be chosen
 * twice. */

typedef struct SamplePage {
        char *path;             /* absolute, raw */
        uint64_t offset;        /* bytes; of a page */
} SamplePage;

typedef struct Sample {
        SamplePage *items;      /* n of them once anything was found, else none */
        size_t n, wanted;
        uint64_t pages;         /* seen */
        uint64_t random;        /* state of the generator; not 0 */
} Sample;

void sample_done(Sample *s);
#define _cleanup_sample_ _cleanup_(sample_done)

/* wanted > 0. 0, or a negative errno. */
int sample_init(Sample *s, size_t wanted);

/* All pages of the regular files at and below `path`: never through symbolic links, nor to another file
 * system, nor the guards in .bezoar. `fn` is told of what cannot be read. 0, -ENOMEM. */
int sample_add(Sample *s, const char *path, void (*fn)(const char *path, int error));
