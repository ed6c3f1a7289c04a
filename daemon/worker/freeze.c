/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/file.h"
#include "util/parse.h"
#include "util/time-util.h"
#include "worker/freeze.h"

#define NOTE_PREFIX ".frozen-"
#define LOOK_AGAIN_MSEC 100

static bool lies_on(const char *path, dev_t dev) {
        struct stat st;

        return path && stat(path, &st) >= 0 && st.st_dev == dev;
}

bool freeze_possible(const Site *s, const char *state_dir) {
        static const char *const needed[] = {
                "/", "/etc", "/usr", "/var", "/var/log", "/var/log/journal",
                "/run", "/tmp", "/proc/self/exe",
        };
        struct stat st;

        if (s->mount_fd < 0 || !state_dir || fstat(s->mount_fd, &st) < 0 || lies_on(state_dir, st.st_dev))
                return false;
        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                if (lies_on(needed[i], st.st_dev))
                        return false;
        return true;
}

/* ---- the note ---- */

static void note_name(const char *disk, char buf[static NAME_MAX]) {
        (void) snprintf(buf, NAME_MAX, NOTE_PREFIX "%.64s", disk);
}

static int boot_id(char **ret) {
        size_t n;
        int r;

        r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, ret, &n);
        if (r >= 0)
                (*ret)[strcspn(*ret, "\n")] = '\0';
        return r;
}

/* "BOOT MAJOR:MINOR MOUNTPOINT". A machine that loses power is not frozen when it comes back: no need to
 * wait for the disk. */
static int note_write(const Freeze *f) {
        _cleanup_free_ char *boot = NULL, *text = NULL;
        char name[NAME_MAX];
        int r;

        r = boot_id(&boot);
        if (r < 0)
                return r;
        if (asprintf(&text, "%s %u:%u %s", boot, f->site->fs_major, f->site->fs_minor,
                     f->site->volume->mountpoint) < 0)
                return -ENOMEM;

        note_name(f->site->disk, name);
        return file_replace_lazily(f->dir_fd, name, text, strlen(text), 0600);
}

static void note_remove(const Freeze *f) {
        char name[NAME_MAX];

        note_name(f->site->disk, name);
        (void) unlinkat(f->dir_fd, name, 0);
}

static int thaw(int fd) {
        return ioctl(fd, FITHAW, 0) < 0 ? -errno : 0;
}

/* ---- the guardian ---- */

static void close_all_but(int *keep, size_t n) {
        unsigned from = 3;

        for (size_t i = 1; i < n; i++)
                for (size_t k = i; k > 0 && keep[k - 1] > keep[k]; k--) {
                        int swapped = keep[k];

                        keep[k] = keep[k - 1];
                        keep[k - 1] = swapped;
                }
        (void) close_range(0, 2, 0);
        for (size_t i = 0; i < n; i++) {
                if ((unsigned) keep[i] > from)
                        (void) close_range(from, (unsigned) keep[i] - 1, 0);
                from = (unsigned) keep[i] + 1;
        }
        (void) close_range(from, ~0U, 0);
}

/* > 0: the worker has thawed by itself; 0: nothing yet; -EPIPE: it has ended. */
static int hear(int fd, int msec) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char byte;

        if (poll(&p, 1, msec) <= 0)
                return 0;
        return read(fd, &byte, 1) == 1 ? 1 : -EPIPE;
}

static int bound_msec(void) {
        const char *s = secure_getenv("BEZOAR_FREEZE_SEC"); /* for tests: on machines that are emulated */
        uint64_t seconds;

        return s && parse_u64(s, &seconds) >= 0 && seconds > 0 && seconds <= 60
                       ? (int) seconds * 1000
                       : (int) (FREEZE_MAX_USEC / 1000);
}

/* Thawing is not enough: a worker that has only been slow must not go on to write as if it were still
 * frozen. And a freeze may still be on its way as long as the worker is in the kernel: FITHAW is EINVAL
 * then, and has to be said again when the worker has ended, which closes its end of the socket. */
static _Noreturn void guard(const Freeze *f, pid_t worker, int fd) {
        int keep[] = { f->site->mount_fd, f->dir_fd, fd }, r;
        sigset_t all;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, NULL);
        (void) prctl(PR_SET_NAME, "bezoar-thaw");
        close_all_but(keep, sizeof(keep) / sizeof(keep[0]));
        if (write(fd, "", 1) != 1)
                _exit(EXIT_FAILURE);

        r = hear(fd, bound_msec());
        if (r > 0)
                _exit(EXIT_SUCCESS);
        /* kill(2) of just this process is what a worker's rights are enough for (worker/confine.c). */
        if (r == 0 && getppid() == worker)
                (void) kill(worker, SIGKILL);
        while (r == 0) {
                r = hear(fd, LOOK_AGAIN_MSEC);
                (void) thaw(f->site->mount_fd);
        }
        (void) thaw(f->site->mount_fd);
        note_remove(f);
        _exit(EXIT_SUCCESS);
}

