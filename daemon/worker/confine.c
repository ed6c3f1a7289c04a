/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Two lists: what is kept of the capabilities, by verb, and which system calls are taken away. The unit has
 * both in the coarse for daemon and worker alike (units/bezoard.service.in says what needs each capability);
 * this is the finer part, and holds also where somebody runs the daemon without the unit. */

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/confine.h"

/* Device mapper tells its tables to nobody else (drivers/md/dm-ioctl.c ctl_ioctl()). */
static const cap_value_t machine[] = { CAP_SYS_ADMIN };

/* Looking: handles of inodes, whose bytes they are, folders and files of any owner without leaving a
 * trace. */
static const cap_value_t look[] = { CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH, CAP_FOWNER };

static const cap_value_t write_too[] = {
        CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_DAC_OVERRIDE, CAP_FSETID, CAP_LEASE,
        CAP_SYS_PTRACE,
};

/* A build with the address sanitizer looks for leaks by a thread that traces its own process. */
#ifdef __SANITIZE_ADDRESS__
#define TRACES_ITSELF 1
#else
#define TRACES_ITSELF 0
#endif

#define N(a) ((int) (sizeof(a) / sizeof((a)[0])))

static const int taken[] = {
        /* other programs and processes */
        SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd),
        SCMP_SYS(pidfd_send_signal), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(tkill),
        SCMP_SYS(kcmp), SCMP_SYS(setns), SCMP_SYS(unshare),
        /* to be asked by somebody */
        SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
        /* mounts and device nodes */
        SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount),
        SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
        SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct),
        /* the kernel and the machine */
        SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(syslog), SCMP_SYS(iopl), SCMP_SYS(ioperm),
        SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
        SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(add_key), SCMP_SYS(request_key),
        SCMP_SYS(keyctl),
};

static void cap_freep(cap_t *c) {
        if (*c)
                (void) cap_free(*c);
}

static bool is_among(cap_value_t c, const cap_value_t *list, int n) {
        for (int i = 0; i < n; i++)
                if (list[i] == c)
                        return true;
        return false;
}

/* What is permitted shrinks to what writing needs; of this, `effective` is in force. */
static int set_capabilities(const cap_value_t *effective, int n) {
        __attribute__((cleanup(cap_freep))) cap_t now = cap_get_proc(), new = cap_init();

        if (!now || !new)
                return -errno;

        for (int i = 0; i < N(write_too); i++) {
                cap_flag_value_t has = CAP_CLEAR;
                cap_value_t c = write_too[i];

                if (cap_get_flag(now, c, CAP_PERMITTED, &has) < 0 || has != CAP_SET)
                        continue;
                if (cap_set_flag(new, CAP_PERMITTED, 1, &c, CAP_SET) < 0 ||
                    (is_among(c, effective, n) && cap_set_flag(new, CAP_EFFECTIVE, 1, &c, CAP_SET) < 0))
                        return -errno;
        }
        return cap_set_proc(new) < 0 ? -errno : 0;
}

/* What nobody here needs cannot come back by way of another program either. Without CAP_SETPCAP, as under
 * the unit, the set is what it is. */
static void drop_bounding(void) {
        for (cap_value_t c = 0; c <= CAP_LAST_CAP; c++)
                if (!is_among(c, write_too, N(write_too)))
                        (void) cap_drop_bound(c);
        (void) cap_reset_ambient();
}

/* EPERM, not death: a worker that dies between two writes is worse than one that fails. */
static int filter_calls(void) {
        const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        scmp_datum_t self = (scmp_datum_t) getpid();
        int r = 0;

        if (!ctx)
                return -ENOMEM;

        for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]) && r == 0; i++)
                if (!TRACES_ITSELF || taken[i] != SCMP_SYS(ptrace))
                        r = seccomp_rule_add(ctx, refuse, taken[i], 0);
        if (r == 0)
                r = seccomp_rule_add(ctx, refuse, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
        /* abort(3) and raise(3) are signals to oneself; and the guardian of a freeze, a child, ends this
         * process when it hangs. */
        if (r == 0)
                r = seccomp_rule_add(ctx, refuse, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_NE, self));
        if (r == 0)
                r = seccomp_rule_add(ctx, refuse, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, self));
        if (r == 0)
                r = seccomp_load(ctx);
        seccomp_release(ctx);
        return r;
}

int confine(void) {
        static const struct rlimit none = { 0, 0 };
        int r;

        drop_bounding();
        r = set_capabilities(NULL, 0);
        if (r < 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_DUMPABLE, TRACES_ITSELF, 0, 0, 0) < 0 ||
            setrlimit(RLIMIT_CORE, &none) < 0)
                return -errno;

        r = filter_calls();
        return r == -EINVAL || r == -ENOSYS ? 0 : r;    /* a kernel without filters */
}

int confine_for(Verb v) {
        switch (v) {
        case VERB_HEALTH:
        case VERB_SCRUB:
                return set_capabilities(NULL, 0);
        case VERB_TOPOLOGY:
                return set_capabilities(machine, N(machine));
        case VERB_LOCATE:
        case VERB_PLAN:
        case VERB_PREVIEW:
                return set_capabilities(look, N(look));
        case VERB_REPAIR:
        case VERB_SETTLE:
        case VERB_PARK:
        case VERB_MEND:
        case _VERB_MAX:
        case _VERB_INVALID:
        default:
                return set_capabilities(write_too, N(write_too));
        }
}
