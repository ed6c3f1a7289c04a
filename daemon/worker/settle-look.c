/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The facts about one intent: the file that it is about, what the list has, what can be read. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/file.h"
#include "util/strv.h"
#include "worker/page.h"
#include "worker/settle-look.h"
#include "write/mapped.h"

void pending_done(Pending *p) {
        if (p->site)
                site_let_go(p->site, p->fd);
        closep(&p->fd);
        rangeset_done(&p->bad);
        rangeset_done(&p->unwritten);
        heirs_done(&p->heirs);
}

uint64_t pending_size(const Pending *p) {
        const Intent *i = p->intent;

        return i->offset + REPAIR_UNIT <= i->file_size ? REPAIR_UNIT : i->file_size - i->offset;
}

/* Its namespace was recognised by its UUID. */
static int open_device(const Site *s, Pending *p) {
        MapOwns owns;
        int r;

        r = site_owns(s, -1, p->intent->range, p->intent->offset, &owns);
        if (r < 0)
                return r;
        p->facts.owned = owns == MAP_OWNED && p->intent->inode == 0;
        p->st.st_size = (off_t) s->size;
        return p->facts.owned ? site_open_device(s, &p->fd) : 0;
}

int pending_open(Site *s, Pending *p) {
        MapOwns owns;
        int r;

        if (site_is_dax(s))
                return open_device(s, p);

        r = mapper_open(s->ops, s->mount_fd, p->intent->inode, p->intent->generation, O_RDWR,
                        &p->fd);
        if (r > 0)
                return 0;
        if (r == -EWOULDBLOCK)          /* somebody has a lease on it */
                return -EBUSY;
        if (r >= 0)
                r = site_hold(s, p->intent->inode, p->intent->generation, p->fd);
        if (r < 0)
                return r;
        p->site = s;
        /* Before anything is looked at, so that it stays as it was seen. */
        (void) lease_take(p->fd, &p->lease);
        if (fstat(p->fd, &p->st) < 0)
                return -errno;

        r = site_owns(s, p->fd, p->intent->range, p->intent->offset, &owns);
        if (r < 0)
                return r;
        p->facts.owned = owns != MAP_OTHERS;
        /* What was written in place was written for all who share it. */
        p->facts.shared = owns == MAP_SHARED && !p->intent->in_place;
        p->others = owns == MAP_SHARED;
        p->facts.punch = p->intent->punch;
        return 0;
}

static bool same_time(const Pending *p) {
        return p->st.st_mtim.tv_sec == p->intent->mtime_sec &&
               p->st.st_mtim.tv_nsec == p->intent->mtime_nsec;
}

void pending_restore_times(Pending *p) {
        if (lease_held(&p->lease))
                (void) file_set_mtime(p->fd, p->st.st_mtim);
}

/* A crash between writing the last page whole and cutting the file back leaves it a part of a page too
 * long. The bytes behind the old end are the zeroes of the intent then, and the recovery write has moved
 * no time; anything else was appended by somebody. 1: done. -EBUSY: not while somebody else has it open. */
static int cut_back(Pending *p) {
        uint64_t end = p->intent->offset + REPAIR_UNIT, n = pending_size(p);
        uint8_t tail[REPAIR_UNIT];

        if (p->intent->file_size >= end || (uint64_t) p->st.st_size != end || !same_time(p))
                return 0;
        if (pread_full(p->fd, tail, REPAIR_UNIT - n, p->intent->file_size) < 0)
                return 0;
        for (uint64_t i = 0; i < REPAIR_UNIT - n; i++)
                if (tail[i] != 0)
                        return 0;

        if (!lease_holds(&p->lease))
                return -EBUSY;
        if (ftruncate(p->fd, (off_t) p->intent->file_size) < 0)
                return -errno;
        pending_restore_times(p);
        return 1;
}

static void compare(Pending *p, const uint8_t *found) {
        uint64_t n = pending_size(p);

        p->facts.good_equal = p->facts.bad_equal = true;
        p->facts.blank = n == REPAIR_UNIT && found[0] == 0 && memcmp(found, found + 1, REPAIR_UNIT - 1) == 0;
        for (uint64_t at = 0; at < n; at += SECTOR_SIZE) {
                uint64_t size = at + SECTOR_SIZE <= n ? SECTOR_SIZE : n - at;
                bool bad = rangeset_overlaps(&p->bad,
                                             (Range) { p->intent->offset + at,
                                                      p->intent->offset + at + size });

                if (memcmp(found + at, p->page + at, size) != 0)
                        *(bad ? &p->facts.bad_equal : &p->facts.good_equal) = false;
        }
}

/* A bad sector that is listed no more: has it the bytes of the intent, or what clearing had left there? */
static int look_at_sector(const Site *s, Pending *p, Range sector) {
        uint64_t at = sector.start - p->intent->range.start;
        uint8_t found[SECTOR_SIZE];
        int r;

        r = site_read(s, p->fd, found, SECTOR_SIZE, sector.start);
        if (r < 0) {
                p->facts.read = SETTLE_READ_POISON;
                return r == -ENOMEM ? r : 0;
        }
        if (memcmp(found, p->page + at, SECTOR_SIZE) == 0)
                return 0;

        p->facts.bad_equal = false;
        if (!p->left || memcmp(found, p->left + at, SECTOR_SIZE) != 0)
                p->facts.left = false;
        return rangeset_add(&p->unwritten, sector);
}

