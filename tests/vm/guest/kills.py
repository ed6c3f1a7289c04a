#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenario kill-matrix, when media and configuration are made: kills.py MEDIUM OTHER KIND…, the numbers of the NVDIMMs that XFS is on, and
ext4 or a device-dax, and the ways of healing (cutfiles.py).

For each way one page after the other is lost. Daemon, worker and whoever looks after a freeze are killed together immediately after a system call
of the worker by which a repair goes on (STEPS): the third, the sixth, and so on, with COUNT=N each N-th, until there is none with that number:
then nobody is killed, and the daemon heals by itself. What is left is judged before anybody else has touched it; then the unit is started, and
it must bring the repair to its end."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import many
from cutfiles import BY_KIND, FILES, KEPT, PAGE, PAGES, SECTOR, Device, medium, run
from cuts import STATE, cases, daemon, intents, is_listed, is_settled, look, of_page, phase, wait
from hostside import Wrong, ask, dice, say

TRACE, POINTS, LOG = "/lab/tools/kill-trace", pathlib.Path("/run/lab/points"), pathlib.Path("/run/lab/daemon.log")
EACH = int(os.environ.get("COUNT", "0")) or 3
LIMIT = 59                      # seconds, on a machine that does nothing else

# Records of intents and of the freeze; bytes that come, by way of a mapping as well; what the kernel is told of a page; freezing, clones and
# clearing; what clearing has left; a hole.
STEPS = ("renameat", "pwrite64 /srv/*", "pwrite64 /dev/*", "pwritev2 /srv/*", "pread64", "write /sys/*", "ioctl", "pwrite64 /var/*",
         "fallocate /srv/pmem/punch/*")

# Without the lease, who could put the time back is gone; a hole, and ext4 always, moves it by itself.
KEEPS_TIME = ("pwrite", "block", "clone")


def lose(f, offset):
    """Returns what cuts.py knows of a lost page."""
    m, at = medium(f.number), f.place(offset)
    bad = (at, PAGE) if f.absent else (at + 3 * SECTOR, SECTOR)
    page = {"kind": f.kind, "offset": offset, "at": at, "bad": bad, "intent": f"{m.disk}-{at - m.start:016x}"}
    ask(f"destroy {f.number} {bad[0] - m.base} {bad[1]}")
    if f.absent:
        ask(f"mce {at}")
    else:
        many.inject([bad])
    wait(20, f"{f.kind}: the page is listed", lambda: is_listed(page))
    return page


