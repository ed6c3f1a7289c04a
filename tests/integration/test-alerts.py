#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operator is told, how loudly, and how often."""
import json, os, re, socket, struct, subprocess, time

from daemon import PHYSICAL, Daemon, run

GOOD = {"locate": "one-file", "repair": "healed"}
DAY = 24 * 3600 * 1000000
os.environ["JOURNAL_STREAM"] = "0:0"    # with <N> before each line
CRIT, ERR, WARNING, NOTICE, INFO = range(2, 7)


CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""


class Machine(Daemon):
    """With a bus, which comes when it is asked for, and a service manager on it that only writes down what it is to start."""

    def __init__(self, program, **how):
        super().__init__(program, **how)
        self.bus = f"unix:path={self.root}/bus"
        self.helpers = []

    def start_bus(self, name="bus"):
        (self.root / "bus.conf").write_text(CONFIG.format(path=self.root / name))
        self.helpers.append(subprocess.Popen(["dbus-daemon", "--nofork", f"--config-file={self.root}/bus.conf"],
                                             stderr=open(self.root / "bus.log", "w")))
        self.wait("bus", lambda: self.listens(name))

    def listens(self, name):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.root / name)) == 0

    def start_systemd(self, name="bus"):
        env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.root}/{name}")
        self.helpers.append(subprocess.Popen([os.environ["FAKE_SYSTEMD1"]], env=env, stdout=open(self.root / "units", "w")))
        self.wait("systemd", lambda: "ready" in (self.root / "units").read_text())

    def units(self):
        return (self.root / "units").read_text().splitlines()[1:]

    def __exit__(self, *a):
        for p in self.helpers:
            p.kill()
            p.wait()
        super().__exit__(*a)


def said(d, text):
    """The priorities with which it was said, in order."""
    return [int(p) for p, line in re.findall(r"^<(\d)>(.*)", d.text(), re.M) if text in line]


