/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/job.h"
#include "worker/site.h"
#include "write/writer.h"

/* The acts on one page that `repair` and `settle` share: put it, is it there. */

enum {
        _PAGE_E_SUCCESS,

        PAGE_E_ABSENT,          /* cleared, but nothing was stored: the page is not present */
        PAGE_E_STORED,          /* stored, and right through mappings; the page is not present for read(2) */
        PAGE_E_BUSY,            /* page_put() does not say it: stored, and others map it */
        PAGE_E_DANGER,          /* not touched: without DAX it would be written by the block layer, and
                                 * nothing shows that the page is present */
        PAGE_E_UNLIKE,          /* clone: not touched; the kernel gives no file that has DAX, or has not, as
                                 * those have that share the page */
        PAGE_E_NOT_CLEARED,     /* the kernel refused, and still lists the poison */
        PAGE_E_DIFFERS,         /* read back, also of who shares it: other bytes than were written */
        PAGE_E_LISTED,          /* read back right, but the kernel still lists poison there */
};

/* Writes with the writers in their order, through the filters that the environment asks for
 * (BEZOAR_FAULT). *ret_writer: the last that was tried. 0, PAGE_E_*, or a negative errno; -ESTALE: it is
 * not MAP_OWNED (for `block` and `clone`, which do not mind sharers: MAP_OTHERS), which is asked before
 * every one of them, or the file has another size; what t->excluded said. After `clone` the page is
 * elsewhere. */
int page_put(const Site *s, const WriterKind *writers, size_t n, const Target *t,
             const void *page, WriterKind *ret_writer);

/* Reads the page back through the file and, unless it is elsewhere now, from the device, and looks at the
 * list. `must` (file offsets): what has to be equal. 0, PAGE_E_DIFFERS, PAGE_E_LISTED, PAGE_E_ABSENT
 * (EFAULT), or a negative errno. */
int page_check(const Site *s, const Target *t, const void *page, const RangeSet *must, bool elsewhere);

/* After a write below the file system: whoever has the page may have it in memory (without DAX) as it was
 * before, be it what clearing has left. What is clean of these files, and mapped by nobody, is dropped.
 * When the write has been recorded, and not in a frozen file system's time: they may have to be searched
 * for. One that cannot be opened (somebody has a lease on it) keeps what it has. */
void page_drop_cached(const Site *s, const Target *t);

/* Fills in how it ended; `format` NULL: no detail. Lack of memory costs the sentence only. */
__attribute__((format(printf, 4, 5)))
void result_set(Result *r, CaseState state, Reason reason, const char *format, ...);