class Trial:
    """One page, one kill."""

    def __init__(self, f, nth, page_number, rnd):
        self.f, self.nth = f, nth
        self.known, self.doubt = set(cases()), False
        f.make(rnd)
        os.sync()
        self.times = f.path.stat().st_mtime_ns
        self.page = lose(f, page_number * PAGE)
        self.point = "nobody was killed"
        print(f"{time.monotonic():.3f} {f.kind}: {self.page['intent']} is listed", flush=True)

    def ledger(self):
        return {i: c for i, c in cases().items() if i not in self.known}

    def settled(self):
        """Files are not opened before the ledger has the page: that would cost the daemon its lease."""
        return bool(of_page(self.ledger(), self.page["at"])) and is_settled({"pages": [self.page]})

    def kill(self):
        """Whether there was such a call."""
        # Of a device-dax all that is read comes by way of a mapping, too.
        steps = [s for s in STEPS if s != "pread64" or not isinstance(self.f, Device)]
        with LOG.open("w") as log:
            p = subprocess.Popen([TRACE, f"--log={POINTS}", "--role=worker", f"--at={self.nth}", "--when=after", "--kill=daemon,worker,guardian",
                                  *(f"--call={s}" for s in steps), "--", shutil.which("bezoard"), "--debug"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait(LIMIT, f"{self.f.kind}, call {self.nth}: killed or healed", lambda: p.poll() is not None or self.settled())
        if p.poll() is None:
            os.kill(daemon(), signal.SIGTERM)
        if p.wait() not in (0, 3):
            raise Wrong(f"kill-trace: {p.returncode}")
        if p.returncode == 0:
            calls = POINTS.read_text().split("\nkilled")[0].splitlines()
            self.point = [c for c in calls if c.startswith("worker ")][-1].split(maxsplit=2)[2]     # the daemon goes on meanwhile
        print(f"{time.monotonic():.3f} {self.f.kind}, call {self.nth}: {self.point}", flush=True)
        return p.returncode == 0

    def wrong(self, what):
        raise Wrong(f"{self.f.kind}, killed after call {self.nth} ({self.point}): {what}")

    def bytes_wrong(self, what):
        raise Wrong(f"wrong bytes: {self.f.kind}, killed after call {self.nth} ({self.point}): {what}")

    def judge(self):
        """Each page is right, or cannot be read; and what is neither right nor poisoned, an intent tells of. Returns how far it had come."""
        page, (pending, ended) = self.page, intents()
        told, said = page["intent"] in pending, of_page(self.ledger(), page["at"])
        for name in self.f.names():
            states = look(self.f, name)
            state = states.pop(page["offset"])
            if set(states.values()) != {"right"}:
                self.bytes_wrong(f"{name}: other pages are {states}")
            # A hole tells nobody that bytes are missing, which is why punching must be asked for; nor does a device-dax that was cleared.
            if state == "wrong" and not (self.f.kind in ("punch", "clear") and told):
                self.bytes_wrong(f"{name} has what it never had")
            if state == "lost" and not told and not is_listed(page):
                self.bytes_wrong(f"{name}: lost, not listed, and no intent tells of it")
            if state != "right" and "healed" in said:
                self.bytes_wrong(f"{name}: {state}, and the ledger says healed")
            if name == self.f.path:
                how_far = phase(page, state, pending, ended)
        # Before it is noted what clearing has left, nobody can tell whether a program has stored there since.
        self.doubt = how_far == "between" and self.f.kind == "clear" and not any(n.startswith(".left-") for n in os.listdir(STATE / "intent"))
        return how_far

    def heal(self):
        # It is started more often than a unit should be.
        subprocess.run(["systemctl", "reset-failed", "bezoard.service"], check=False, stderr=subprocess.DEVNULL)
        run("systemctl", "start", "bezoard.service")
        wait(LIMIT, f"{self.f.kind}, killed after call {self.nth} ({self.point}): healed by the next daemon", self.settled)
        if self.doubt:
            self.is_in_doubt()
        else:
            self.healed()
        run("systemctl", "stop", "bezoard.service")

    def is_in_doubt(self):
        """It must be, and is forgotten: nobody is here to decide."""
        said = of_page(self.ledger(), self.page["at"])
        if said != ["in-doubt"] or self.page["intent"] not in intents()[0]:
            self.wrong(f"nobody can tell whether it was written to, and the ledger says {said}")
        run("systemctl", "stop", "bezoard.service")
        for i in self.ledger():
            (STATE / "cases" / f"{i}.json").unlink()
        (STATE / "intent" / self.page["intent"]).unlink()

    def healed(self):
        said = of_page(self.ledger(), self.page["at"])
        for name in self.f.names():
            states = look(self.f, name, healed=True)
            if set(states.values()) != {"right"}:
                self.bytes_wrong(f"{name}, when all was healed: {states} (said: {said})")
        if "healed" not in said:
            self.wrong(f"the ledger says {said}")
        if self.f.kind in KEEPS_TIME and self.f.path.stat().st_mtime_ns != self.times:
            self.wrong("the time of the file has moved")
        left = [n for n in os.listdir(STATE / "intent") if not n.startswith(".lock-")]
        if left:
            self.wrong(f"left: {left}")
        if not isinstance(self.f, Device):
            run("timeout", "60", "touch", self.f.path.parent / "thawed")


def matrix(f, rnd):
    """The calls of one way of healing."""
    told, nth, n = [], EACH, 0
    while True:
        trial = Trial(f, nth, n % PAGES, rnd)
        if not trial.kill():
            break
        told.append(f"{nth} {trial.point.split()[0]} ({trial.judge()}{', in doubt' if trial.doubt else ''})")
        trial.heal()
        nth += EACH
        n += 1
    trial.healed()
    if not told:
        raise Wrong(f"{f.kind}: nobody was ever killed")
    say(f"{f.kind}: killed after {len(told)} calls: {', '.join(told)}")


def explain():
    """For whoever reads the trace of a failure."""
    for path in (POINTS, LOG):
        print(f"--- {path}\n{path.read_text() if path.exists() else 'is not there'}")
    for n in (0, 1):
        print(medium(n).disk, [(hex(at), hex(end)) for at, end in medium(n).listed()])
    for path in sorted((STATE / "cases").glob("[0-9]*.json"))[-2:] + sorted((STATE / "intent").iterdir()):
        print(f"--- {path}\n{path.read_bytes().splitlines()[:1]}")


def main(xfs, other, *kinds):
    for f in FILES:
        f.number = int(other if f.kind in ("pwrite-ext4", "clear") else xfs)
    KEPT.mkdir(exist_ok=True)
    STATE.mkdir(mode=0o700, exist_ok=True)      # the unit would make it
    rnd = dice()
    for kind in kinds:
        matrix(BY_KIND[kind], rnd)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Wrong as e:
        pathlib.Path("/run/lab/why").write_text(str(e))
        print(e)
        explain()
        sys.exit(1)
