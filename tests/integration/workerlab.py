# SPDX-License-Identifier: LGPL-2.1-or-later

"""The real bezoar-worker on a real XFS (rmapbt, reflink) on a loop device, with a list of bad blocks that the test
makes up: what tests of the worker begin with. What is "lost" is destroyed on the device first, so that a repair that
writes nothing is found out; and after each case the device itself is asked what it has now: the right bytes, or still
the destroyed ones, never others."""

import contextlib
import ctypes
import fcntl
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tap
from tap import Skip

WORKER = sys.argv[1]
PAGE, SECTOR = 4096, 512
FIEMAP, FICLONE = 0xC020660B, 0x40049409
SEED = 20240501


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


class Lab:
    """A mounted file system, its device, and a mirror elsewhere."""

    kind, mkfs = "xfs", ("-m", "rmapbt=1,reflink=1")

    def __init__(self, folder):
        self.folder, self.image, self.mount = folder, folder / "image", folder / "mnt"
        self.mirror, self.sys, self.state = folder / "mirror", folder / "sys", folder / "state"
        self.random = random.Random(SEED)
        self.count = 0
        self.loop = None
        self.freeze_seconds = 60        # what is not about the limit is not to fail by it; None: that of the worker
        for d in (self.mount, self.mirror, self.state):
            d.mkdir()
        with self.image.open("wb") as f:
            f.truncate(400 << 20)
        try:
            run(f"mkfs.{self.kind}", "-q", *self.mkfs, self.image)
            self.loop = run("losetup", "--find", "--show", self.image).strip()
            run("mount", "-t", self.kind, self.loop, self.mount)
        except (OSError, subprocess.CalledProcessError) as e:
            self.close()
            raise Skip(f"no {self.kind} {' '.join(self.mkfs)} on a loop device: {getattr(e, 'stderr', '') or e}".strip().replace("\n", " "))
        self.uuid = run("blkid", "-o", "value", "-s", "UUID", self.loop).strip()
        self.list = self.sys / "block" / Path(self.loop).name / "badblocks"
        self.list.parent.mkdir(parents=True)
        self.list.write_text("")
        (self.list.parent / "queue").mkdir()
        (self.list.parent / "queue/dax").write_text("0\n")

    def close(self):
        if self.mount.is_mount():
            run("umount", self.mount)
        if self.loop:
            run("losetup", "--detach", self.loop)

    def device(self, at, n):
        with self.image.open("rb") as f:
            f.seek(at)
            return f.read(n)

    def device_write(self, at, data):
        with self.image.open("r+b") as f:
            f.seek(at)
            f.write(data)

    def worker(self, request, fault=None, **more):
        for p in (self.state / "intent").glob(".ended-*"):      # the daemon has recorded what the last one said
            p.unlink()
        env = {k: v for k, v in os.environ.items() if not k.startswith("BEZOAR_")}
        env.update(more, BEZOAR_SYSFS=str(self.sys))
        if self.freeze_seconds:
            env["BEZOAR_FREEZE_SEC"] = str(self.freeze_seconds)
        if fault:
            env["BEZOAR_FAULT"] = fault
        return subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env), request

    def finish(self, started):
        process, request = started
        out, _ = process.communicate(json.dumps(request) + "\n", timeout=180)
        return [json.loads(line) for line in out.splitlines()]

    def intents(self):
        folder = self.state / "intent"
        return [p for p in folder.iterdir() if not p.name.startswith(".")] if folder.exists() else []


@contextlib.contextmanager
def another_lab(kind="xfs", mkfs=()):
    """A lab for one test, with another file system than the others have."""
    class Another(Lab):
        pass

    Another.kind, Another.mkfs = kind, mkfs
    with tempfile.TemporaryDirectory(prefix="bezoar-worker-") as folder:
        there = Another(Path(folder))
        try:
            yield there
        finally:
            there.close()


NO_RMAPBT = ("-m", "rmapbt=0,reflink=1")


