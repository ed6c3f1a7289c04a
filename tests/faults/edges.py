# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lets one system call of a program fail after the other: what fails, with which error, and in which order. The calls are those that
the program makes (fault-at notes them), the errors those that the manual pages of the calls name and a machine can be made to give."""
import errno
import os
import select
import socket
import subprocess
import time

PATIENCE = 120          # seconds, after which something hangs

FILE = ("EIO", "EINTR")
SPACE = ("ENOSPC", "EIO")
ERRORS = {
    "openat": ("EIO", "EMFILE", "EACCES", "ENOMEM", "ENOSPC", "EROFS"), "openat2": ("EIO", "EMFILE", "EACCES", "ENOMEM", "EAGAIN"),
    "open_by_handle_at": ("ESTALE", "EIO", "EMFILE", "ENOMEM"), "name_to_handle_at": ("EOPNOTSUPP", "EIO"),
    "read": FILE, "pread64": FILE, "readv": FILE, "preadv": FILE, "write": SPACE + ("EINTR", "EROFS"), "pwrite64": SPACE + ("EINTR",),
    "writev": SPACE, "pwritev": SPACE, "pwritev2": SPACE, "fsync": SPACE, "fdatasync": SPACE, "syncfs": SPACE, "sync_file_range": SPACE,
    "msync": ("EIO", "ENOMEM"), "mmap": ("ENOMEM",), "ioctl": ("EIO", "EINTR", "ENOMEM", "EOPNOTSUPP", "EBUSY", "ENOSPC", "EPERM"),
    "fcntl": ("EAGAIN", "EINTR"), "flock": ("EINTR", "EAGAIN"), "fallocate": SPACE + ("EINTR",), "ftruncate": SPACE, "fstat": ("EIO",),
    "newfstatat": ("EIO", "EACCES"), "statx": ("EIO",), "statfs": ("EIO",), "fstatfs": ("EIO",), "access": ("EACCES",),
    "faccessat2": ("EACCES",), "readlink": ("EIO",), "readlinkat": ("EIO",), "getdents64": ("EIO",), "lseek": ("EINVAL",),
    "rename": SPACE + ("EROFS",), "renameat": SPACE + ("EROFS",), "renameat2": SPACE + ("EROFS",), "linkat": SPACE,
    "unlink": ("EIO", "EROFS"), "unlinkat": ("EIO", "EROFS"), "mkdir": SPACE + ("EROFS",), "mkdirat": SPACE + ("EROFS",),
    "fchmod": ("EPERM",), "fchown": ("EPERM",), "utimensat": ("EIO", "EPERM"), "fgetxattr": ("EIO",), "copy_file_range": SPACE,
    "madvise": ("EIO", "EAGAIN"), "socket": ("EMFILE", "ENOMEM"), "socketpair": ("EMFILE",), "connect": ("ECONNREFUSED", "EINTR"),
    "sendmsg": ("EPIPE", "ENOBUFS"), "recvmsg": ("ECONNRESET", "ENOMEM"), "sendto": ("EPIPE", "ENOBUFS"), "recvfrom": ("ECONNRESET",),
    "pipe2": ("EMFILE",), "dup3": ("EMFILE",), "clone": ("EAGAIN", "ENOMEM"), "clone3": ("EAGAIN", "ENOMEM"), "vfork": ("EAGAIN",),
    "epoll_create1": ("EMFILE",), "epoll_ctl": ("ENOMEM", "ENOSPC"), "timerfd_create": ("EMFILE",), "timerfd_settime": ("EINVAL",),
    "signalfd4": ("EMFILE",), "inotify_init1": ("EMFILE",), "inotify_add_watch": ("ENOSPC",), "eventfd2": ("EMFILE",),
    "memfd_create": ("EMFILE", "ENOMEM"), "getrandom": ("EINTR",), "capset": ("EPERM",), "pidfd_open": ("EMFILE", "ESRCH"),
    "pidfd_send_signal": ("ESRCH",), "setsockopt": ("EPERM",), "bind": ("EADDRINUSE",),
}


class Ended(Exception):
    """The program is no more; its exit status, negative for a signal."""


class Program:
    """A program below fault-at."""

    def __init__(self, fault_at, argv, first=None, own=False, **more):
        """`first`: a fault that waits for it from its first call on, or "record". `own`: not its children."""
        ours, theirs = socket.socketpair()
        env = dict(more.pop("env", os.environ), FAULT_CONTROL=str(theirs.fileno()))
        if own:
            env["FAULT_OWN"] = "yes"
        if first:
            env["FAULT_FIRST"] = first if isinstance(first, str) else first.line()
        more["pass_fds"] = (*more.get("pass_fds", ()), theirs.fileno())
        self.process = subprocess.Popen([fault_at, *map(str, argv)], env=env, **more)
        theirs.close()
        self.control = ours.makefile("rw")
        self.socket = ours
        if first:
            self._hear()

    def _say(self, line):
        try:
            self.control.write(line + "\n")
            self.control.flush()
        except BrokenPipeError:
            pass

    def _hear(self):
        try:
            return self.control.readline().strip()
        except ConnectionResetError:
            return ""

    def record(self):
        self._say("record")
        self._hear()

    def calls(self):
        """[(name, what)] since record()."""
        self._say("calls")
        found = []
        while (line := self._hear()) not in (".", ""):
            name, _, what = line.partition(" ")
            found.append((name, what))
        return found

    def arm(self, fault):
        self._say(fault.line())
        answer = self._hear()
        assert answer in ("ok", ""), answer

    def off(self):
        """Whether it happened; a program that has ended since may have taken the answer with it."""
        self._say("off")
        return self._hear() != "0"

    @property
    def pid(self):
        """Of the program itself."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def descriptors(self):
        found = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{self.pid}/fd/{fd}").split(":")[0])
            except FileNotFoundError:           # closed meanwhile
                pass
        return sorted(found)

    def resident(self):
        """Bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * 4096


class Fault:
    """The nth call of that name fails so."""

    def __init__(self, call, n, error, what=""):
        self.call, self.n, self.error, self.what = call, n, error, what

    def line(self):
        return f"arm {self.call} {self.n} {getattr(errno, self.error)}"

    def __str__(self):
        return f"{self.call} {self.n} {self.error} ({self.what})"


def faults(calls, skip=lambda what, error: False, begin=0):
    """Each error of each call that was noted, without the first `begin` calls."""
    seen = {}
    for i, (call, what) in enumerate(calls):
        seen[call] = seen.get(call, 0) + 1
        for error in ERRORS[call]:
            impossible = call == "newfstatat" and not what and error == "EACCES"       # of what is open already
            if i >= begin and not impossible and not skip(what, error):
                yield Fault(call, seen[call], error, what)


def choose(everything, every):
    """One of `every`, in all parts of the list and with all kinds of errors."""
    everything = list(everything)
    return everything if every <= 1 else [f for i, f in enumerate(everything) if (i * 7919 + f.n) % every == 0]


class Lines:
    """Lines that a process says, with an end to patience."""

    def __init__(self, file):
        self.fd, self.buffer = file.fileno(), b""

    def next(self):
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.buffer:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"nothing was said within {PATIENCE} s")
            data = os.read(self.fd, 1 << 20)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()
