# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs scenarios in a guest, many in one boot, and says how each of them ended."""
import dataclasses
import pathlib
import random
import re
import shutil
import time
import uuid

from host.guest import Gone, Guest, Machine, Silent

# Times are for a machine that does nothing else. A busy one may be several times slower, and that proves nothing; waiting too long
# costs only time, and only where something is wrong.
PATIENCE = 4
BOOT_SECONDS = 120
GRACE_SECONDS = 30              # for what the agent does around a scenario
BOOTS = 3                       # that a machine is tried to boot
SECOND_TRIES = 2                # of all the scenarios of a run together

# What a healthy kernel never prints. Warnings are "WARNING: CPU: 0 PID: 1 at FILE:LINE", since 6.19 "WARNING: FILE:LINE at".
SICK = re.compile(r"(BUG: |Oops: |kernel BUG at|general protection fault|Kernel panic|WARNING: (CPU|at |\S+:\d+ at )"
                  r"|INFO: task .* blocked for more than).*")

# A break point of the kernel's own patching, met by a CPU when it is no longer there: the emulator's doing, no code of ours.
EMULATOR = re.compile(r"Oops: int3")

# What scenarios begin with that saw data which is not what it has to be (expect_bytes).
WRONG = "wrong bytes: "


@dataclasses.dataclass
class Scenario:
    """A shell script. Its head says what it proves, and may say `# timeout: SECONDS` and more (docs/TESTING.rst)."""
    path: pathlib.Path

    def _head(self, key, default):
        m = re.search(rf"^# {key}: (.*)$", self.path.read_text(), re.M)
        return m[1].strip() if m else default

    @property
    def name(self):
        return self.path.stem

    @property
    def seconds(self):
        return int(self._head("timeout", "90"))

    @property
    def expects_oops(self):
        return self._head("expects", "") == "oops"

    @property
    def machine(self):
        """The one that it wants to run in."""
        return Machine(self._head("append", Machine.append), int(self._head("modules", Machine.modules)),
                       self._head("disk", Machine.disk))

    def is_for(self, kernel):
        """Whether it makes sense on that kernel."""
        return kernel in self._head("kernels", kernel).split()

    @property
    def everywhere(self):
        """Whether what it shows depends on the kernel."""
        return self._head("everywhere", "no") == "yes"

    @property
    def by_name(self):
        """Whether it is run only where it is asked for."""
        return self._head("by name", "no") == "yes"

    @property
    def proves(self):
        """The first sentence of its head."""
        words = []
        for line in self.path.read_text().splitlines():
            if not line.startswith("#") or (line == "#" and words):
                break
            if not re.match(r"# (SPDX-License-Identifier|timeout|expects|kernels|append|everywhere|modules|disk|by name):", line):
                words += line[1:].split()
        return re.match(r".*?[.](?= [A-Z]|$)|.*", " ".join(words))[0]


def all_scenarios():
    folder = pathlib.Path(__file__).resolve().parent.parent / "scenarios"
    return [Scenario(p) for p in sorted(folder.glob("*.sh"))]


@dataclasses.dataclass
class Outcome:
    name: str
    verdict: str                # ok, failed, skipped
    why: str = ""
    logs: pathlib.Path | None = None
    seconds: float = 0
    final: bool = False         # what went wrong is no question of time: wrong bytes, a sick kernel
    unsteady: str = ""          # why it failed at first