def extent(path, offset):
    """Where on the device a page of a file lies."""
    with path.open("rb") as f:
        head = bytearray(struct.pack("=QQLLLL", offset, PAGE, 1, 0, 1, 0) + bytes(56))
        fcntl.ioctl(f, FIEMAP, head)
    if struct.unpack_from("=L", head, 20)[0] != 1:
        return None
    logical, physical = struct.unpack_from("=QQ", head, 32)
    return physical + (offset - logical)


def boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class File:
    """A file with one bad page, and its copies."""

    def __init__(self, lab, pages=40, tail=0, page=20, sectors=((3, 1),), mirrors=1):
        lab.count += 1
        self.lab, self.name = lab, f"file{lab.count}"
        self.path = lab.mount / self.name
        self.size = pages * PAGE + tail
        self.data = lab.random.randbytes(self.size)
        self.path.write_bytes(self.data)
        self.offset = page * PAGE
        self.mirrors = [lab.folder / f"mirror{lab.count}.{i}" for i in range(mirrors)]
        for m in self.mirrors:
            m.mkdir()
            shutil.copy2(self.path, m / self.name)
        self.replicas = [f"mirror:{m}" for m in self.mirrors]
        self.before = self.path.stat()
        with self.path.open("rb") as f:
            os.fsync(f.fileno())
        self.at = extent(self.path, self.offset)
        self.lose(sectors)

    @property
    def copy(self):
        return self.mirrors[0] / self.name

    def lose(self, sectors):
        """Destroys sectors of the bad page on the device, and lists them."""
        self.bad = [{"start": self.at + s * SECTOR, "length": n * SECTOR} for s, n in sectors]
        for b in self.bad:
            self.lab.device_write(b["start"], b"\xdb" * b["length"])
        self.drop()
        self.relist()

    def relist(self):
        self.lab.list.write_text("".join(f"{b['start'] // SECTOR} {b['length'] // SECTOR}\n" for b in self.bad))

    def drop(self):
        """Out of the page cache: this is no DAX."""
        with self.path.open("rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def request(self, verb, **more):
        protect = {"name": "test", "path": str(self.lab.mount), "replicas": self.replicas,
                   "proof": more.pop("policy_proof", "identity+neighbours"), "exclusion": "lease,optimistic", "writer": "auto"}
        return {"verb": verb, "state_dir": str(self.lab.state), "id": "7",
                "volume": {"device": self.lab.loop, "fs": self.lab.kind, "uuid": self.lab.uuid, "mountpoint": str(self.lab.mount)},
                "policy": {"mode": more.pop("mode", "repair"), "protects": [protect]}, **more}

    def locate(self, **more):
        range_ = {"start": self.at, "length": PAGE}
        answer = self.lab.finish(self.lab.worker(self.request("locate", ranges=[{"range": range_, "bad": self.bad}], **more)))[-1]
        assert "found" in answer, answer
        return answer["found"][0]

    def start_repair(self, found, fault="after-write:unlist", proof="identity+neighbours", exclusion="lease", replica=None,
                     writers=("pwrite",), **more):
        plan = {"verdict": "repair", "replica": f"mirror:{replica}" if replica else self.replicas[0], "proof": proof,
                "writers": list(writers), "exclusion": exclusion,
                "steps": [{"range": found["range"], "offset": found["owners"][0]["offset"], "bad": found["bad"]}]}
        return self.lab.worker(self.request("repair", ranges=[found], plan=plan, **more), fault)

    def repair(self, found=None, **more):
        return self.lab.finish(self.start_repair(found or self.locate(), **more))[-1]

    def settle(self, **more):
        return self.lab.finish(self.lab.worker(self.request("settle", **more)))

    # ---- what the device has ----

    def page(self):
        return self.lab.device(self.at, PAGE)

    def right(self):
        tail = self.data[self.offset:self.offset + PAGE]
        return tail + bytes(PAGE - len(tail))

    def destroyed(self):
        page = bytearray(self.right())
        for b in self.bad:
            at = b["start"] - self.at
            page[at:at + b["length"]] = b"\xdb" * b["length"]
        return bytes(page)

    def check_healed(self):
        assert self.page() == self.right(), "the device has not the right bytes"
        self.drop()
        assert self.path.read_bytes() == self.data
        st = self.path.stat()
        assert (st.st_size, st.st_mtime_ns, st.st_ino) == (self.size, self.before.st_mtime_ns, self.before.st_ino)
        assert not self.lab.intents(), "an intent was left"

    def check_untouched(self):
        assert self.page() == self.destroyed(), "the device was written to"
        st = self.path.stat()
        assert (st.st_size, st.st_mtime_ns) == (self.size, self.before.st_mtime_ns)
        assert not self.lab.intents(), "an intent was left"


def expect(answer, state, reason=None):
    assert answer.get("state") == state and (reason is None or answer.get("reason", "") == reason), answer


def expect_healed(f, **more):
    expect(f.repair(**more), "healed")
    f.check_healed()


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def process_state(pid):
    """R, S, D, T, Z; None: it is no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def begin(started):
    """Sends the request of a worker that stops by itself ("POINT:stop"), and waits until it has."""
    process, request = started
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    wait_for("the worker stops", lambda: process_state(process.pid) in ("T", "Z"))
    return process


def go_on(process):
    """Until its end, wherever else it stops. Its answers."""
    process.stdin.close()

    def ended():
        if process_state(process.pid) == "T":
            process.send_signal(signal.SIGCONT)
        return process.poll() is not None

    wait_for("the worker ends", ended)
    return [json.loads(line) for line in process.stdout]


def at_each_stop(started, action):
    """Has it stop wherever it is told to, and calls action(number of the stop, pid) each time. Its answers."""
    process = begin(started)
    process.stdin.close()
    stops = 0
    while process_state(process.pid) == "T":
        action(stops, process.pid)
        stops += 1
        process.send_signal(signal.SIGCONT)
        wait_for("the worker stops again, or ends", lambda: process.poll() is not None or process_state(process.pid) == "T")
    assert stops > 0, "it never came to that point"
    process.wait()
    return [json.loads(line) for line in process.stdout]


def leases(pid):
    """Which inodes a process has leases on: ACTIVE, or BREAKING as soon as somebody has wanted to open the file (/proc/locks)."""
    found = {}
    for line in Path("/proc/locks").read_text().splitlines():
        word = line.split()
        if word[1] == "LEASE" and int(word[4]) == pid:
            found[int(word[5].split(":")[2])] = word[2]
    return found


def meanwhile(started, action):
    process = begin(started)
    assert process_state(process.pid) == "T", "it never came to that point"
    action()
    return go_on(process)[-1]


def prepare():
    if os.geteuid() != 0:
        raise Skip("needs root, for loop devices and mounts")
    if not shutil.which("mkfs.xfs"):
        raise Skip("mkfs.xfs is not installed (package xfsprogs)")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0 or libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) != 0:
        raise Skip("no mount namespace")


def run_all(lab, everything):
    """Runs pairs of a name and a function; the lab is closed afterwards. The exit status."""
    def forget():
        for p in lab.intents():
            p.unlink()

    try:
        return tap.run([(name, lambda test=test: test(lab)) for name, test in everything], lambda: lab.list.write_text(""), forget)
    finally:
        lab.close()


def run_tests(tests, lab=Lab, setup=None):
    """Ends the program with the result of those whose name has the word behind the worker's on the command line; what cannot be done here is
    skipped."""
    tests = [t for t in tests if len(sys.argv) < 3 or sys.argv[2] in t[0] or sys.argv[2] in getattr(t[1], "__name__", "")]

    def work():
        prepare()
        with tempfile.TemporaryDirectory(prefix="bezoar-worker-") as folder:
            here = lab(Path(folder))
            if setup:
                setup(here)
            return run_all(here, tests)

    tap.main(work)
