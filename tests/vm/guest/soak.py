#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""soak.py MINUTES HTTPD: the daemon of this guest among random poison, random trouble with replicas, and applications that write and
check their own data all the time. Started by the scenario of that name, with the host on descriptor 3. Says what was done, and fails
with the first wrong byte, leak, or case without an end.

Two things are of the lab and not of the world. Bytes are destroyed a moment before the kernel knows of it, so nobody may look meanwhile:
everybody else holds GATE shared, the poisoner alone. And a page that a machine check took away and a program overwrites stays away until
the next boot, so machine checks meet only files that nobody writes."""
import collections
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import hostside
import many

PAGE, SECTOR, FILES, PAGES = 4096, 512, 4, 64
PAUSE = 2                       # seconds at most; one who writes around a lost page all the time is refused
PATIENCE = int(os.environ.get("PATIENCE", "1"))
LEDGER = pathlib.Path("/var/lib/bezoar/cases")
GATE = "/run/lab/gate"
MIRROR, REFERENCE = pathlib.Path("/srv/mirror"), pathlib.Path("/srv/reference")
CLOSED = {"healed", "harmless", "gone"}
OUTSTANDING = 12                # what the firmware's list has room for, and more than one at a time
HISTORY = 1000                  # closed cases that the daemon keeps: until there are so many, it grows
SLOPE = 8                       # KiB a minute at most, from then on; a case takes 2 or 3, and there may be 30 a minute
LONG = 300                      # seconds that a case is open before it is told why

# Folder, disk, who writes there.
Group = collections.namedtuple("Group", "name root disk live")
GROUPS = [Group(n, "/srv/pmem", "pmem0", n.startswith("live")) for n in ("mirror", "two", "exec", "http", "block", "fickle", "live", "live2")]
GROUPS += [Group("other", "/srv/pmem1", "pmem1", False), Group("live-other", "/srv/pmem1", "pmem1", True)]


def stop(why):
    print("FAIL:", why, flush=True)
    pathlib.Path("/run/lab/why").write_text(why)
    sys.exit(1)


class Gate:
    def __init__(self, how):
        self.how = how

    def __enter__(self):
        self.fd = os.open(GATE, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.fd, self.how)

    def __exit__(self, *_):
        os.close(self.fd)


# --- applications

def contents(name, page, counts):
    """What an application has in a page: for each sector how often it has written it, made long."""
    return b"".join(hashlib.shake_128(f"{name} {page} {s} {n}".encode()).digest(SECTOR) for s, n in enumerate(counts))


class Application:
    """Writes sectors and pages of one file and of its copy, and looks at others; it knows what it has written."""

    def __init__(self, group, number):
        self.path = f"{group.root}/{group.name}/{number:04}"
        self.copy = f"{MIRROR}/{group.name}/{number:04}"
        self.name = f"{group.name}/{number}"
        self.counts = [[0] * 8 for _ in range(PAGES)]
        for path in self.path, self.copy:
            with open(path, "wb") as f:
                os.posix_fallocate(f.fileno(), 0, PAGES * PAGE)
                f.write(b"".join(contents(self.name, p, c) for p, c in enumerate(self.counts)))
        self.reads = self.writes = self.errors = 0

    def run(self, seed, report):
        ended, still = [], []
        signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
        signal.signal(signal.SIGUSR1, lambda *_: still.append(1))
        dice = random.Random(seed)
        fds = [os.open(p, os.O_RDWR) for p in (self.path, self.copy)]
        while not ended:
            with Gate(fcntl.LOCK_SH):
                if not still:
                    self.write(fds, dice)
                self.check(fds[0], dice.randrange(PAGES))
            time.sleep(dice.random() * PAUSE)
        for page in range(PAGES):
            self.check(fds[0], page, final=True)
        report.write(f"{self.reads} {self.writes} {self.errors}\n")
        report.flush()

    def write(self, fds, dice):
        page, whole = dice.randrange(PAGES), dice.random() < 0.3
        counts = list(self.counts[page])
        sectors = range(8) if whole else [dice.randrange(8)]
        for s in sectors:
            counts[s] += 1
        data = contents(self.name, page, counts)[sectors[0] * SECTOR:(sectors[-1] + 1) * SECTOR]
        try:
            n = os.pwrite(fds[0], data, page * PAGE + sectors[0] * SECTOR)
        except OSError as e:
            if e.errno not in (errno.EIO, errno.EFAULT):
                raise
            self.errors += 1
            return
        if n != len(data):
            raise RuntimeError(f"{self.path}: {n} bytes of {len(data)} were written")
        self.writes += 1
        self.counts[page] = counts
        os.pwrite(fds[1], data, page * PAGE + sectors[0] * SECTOR)

    def check(self, fd, page, final=False):
        try:
            got = os.pread(fd, PAGE, page * PAGE)
        except OSError as e:
            if final or e.errno not in (errno.EIO, errno.EFAULT):
                raise
            self.errors += 1
            return
        self.reads += 1
        wanted = contents(self.name, page, self.counts[page])
        if got != wanted:
            bad = [s for s in range(8) if got[s * SECTOR:(s + 1) * SECTOR] != wanted[s * SECTOR:(s + 1) * SECTOR]]
            raise RuntimeError(f"wrong bytes: {self.path}, page {page}, sectors {bad}, counts {self.counts[page]}")


def check_still(groups, seed, report):
    """Reads what nobody writes."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    dice, reads, errors = random.Random(seed), 0, 0
    paths = [(f"{g.root}/{g.name}/{i:04}", f"{REFERENCE}/{g.name}/{i:04}") for g in groups for i in range(FILES)]
    while not ended:
        with Gate(fcntl.LOCK_SH):
            path, reference = dice.choice(paths)
            at = dice.randrange(PAGES) * PAGE
            with open(path, "rb", buffering=0) as a, open(reference, "rb") as b:
                try:
                    got = os.pread(a.fileno(), PAGE, at)
                except OSError as e:
                    if e.errno not in (errno.EIO, errno.EFAULT):
                        raise
                    errors += 1
                else:
                    reads += 1
                    if got != os.pread(b.fileno(), PAGE, at):
                        raise RuntimeError(f"wrong bytes: {path} at {at}")
        time.sleep(0.1)
    report.write(f"{reads} 0 {errors}\n")
    report.flush()


