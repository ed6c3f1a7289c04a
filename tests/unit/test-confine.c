/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/confine.h"

/* The line of /proc/self/status with this name, as a number to the base. */
static uint64_t status(const char *name, int base) {
        FILE *f = fopen("/proc/self/status", "re");
        uint64_t value = UINT64_MAX;
        char line[512];

        assert(f);
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
                        value = strtoull(line + strlen(name) + 1, NULL, base);
        assert(fclose(f) == 0);
        return value;
}

/* What is done in a child, which the parent does not become. */
static void in_child(void (*fn)(void)) {
        int end;
        pid_t pid = fork();

        assert(pid >= 0);
        if (pid == 0) {
                fn();
                _exit(0);
        }
        assert(waitpid(pid, &end, 0) == pid);
        assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 0);
}

static void try_calls(void) {
        char *argv[] = { (char *) "false", NULL };
        struct rlimit core;
        int fd;

        assert(confine() == 0);
        assert(status("NoNewPrivs", 10) == 1 && status("Seccomp", 10) == 2);
        assert(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);

        assert(execv("/bin/false", argv) < 0 && errno == EPERM);
        assert(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
        assert(socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EPERM);
        assert(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 && errno == EPERM);
        assert(kill(getppid(), 0) < 0 && errno == EPERM);
        assert(mount("none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);

        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert(fd >= 0 && close(fd) == 0);
        assert(kill(getpid(), 0) == 0 && raise(0) == 0);
        fd = open("/proc/self/mountinfo", O_RDONLY);
        assert(fd >= 0 && close(fd) == 0);
}

/* A confined worker can start no program, reach no network and no other process; it can talk to a socket
 * with a path, read files, and end itself. */
static void test_calls(void **state) {
        in_child(try_calls);
}

#define CAP(n) (UINT64_C(1) << (n))
#define LOOK (CAP(21) | CAP(2) | CAP(3))        /* linux/capability.h: SYS_ADMIN DAC_READ_SEARCH FOWNER */
#define WRITE (LOOK | CAP(1) | CAP(4) | CAP(28) | CAP(19))      /* DAC_OVERRIDE FSETID LEASE SYS_PTRACE */

static void try_capabilities(void) {
        uint64_t had = status("CapPrm", 16);

        assert(confine() == 0);
        assert(status("CapPrm", 16) == (had & WRITE) && status("CapInh", 16) == 0);
        assert(status("CapEff", 16) == 0 && status("CapAmb", 16) == 0);
        if (had & CAP(8))       /* SETPCAP */
                assert((status("CapBnd", 16) & ~WRITE) == 0);

        assert(confine_for(VERB_LOCATE) == 0 && status("CapEff", 16) == (had & LOOK));
        assert(confine_for(VERB_REPAIR) == 0 && status("CapEff", 16) == (had & WRITE));
        assert(confine_for(VERB_PLAN) == 0 && status("CapEff", 16) == (had & LOOK));
        assert(confine_for(VERB_SETTLE) == 0 && status("CapEff", 16) == (had & WRITE));
        assert(confine_for(VERB_TOPOLOGY) == 0 && status("CapEff", 16) == (had & CAP(21)));
        assert(confine_for(VERB_HEALTH) == 0 && status("CapEff", 16) == 0);
        assert(confine_for(VERB_SCRUB) == 0 && status("CapEff", 16) == 0);
        assert(status("CapPrm", 16) == (had & WRITE));
}

/* Of the capabilities only those are left that some verb needs, and in force are those of the verb, whatever
 * the one before needed. */
static void test_capabilities(void **state) {
        in_child(try_capabilities);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_calls),
                cmocka_unit_test(test_capabilities),
        };

        return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
