/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/site.h"
#include "write/writer.h"

/* The acts on one page that `repair` and `settle` share: is it (still) this file's, put it, is it there. */

typedef struct PageOwner {
        uint64_t inode;
        uint32_t generation;
} PageOwner;

enum {
        _PAGE_E_SUCCESS,

        PAGE_E_ABSENT,          /* cleared, but nothing was stored: the page is not present */
        PAGE_E_STORED,          /* stored, and right through mappings; the page is not present for read(2) */
        PAGE_E_NOT_CLEARED,     /* the kernel refused, and still lists the poison */
        PAGE_E_DIFFERS,         /* read back: other bytes than were written */
        PAGE_E_LISTED,          /* read back right, but the kernel still lists poison there */
};

/* Asks the file system now whose this device page is, as data of that file at that offset. PAGE_OTHERS:
 * certainly not (any more). -EAGAIN: the file system could not say; or a negative errno. */
enum {
        PAGE_OTHERS,
        PAGE_OWNED,             /* written, and of nobody else */
        PAGE_SHARED,            /* also of others */
};
int page_owned(const Site *s, PageOwner owner, Range range, uint64_t offset);

/* Writes with the writers in their order, through the filters that the environment asks for
 * (BEZOAR_FAULT). *ret_writer: the last that was tried. 0, PAGE_E_*, or a negative errno; -ESTALE: it is
 * not PAGE_OWNED, which is asked before every one of them, or the file has another size. */
int page_put(const Site *s, PageOwner owner, const WriterKind *writers, size_t n, const Target *t,
             const void *page, WriterKind *ret_writer);

/* Reads the page back through the file and from the device, and looks at the list. `must` (file offsets):
 * what has to be equal. 0, PAGE_E_DIFFERS, PAGE_E_LISTED, PAGE_E_ABSENT (EFAULT), or a negative errno. */
int page_check(const Site *s, const Target *t, const void *page, const RangeSet *must);

/* Fills in how it ended; `format` NULL: no detail. Lack of memory costs the sentence only. */
__attribute__((format(printf, 4, 5)))
void result_set(Result *r, CaseState state, Reason reason, const char *format, ...);
