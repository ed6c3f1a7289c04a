/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any file in the seal store. The first byte says whether its checks are made to fit, so that what is behind
 * them is reached: a head that is taken is in bounds, and every digest that it promises can be asked for. */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "worker/seal-store.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define NAME "seal/" UUID "/83.1"
#define INODE 0x83
#define GENERATION 1
#define PAGES_TRIED 300

/* Writes the check behind the head, where there is room. */
static void make_fit(uint8_t *file, size_t size, Digester *d) {
        size_t head_size;

        if (size < SEAL_HEAD_SIZE || seal_head_size(file, &head_size) < 0 || head_size > size)
                return;
        must(digest(d, (const DigestPart[]) { { file, head_size - SEAL_DIGEST }, {} },
                    file + head_size - SEAL_DIGEST) == 0);
}

static void check_pages(const SealFile *f, Digester *d) {
        const uint64_t pages = seal_pages(&f->seal);

        must(pages > 0);
        for (uint64_t i = 0; i < pages && i < PAGES_TRIED; i++) {
                uint64_t page = i % 2 ? pages - 1 - i / 2 : i / 2;
                Range r = seal_page_range(&f->seal, page);
                uint8_t sum[SEAL_DIGEST];
                int q = seal_file_digest(f, d, page, sum);

                must(q == 0 || q == SEAL_E_DAMAGED);
                must(r.start < r.end && r.end <= f->seal.size);
        }
}

static void check_restamp(SealFile *f, Digester *d) {
        SealFile again = SEAL_FILE_NULL;

        if (seal_restamp(fuzz_folder(), UUID, f, d, (SealTime) { 1, 2 }, (SealTime) { 3, 4 }) < 0)
                return;
        must(seal_file_open(fuzz_folder(), UUID, INODE, GENERATION, d, &again) == 0);
        must(again.seal.mtime.sec == 1 && again.seal.ctime.nsec == 4);
        must(strcmp(again.seal.path, f->seal.path) == 0 && again.seal.size == f->seal.size);
        seal_file_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        SealFile f = SEAL_FILE_NULL;
        Digester *d = NULL;
        uint8_t *file;
        int r;

        if (size == 0)
                return 0;
        must(digester_new(&d) == 0);
        file = (uint8_t *) fuzz_string(data + 1, size - 1);
        if (data[0] & 1)
                make_fit(file, size - 1, d);
        fuzz_file(NAME, file, size - 1);

        r = seal_file_open(fuzz_folder(), UUID, INODE, GENERATION, d, &f);
        must(r == 0 || r == SEAL_E_DAMAGED);
        if (r == 0) {
                check_pages(&f, d);
                check_restamp(&f, d);
                seal_file_close(&f);
        }
        free(file);
        digester_free(d);
        return 0;
}
