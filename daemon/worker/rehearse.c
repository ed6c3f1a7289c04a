/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What would be found if these bytes were bad. Those of a file are looked up with FIEMAP first; then the
 * way is that of locate, which asks the file system in the other direction: whose is this piece of the
 * device? */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/openat2.h"
#include "util/str.h"
#include "util/vec.h"
#include "worker/fiemap.h"
#include "worker/locate.h"
#include "worker/rehearse.h"
#include "worker/site.h"

#define PIECE UINT64_C(1048576)         /* as long as a case can be */

/* Only a regular file of this very file system is opened: not a device, whose opening may do something. */
static int file_open(const Request *q, const Site *site, struct stat *ret_stat, int *ret, char **ret_error) {
        _cleanup_close_ int found = openat2_resolve(AT_FDCWD, q->path, O_PATH, RESOLVE_NO_MAGICLINKS);
        char link[64];
        int fd;

        if (found < 0)
                return str_fail(ret_error, found, "the file cannot be found: %s", strerror(-found));
        if (fstat(found, ret_stat) < 0)
                return -errno;
        if (!S_ISREG(ret_stat->st_mode))
                return str_fail(ret_error, -EINVAL, "it is not a regular file");
        if (ret_stat->st_dev != makedev(site->fs_major, site->fs_minor))
                return str_fail(ret_error, -EXDEV, "the file is not on %s", q->volume.device);

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
        fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

static FsPart part_of_file(int fd) {
        struct fsxattr x = {};

        return ioctl(fd, FS_IOC_FSGETXATTR, &x) >= 0 && (x.fsx_xflags & FS_XFLAG_REALTIME) ? FS_PART_REALTIME
                                                                                          : FS_PART_DATA;
}

/* Which of the devices that the file system has is the one with this file's data. */
static int volume_of_file(const Request *q, int fd, const Volume **ret, char **ret_error) {
        const FsPart part = part_of_file(fd);

        if (q->volume.part == part) {
                *ret = &q->volume;
                return 0;
        }
        for (size_t i = 0; i < q->others.n; i++)
                if (q->others.items[i].part == part) {
                        *ret = q->others.items + i;
                        return 0;
                }
        return str_fail(ret_error, -EOPNOTSUPP,
                        "its data is on the %s device of the file system, which is not known as "
                        "persistent memory", fs_part_to_string(part));
}

typedef struct Places {
        RangeSet *bad;
        char **error;
} Places;

static int add_piece_of_file(Range piece, uint64_t device, uint32_t flags, void *userdata) {
        const Places *p = userdata;

        if (flags & EXTENT_UNPLACED)
                return str_fail(p->error, -EOPNOTSUPP,
                                "the file system has not given the bytes from %" PRIu64 " a place on the "
                                "device yet, or does not tell it",
                                piece.start);
        return rangeset_add(p->bad, (Range) { device, device + range_size(piece) });
}

/* *ret_on: one of the request's volumes, which the ranges are of. */
static int bad_in_file(const Request *q, RangeSet *bad, const Volume **ret_on, char **ret_error) {
        _cleanup_site_ Site site = SITE_NULL;
        _cleanup_close_ int fd = -1;
        Range wanted = q->in_file;
        struct stat st;
        int r;

        r = site_open(&q->volume, &site);
        if (r != 0)
                return r < 0 ? r
                             : str_fail(ret_error, -ENODEV, "%s is not mounted any more", q->volume.device);
        r = file_open(q, &site, &st, &fd, ret_error);
        if (r >= 0)
                r = volume_of_file(q, fd, ret_on, ret_error);
        if (r < 0)
                return r;

        if (wanted.start >= (uint64_t) st.st_size)
                return str_fail(ret_error, -ERANGE,
                                "the range lies behind the end of the file, which has %" PRIu64 " bytes",
                                (uint64_t) st.st_size);
        if (wanted.end > (uint64_t) st.st_size)
                wanted.end = (uint64_t) st.st_size;
        r = range_align_out(wanted, SECTOR_SIZE, &wanted);
        return r < 0 ? r : fiemap_walk(fd, wanted, add_piece_of_file,
                                       &(Places) { .bad = bad, .error = ret_error });
}

static int add_piece(Request *q, const RangeSet *bad, Range piece) {
        _cleanup_findings_ Findings f = { .range = piece };
        int r;

        r = rangeset_clip(bad, piece, &f.bad);
        if (r >= 0 && f.bad.n > 0)
                r = vec_push(&q->ranges, f);
        if (r >= 0 && f.bad.n > 0)
                f = (Findings) {};
        return r;
}

/* In whole pages, each piece no longer than a case. */
static int add_pieces(Request *q, const RangeSet *bad) {
        _cleanup_rangeset_ RangeSet pages = {};
        int r;

        r = rangeset_align_out(bad, REPAIR_UNIT, &pages);
        for (size_t i = 0; r >= 0 && i < pages.n; i++)
                for (uint64_t at = pages.items[i].start; r >= 0 && at < pages.items[i].end;) {
                        uint64_t left = pages.items[i].end - at, n = left < PIECE ? left : PIECE;

                        r = add_piece(q, bad, (Range) { at, at + n });
                        at += n;
                }
        return r;
}

static void pieces_done(Request *q) {
        for (size_t i = 0; i < q->ranges.n; i++)
                findings_done(q->ranges.items + i);
        vec_done(&q->ranges);
}

int rehearse(const Request *request, Patience *patience, LocateReply *ret, char **ret_error) {
        __attribute__((cleanup(pieces_done))) Request q = *request;    /* lent, but for the ranges */
        _cleanup_rangeset_ RangeSet bad = {};
        _cleanup_holds_ Holds holds = {};
        const Volume *on = &request->volume;
        int r = 0;

        assert(ret_error);

        q.ranges.items = NULL;
        q.ranges.n = q.ranges.allocated = 0;

        if (q.path)
                r = bad_in_file(request, &bad, &on, ret_error);
        q.volume = *on;
        for (size_t i = 0; r >= 0 && i < request->ranges.n; i++)
                r = rangeset_add_all(&bad, &request->ranges.items[i].bad);
        if (r >= 0)
                r = add_pieces(&q, &bad);
        if (r >= 0)
                r = locate(&q, patience, ret, &holds);
        for (size_t i = 0; r >= 0 && i < ret->found.n; i++)
                ret->found.items[i].held = false;       /* they end here */
        return r;
}
