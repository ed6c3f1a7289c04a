/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Brings back a page that a machine check took out of the kernel's map while no program had it mapped.
 * The kernel puts a page back only when its recovery write finds the HWPoison flag on it
 * (pmem_mkpage_present()), and the flag is set only on pages that are mapped when memory_failure() runs
 * (mf_dax_kill_procs()). So: map it, store the right bytes through the mapping (user mappings work), have
 * memory_failure() run again with the mapping in place (hard_offline_page), declare the bad block again,
 * and write.
 *
 * memory_failure() sends SIGBUS to whoever maps the page, therefore: never while another program maps
 * these bytes. Then the bytes are right through mappings, but read(2) and write(2) fail until a later
 * try. The same is the end where the kernel flags another page than the bad one (a 2 MiB entry in the
 * file's DAX tree: the flag lands on its first page).
 *
 * hard_offline_page on a page that the file system uses for metadata shuts it down: the caller has just
 * asked whose the page is. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "write/mapped.h"
#include "write/mappers-of.h"
#include "write/writer-backends.h"

static int attribute_write(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* memory_failure() for the page, and the bad block back on the list, so that the next write takes the
 * recovery path. */
static int declare_again(const Target *t) {
        char path[128], text[64];
        int r;

        (void) snprintf(text, sizeof(text), "0x%" PRIx64, t->physical);
        r = attribute_write("/sys/devices/system/memory/hard_offline_page", text);
        if (r < 0)
                return r;

        (void) snprintf(path, sizeof(path), "/sys/block/%s/badblocks", t->disk);
        (void) snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, t->range.start / SECTOR_SIZE,
                        (uint64_t) SECTORS_PER_UNIT);
        return attribute_write(path, text);
}

/* memory_failure() on a DAX page sends SIGBUS by force to the process that asked for it, when that maps the
 * page (mf_dax_kill_procs() adds MF_ACTION_REQUIRED): blocked or ignored, it kills. So it is caught, and
 * nothing else is to be done about it: no load or store is under way. */
static void sigbus_catch(int sig) {
        (void) sig;
}

static int offline_and_write(const Target *t, const void *page) {
        const struct sigaction catch = { .sa_handler = sigbus_catch };
        struct sigaction before;
        int r;

        if (sigaction(SIGBUS, &catch, &before) < 0)
                return -errno;

        r = declare_again(t);
        if (r >= 0)
                r = write_page(t, page);

        (void) sigaction(SIGBUS, &before, NULL);
        return r;
}

static int revive_write(Writer *w, const Target *t, const void *page) {
        _cleanup_mapped_ Mapped m = {};
        bool alone;
        int r;

        if (t->physical == 0)
                return -ENXIO;

        r = mapped_open(t->file_fd, t->offset, REPAIR_UNIT, &m);
        if (r >= 0)
                r = mapped_store(&m, page);
        if (r < 0)
                return r;

        /* A mapping keeps its file open: under a write lease there is none but ours. Whose maps may not be
         * read is taken for one who maps it. */
        alone = fcntl(t->file_fd, F_GETLEASE) == F_WRLCK;
        if (!alone && mapped_by_others(t->file_fd, t->offset, REPAIR_UNIT) != 0)
                return WRITE_E_BUSY;
        /* The store has moved the time of the file, by which its replica is known. Once the page is listed
         * again, whoever comes after a crash has nothing but a page that is poisoned, and needs that
         * replica; until then the intent is enough. */
        if (alone)
                (void) file_set_mtime(t->file_fd, *t->mtime);

        r = offline_and_write(t, page);
        return r == WRITE_E_ABSENT ? WRITE_E_STORED : r;
}

const WriterOps writer_revive_ops = {
        .name = "revive",
        .kind = WRITER_REVIVE,
        .write = revive_write,
};