class Runner:
    """`seed` is what power cuts and scenarios draw from; with `boots` each is followed by a boot, no machine is saved."""
    def __init__(self, guest: Guest, logs, say=print, minutes=1, count=0, seed=1, boots=False):
        self.guest, self.logs, self.say, self.minutes, self.count, self.boots = guest, logs, say, minutes, count, boots
        self.seed, self.random = seed, random.Random(seed)
        self.drew = False               # whether the scenario has had chance at work
        self.up = False
        self.cuts_itself = False        # the machine: that it ends is a power cut
        self.second_tries = SECOND_TRIES

    def run(self, scenarios):
        """Yields an Outcome for each scenario."""
        try:
            for scenario in scenarios:
                yield self._twice(scenario)
            if self.up:
                self._power_off()
        finally:
            self.guest.kill()

    # --- the guest

    def _boot(self, prepare=lambda: None):
        """Starts the machine as it is and waits for its agent. A kernel that ends before anything has begun says nothing about a
        scenario; one that is emulated on a busy machine does so now and then, and may try again."""
        for left in reversed(range(BOOTS)):
            prepare()
            self.guest.start()
            try:
                said = self.guest.control.receive(time.monotonic() + BOOT_SECONDS * PATIENCE)
                if said != "ready":
                    raise Gone(said)
                self.up = True
                return
            except (Silent, Gone):
                if left == 0:
                    raise
                self._down()

    def _down(self):
        self.guest.kill()
        self.up = False

    def _power_off(self):
        try:
            self.guest.control.send("poweroff")
            self.guest.wait(20)
        except Exception:       # it is killed then; nothing that matters is left in it
            pass

    def _boot_new(self, machine):
        def prepare():
            self.guest.renew()
            for log in (self.guest.console, self.guest.trace):
                log.write_bytes(b"")
        self.guest.machine = machine
        self._boot(prepare)

    # --- one scenario

    def _twice(self, scenario):
        """A few scenarios of a run may fail once and pass in a new guest: a busy machine is no fault of ours. That is told, and
        there is no second try where bytes were wrong or the kernel fell ill, nor of a search that goes on for hours."""
        first = self._one(scenario)
        if first.verdict != "failed" or first.final or scenario.by_name or not self.second_tries:
            return first
        self.second_tries -= 1
        self._down()
        apart = first.logs.with_name(f"{scenario.name}.first")
        shutil.rmtree(apart, ignore_errors=True)
        first.logs = first.logs.rename(apart)
        second = self._one(scenario)
        if second.verdict == "ok":
            second.unsteady, second.logs = first.why, first.logs
        second.seconds += first.seconds
        return second

    def _one(self, scenario):
        marks = {}
        start = time.monotonic()
        if self.up and scenario.machine != self.guest.machine:
            self._down()
        try:
            if not self.up:
                self._boot_new(scenario.machine)
            marks = {log: log.stat().st_size for log in (self.guest.console, self.guest.trace)}
            outcome = self._converse(scenario)
            if self.guest.saved:        # a boot of its own
                self._down()
        except Silent:
            outcome = Outcome(scenario.name, "failed", "the guest said nothing more" if self.up else "the guest did not boot")
            self._down()
        except Gone as e:
            outcome = Outcome(scenario.name, "failed", f"the guest {'died' if self.up else 'died while booting'} {e}".strip())
            self._down()
        sick = SICK.search(self._since(self.guest.console, marks))
        if sick:
            # Whatever comes next in this guest proves nothing.
            self._down()
        if scenario.expects_oops:
            outcome = Outcome(scenario.name, "ok") if sick else Outcome(scenario.name, "failed", "the kernel did not oops")
        elif sick:
            outcome = Outcome(scenario.name, "failed", f"the kernel said '{sick[0].strip()}'; {outcome.why or 'the scenario ended well'}",
                              final=outcome.final or not EMULATOR.match(sick[0]))
        outcome.seconds = time.monotonic() - start
        if outcome.verdict == "failed" and self.drew:
            outcome.why += f" (seed {self.seed})"
        if outcome.verdict == "failed":
            outcome.logs = self._keep_logs(scenario, marks)
        return outcome

    def _converse(self, scenario):
        """Starts the scenario and does what it asks for, until it is over."""
        self.cuts_itself = self.drew = False
        boot, deadline = 1, 0
        while True:
            if not deadline:
                seconds, deadline = self._time(scenario)
                self.guest.control.send(f"run {scenario.name} {seconds} {boot} {PATIENCE} {self.minutes} {self.count}")
            verb, _, rest = self._receive(deadline).partition(" ")
            if verb == "done":
                _, status, *why = rest.split(maxsplit=2)
                why = "".join(why)
                return Outcome(scenario.name, {"0": "ok", "77": "skipped"}.get(status, "failed"), why, final=why.startswith(WRONG))
            if verb in ("power-cut", "cut-within"):
                self.cuts_itself = False
                time.sleep(self.random.uniform(0, int(rest or 0)) / 1e6)
                self._down()
                boot += 1
                deadline = self._resume(scenario, boot) if self.guest.saved else 0
                if not deadline:
                    self._boot()
                continue
            if verb == "save" and not self.boots:
                self.guest.save()
                self._down()
                deadline = self._resume(scenario, boot)
                continue
            if verb == "renew":
                self._down()
                self.guest.renew()
                self._boot()
                deadline = 0
                continue
            self.guest.control.send(self._answer(verb, rest))

    def _time(self, scenario):
        """How long it may take, and when that is over."""
        seconds = scenario.seconds + (self.minutes - 1) * 60
        return seconds, time.monotonic() + (seconds + GRACE_SECONDS) * PATIENCE

    def _resume(self, scenario, boot):
        """Goes on where the machine was saved: the scenario waits there for an answer. It is told what a boot would have found out, the
        time and an id of its own. Returns when its time is over."""
        self.guest.start()
        self.up = True
        self.guest.control.send(f"ok {boot} {time.time()} {uuid.uuid4()}")
        return self._time(scenario)[1]

    def _receive(self, deadline):
        try:
            return self.guest.control.receive(deadline)
        except Gone:
            if not self.cuts_itself:
                raise
            self.cuts_itself = False
            return "power-cut"

    def _answer(self, verb, rest):
        try:
            if verb == "mce":
                self.guest.machine_check(int(rest, 0))
            elif verb == "destroy":
                self.guest.destroy(*map(int, rest.split()))
            elif verb == "say":
                self.say(rest)
            elif verb == "poison":
                return " ".join(["ok"] + [f"{start} {length}" for start, length in self.guest.poison.ranges()])
            elif verb == "draw":
                if not self.drew:
                    self.say(f"seed {self.seed}")
                self.drew = True
                return f"ok {self.random.randint(*map(int, rest.split()))}"
            elif verb == "cuts-itself":
                self.cuts_itself = True
            elif verb == "save":
                return "ok"
            else:
                return f"error '{verb}' is not known"
        except (RuntimeError, OSError, ValueError, TypeError) as e:
            return f"error {e}"
        return "ok"

    # --- what is left of it

    @staticmethod
    def _since(log, marks):
        with open(log, "rb") as f:
            f.seek(marks.get(log, 0))
            return f.read().decode(errors="replace")

    def _keep_logs(self, scenario, marks):
        folder = self.logs / scenario.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for log in (self.guest.console, self.guest.trace):
            (folder / log.name).write_text(self._since(log, marks))
        shutil.copy(self.guest.work / "qemu.log", folder)
        return folder