static int guardian_start(Freeze *f) {
        _cleanup_close_ int ours = -1, its = -1;
        const pid_t self = getpid();
        int pair[2];
        char byte;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        its = pair[1];

        f->guardian = fork();
        if (f->guardian < 0)
                return -errno;
        if (f->guardian == 0) {
                (void) close(ours);
                guard(f, self, its);
        }

        (void) close(TAKE_FD(its));
        f->guardian_fd = TAKE_FD(ours);
        return read(f->guardian_fd, &byte, 1) == 1 ? 0 : -ECHILD;
}

static void guardian_stop(Freeze *f) {
        if (f->guardian_fd < 0)
                return;
        (void) send(f->guardian_fd, "", 1, MSG_NOSIGNAL);
        (void) close(TAKE_FD(f->guardian_fd));
        (void) waitpid(f->guardian, NULL, 0);
}

/* ---- the freeze ---- */

int freeze_begin(const Site *s, int intents_fd, Freeze *ret) {
        Freeze f = { .site = s, .dir_fd = intents_fd, .guardian_fd = -1 };
        int r;

        /* Not syncfs(2) first, for a shorter freeze: it would write-protect the pages of programs that map
         * them (dax_writeback_mapping_range()), and whose next store to the poisoned one is then a new
         * fault: SIGBUS. Within the freeze faults wait for its end, and writing back comes after that
         * (freeze_super(): SB_FREEZE_PAGEFAULT, then sync_filesystem()). */
        r = note_write(&f);
        if (r < 0)
                return r;
        r = guardian_start(&f);
        f.began = now_monotonic();
        if (r >= 0 && ioctl(s->mount_fd, FIFREEZE, 0) < 0)
                r = -errno;
        if (r < 0) {
                guardian_stop(&f);
                note_remove(&f);
                return r;
        }

        f.frozen = true;
        *ret = f;
        return 0;
}

int freeze_end(Freeze *f, uint64_t *ret_usec) {
        int r;

        *ret_usec = 0;
        if (!f->frozen)
                return 0;

        r = thaw(f->site->mount_fd);
        *ret_usec = now_monotonic() - f->began;
        if (r < 0 && r != -EINVAL) /* let the guardian try, and end with it */
                return r;
        f->frozen = false;
        guardian_stop(f);
        note_remove(f);
        return r == -EINVAL ? -ESTALE : 0;
}

/* ---- what others have left ---- */

static int end_noted(int dir_fd, const char *name, const char *boot) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -1;
        unsigned maj, min;
        struct stat st;
        int r, n = 0;
        size_t size;

        r = file_read(dir_fd, name, PATH_MAX + 128, &text, &size);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = 0;
        if (strncmp(text, boot, strlen(boot)) == 0 &&
            sscanf(text + strlen(boot), " %u:%u %n", &maj, &min, &n) == 2 && n > 0) {
                fd = open(text + strlen(boot) + n, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0 && fstat(fd, &st) >= 0 && st.st_dev == makedev(maj, min))
                        r = thaw(fd) == 0;
        }
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : r;
}

static int is_note(const struct dirent *de) {
        return strncmp(de->d_name, NOTE_PREFIX, strlen(NOTE_PREFIX)) == 0;
}

int freeze_end_left(int intents_fd, const char *disk) {
        _cleanup_free_ char *boot = NULL;
        struct dirent **names = NULL;
        char only[NAME_MAX];
        int r, n, thawed = 0;

        r = boot_id(&boot);
        if (r < 0)
                return r;
        if (disk)
                note_name(disk, only);

        n = scandirat(intents_fd, ".", &names, is_note, NULL);
        if (n < 0)
                return -errno;
        for (int i = 0; i < n; i++) {
                int q = 0;

                if (!disk || strcmp(names[i]->d_name, only) == 0)
                        q = end_noted(intents_fd, names[i]->d_name, boot);
                if (q < 0)
                        r = q;
                else
                        thawed += q;
                free(names[i]);
        }
        free(names);
        return r < 0 ? r : thawed;
}
