/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A seal says: this was the file while it was good. So it is made of a file that nobody can write to while
 * it is read: a read lease is granted only where nobody has the file open for writing (nor mapped, for a
 * mapping keeps it open), and whoever wants to open it so, or to cut it, has to wait for us (fs/locks.c,
 * check_conflicting_open()). Every change after that moves the ctime, and ends the seal. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/fs.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "map/mapper.h"
#include "util/time-util.h"
#include "worker/seal-conveyor.h"
#include "worker/seal-files.h"

static const char *const outcome_table[_SEAL_OUTCOME_MAX] = {
        [SEAL_SEALED] = "sealed",
        [SEAL_UNCHANGED] = "it has a current seal",
        [SEAL_EMPTY] = "it is empty",
        [SEAL_BUSY] = "somebody has it open for writing",
        [SEAL_CHANGED] = "it was changed, or opened for writing, while it was read",
        [SEAL_UNREADABLE] = "bytes of it cannot be read",
        [SEAL_FUTURE] = "its change time lies in the future",
        [SEAL_ELSEWHERE] = "it is on no file system with a UUID on persistent memory",
        [SEAL_FAILED] = "it could not be sealed",
};

const char *seal_outcome_explain(SealOutcome o) {
        return outcome_table[o];
}

typedef struct Run {
        const SealOptions *options;
        SealReportFn fn;
        void *userdata;
        pthread_mutex_t lock;           /* of fn */
        Conveyor *conveyor;
        Digester *digester;             /* of this thread */
        const TopoMount *mount;         /* of the latest file, and its device */
        dev_t device;
} Run;

static void tell(Run *run, const SealReport *r) {
        (void) pthread_mutex_lock(&run->lock);
        run->fn(r, run->userdata);
        (void) pthread_mutex_unlock(&run->lock);
}

static void on_done(const Sealing *s, void *userdata) {
        SealReport report = { .path = s->seal.path, .size = s->seal.size };
        Run *run = userdata;

        if (s->error == SEALING_E_CHANGED)
                report.outcome = SEAL_CHANGED;
        else if (s->error == SEALING_E_UNREADABLE)
                report.outcome = SEAL_UNREADABLE;
        else if (s->error < 0) {
                report.outcome = SEAL_FAILED;
                report.error = s->error;
        }
        tell(run, &report);
}

static void on_bytes(uint64_t bytes, void *userdata) {
        Run *run = userdata;

        tell(run, &(SealReport) { .bytes = bytes });
}

static const TopoMount *find_mount(Run *run, dev_t device) {
        const Topology *t = run->options->topology;
        const TopoDisk *disk;

        if (run->device == device)
                return run->mount;
        disk = topology_find_disk_by_number(t, major(device), minor(device));
        run->device = device;
        run->mount = disk ? topology_find_mount(t, disk->name) : NULL;
        return run->mount;
}

static SealTime seal_time(struct timespec t) {
        return (SealTime) { t.tv_sec, (uint32_t) t.tv_nsec };
}

static bool has_settled(const struct stat *st) {
        return seal_time_has_settled(seal_time(st->st_ctim), now_realtime());
}

/* What was written just now has settled soon. */
static bool wait_until_settled(const struct stat *st) {
        const struct timespec pause = { .tv_nsec = 100000000 };

        for (int i = 0; i < 40; i++) {
                if (has_settled(st))
                        return true;
                (void) nanosleep(&pause, NULL);
        }
        return false;
}

static bool is_sealed(Run *run, const char *uuid, const Seal *s) {
        _cleanup_seal_file_ SealFile f = SEAL_FILE_NULL;

        return !run->options->force &&
               seal_file_open(run->options->state_dir, uuid, s->inode, s->generation, run->digester,
                              &f) == 0 &&
               seal_is_current(&f.seal, s->inode, s->generation, s->size, s->mtime, s->ctime);
}

static int describe(const char *path, int fd, const struct stat *st, Seal *s) {
        int version[2] = {};    /* its number says long, the kernel writes an int */

        if (ioctl(fd, FS_IOC_GETVERSION, version) < 0)
                return -errno;
        s->inode = st->st_ino;
        s->generation = (uint32_t) version[0];
        s->size = (uint64_t) st->st_size;
        s->mtime = seal_time(st->st_mtim);
        s->ctime = seal_time(st->st_ctim);
        s->sealed_at = now_realtime();
        s->path = strdup(path);
        return s->path ? 0 : -ENOMEM;
}

