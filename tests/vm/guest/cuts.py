#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenario power-cuts, when media and configuration are made: cuts.py XFS EXT4, two disks that are not mounted.

Each of some files, and a device-dax, is for one way of healing. Some of them lose a page, all at once, while the daemon stands still;
then the daemon goes on, and the power is cut. What comes up after that is judged: before the daemon runs, and when it has settled and healed
everything. Then the next pages are lost. In between somebody writes newer data to some of them.

What it complains about begins with "wrong bytes: " where data is not what it has to be, and is the reason of the failure."""
import collections
import fcntl
import hashlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

import many
from cutfiles import BY_KIND, FILES, KEPT, PAGE, PAGES, SECTOR, Device, medium, overlaps, run
from hostside import Wrong, ask, dice, say

STATE = pathlib.Path("/var/lib/bezoar")
PLAN, TALLY = KEPT / "plan.json", KEPT / "tally.json"
IDENT = pathlib.Path("/run/lab/boot_id")        # that the unit sees (power-cuts.sh)
FIRST_USEC = 400000                             # about how long a repair takes, where none was seen yet
AT_ONCE = 3                                     # lose a page before each cut
BOOT, CUTS = int(os.environ.get("BOOT", "1")), int(os.environ.get("COUNT", "0")) or 6
PATIENCE = int(os.environ.get("PATIENCE", "1"))
CLOSED = {"healed", "gone", "harmless", "in-doubt"}


# --- what the daemon has on disk

def content(path):
    """Empty: it has gone meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def cases():
    """{id: case} of the ledger. Of one that was new when the power failed there may be an empty file."""
    texts = {p.stem: content(p) for p in (STATE / "cases").glob("[0-9]*.json")}
    return {i: json.loads(t) for i, t in texts.items() if t}


def digest(case):
    return hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()


def of_page(ledger, at):
    """The states of the cases that a page at a physical address belongs to."""
    return [c["state"] for c in ledger.values()
            if c.get("physical") and c["physical"]["start"] <= at < c["physical"]["start"] + c["physical"]["length"]]


def intents():
    """{name: case} of what was about to be written, and of writes that are over."""
    pending, ended = {}, {}
    for p in (STATE / "intent").iterdir() if (STATE / "intent").exists() else ():
        if p.name.startswith(".ended-"):
            ended[p.name.split("-", 4)[4]] = p.name.split("-")[1]
        elif not p.name.startswith("."):
            record = content(p)
            if record:
                pending[p.name] = json.loads(record.split(b"\n", 1)[0]).get("case")
    return pending, ended


# --- before a cut

def daemon():
    for p in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if p.read_text() == "bezoard\n":
                return int(p.parent.name)
        except OSError:
            pass
    raise Wrong("the daemon does not run")


def wait(seconds, what, condition):
    end = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Wrong(f"not within {seconds * PATIENCE} seconds: {what}")
        time.sleep(0.2 if seconds < 60 else 1)


def is_listed(page):
    return overlaps(medium(BY_KIND[page["kind"]].number).listed(), page["bad"][0] + page["bad"][1] - SECTOR, SECTOR)


def lose():
    rnd = dice()
    pid = daemon()
    files = rnd.sample(FILES, AT_ONCE)
    for f in files:
        f.make(rnd)
    os.sync()
    pages, errors = [], []
    for f in files:
        offset = f.draw_page(rnd)
        at = f.place(offset)
        first, n = (0, 8) if f.absent else (rnd.randrange(7), rnd.choice((1, 2)))
        bad = at + first * SECTOR, n * SECTOR
        m = medium(f.number)
        pages.append({"kind": f.kind, "offset": offset, "at": at, "bad": bad, "intent": f"{m.disk}-{at - m.start:016x}"})
        ask(f"destroy {f.number} {bad[0] - m.base} {bad[1]}")
        if not f.absent:
            errors.append(bad)
    clearings = sum(f.kind not in ("clone", "punch") for f in files)
    between = clearings > 0 and rnd.randrange(3) == 0
    nth = rnd.randint(1, clearings) if between else rnd.randint(0, AT_ONCE)
    plan = {"pages": pages, "between": between, "nth": nth, "known": {i: digest(c) for i, c in cases().items()}, "written": []}
    PLAN.write_text(json.dumps(plan))
    os.sync()
    os.kill(pid, signal.SIGSTOP)                # or it would have healed the first before the last is lost
    many.inject(errors)
    for p in pages:
        if BY_KIND[p["kind"]].absent:
            ask(f"mce {p['at']}")
            wait(20, "the page is listed", lambda: is_listed(p))        # a second one meanwhile would end the machine
    wait(20, "all is listed", lambda: all(map(is_listed, pages)))
    cut(plan, pid)


