# SPDX-License-Identifier: LGPL-2.1-or-later

"""The real daemon and its real workers on a file system on a loop device, run by kill-trace, which plays a medium that has lost bytes and
kills whom it is told to at one system call. What must hold afterwards is said here; test-kill-matrix.py goes through the calls."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, SECTOR

LIMIT = int(os.environ.get('LIMIT', 120))             # seconds; only tells a hang from a busy machine
CALM = 0.06             # seconds without a change
PHYSICAL = 1 << 45      # no machine has anything there
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
UNTIL_TRIED = ("detected", "located", "repairing")
RETRIED = ("failed", "waiting")


class Broken(AssertionError):
    pass


def must(condition, *what):
    if not condition:
        raise Broken(*what)


class KillLab(workerlab.Lab):
    """A file system that the daemon finds to be persistent memory, by a saved topology."""

    runs = 0
    programs = None     # kill-trace, bezoard, bezoar-worker

    def __init__(self, folder):
        super().__init__(folder)
        self.config, self.absent, self.log = folder / "etc", folder / "absent", folder / "log"
        (self.config / "protect.d").mkdir(parents=True)
        size, st = os.stat(self.image).st_size, os.stat(self.loop)
        disk, data = Path(self.loop).name, {"start": PHYSICAL, "length": size}
        (folder / "topology.json").write_text(json.dumps({
            "regions": [{"name": "region0", "bus": "ndbus0", "physical": data, "dimms": ["nmem0"]}],
            "namespaces": [{"name": "namespace0.0", "region": "region0", "mode": "fsdax", "disk": disk, "data": data}],
            "disks": [{"name": disk, "node": self.loop, "major": os.major(st.st_rdev), "minor": os.minor(st.st_rdev), "size": size,
                       "logical_block_size": 512, "badblocks": True}],
            "links": [],
            "mounts": [{"disk": disk, "mountpoint": str(self.mount), "root": "/", "fs": self.kind, "uuid": self.uuid, "options": "rw"}]}))

    def protect(self, f, **settings):
        lines = [f"Path={self.mount}", *(f"Replica={r}" for r in f.replicas), *(f"{k}={v}" for k, v in settings.items())]
        (self.config / "protect.d/t.conf").write_text("[Protect]\n" + "\n".join(lines) + "\n")

    def take_away(self, at):
        """The page at that place is not present any more."""
        self.absent.write_text(f"taken {at}\n")

    def fresh_state(self):
        shutil.rmtree(self.state)
        self.state.mkdir()
        self.absent.unlink(missing_ok=True)

    def cases(self):
        found = []
        for p in sorted((self.state / "cases").glob("[0-9]*.json"), key=lambda p: int(p.name.split(".")[0])):
            try:
                found.append(json.loads(p.read_text()))
            except (FileNotFoundError, ValueError):
                pass            # being replaced; empty after a kill
        return found

    def thaw(self):
        """What a failed trial has left frozen."""
        fd = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FITHAW, 0)
        except OSError as e:
            if e.errno != errno.EINVAL:
                raise
        finally:
            os.close(fd)

    def is_frozen(self):
        fd = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FIFREEZE, 0)
        except OSError as e:
            must(e.errno == errno.EBUSY, e)
            return True
        else:
            fcntl.ioctl(fd, FITHAW, 0)
            return False
        finally:
            os.close(fd)


class Run:
    """The daemon from its start to its end, below kill-trace."""

    def __init__(self, lab, role=None, at=0, when="before", kill=(), call=None):
        self.lab = lab
        trace, bezoard, worker = lab.programs
        lab.runs += 1
        self.points = lab.folder / f"points{lab.runs}"
        self.points.write_text("")
        command = [trace, f"--log={self.points}", f"--list={lab.list}", f"--device={lab.loop}", f"--absent={lab.absent}"]
        if at:
            command += [f"--role={role}", f"--at={at}", f"--when={when}", f"--kill={','.join(kill)}"]
            command += [f"--call={call}"] if call else []
        command += ["--", bezoard, f"--config={lab.config}", f"--state={lab.state}", f"--topology={lab.folder}/topology.json",
                    f"--worker={worker}", "--debug"]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("BEZOAR_", "NOTIFY_"))}
        env.update(BEZOAR_SYSFS=str(lab.sys), BEZOAR_FREEZE_SEC=str(lab.freeze_seconds),
                   DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={lab.folder}/no-bus")
        with lab.log.open("w") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def killed(self):
        return "\nkilled\n" in "\n" + self.points.read_text()

    def daemon(self):
        try:
            return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])
        except (IndexError, FileNotFoundError):
            return None

    def signal(self, sig):
        """To the daemon, once it is there and has its handlers; False: it has ended."""
        if not self.wait("the daemon has begun", lambda: "daemon 1 " in self.points.read_text()):
            return False
        pid = self.daemon()
        if pid:
            os.kill(pid, sig)
        return bool(pid)

    def wait(self, what, condition):
        """True when the condition holds; False when all processes have ended before."""
        end = time.monotonic() + LIMIT
        while not condition():
            if self.process.poll() is not None:
                return condition()
            if time.monotonic() > end:
                raise Broken(f"not within {LIMIT} s: {what}")
            time.sleep(0.005)
        return True

    def ended(self):
        """Waits until the last process has ended. Was anybody killed?"""
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Broken(f"not within {LIMIT} s: everybody ends") from None
        if self.process.returncode == 77:
            raise tap.Skip("no process can be traced here")
        must(self.process.returncode in (0, 3), f"kill-trace: {self.process.returncode}")
        return self.killed()

    def settled(self):
        """Has a worker had the intent log, and answered?"""
        _, locked, after = self.points.read_text().partition("/.lock-")
        return locked and "worker" in after

    def until_quiet(self, final):
        """Until the ledger says of every case that it has come to its end, the intent log was looked through, and nobody has
        changed anything for a while; what waits for its next try is asked again at once. False: the daemon was killed before."""
        asked, since, seen = time.monotonic(), None, None

        def quiet():
            nonlocal asked, since, seen
            cases, points, now = self.lab.cases(), self.points.read_text(), time.monotonic()
            if (cases or not listed(self.lab)) and all(final(c) for c in cases) and self.settled():
                if since is None or points != seen:
                    since, seen = now, points
                if now - since > CALM:
                    return True
            else:
                since = None
                if now - asked > 0.3:
                    asked = now
                    self.signal(signal.SIGHUP)
            return False

        return self.wait("the end", quiet)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.ended()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()         # and with it whom it traces
            self.process.wait()


# ---- what must hold ----

def sectors(f):
    """What each sector of the page is: "right", "lost" or "else"."""
    page, right, lost = f.page(), f.right(), f.destroyed()
    must(len(page) == len(right) == len(lost))
    return ["right" if page[i:i + SECTOR] == right[i:i + SECTOR] else "lost" if page[i:i + SECTOR] == lost[i:i + SECTOR] else "else"
            for i in range(0, len(page), SECTOR)]


def listed(lab):
    return [tuple(map(int, line.split())) for line in lab.list.read_text().splitlines()]


def is_listed(lab, at):
    return any(s * SECTOR <= at < (s + n) * SECTOR for s, n in listed(lab))


def check_moment(f):
    """At every moment, whoever was killed: each sector has its bytes, or is poisoned still. What is cleared and not right yet (a page that
    is not present) is in the intent log. What a write through the file has left in memory is the medium's: a process that is
    killed takes nothing of that along."""
    if not f.lab.is_frozen():
        f.drop()
    for i, what in enumerate(sectors(f)):
        must(what != "else", f"sector {i} has other bytes than it ever had")
        if what == "lost" and not is_listed(f.lab, f.at + i * SECTOR):
            must(f.lab.absent.exists() and f.lab.intents(), f"sector {i} is not poisoned, not right, and no intent tells of it")


def names(folder):
    return [p.name for p in folder.iterdir()] if folder.exists() else []


def leftovers(lab):
    """What nobody needs any more. The lock of a device stays."""
    return ([n for n in names(lab.state / "intent") if not n.startswith(".lock-")] +
            [n for n in names(lab.state / "cases") if not n.removesuffix(".json").isdigit()])


def check_leftovers(lab):
    must(not lab.is_frozen(), "the file system is frozen")
    must(not leftovers(lab), f"left: {leftovers(lab)}")


def owns(path, at):
    return any(workerlab.extent(path, offset) == at for offset in range(0, path.stat().st_size or PAGE, PAGE))


def lease_can_be_had(path):
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