/* Up to the conveyor. SEAL_SEALED: it is on its way, and on_done() will tell. */
static int begin_file(Run *run, const char *path, SealOutcome *ret) {
        _cleanup_(sealing_freep) Sealing *s = calloc(1, sizeof(*s));
        const TopoMount *mount;
        int r;

        if (!s)
                return -ENOMEM;
        s->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
        if (s->fd < 0)
                return -errno;
        if (fcntl(s->fd, F_SETLEASE, F_RDLCK) < 0) {
                *ret = SEAL_BUSY;
                return errno == EAGAIN ? 0 : -errno;
        }
        if (fstat(s->fd, &s->before) < 0)
                return -errno;
        if (!S_ISREG(s->before.st_mode))
                return -ESTALE;

        mount = find_mount(run, s->before.st_dev);
        *ret = !mount || !mount->uuid ? SEAL_ELSEWHERE : s->before.st_size == 0 ? SEAL_EMPTY : SEAL_SEALED;
        if (*ret != SEAL_SEALED)
                return 0;

        r = describe(path, s->fd, &s->before, &s->seal);
        if (r < 0)
                return r;
        *ret = is_sealed(run, mount->uuid, &s->seal) ? SEAL_UNCHANGED
                : !wait_until_settled(&s->before) ? SEAL_FUTURE : SEAL_SEALED;
        if (*ret != SEAL_SEALED)
                return 0;

        r = seal_draft_new(run->options->state_dir, mount->uuid, &s->seal, run->digester, &s->draft);
        if (r < 0)
                return r;
        conveyor_put(run->conveyor, TAKE_PTR(s));
        return 0;
}

static void report(Run *run, const char *path, SealOutcome outcome, int error) {
        tell(run, &(SealReport) { .path = path, .outcome = error < 0 ? SEAL_FAILED : outcome,
                                  .error = error });
}

static void seal_path(Run *run, const char *path) {
        SealOutcome outcome = SEAL_FAILED;
        int r;

        r = begin_file(run, path, &outcome);
        if (r < 0 || outcome != SEAL_SEALED)
                report(run, path, outcome, r);
}

static void fts_closep(FTS **f) {
        if (*f)
                (void) fts_close(*f);
}

/* Never through symbolic links, never to another file system. A guard file (which keeps lost blocks from
 * being used) has no data. */
static int seal_tree(Run *run, const char *path) {
        __attribute__((cleanup(fts_closep))) FTS *fts = NULL;
        char *roots[] = { (char *) path, NULL };
        FTSENT *e;

        fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
        if (!fts)
                return -errno;

        while ((errno = 0, e = fts_read(fts)))
                switch (e->fts_info) {
                case FTS_F:
                        seal_path(run, e->fts_path);
                        break;
                case FTS_D:
                        if (e->fts_level > 0 && strcmp(e->fts_name, ".bezoar") == 0)
                                (void) fts_set(fts, e, FTS_SKIP);
                        break;
                case FTS_DNR:
                case FTS_ERR:
                case FTS_NS:
                        report(run, e->fts_path, SEAL_FAILED, -e->fts_errno);
                        break;
                default:
                        break;
                }
        return -errno;
}

typedef struct Prune {
        int mount_fd;
        const MapperOps *ops;
} Prune;

static int is_gone(uint64_t inode, uint32_t generation, void *userdata) {
        const Prune *p = userdata;
        _cleanup_close_ int fd = -1;

        return mapper_open(p->ops, p->mount_fd, inode, generation, O_PATH, &fd) == MAP_E_GONE;
}

static int prune(const SealOptions *o) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < o->topology->mounts.n; i++) {
                const TopoMount *m = o->topology->mounts.items + i;
                Prune p = { .ops = mapper_find(m->fs) };
                _cleanup_close_ int fd = -1;

                if (!p.ops || !m->uuid)
                        continue;
                fd = open(m->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0)
                        continue;
                p.mount_fd = fd;
                r = seal_store_prune(o->state_dir, m->uuid, is_gone, &p);
        }
        return r;
}

int seal_files(const SealOptions *o, char *const *paths, SealReportFn fn, void *userdata) {
        _cleanup_(digester_freep) Digester *digester = NULL;
        _cleanup_close_ int lock_fd = -1;
        Run run = { .options = o, .fn = fn, .userdata = userdata, .lock = PTHREAD_MUTEX_INITIALIZER };
        int r;

        r = seal_store_lock(o->state_dir, &lock_fd);
        if (r >= 0)
                r = digester_new(&digester);
        if (r < 0)
                return r;
        run.digester = digester;
        r = conveyor_new(o->threads, on_done, on_bytes, &run, &run.conveyor);
        if (r < 0)
                return r;

        for (; r >= 0 && *paths; paths++)
                r = seal_tree(&run, *paths);
        run.conveyor = conveyor_free(run.conveyor);
        if (r >= 0)
                r = prune(o);
        if (syncfs(lock_fd) < 0 && r >= 0)
                r = -errno;
        return r;
}