def cut(plan, pid):
    """Immediately after the Nth clearing, before what shall be there is copied; or somewhere in the repair that the Nth record of an intent
    belongs to, or before the first. Where there are not so many: when all is done."""
    nth, folder, said = plan["nth"], STATE / "intent", []
    folder.mkdir(mode=0o700, exist_ok=True)
    if plan["between"]:
        ask("cuts-itself")
        with open("/dev/port", "r+b", buffering=0) as f:
            f.seek(0xE0)
            f.write(bytes([nth]))
    elif nth:
        p = subprocess.Popen(["/lab/tools/lab-probe", "await-names", folder, str(nth)], stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        said = [p.stdout]
    os.kill(pid, signal.SIGCONT)
    if not nth:
        ask(f"cut-within {FIRST_USEC}")
    while not select.select(said, [], [], 1)[0]:
        if is_settled(plan):
            ask("power-cut")
    gap = int(said[0].readline())
    ask(f"cut-within {gap + gap // 4 or FIRST_USEC}")


def poison_again():
    lost = list(map(int, ask("poison")))
    runs = [(lost[i], lost[i + 1]) for i in range(0, len(lost), 2)]
    if runs:
        many.inject(runs)
    listed = lambda: [r for number in range(3) for r in medium(number).listed()]        # noqa: E731
    wait(20, "all is listed again", lambda: all(overlaps(listed(), at, length) for at, length in runs))


# --- after a cut

def phase(page, state, pending, ended):
    """How far the repair of a page had come."""
    intent = page["intent"]
    if state == "lost":
        return "logged" if intent in pending else "before"
    if state == "wrong":
        return "between"
    return "written" if intent in pending else "ended" if intent in ended else "after"


def look(f, name, healed=False):
    """{offset: lost, right or wrong}"""
    truth = f.truth.read_bytes()
    pages = f.read(name, healed)
    if len(pages) * PAGE != len(truth):
        raise Wrong(f"wrong bytes: {name} has another length")
    return {n * PAGE: "lost" if p is None else "right" if p == truth[n * PAGE:(n + 1) * PAGE] else "wrong" for n, p in enumerate(pages)}


def judge():
    """Poison, or right data, or an intent; and the ledger claims nothing that is not so."""
    rnd = dice()
    plan = json.loads(PLAN.read_text())
    pending, ended = intents()
    ledger = {i: c for i, c in cases().items() if plan["known"].get(i) != digest(c)}
    phases = {}
    for page in plan["pages"]:
        f, offset = BY_KIND[page["kind"]], page["offset"]
        for name in f.names():
            states = look(f, name)
            for other, state in states.items():
                if state == "wrong" and (other != offset or page["intent"] not in pending):
                    raise Wrong(f"wrong bytes: {name}, offset {other}: neither poison nor right data nor an intent")
                if state == "lost" and other != offset:
                    raise Wrong(f"{name}, offset {other} is lost, which nobody has done")
            if name == f.path:
                phases[f.kind] = phase(page, states[offset], pending, ended)
            if states[offset] != "right" and "healed" in of_page(ledger, page["at"]):
                raise Wrong(f"wrong bytes: {name}, offset {offset}: {states[offset]}, and the ledger says healed")
    ours = {p["intent"] for p in plan["pages"]}
    for name in pending:
        if name not in ours:
            raise Wrong(f"wrong bytes: {name}: an intent of another page")
    plan["phases"] = phases

    # Somebody writes newer data before the daemon looks: to pages with an intent, and to some others.
    for page in plan["pages"]:
        if rnd.randrange(2 if page["intent"] in pending else 12) == 0:
            f = BY_KIND[page["kind"]]
            # A device-dax does not clear what is stored to; who shares lost bytes cannot write them, but moves the time of the file.
            lost = look(f, f.path)[page["offset"]] == "lost"
            if not (lost and (f.shared or isinstance(f, Device))) and f.write(page["offset"], rnd.randbytes(PAGE)):
                plan["written"].append(f.kind)
    prune(plan)
    plan["pending"] = sorted(pending)
    PLAN.write_text(json.dumps(plan))
    os.sync()


def is_settled(plan):
    """No file is opened before the daemon has done all that it means to: that would cost it its lease."""
    pending, ended = intents()
    ledger = cases()
    if ended or any(c["state"] not in CLOSED for c in ledger.values()):
        return False
    if any("in-doubt" != ledger.get(str(case), {"state": ""})["state"] for case in pending.values()):
        return False
    harmless = {i: c for i, c in ledger.items() if c["state"] == "harmless"}
    for page in plan["pages"]:
        f = BY_KIND[page["kind"]]
        listed = medium(f.number).listed()
        # What was cloned or punched leaves its old block behind: with a guard file, or free.
        if overlaps(listed, page["at"]) and not of_page(harmless, page["at"]):
            return False
    for page in plan["pages"]:
        f = BY_KIND[page["kind"]]
        listed = medium(f.number).listed()
        places = [f.place(page["offset"], n) for n in f.names()]
        if any(at is None or overlaps(listed, at) for at in places):
            return False
    return True


def heal():
    """Everything was healed, newer data is there, and every page has its case. Returns whether something is in doubt."""
    plan = json.loads(PLAN.read_text())
    wait(120, "all is settled and healed", lambda: is_settled(plan))
    pending, _ = intents()
    ledger = {i: c for i, c in cases().items() if plan["known"].get(i) != digest(c)}
    doubt = []
    for page in plan["pages"]:
        f, offset, kind = BY_KIND[page["kind"]], page["offset"], page["kind"]
        said, newer = of_page(ledger, page["at"]), kind in plan["written"]
        doubted = "in-doubt" in said
        # Of a device-dax nobody can tell whether a program has stored there after the boot, when the copy is missing.
        missing = isinstance(f, Device) and plan["phases"][kind] == "between"
        if doubted and not (newer and page["intent"] in plan["pending"]) and not missing:
            raise Wrong(f"{f.path}, offset {offset} is in doubt, and nobody has written to it")
        for name in f.names():
            for other, state in look(f, name, True).items():
                if state == "right" or (other == offset and doubted and missing and not newer):
                    continue
                # The other one has the old block when somebody writes newer data to this: the data as it was; or, of a block that was
                # cleared and not copied, nobody knows.
                if name != f.path and newer and other == offset and (doubted or is_old(f, name, offset)):
                    continue
                raise Wrong(f"wrong bytes: {name}, offset {other}: {state} (at the cut: {plan['phases'][kind]}; said: {' '.join(said)})")
        if not said and not newer:
            raise Wrong(f"{f.path}, offset {offset}: no case in the ledger")
        if page["intent"] in pending and not doubted:
            raise Wrong(f"{f.path}, offset {offset}: its intent is left")
        doubt += [kind] * doubted
    run("timeout", "60", "touch", "/srv/pmem/thawed", "/srv/pmem.ext4/thawed")
    tell(plan, doubt)
    return bool(doubt)


def is_old(f, name, offset):
    """Whether a page is as in the mirror, where no newer data comes."""
    with f.mirror.open("rb") as m:
        m.seek(offset)
        return f.read(name)[offset // PAGE] == m.read(PAGE)


def tell(plan, doubt):
    tally = json.loads(TALLY.read_text()) if TALLY.exists() else \
        {"cuts": 0, "between": 0, "in": 0, "phases": {}, "written": {}, "doubt": {}}
    moment = f"{'after clearing' if plan['between'] else 'at record'} {plan['nth']}"
    tally["cuts"] += 1
    tally["between"] += plan["between"]
    tally["in"] += any(p not in ("before", "after") for p in plan["phases"].values())
    for kind, p in plan["phases"].items():
        tally["phases"].setdefault(kind, collections.Counter())
        tally["phases"][kind][p] = tally["phases"][kind].get(p, 0) + 1
    for what, kinds in (("written", plan["written"]), ("doubt", doubt)):
        for kind in kinds:
            tally[what][kind] = tally[what].get(kind, 0) + 1
    TALLY.write_text(json.dumps(tally))
    say(f"cut {tally['cuts']}, {moment}: " + ", ".join(f"{k} {p}" for k, p in plan["phases"].items()) +
        f"; written by others: {' '.join(plan['written']) or '-'}; in doubt: {' '.join(doubt) or '-'}")


PHASES = ("before", "logged", "between", "written", "ended", "after")


def total():
    tally = json.loads(TALLY.read_text())
    say(f"{tally['cuts']} cuts, {tally['in']} of them in the middle of a repair, {tally['between']} aimed behind a clearing")
    say(f"{'':12}" + "".join(f"{p:>9}" for p in PHASES) + f"{'written':>9}{'in doubt':>9}")
    for f in FILES:
        phases = tally["phases"].get(f.kind, {})
        say(f"{f.kind:12}" + "".join(f"{phases.get(p, 0):9}" for p in PHASES) + f"{tally['written'].get(f.kind, 0):9}{tally['doubt'].get(f.kind, 0):9}")


# --- all of it

def from_here():
    """From now on a power cut leads back to here, with another answer, instead of to a boot (host/guest.py, save()). What a boot would have
    found out is put right. Returns the number of the boot."""
    answer = ask("save")
    if not answer:              # the lab is told to boot
        return BOOT
    boot, now, ident = answer
    time.clock_settime(time.CLOCK_REALTIME, float(now))
    IDENT.write_text(f"{ident}\n")
    with open("/dev/urandom", "wb") as f:
        fcntl.ioctl(f, 0x5207)  # RNDRESEEDCRNG
    return int(boot)


def start():
    run("systemctl", "start", "bezoard.service")
    seen = subprocess.run(["nsenter", "-t", str(daemon()), "-m", "cat", "/proc/sys/kernel/random/boot_id"], check=True, capture_output=True, text=True)
    if IDENT.exists() and seen.stdout != IDENT.read_text():
        raise Wrong("the daemon takes this for the boot before")


def forget():
    """What is in doubt stays so, and nobody is here to decide."""
    run("systemctl", "stop", "bezoard.service")
    for p in [*(STATE / "cases").glob("[0-9]*.json"), *(STATE / "intent").glob("*-*")]:
        p.unlink()
    start()


def prune(plan):
    """What earlier cuts have left in the ledger, and is closed, would only take time to read."""
    for i, c in cases().items():
        if plan["known"].get(i) == digest(c) and c["state"] in ("healed", "gone"):
            (STATE / "cases" / f"{i}.json").unlink()


def mount(xfs, ext4):
    # Without a type, mount(8) would try to read it off, also from places that are poisoned after a boot.
    for kind, how, device, folder in (("ext4", "defaults", "/dev/vdb", KEPT), ("xfs", "dax=always", xfs, "/srv/pmem"),
                                      ("ext4", "dax=always", ext4, "/srv/pmem.ext4")):
        pathlib.Path(folder).mkdir(exist_ok=True)
        run("mount", "-t", kind, "-o", how, device, folder)
    for folder in (KEPT / "state", STATE):
        folder.mkdir(mode=0o700, exist_ok=True)
    run("mount", "--bind", KEPT / "state", STATE)


def warm_up(xfs, ext4):
    """So that all that is read later is in memory when the machine is saved."""
    mount(xfs, ext4)
    start()
    run("systemctl", "stop", "bezoard.service")
    run("umount", STATE, KEPT, "/srv/pmem", "/srv/pmem.ext4")


def main():
    xfs, ext4 = sys.argv[1:]
    if BOOT == 1:
        warm_up(xfs, ext4)
    boot = from_here()
    if boot > 1:
        poison_again()
    mount(xfs, ext4)
    if boot > 1:
        judge()
    start()
    if boot > 1 and heal():
        forget()
    if boot <= CUTS:
        lose()
    total()


def explain():
    """For whoever reads the trace of a failure."""
    print(PLAN.read_text() if PLAN.exists() else "nothing is planned")
    print("listed", [(hex(at), hex(end)) for n in range(3) for at, end in medium(n).listed()])
    for f in FILES:
        for name in filter(pathlib.Path.exists, f.names()):
            print(name, [hex(f.place(n * PAGE, name) or 0) for n in range(PAGES)])
    for i, c in cases().items():
        print(i, json.dumps({k: c.get(k) for k in ("state", "reason", "physical", "writer", "events")}))
    for p in (STATE / "intent").iterdir():
        print(p.name, content(p).split(b"\n", 1)[0].decode(errors="replace"))


if __name__ == "__main__":
    try:
        main()
    except Wrong as e:
        pathlib.Path("/run/lab/why").write_text(str(e))
        print(e)
        explain()
        sys.exit(1)
