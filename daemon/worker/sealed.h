/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "worker/seal-store.h"
#include "worker/window.h"

/* The seal of a file that lost bytes, as far as it can prove anything. */
typedef struct Sealed {
        SealFile file;
        Digester *digester;
        bool current;           /* else there is none, or the file has changed since */
        const char *state_dir, *uuid;   /* lent */
} Sealed;

#define SEALED_NULL ((Sealed) { .file = SEAL_FILE_NULL })
void sealed_done(Sealed *s);
#define _cleanup_sealed_ _cleanup_(sealed_done)

/* The seal of that inode, which is `st` now. state_dir or uuid NULL: there is none. 0, whatever is there or
 * is not, or a negative errno. */
int sealed_open(const char *state_dir, const char *uuid, uint64_t inode, uint32_t generation,
                const struct stat *st, Sealed *ret);

enum {
        _SEALED_E_SUCCESS,

        SEALED_E_DIFFERS,       /* certainly not what was sealed */
        SEALED_E_SILENT,        /* there is no current seal, or its block is damaged */
};

/* Is every page of the file that has some of `lost` (file offsets, within w), put together from what
 * survives in the window and for the rest from `replica` (bytes of the window's range), what was sealed? 0,
 * SEALED_E_*, or a negative errno. */
int sealed_check(const Sealed *s, const Window *w, const uint8_t *replica, const RangeSet *lost);

/* The same for one page at a file offset. */
int sealed_check_page(const Sealed *s, uint64_t offset, const uint8_t *page);

/* The file is as it was sealed, but its times have been moved by us: `st`. */
int sealed_restamp(Sealed *s, const struct stat *st);

/* The file is about to become something else than was sealed. 0 or a negative errno. */
int sealed_end(Sealed *s);
