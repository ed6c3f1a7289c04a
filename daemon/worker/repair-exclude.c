/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The file is opened, and everybody else kept from it, as Exclusion= allows. One rule for all files whose
 * page is put in place by a write or replaced: the file of the case, and where the writer `clone` is to give
 * a new block to others that share the bad one, those as well. A lease on each of them, or on none; a frozen
 * file system keeps everybody from everything, and there only lost sectors are written, which are the same
 * for all. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/file.h"
#include "util/vec.h"
#include "worker/page.h"
#include "worker/repair-internal.h"
#include "write/writer.h"

/* Half a second. */
#define LEASE_TRIES 25
#define LEASE_PAUSE_NSEC (20 * 1000 * 1000)

/* The kernel writes swap space without leaving a trace in the file's times, and neither a lease nor a
 * frozen file system keeps it out: no copy can be shown to be one of now. vfs_fallocate() refuses such a
 * file before it finds that there is no such place in any file. */
static bool is_swap_space(int fd) {
        return fallocate(fd, FALLOC_FL_KEEP_SIZE, INT64_MAX, 1) < 0 && errno == ETXTBSY;
}

/* Why a file cannot be opened for writing; NULL: for another reason than that it is in use. */
static const char *why_busy(int error) {
        switch (-error) {
        case ETXTBSY:
                return "it cannot be opened for writing: a program runs from it";
        case EPERM:
                return "it cannot be opened for writing: it is immutable, append-only, or closed by "
                       "fs-verity";
        case EWOULDBLOCK:
                return "another program has a lease on it";
        default:
                return NULL;
        }
}

/* Opened once, and from then on known to all who would ask it something: see site_hold(). *ret is not
 * opened where the answer is not 0. */
static int open_owner(Repair *r, const Owner *o, int *ret, const char **ret_why) {
        _cleanup_close_ int fd = -1;
        int q;

        q = mapper_open(r->site.ops, r->site.mount_fd, o->inode, o->generation, O_RDWR, &fd);
        if (q == 0 && is_swap_space(fd)) {
                *ret_why = "it is in use as swap space";
                return -ETXTBSY;
        }
        if (q < 0)
                *ret_why = why_busy(q);
        if (q == 0)
                q = site_hold(&r->site, o->inode, o->generation, fd);
        if (q == 0)
                *ret = TAKE_FD(fd);
        return q;
}

static int open_file(Repair *r) {
        const char *why = NULL;
        int q;

        q = open_owner(r, r->owner, &r->fd, &why);
        if (q == -EROFS)
                return ended(r, CASE_WAITING, REASON_READ_ONLY, NULL);
        if (why)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "%s", why);
        return q > 0 ? ended(r, CASE_DETECTED, REASON_CHANGED, "the file is gone") : q;
}

static const char *name_of(const Owner *o) {
        return o->path ? o->path : "a file without a name";
}

/* The others that share the block, where a writer may be about to give them another one. */
static int open_sharers(Repair *r) {
        for (size_t i = 1; i < r->f->owners.n; i++) {
                const Owner *o = r->f->owners.items + i;
                Sharer s = { .owner = o, .fd = -1 };
                const char *why = NULL;
                int q;

                if (o->type != OWNER_FILE || site_held(&r->site, o->inode, o->generation) >= 0)
                        continue;
                q = open_owner(r, o, &s.fd, &why);
                if (why)
                        return ended(r, CASE_WAITING, REASON_FILE_BUSY, "'%s', which shares the block: %s",
                                     name_of(o), why);
                if (q > 0)
                        return ended(r, CASE_DETECTED, REASON_CHANGED, "'%s', which shared the block, is "
                                     "gone", name_of(o));
                if (q == 0)
                        q = vec_push(&r->sharers, s);
                if (q < 0) {
                        closep(&s.fd);
                        return q;
                }
        }
        return 0;
}

/* The device itself: nobody keeps a time of it, and there is no memory in between. */
static int open_device(Repair *r) {
        r->before = (struct stat) { .st_size = (off_t) r->site.size };
        if (r->site.size != r->f->file_size)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the device has changed its size");
        return site_open_device(&r->site, &r->fd);
}

static int examine_file(Repair *r) {
        int q;

        if (site_is_dax(&r->site))
                return 0;
        q = repair_write_back(r);
        if (q < 0)
                return ended(r, CASE_FAILED, REASON_WRITE_FAILED,
                             "what is in memory of the file cannot be written: %s", strerror(-q));
        if (fstat(r->fd, &r->before) < 0)
                return -errno;
        if ((uint64_t) r->before.st_size != r->f->file_size)
                return ended(r, CASE_DETECTED, REASON_CHANGED, "the file has changed its size");

        r->mtime = r->before.st_mtim;
        return 0;
}

static bool has_writer(const Repair *r, WriterKind w) {
        for (size_t i = 0; i < r->n_writers; i++)
                if (r->writers[i] == w)
                        return true;
        return false;
}