/* The worker may have ended between two sectors. One that is listed is where it was, and is not loaded. As
 * long as one that is not has wrong bytes, the page is not taken for one that is still poisoned, to be begun
 * anew: its wrong bytes would count as good ones. */
static int look_at_device(const Site *s, Pending *p, const RangeSet *listed) {
        const RangeSet *bad = &p->intent->bad;
        int r = 0;

        p->facts.read = SETTLE_READ_OK;
        p->facts.bad_equal = p->facts.left = true;
        p->rest = false;
        rangeset_done(&p->unwritten);
        for (size_t i = 0; i < bad->n; i++)
                for (Range sector = { bad->items[i].start, bad->items[i].start + SECTOR_SIZE };
                     r >= 0 && sector.end <= bad->items[i].end;
                     sector.start += SECTOR_SIZE, sector.end += SECTOR_SIZE) {
                        if (rangeset_overlaps(listed, sector))
                                p->rest = true;
                        else
                                r = look_at_sector(s, p, sector);
                }
        p->facts.listed = p->rest && p->facts.bad_equal;
        return r;
}

/* A page that is not present for read(2) is there for a mapping. */
static int load_absent(const Pending *p, uint8_t *found) {
        _cleanup_mapped_ Mapped m = {};
        int r;

        r = mapped_open(p->fd, p->intent->offset, REPAIR_UNIT, &m);
        return r < 0 ? r : mapped_load(&m, found);
}

/* The block is not the file's any more: has it what it had right after it was cleared, and whose is it? */
static int look_for_heir(const Site *s, Pending *p) {
        _Alignas(REPAIR_UNIT) uint8_t found[REPAIR_UNIT];
        bool good = false, differs = false;
        int r;

        p->facts.heir = false;
        if (site_is_dax(s) || p->facts.listed || p->facts.same_boot ||
            site_read_device(s, found, REPAIR_UNIT, p->intent->range.start) < 0)
                return 0;
        for (uint64_t at = 0; at < pending_size(p); at += SECTOR_SIZE) {
                uint64_t start = p->intent->range.start + at;
                uint64_t n = pending_size(p) - at < SECTOR_SIZE ? pending_size(p) - at : SECTOR_SIZE;
                bool bad = rangeset_overlaps(&p->intent->bad, (Range) { start, start + SECTOR_SIZE });
                bool equal = memcmp(found + at, p->page + at, n) == 0;

                if (!bad && !equal)
                        return 0;
                good |= !bad;
                differs |= !equal;
        }
        if (!good || !differs)
                return 0;

        r = heirs_find(s, p->intent->range, &p->heirs);
        p->facts.heir = p->heirs.n > 0;
        return r;
}

/* What the list and the file have of the page now. */
int pending_look_at_bytes(const Site *s, Pending *p) {
        _cleanup_rangeset_ RangeSet listed = {};
        uint8_t found[REPAIR_UNIT];
        struct stat st;
        int r;

        r = site_listed(s, p->intent->range, &listed);
        if (r < 0)
                return r;
        p->facts.listed = listed.n > 0;
        if (!p->facts.owned && !p->facts.punch)
                return look_for_heir(s, p);
        if (site_is_dax(s))
                return look_at_device(s, p, &listed);

        if (fstat(p->fd, &st) < 0)
                return -errno;
        p->facts.modified = p->facts.modified || st.st_mtim.tv_sec != p->st.st_mtim.tv_sec ||
                            st.st_mtim.tv_nsec != p->st.st_mtim.tv_nsec;

        r = pread_full(p->fd, found, pending_size(p), p->intent->offset);
        p->facts.read = r >= 0 ? SETTLE_READ_OK : r == -EFAULT ? SETTLE_READ_ABSENT : SETTLE_READ_POISON;
        if (r == -EFAULT && !p->facts.listed)
                r = load_absent(p, found);
        if (r >= 0)
                compare(p, found);
        return 0;
}

int pending_look(const Site *s, const char *boot_id, Pending *p) {
        const Intent *i = p->intent;
        int r = 0;

        for (size_t k = 0; r >= 0 && k < i->bad.n; k++)
                r = rangeset_add(&p->bad, (Range) { i->offset + (i->bad.items[k].start - i->range.start),
                                                    i->offset + (i->bad.items[k].end - i->range.start) });
        if (r < 0)
                return r;

        p->facts.same_boot = streq_ptr(i->boot_id, boot_id);
        p->facts.alone = i->alone;
        if ((p->facts.owned || p->facts.punch) && !site_is_dax(s)) {
                r = cut_back(p);
                if (r < 0)
                        return r;
                p->facts.modified = !same_time(p) || ((uint64_t) p->st.st_size != i->file_size && r == 0);
        }
        return pending_look_at_bytes(s, p);
}
