/* SPDX-License-Identifier: LGPL-2.1-or-later */

#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/image.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/vec.h"

void skip(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) printf("skipped: ");
        (void) vprintf(format, ap);
        (void) printf("\n");
        va_end(ap);
        exit(SKIP);
}

int run(const char *format, ...) {
        char *command;
        va_list ap;
        int r;

        va_start(ap, format);
        assert(vasprintf(&command, format, ap) > 0);
        va_end(ap);
        r = system(command);
        free(command);
        return r;
}

static void set_up(const char *folder, const char *mkfs, const char *package) {
        if (geteuid() != 0)
                skip("needs root, for loop devices and mounts");
        if (run("command -v %s >/dev/null 2>&1", mkfs) != 0)
                skip("%s is not installed (package %s)", mkfs, package);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                skip("no mount namespace: %m");

        assert(chdir(folder) == 0);
        assert(mkdir("mnt", 0755) == 0);
}

int run_in_folder(const char *template, const char *mkfs, const char *package, void (*tests)(void)) {
        char folder[64];
        pid_t child;
        int status;

        assert(strlen(template) < sizeof(folder));
        (void) strcpy(folder, template);
        assert(mkdtemp(folder));
        (void) setvbuf(stdout, NULL, _IOLBF, 0);

        child = fork();
        assert(child >= 0);
        if (child == 0) {
                set_up(folder, mkfs, package);
                tests();
                exit(0);
        }
        assert(waitpid(child, &status, 0) == child);
        (void) run("rm -rf --one-file-system '%s'", folder);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool make_image(uint64_t size, const char *mkfs, const char *options) {
        assert(run("rm -f image && truncate -s %" PRIu64 " image", size) == 0);
        return run("%s %s image >mkfs 2>&1", mkfs, options) == 0;
}

int mount_image(const char *type, const char *options) {
        int fd;

        if (run("mount -t %s -o loop,%s image mnt >mount 2>&1", type, options) != 0)
                return -1;
        fd = open("mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(fd >= 0);
        return fd;
}

void unmount(int fd) {
        assert(close(fd) == 0);
        assert(umount("mnt") == 0);
}

int create(int root, const char *path) {
        int fd = openat(root, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        assert(fd >= 0);
        return fd;
}

void fill(int fd, uint64_t offset, size_t n) {
        _cleanup_free_ char *data = malloc(n);

        assert(data);
        memset(data, 0x5a, n);
        assert(pwrite_full(fd, data, n, offset) == 0);
}

uint64_t inode_of(int fd) {
        struct stat st;

        assert(fstat(fd, &st) == 0);
        return st.st_ino;
}

uint32_t generation_of(int fd) {
        int v[2] = {};

        assert(ioctl(fd, FS_IOC_GETVERSION, v) == 0);
        return (uint32_t) v[0];
}

int keep(const Owner *owner, void *userdata) {
        Owners *owners = userdata;
        Owner o;

        assert(owner_copy(owner, &o) == 0);
        assert(vec_push(owners, o) == 0);
        return 0;
}