/* All of them, or none is kept. */
static bool lease_all(Repair *r) {
        bool all = lease_take(r->fd, &r->lease) > 0;

        r->busy = all ? NULL : r->owner;
        for (size_t i = 0; all && i < r->sharers.n; i++) {
                Sharer *s = r->sharers.items + i;

                all = lease_take(s->fd, &s->lease) > 0;
                if (!all)
                        r->busy = s->owner;
        }
        if (all)
                return true;

        lease_end(&r->lease);
        for (size_t i = 0; i < r->sharers.n; i++)
                lease_end(&r->sharers.items[i].lease);
        return false;
}

/* Can it be had? Freezing itself comes later, for each page: nothing may be read or logged meanwhile. */
static bool exclusion_can_be_had(Repair *r, Exclusion e) {
        switch (e) {
        case EXCLUSION_LEASE:
                return lease_all(r);
        case EXCLUSION_FREEZE:
                return !r->site.coarse && freeze_possible(&r->site, r->request->state_dir) &&
                       site_open_device(&r->site, &r->block_fd) >= 0;
        case EXCLUSION_OPTIMISTIC:
                return true;
        case _EXCLUSION_MAX:
        case _EXCLUSION_INVALID:
        default:
                return false;
        }
}

/* With the writers that suit it. 0, REPAIR_E_ENDED, or a negative errno. */
static int try_exclusion(Repair *r, Exclusion e, bool *ret_had) {
        int q = 0;

        r->n_writers = 0;
        for (size_t k = 0; k < r->plan->means.n_writers; k++)
                if (writer_suits(r->plan->means.writers[k], e))
                        r->writers[r->n_writers++] = r->plan->means.writers[k];
        if (has_writer(r, WRITER_CLONE))
                q = open_sharers(r);
        if (q != 0)
                return q;

        *ret_had = r->n_writers > 0 && exclusion_can_be_had(r, e);
        if (*ret_had)
                r->result.exclusion = e;
        return 0;
}

/* Written optimistically, a file whose times are moved by it would never count as identical to its mirror
 * again; and it may be only for a moment that somebody had it open, who copies it, say. */
static int try_lease_again(Repair *r, bool *ret_had) {
        const struct timespec pause = { .tv_nsec = LEASE_PAUSE_NSEC };
        int q = 0;

        if (r->site.ops->keeps_times && !findings_has_whole_page(r->f))
                return 0;
        for (unsigned i = 0; q == 0 && !*ret_had && i < LEASE_TRIES; i++) {
                (void) nanosleep(&pause, NULL);
                q = try_exclusion(r, EXCLUSION_LEASE, ret_had);
        }
        return q;
}

static int take_exclusion(Repair *r) {
        bool leased = false /* it was tried, and may be again */, had = false;
        int q = 0;

        for (size_t i = 0; q == 0 && !had && i < r->plan->means.exclusion.n; i++) {
                Exclusion e = r->plan->means.exclusion.items[i];

                if (r->only_freeze && e != EXCLUSION_FREEZE)
                        continue;
                if (e == EXCLUSION_OPTIMISTIC && leased)
                        q = try_lease_again(r, &had);
                if (q == 0 && !had)
                        q = try_exclusion(r, e, &had);
                leased = leased || (e == EXCLUSION_LEASE && r->n_writers > 0);
        }
        if (q != 0)
                return q;
        if (had)
                return examine_file(r);
        if (r->busy && r->busy != r->owner)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY,
                             "another program has '%s' open, which shares the block, and nothing else that "
                             "Exclusion= allows can be had", name_of(r->busy));
        return ended(r, CASE_WAITING, REASON_FILE_BUSY,
                     "another program has it open, and nothing else that Exclusion= allows can be had");
}

int repair_exclude(Repair *r) {
        int q;

        q = site_is_dax(&r->site) ? open_device(r) : open_file(r);
        return q == 0 ? take_exclusion(r) : q;
}

int repair_excluded(Repair *r) {
        if (r->result.exclusion != EXCLUSION_LEASE)
                return 0;
        r->lease_lost = !lease_holds(&r->lease);
        if (r->lease_lost)
                return ended(r, CASE_WAITING, REASON_FILE_BUSY, "another program wants to open it");
        for (size_t i = 0; i < r->sharers.n; i++) {
                r->lease_lost = !lease_holds(&r->sharers.items[i].lease);
                if (r->lease_lost)
                        return ended(r, CASE_WAITING, REASON_FILE_BUSY,
                                     "another program wants to open '%s', which shares the block",
                                     name_of(r->sharers.items[i].owner));
        }
        return 0;
}

int repair_write_back(const Repair *r) {
        if (!file_is_dax(r->fd) && fdatasync(r->fd) < 0)
                return -errno;
        for (size_t i = 0; i < r->sharers.n; i++)
                if (!file_is_dax(r->sharers.items[i].fd) && fdatasync(r->sharers.items[i].fd) < 0)
                        return -errno;
        return 0;
}

void repair_let_go(Repair *r) {
        for (size_t i = 0; i < r->sharers.n; i++) {
                site_let_go(&r->site, r->sharers.items[i].fd);
                closep(&r->sharers.items[i].fd);
        }
        vec_done(&r->sharers);
        site_let_go(&r->site, r->fd);
        closep(&r->fd);         /* a lease goes with it */
}