def start(fn, *args):
    """A process of its own; (pid, pipe with its report)."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, os.fdopen(read)
    try:
        with os.fdopen(write, "w") as report:
            fn(*args, report)
        os._exit(0)
    except BaseException as e:          # whatever it is, it is the end of the soak
        print(f"FAIL: {type(e).__name__}: {e}", flush=True)
        pathlib.Path("/run/lab/why").write_text(str(e))
        os._exit(1)


# --- poison

class Disk:
    def __init__(self, name):
        self.name = name
        self.number = name.removeprefix("pmem")
        self.region = f"/sys/bus/nd/devices/region{self.number}"
        claims = [c for c in pathlib.Path("/sys/bus/nd/devices").glob(f"pfn{self.number}.*")
                  if (c / "namespace").read_text().strip() == f"namespace{self.number}.0"]
        self.data = int((claims[0] / "resource").read_text(), 16)
        self.resource = int(pathlib.Path(f"{self.region}/resource").read_text(), 16)
        nmem = pathlib.Path(f"{self.region}/mapping0").read_text().split(",")[0]
        self.medium = int(pathlib.Path(f"/sys/bus/nd/devices/{nmem}/nfit/handle").read_text(), 16) - 1

    def badblocks(self):
        return pathlib.Path(f"/sys/block/{self.name}/badblocks").read_text()


def say(*words):
    """A line for whoever waits in front of the host."""
    text = " ".join(map(str, words))
    print(text, flush=True)
    hostside.ask(f"say # {text}")


class Cases:
    """The ledger, as far as it changed."""

    def __init__(self):
        self.seen, self.cases, self.last = {}, {}, 0
        self.since, self.told = {}, set()

    def read(self):
        with os.scandir(LEDGER) as entries:
            for e in entries:
                if not e.name.endswith(".json"):
                    continue
                try:
                    st = e.stat()
                    stamp = (st.st_ino, st.st_mtime_ns)
                    if self.seen.get(e.name) == stamp:
                        continue
                    case = json.loads(pathlib.Path(e.path).read_text())
                except FileNotFoundError:
                    continue
                self.seen[e.name] = stamp
                self.cases[int(case["id"])] = (case["state"], case["volume"]["device"], case["range"]["start"],
                                               case["range"]["length"], case.get("reason"))
                self.last = max(self.last, int(case["id"]))
                self.since.setdefault(int(case["id"]), time.monotonic())

    def about(self, disk, start, after):
        return [i for i, c in self.cases.items()
                if i > after and c[1] == f"/dev/{disk}" and c[2] <= start < c[2] + c[3]]

    def open(self):
        return {i: c for i, c in self.cases.items() if c[0] not in CLOSED}

    def tell_old(self):
        """What has been open for long, each once, with its story in the trace."""
        for i, c in self.open().items():
            if i not in self.told and time.monotonic() > self.since[i] + LONG:
                self.told.add(i)
                say(f"case {i} is open for long: {c}")
                subprocess.run(["bezoarctl", "show", str(i)], check=False)


class Poisoner:
    def __init__(self, dice):
        self.dice, self.cases = dice, Cases()
        self.disks = {d: Disk(d) for d in ("pmem0", "pmem1")}
        self.by = collections.Counter()

    def place(self, group, number, offset):
        with open(f"{group.root}/{group.name}/{number:04}", "rb") as f:
            answer = fcntl.ioctl(f, many.FS_IOC_FIEMAP, struct.pack("=QQIIII56x", offset, 1, 0, 0, 1, 0))
        logical, physical = struct.unpack_from("=QQ", answer, 32)
        return physical + offset - logical

    def strike(self):
        """Loses something, and waits for the case."""
        d, group = self.dice, self.dice.choice(GROUPS)
        number, page = d.randrange(FILES), d.randrange(PAGES)
        check = not group.live and d.random() < 0.25
        first, sectors = (0, 8) if check else (d.randrange(8), d.choice([1, 1, 1, 2, 4, 8]))
        sectors = min(sectors, 8 - first)
        disk = self.disks[group.disk]
        self.cases.read()
        at = self.place(group, number, page * PAGE) + first * SECTOR
        start = at // PAGE * PAGE
        if any(c[1] == f"/dev/{group.disk}" and c[2] <= start < c[2] + c[3] for c in self.cases.open().values()):
            return
        last = self.cases.last
        with Gate(fcntl.LOCK_EX):
            hostside.ask(f"destroy {disk.medium} {disk.data - disk.resource + at} {sectors * SECTOR}")
            if check:
                with open(f"/run/lab/taken.{disk.name}", "a") as f:
                    f.write(f"{at // SECTOR}\n")
                hostside.ask(f"mce {disk.data + at}")
            else:
                many.inject([(disk.data + at, sectors * SECTOR)])
            self.wait_for_case(disk, start, last)
        self.by["machine check" if check else "ARS"] += 1

    def wait_for_case(self, disk, start, last):
        end = time.monotonic() + 60 * PATIENCE
        while not self.cases.about(disk.name, start, last):
            if time.monotonic() > end:
                stop(f"poison on {disk.name} at {start} became no case; listed: {disk.badblocks().split()}")
            time.sleep(0.02)
            self.cases.read()


# --- trouble with replicas

class Trouble:
    """One thing at a time is wrong with a replica, for a while."""

    def __init__(self, dice, httpd):
        self.dice, self.httpd, self.wrong, self.told = dice, httpd, None, collections.Counter()

    def turn(self):
        if self.wrong:
            self.mend()
        elif self.dice.random() < 0.7:
            self.wrong = self.dice.choice(["away", "stale", "older", "second", "hung"])
            self.told[self.wrong] += 1
            getattr(self, self.wrong)(MIRROR / "fickle")

    def away(self, folder):
        folder.rename(MIRROR / "was-fickle")

    def stale(self, folder):
        """Other bytes, as if nothing had happened to them."""
        for p in many.files(folder):
            st = p.stat()
            p.write_bytes(os.urandom(st.st_size))
            os.utime(p, ns=(st.st_atime_ns, st.st_mtime_ns))

    def older(self, folder):
        for p in many.files(folder):
            with open(p, "r+b") as f:
                for page in range(PAGES):
                    f.seek(page * PAGE + self.dice.randrange(8) * SECTOR)
                    f.write(os.urandom(SECTOR))
            os.utime(p, (1, 1))

    def second(self, _):
        self.stale(MIRROR / "two-b")

    def hung(self, _):
        os.kill(self.httpd, signal.SIGSTOP)

    def mend(self):
        if self.wrong == "hung":
            os.kill(self.httpd, signal.SIGCONT)
        elif self.wrong == "away":
            (MIRROR / "was-fickle").rename(MIRROR / "fickle")
        elif self.wrong:
            name = "two-b" if self.wrong == "second" else "fickle"
            for p in many.files(MIRROR / name):
                shutil.copy2(REFERENCE / name.removesuffix("-b") / p.name, p)
        self.wrong = None


# --- the daemon

def open_files(pid):
    """What the descriptors of a process are, and how many of each."""
    links = collections.Counter()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links[re.sub(r"\[.*", "", os.readlink(entry))] += 1
    return links


class Figures:
    """Descriptors and memory of the daemon and its workers."""

    def __init__(self):
        self.samples = []

    def take(self, cases=None):
        """Notes them. `cases`: of what is open."""
        pid = int(subprocess.run(["systemctl", "show", "-P", "MainPID", "bezoard"], capture_output=True, text=True, check=True).stdout)
        group = pathlib.Path("/sys/fs/cgroup/system.slice/bezoard.service/cgroup.procs").read_text().split()
        now = {"pid": pid, "processes": len(group), "fds": 0, "daemon": 0, "workers": 0, "worker_fds": 0, "at": time.monotonic()}
        for p in group:
            try:
                rss = int(next(line for line in open(f"/proc/{p}/status") if line.startswith("VmRSS")).split()[1])
                fds = len(os.listdir(f"/proc/{p}/fd"))
            except (OSError, StopIteration):
                continue
            now["daemon" if int(p) == pid else "workers"] += rss
            now["fds" if int(p) == pid else "worker_fds"] += fds
        if self.samples and pid != self.samples[0]["pid"]:
            stop("the daemon is another one")
        now["cases"] = len(cases.cases) if cases else 0
        self.links = open_files(pid)
        self.samples.append(now)
        print("figures:", " ".join(f"{k}={v}" for k, v in now.items() if k != "at"), "open:",
              dict(collections.Counter(f"{c[0]} {c[4]}" for c in cases.open().values())) if cases else {}, flush=True)

    def slope(self, key):
        """KiB a minute, by least squares, over the samples in which the daemon has all the closed cases that it keeps."""
        part = [s for s in self.samples if s["cases"] > HISTORY]
        if len(part) < 10:
            return 0.0
        t = [s["at"] / 60 for s in part]
        v = [s[key] for s in part]
        mt, mv = sum(t) / len(t), sum(v) / len(v)
        return sum((a - mt) * (b - mv) for a, b in zip(t, v)) / sum((a - mt) ** 2 for a in t)


def alive(processes):
    for pid, _ in processes:
        if os.waitpid(pid, os.WNOHANG)[0]:
            stop(pathlib.Path("/run/lab/why").read_text() if os.path.exists("/run/lab/why") else "an application has ended")


def wait_for_ends(cases, disks, processes, seconds):
    end = time.monotonic() + seconds * PATIENCE
    while True:
        alive(processes)
        cases.read()
        if not cases.open() and not any(d.badblocks() for d in disks):
            return
        if time.monotonic() > end:
            for i in cases.open():
                subprocess.run(["bezoarctl", "show", str(i)], check=False)
            stop(f"cases without an end: {cases.open()}, listed: {[d.badblocks().split() for d in disks]}")
        time.sleep(0.5)


def main(minutes, httpd):
    dice = hostside.dice()
    still = [g for g in GROUPS if not g.live]
    before = {g.name: list(many.told(f"{g.root}/{g.name}")) for g in still}
    applications = [Application(g, i) for g in GROUPS if g.live for i in range(FILES)]
    subprocess.run(["sync"], check=True)
    processes = [start(a.run, dice.random()) for a in applications]
    processes += [start(check_still, still, dice.random())]

    poisoner, trouble, figures = Poisoner(dice), Trouble(dice, httpd), Figures()
    figures.take()
    links = figures.links
    with open("/run/lab/asked", "w") as out:
        asker = subprocess.Popen(["/lab/tools/lab-probe", "ask"], stdout=out)
    begin = time.monotonic()
    turn = sample = begin
    while time.monotonic() < begin + minutes * 60:
        alive(processes)
        poisoner.cases.read()
        if len(poisoner.cases.open()) < OUTSTANDING:
            poisoner.strike()
        now = time.monotonic()
        if now > turn + 15:
            trouble.turn()
            turn = now
        if now > sample + 30:
            figures.take(poisoner.cases)
            poisoner.cases.tell_old()
            if len(figures.samples) % 10 == 0:
                say(f"after {(now - begin) / 60:.0f} min: {sum(poisoner.by.values())} strikes, {len(poisoner.cases.open())} cases are open")
            sample = now
        time.sleep(dice.random() * 0.5)

    trouble.mend()
    figures.take(poisoner.cases)
    for pid, _ in processes[:len(applications)]:
        os.kill(pid, signal.SIGUSR1)
    wait_for_ends(poisoner.cases, poisoner.disks.values(), processes, 100)
    for pid, _ in processes:
        os.kill(pid, signal.SIGTERM)
    reads = writes = errors = 0
    for pid, report in processes:
        _, status = os.waitpid(pid, 0)
        if status:
            stop(pathlib.Path("/run/lab/why").read_text() if os.path.exists("/run/lab/why") else "an application has failed")
        r, w, e = map(int, report.read().split())
        reads, writes, errors = reads + r, writes + w, errors + e
    for g in still:
        if list(many.told(f"{g.root}/{g.name}")) != before[g.name]:
            stop(f"wrong bytes: files of {g.name} are not as they were")

    asker.terminate()
    if asker.wait():
        stop("D-Bus did not answer: " + pathlib.Path("/run/lab/asked").read_text())
    time.sleep(3)
    figures.take()
    first, last = figures.samples[0], figures.samples[-1]
    say("poison:", dict(poisoner.by), "trouble:", dict(trouble.told))
    say("cases:", dict(collections.Counter(f"{c[0]} {c[4] or ''}".strip() for c in poisoner.cases.cases.values())))
    say(f"applications: {reads} reads and {writes} writes, {errors} I/O errors, 0 wrong bytes")
    say("D-Bus:", pathlib.Path("/run/lab/asked").read_text().strip())
    say(f"descriptors: {first['fds']} at first, {last['fds']} at last; of workers {first['worker_fds']} and {last['worker_fds']}; "
        f"daemon {first['daemon']} KiB at first, {max(s['daemon'] for s in figures.samples)} at most, {last['daemon']} at last; "
        f"slope {figures.slope('daemon'):.1f} KiB a minute beyond {HISTORY} cases; workers {first['workers']} KiB at first, "
        f"{max(s['workers'] for s in figures.samples)} at most, {last['workers']} at last")
    if last["fds"] > first["fds"] + 2:
        stop(f"descriptors of the daemon leak: {figures.links - links}")
    if last["processes"] > 2:
        stop(f"{last['processes']} processes of the daemon are left")
    if last["worker_fds"] > first["worker_fds"] + 1:
        stop("descriptors of the worker leak")
    if max(s["daemon"] for s in figures.samples) > 32768:
        stop("the daemon has grown beyond 32 MiB")
    if figures.slope("daemon") > SLOPE:
        stop("the daemon grows")


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]), int(sys.argv[2]))
    except hostside.Wrong as e:
        stop(str(e))
