#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operator is told, how loudly, and how often."""
import json, os, re

from daemon import Daemon, run

GOOD = {"locate": "one-file", "repair": "healed"}
DAY = 24 * 3600 * 1000000
os.environ["JOURNAL_STREAM"] = "0:0"    # with <N> before each line
CRIT, ERR, WARNING, NOTICE, INFO = range(2, 7)


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


run([priorities, found_once, budget_once, dimm_again])
