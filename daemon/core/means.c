/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a page may be written, from facts alone, never by trial: a writer that is tried on the wrong page
 * crashes the kernel. Measured (tests/vm): pwrite of a whole page cannot write what files share (EIO), and
 * may lose a store that somebody makes to a good byte of it; a write through the block device can do
 * both, but is a kernel oops where the page is not present. */

#include <assert.h>

#include "core/means.h"

const char *means_block_obstacle(const Findings *f) {
        if (findings_page_may_be_absent(f) || findings_has_whole_page(f))
                return "the page may be absent from the kernel's map, where a write to the disk crashes it";
        if (f->coarse)
                return "the disk cannot be written in single sectors";
        if (!f->freezable)
                return "this file system cannot be frozen while it is repaired";
        return NULL;
}

const char *means_punch_obstacle(const Findings *f, bool shared, bool tail) {
        if (shared)
                return "files share it, of which one would get a block of its own";
        if (findings_page_may_be_absent(f))
                return "the page may be absent from the kernel's map, and punching sets its block free, "
                       "which crashes the kernel when it is allocated again";
        if (tail)
                return "the file ends in this page";
        return NULL;
}

static void add_writer(Means *m, WriterKind w) {
        assert(m->n_writers < MEANS_WRITERS_MAX);

        m->writers[m->n_writers++] = w;
}

/* All that could write these pages, whatever the exclusion. */
static void candidates(const Protect *protect, const Findings *f, bool shared, bool tail, Means *m) {
        WriterKind w = protect->writer;

        if (f->owners.items[0].type == OWNER_DEVICE_DAX) {
                if (w == WRITER_AUTO || w == WRITER_CLEAR)
                        add_writer(m, WRITER_CLEAR);
                return;
        }
        if (w == WRITER_PUNCH && !means_punch_obstacle(f, shared, tail))
                add_writer(m, WRITER_PUNCH);
        if (!shared && (w == WRITER_AUTO || w == WRITER_REVIVE || w == WRITER_PWRITE))
                add_writer(m, WRITER_PWRITE);
        if (!shared && (w == WRITER_AUTO || w == WRITER_REVIVE))
                add_writer(m, WRITER_REVIVE);
        if ((w == WRITER_AUTO || w == WRITER_BLOCK) && !means_block_obstacle(f))
                add_writer(m, WRITER_BLOCK);
        else if ((w == WRITER_AUTO || w == WRITER_CLONE) && f->clonable &&
                 (shared || findings_page_may_be_absent(f)))
                add_writer(m, WRITER_CLONE);
}

/* A page that the file ends in is written whole and the file cut back to its size: nobody may append
 * meanwhile, so optimism will not do. Whoever writes single sectors does not come near its end. */
static void keep_exclusions(const ExclusionList *allowed, bool tail, Means *m) {
        for (size_t i = 0; i < allowed->n; i++) {
                Exclusion e = allowed->items[i];
                bool suits = false;

                for (size_t k = 0; k < m->n_writers; k++)
                        suits = suits || writer_suits(m->writers[k], e);
                if (suits && !(tail && e == EXCLUSION_OPTIMISTIC))
                        m->exclusion.items[m->exclusion.n++] = e;
        }
}

static void keep_writers(Means *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->n_writers; i++) {
                bool suits = false;

                for (size_t k = 0; k < m->exclusion.n; k++)
                        suits = suits || writer_suits(m->writers[i], m->exclusion.items[k]);
                if (suits)
                        m->writers[n++] = m->writers[i];
        }
        m->n_writers = n;
}

/* Nothing is left: because of what? */
static const char *why_none(const Protect *protect, const Findings *f, bool shared, bool tail,
                            size_t n_candidates) {
        WriterKind w = protect->writer;
        bool device = f->owners.items[0].type == OWNER_DEVICE_DAX;

        if (device)
                return n_candidates > 0 ? "a device-dax can be neither leased nor frozen: Exclusion= has to "
                                          "allow optimistic"
                                        : "a device-dax can only be written by Writer=clear";
        if (w == WRITER_CLEAR)
                return "Writer=clear writes to a device-dax only";
        if (w == WRITER_PUNCH)
                return n_candidates > 0 ? "Writer=punch needs Exclusion=lease"
                                        : means_punch_obstacle(f, shared, tail);
        if (n_candidates > 0)
                return tail ? "the last page of a file needs Exclusion=lease or freeze"
                            : "Exclusion= allows nothing under which it could be written";
        if (shared && w != WRITER_AUTO && w != WRITER_BLOCK)
                return "Writer= writes through a file, which the kernel refuses where it is shared";
        if (w == WRITER_AUTO || w == WRITER_BLOCK)
                return means_block_obstacle(f);
        return "Writer= cannot write this page";
}

Reason means_choose(const Protect *protect, const Findings *f, Means *ret, const char **ret_why) {
        const Owner *o = f->owners.items;
        bool shared = f->owners.n > 1 || o->shared;
        bool tail = o->offset + (f->range.end - o->range.start) > f->file_size;
        Means m = {};
        size_t n;

        assert(f->owners.n > 0);

        candidates(protect, f, shared, tail, &m);
        n = m.n_writers;
        keep_exclusions(&protect->exclusion, tail, &m);
        keep_writers(&m);
        if (m.n_writers > 0) {
                *ret = m;
                return REASON_NONE;
        }

        *ret_why = why_none(protect, f, shared, tail, n);
        return shared ? REASON_SHARED_EXTENT : REASON_WRITER_NOT_ALLOWED;
}
