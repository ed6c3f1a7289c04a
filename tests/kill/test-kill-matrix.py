#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""SIGKILL to the worker, to the daemon, or to both, before and after every system call of a repair that changes something. The calls
are not listed anywhere: number 1 is tried, then number 2, until there is none with that number. Afterwards the daemon is started
again, and everything must be as promised: no byte that was never anybody's, the case healed, nothing left behind, nothing frozen."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "integration"))

import killlab
import tap
import workerlab
from killlab import KillLab, Run, must
from ways_to_heal import WAYS

VICTIMS = {
    "worker": ("worker",),
    "daemon": ("daemon",),
    "both": ("daemon", "worker"),
    "all": ("daemon", "worker", "guardian"),
}


class Ext4Lab(KillLab):
    kind, mkfs = "ext4", ("-b", "4096")


LABS = {"xfs": KillLab, "ext4": Ext4Lab}


class Trial:
    """One repair, one kill, and what comes after."""

    def __init__(self, lab, way, role, at, when, victims):
        self.lab, self.way, self.role, self.at, self.when, self.victims = lab, way, role, at, when, victims
        self.point = "?"

    def __str__(self):
        return f"{self.way.name}: {self.victims} killed {self.when} call {self.at} of the {self.role}: {self.point}"

    def tell(self, e):
        cases = [(c["state"], c.get("reason"), c["events"][-1].get("detail")) for c in self.lab.cases()]
        return f"{self}\n  {e}\n  ledger: {cases}\n  list: {killlab.listed(self.lab)}"

    def first(self):
        """Until the kill; False: there is no such call any more."""
        run = Run(self.lab, self.role, self.at, self.when, VICTIMS[self.victims])
        try:
            quiet = run.until_quiet(self.way.final)
            killed = run.killed()
            if quiet:
                run.stop()
                killed = run.killed()
            else:
                run.ended()
            if killed:
                self.point = run.points.read_text().split("\nkilled")[0].splitlines()[-1]
            return killed or run.killed()
        finally:
            run.close()

    def before(self, prior):
        """A kill that came first, at one call that is told by its name."""
        run = Run(self.lab, prior["role"], prior["at"], prior["when"], VICTIMS[prior["kill"]], prior["call"])
        try:
            run.until_quiet(lambda case: False)
            must(run.ended(), f"the first kill never came: {prior}")
        finally:
            run.close()

    def again(self):
        run = Run(self.lab)
        try:
            must(run.until_quiet(self.way.final), "the daemon ended by itself")
            run.stop()
        finally:
            run.close()

    def run(self):
        lab, way = self.lab, self.way
        lab.fresh_state()
        f = way.make(lab)
        try:
            if way.prior:
                self.before(way.prior)
                way.moment(f)
            killed = self.first()
            way.moment(f)
            way.between(f)
            self.again()
            way.end(f)
            return killed
        finally:
            lab.thaw()          # or cleaning up would wait for ever
            way.clean(f)


class Matrix:
    """All calls of the daemon and its workers in one way of healing, for one choice of whom to kill."""

    def __init__(self, lab, way, victims, number, args):
        self.lab, self.way, self.victims, self.args = lab, way, victims, args
        self.number, self.broken, self.trials = number, [], {role: 0 for role in way.roles}

    def run(self):
        """A sentence about it."""
        began = time.monotonic()
        for role in self.way.roles:
            for when in self.args.when:
                self.calls(role, when)
        text = ", ".join(f"{n} of the {role}" for role, n in self.trials.items())
        return f"{self.way.name}: {self.victims} killed at {text}, in {time.monotonic() - began:.0f} s"

    def calls(self, role, when):
        """Number 1, 2, 3, … until there is none; of a spread, each N-th, another one first each time."""
        step = self.args.spread or 1
        at = 1 + (self.number * 5 + (3 if when == "after" else 0)) % step if role != "guardian" else 1
        while len(self.broken) < self.args.limit:
            trial = Trial(self.lab, self.way, role, at, when, self.victims)
            try:
                if not trial.run():
                    break
            except killlab.Broken as e:
                self.broken.append(trial.tell(e))
                tap.Tap.note(self.broken[-1])
            self.trials[role] += 1
            at += step


def matrix(args, ways):
    """Everything that is asked for; the exit status."""
    todo = [(w, v) for w in ways for v in args.kill or w.victims]
    out = tap.Tap(len(todo))
    for kind in dict.fromkeys(w.kind for w, _ in todo):
        mine = [(w, v) for w, v in todo if w.kind == kind]
        with tempfile.TemporaryDirectory(prefix="bezoar-kill-") as folder:
            try:
                lab = LABS[kind](Path(folder))
            except tap.Skip as skip:
                for w, v in mine:
                    out.skip(f"{w.name}: {v}", skip)
                continue
            try:
                for w, v in mine:
                    m = Matrix(lab, w, v, out.number + 1, args)
                    name = m.run()
                    if m.broken:
                        out.fail(name, "\n".join(m.broken))
                    else:
                        out.ok(name)
            finally:
                lab.close()
    return out.status()


def one(args, way):
    """A single kill, with all that was called and said."""
    with tempfile.TemporaryDirectory(prefix="bezoar-kill-") as folder:
        lab = LABS[way.kind](Path(folder))
        try:
            trial = Trial(lab, way, args.role, args.at, args.when[0], args.kill[0])
            try:
                print("as promised" if trial.run() else "there is no such call")
            except killlab.Broken as e:
                print(trial.tell(e))
            for path in sorted(lab.folder.glob("points*")):
                print(f"--- {path.name}\n{path.read_text()}")
            print(f"--- the daemon, at last\n{lab.log.read_text()}")
        finally:
            lab.close()


def main():
    names = [w.name for w in WAYS]
    p = argparse.ArgumentParser(description="With --at, --role, --way, --kill and --when: one kill, with everything about it.")
    for program in ("worker", "bezoard", "kill_trace"):
        p.add_argument(program)
    p.add_argument("--way", action="append", choices=names, help="only that way of healing; may be repeated, as the next two")
    p.add_argument("--not-way", action="append", choices=names, default=[])
    p.add_argument("--kill", action="append", choices=VICTIMS)
    p.add_argument("--when", action="append", choices=("before", "after"))
    p.add_argument("--spread", type=int, help="only each N-th call")
    p.add_argument("--limit", type=int, default=5, help="how many may fail before the rest is left")
    p.add_argument("--role", choices=("worker", "daemon", "guardian"), default="worker")
    p.add_argument("--at", type=int)
    args = p.parse_args()
    args.when = args.when or ["before", "after"]
    KillLab.programs = args.kill_trace, args.bezoard, args.worker
    ways = [w for w in WAYS if w.name in (args.way or names) and w.name not in args.not_way]
    workerlab.prepare()
    return one(args, ways[0]) if args.at else matrix(args, ways)


if __name__ == "__main__":
    tap.main(main)