def priorities(program):
    """Proves the priority of each end: crit only where a person must act, notice where it is over, and "found" before either."""
    with Daemon(program, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("healed")
        d.wait("said", lambda: said(d, "Healed: case 1"))
        assert said(d, "Healed: case 1") == [NOTICE] and said(d, "Poison found: case 1") == [WARNING], d.text()
    with Daemon(program, protect=None, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("refused")
        d.wait("said", lambda: said(d, "Refused to write: case 1"))
        assert said(d, "Refused to write: case 1") == [CRIT] and said(d, "Poison found: case 1") == [WARNING], d.text()
        d.poison()
        d.rescan()
        d.wait("said", lambda: said(d, "Gone: case 1"))
        assert said(d, "Gone: case 1") == [NOTICE], d.text()
    with Daemon(program, config="[Bezoar]\nMode=observe\n", **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        d.wait("said", lambda: said(d, "Waiting: case 1"))
        assert said(d, "Waiting: case 1") == [WARNING], d.text()


def found_once(program):
    """Proves that a case that is tried again, also by another daemon, is found only once."""
    with Daemon(program, locate="one-file", repair="die") as d:
        d.poison((80, 1))
        d.start()
        d.wait("failed", lambda: said(d, "Repair failed: case 1") == [ERR])
        d.stop()
        d.start()
        d.wait("failed again", lambda: said(d, "Repair failed: case 1") == [ERR, ERR])
        assert said(d, "Poison found: case 1") == [WARNING], d.text()


def budget_once(program):
    """Proves that a budget that is used up is said once, not for each case that waits for it."""
    with Daemon(program, config="[Bezoar]\nRepairBudget=2/1h\n", **GOOD) as d:
        d.poison(*((80 * i, 1) for i in range(1, 7)))
        d.start()
        d.wait("waiting", lambda: sorted(c["state"] for c in d.cases()) == ["healed"] * 2 + ["waiting"] * 4)
        d.wait("said", lambda: len(said(d, "Waiting: case")) >= 4)
        assert said(d, "2 pages in 3600 s; case") == [CRIT], d.text()
        assert set(said(d, "Waiting: case")) == {WARNING}, d.text()


def dimm_again(program):
    """Proves that a module that lost bytes before is told of once for each new case, and not for what is lost at once."""
    with Daemon(program, disks=("pmem0", "pmem1"), **GOOD) as d:
        d.poison((80, 1), (160, 1))
        d.start()
        d.wait_states("healed", "healed")
        d.stop()
        assert not said(d, "lost bytes again"), d.text()

        for n, days in (("1", 29), ("2", 31)):
            path = d.root / f"state/cases/{n}.json"
            case = json.loads(path.read_text())
            for e in case["events"]:
                e["time"] -= days * DAY
            path.write_text(json.dumps(case))
        d.poison((240, 1))
        d.poison((80, 1), disk="pmem1")
        d.start()
        d.wait("healed", lambda: [c["state"] for c in d.cases()] == ["healed"] * 4)
        d.rescan()
        d.wait("said", lambda: said(d, "lost bytes again"))
        assert said(d, "lost bytes again") == [ERR], d.text()
        assert said(d, "Memory module nmem0 lost bytes again: case 3 on /dev/pmem0; in the last 30 days it was in 1 earlier case, last in "
                       "case 1") == [ERR], d.text()


def module_health(program):
    """Proves that an alarm of a memory module is told once while it lasts, by its weight, and its end as well; that what a module cannot
    be asked for is silence, and that one that stops answering is no end of its alarm."""
    def told(text):
        return said(d, text)

    quiet = {"dimm": "nmem1"}
    with Daemon(program, health=[quiet, {"dimm": "nmem0", "known": True, "alarms": ["spares"]}], **GOOD) as d:
        d.start()
        d.wait("asked", lambda: told("Memory module nmem0 raises an alarm: spares"))
        d.answer(health=[quiet, {"dimm": "nmem0", "failed": True}], **GOOD)
        d.rescan()
        d.wait("did not answer", lambda: told("nmem0 did not answer"))
        d.rescan()
        d.wait("asked again", lambda: len(d.requests("health")) >= 3)
        d.answer(health=[quiet, {"dimm": "nmem0", "known": True, "alarms": ["spares", "fatal"]}], **GOOD)
        d.rescan()
        d.wait("worse", lambda: told("nmem0 raises an alarm: fatal"))
        d.answer(health=[quiet, {"dimm": "nmem0", "known": True}], **GOOD)
        d.rescan()
        d.wait("over", lambda: told("no longer has the alarm: fatal,spares"))
        assert told("nmem0 raises an alarm: spares") == [WARNING] and told("raises an alarm: fatal") == [CRIT], d.text()
        assert told("no longer has the alarm") == [NOTICE] and told("nmem0 did not answer") == [WARNING], d.text()
        assert not told("nmem1"), d.text()
        d.answer(health="die", **GOOD)
        d.rescan()
        d.wait("not asked", lambda: told("health of the memory modules could not be asked"))
        assert d.stop() == 0


def notify(program):
    """Proves that the unit is started for a case that is refused and for its end, once each, and not for what merely goes on."""
    with Machine(program, config="[Bezoar]\nNotifyUnit=mail@.service\n", protect=None, **GOOD) as d:
        d.start_bus()
        d.start_systemd()
        d.poison((80, 1))
        d.start()
        d.wait("refused", lambda: d.units() == ["mail@1.service replace"])
        for _ in range(3):
            before = len(d.requests("locate"))
            d.rescan()
            d.wait("located again", lambda: len(d.requests("locate")) > before)
        assert d.units() == ["mail@1.service replace"], d.units()
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.rescan()
        d.wait("healed", lambda: len(d.units()) == 2)
        assert d.units() == ["mail@1.service replace"] * 2, d.units()
        assert d.stop() == 0


def notify_waiting(program):
    """Proves that a case that merely waits starts nothing."""
    with Machine(program, config="[Bezoar]\nMode=observe\nNotifyUnit=mail@.service\n", **GOOD) as d:
        d.start_bus()
        d.start_systemd()
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        d.poison((80, 1), (160, 1))
        (d.root / "etc/bezoar.conf").write_text("[Bezoar]\nNotifyUnit=mail@.service\n")
        d.rescan()
        d.wait("healed", lambda: len(d.units()) == 2)
        assert sorted(d.units()) == ["mail@1.service replace", "mail@2.service replace"], d.units()


def notify_later(program):
    """Proves that what happens before there is a bus is passed on when it comes."""
    with Machine(program, config="[Bezoar]\nNotifyUnit=mail@.service\n", **GOOD) as d:
        d.start_bus("elsewhere")
        d.start_systemd("elsewhere")
        d.poison((80, 1), (160, 1))
        d.start()
        d.wait_states("healed", "healed")
        (d.root / "elsewhere").rename(d.root / "bus")
        d.wait("both", lambda: d.units() == ["mail@1.service replace", "mail@2.service replace"])


def notify_fails(program):
    """Proves that a unit that cannot be started, and a service manager that is not there, are said once and stop nothing."""
    with Machine(program, config="[Bezoar]\nNotifyUnit=missing@.service\n", **GOOD) as d:
        d.start_bus()
        d.poison((80, 1), (160, 1), (240, 1))
        d.start()
        d.wait_states("healed", "healed", "healed")
        d.wait("said", lambda: said(d, "NotifyUnit= could not be started"))
        d.start_systemd()
        d.poison((320, 1))
        d.rescan()
        d.wait("asked", lambda: "missing@4.service replace" in d.units())     # and what was still on its way
        assert d.stop() == 0
        assert said(d, "NotifyUnit= could not be started") == [ERR], d.text()


MCE_FORMAT = """name: memory_failure_event
ID: 97
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:unsigned long pfn;	offset:8;	size:8;	signed:0;

print fmt: "pfn %#lx", REC->pfn
"""


def fake_tracing(d):
    """A folder that stands for the kernel's, with a fifo for a processor."""
    top = d.root / "sys/kernel/tracing"
    event = "events/ras/memory_failure_event"
    (top / event).mkdir(parents=True)
    instance = top / "instances/bezoar"
    (instance / event).mkdir(parents=True)
    (instance / "per_cpu/cpu0").mkdir(parents=True)
    for name, text in (("buffer_size_kb", "1408"), ("buffer_percent", "50"), (event + "/enable", "0"), (event + "/format", MCE_FORMAT)):
        (instance / name).write_text(text)
    os.mkfifo(instance / "per_cpu/cpu0/trace_pipe_raw")
    return instance / "per_cpu/cpu0/trace_pipe_raw"


def fail_memory(fifo, *addresses):
    data = b"".join(struct.pack("<IHHIQQ", 6, 97, 0, 0, a // 4096, 0) for a in addresses)
    fifo.write((struct.pack("<QQ", 0, len(data)) + data).ljust(4096, b"\0"))
    fifo.flush()


def unlisted(program):
    """Proves that a machine check that the list does not show becomes a case that waits and writes nothing, unless it is healed, known
    or elsewhere; and that the case goes on when it is listed after all."""
    with Daemon(program, **GOOD) as d:
        path = fake_tracing(d)
        d.start()
        if os.environ["TRACE"] == "no":
            return
        d.wait("devices known", lambda: getattr(d, "status", "").startswith("1 device"))
        with open(path, "wb") as fifo:
            d.poison((80, 1))
            fail_memory(fifo, PHYSICAL + 80 * 512, PHYSICAL + 800 * 512, PHYSICAL + 801 * 512, PHYSICAL - 4096)
            d.wait_states("healed")
            d.wait("a second case", lambda: len(d.cases()) == 2)
            d.wait_states("healed", "waiting")
            d.rescan()
            time.sleep(0.5)
            case = d.cases()[1]
            assert (case["state"], case["reason"]) == ("waiting", "unlisted"), case
            assert case["range"] == {"start": 800 * 512, "length": 4096} and case["physical"]["start"] == PHYSICAL + 800 * 512, case
            assert len(d.cases()) == 2 and len(d.requests("locate")) == 1, d.cases()
            d.stop()
            d.start()
            d.poison((800, 1))
            d.rescan()
            d.wait_states("healed", "healed")


def hints(program):
    """Proves that as many hints as can be written, for two seconds (or $BEZOAR_STORM_SEC), hold up no repair, ask for nothing twice, and
    cost no memory."""
    seconds = float(os.environ.get("BEZOAR_STORM_SEC", "2"))
    with Daemon(program, **GOOD) as d:
        path = fake_tracing(d)
        d.start()
        if os.environ["TRACE"] == "no":
            return
        d.wait("devices known", lambda: getattr(d, "status", "").startswith("1 device"))
        data = b"".join(struct.pack("<IHHIQQ", 6, 97, 0, 0, a // 4096, 0) for a in (PHYSICAL + 80 * 512, PHYSICAL - 4096) * 70)
        page = (struct.pack("<QQ", 0, len(data)) + data).ljust(4096, b"\0")
        begin, n = time.monotonic(), 0
        with open(path, "wb", buffering=0) as fifo:
            d.poison((80, 1))
            while time.monotonic() < begin + seconds or [c["state"] for c in d.cases()] != ["healed"]:
                for _ in range(100):
                    fifo.write(page)
                    n += 140
                if time.monotonic() > begin + seconds + 120:
                    raise AssertionError(f"not healed: {d.cases()}")
            took = time.monotonic() - begin
            d.poison((160, 1))
            fail_memory(open(path, "wb"), PHYSICAL + 160 * 512)
            d.wait_states("healed", "healed")
        peak = next(int(line.split()[1]) for line in open(f"/proc/{d.process.pid}/status") if line.startswith("VmHWM"))
        print(f"# {n} hints in {took:.1f} s, {n / took:.0f} a second; {peak} KiB at most")
        assert len(d.requests("locate")) <= 4 and len(d.requests("repair")) == 2, d.requests()
        assert peak < 32768 or "ASAN_OPTIONS" in os.environ, peak           # a sanitizer has much of its own


run([priorities, found_once, budget_once, dimm_again, module_health, notify, notify_waiting, notify_later, notify_fails, unlisted, hints])
