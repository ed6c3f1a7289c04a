#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon between its hints, its workers and its ledger."""
import os, signal, time

from daemon import LIMIT, PHYSICAL, Daemon, run

GOOD = {"locate": "one-file", "repair": "healed"}


def heals(program):
    """Proves the way of an ordinary case: found at start-up, located, recorded as repairing, healed, closed."""
    with Daemon(program, **GOOD) as d:
        d.poison((801, 1))
        d.start()
        d.wait_states("healed")
        case, = d.cases()
        assert [e["state"] for e in case["events"]] == ["detected", "located", "repairing", "healed"], case
        assert case["range"] == {"start": 800 * 512, "length": 4096}, case
        assert case["physical"]["start"] == PHYSICAL + 800 * 512 and case["dimms"] == ["nmem0"], case
        assert case["replica"] == "mirror:/srv/mirror" and case["proof"] == "identity+neighbours" and case["writer"] == "pwrite"
        plan = d.requests("repair")[0]["plan"]
        assert [s["offset"] for s in plan["steps"]] == [800 * 512], plan
        assert d.stop() == 0


def later_poison(program):
    """Proves that poison that comes later is found by looking again, and gets a new number."""
    with Daemon(program, **GOOD) as d:
        d.start()
        for sector in (80, 160):
            d.poison((sector, 1))
            d.rescan()
            d.wait("healed", lambda: d.cases() and d.cases()[-1]["state"] == "healed" and not d.badblocks())
        assert [c["id"] for c in d.cases()] == ["1", "2"], d.cases()


def observe(program):
    """Proves that in observe mode no repair is asked for."""
    with Daemon(program, config="[Bezoar]\nMode=observe\n", **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        time.sleep(0.3)
        assert not d.requests("repair") and d.cases()[0]["reason"] == "observe", d.cases()


def unprotected(program):
    """Proves that without a protect file nothing is written."""
    with Daemon(program, protect=None, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("refused")
        assert not d.requests("repair") and d.cases()[0]["reason"] == "not-protected", d.cases()


def refused_then_protected(program):
    """Proves that a refused case is judged again when the configuration is loaded again."""
    with Daemon(program, protect=None, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("refused")
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.rescan()
        d.wait_states("healed")


def split(program):
    """Proves that a run of bad pages with two owners becomes two cases, each with its own part."""
    with Daemon(program, locate="two-files", repair="healed") as d:
        d.poison((80, 16))
        d.start()
        d.wait_states("healed", "healed")
        assert [c["range"] for c in d.cases()] == [{"start": 80 * 512, "length": 4096}, {"start": 88 * 512, "length": 4096}], d.cases()
        assert [c["owners"][0]["inode"] for c in d.cases()] == [131, 132]


def worker_dies(program):
    """Proves that a worker that dies while locating costs a try, not the case, and that the next one is asked again."""
    for how in ("die", "garbage", "error"):
        with Daemon(program, locate=how, repair="healed") as d:
            d.poison((80, 1))
            d.start()
            d.wait_states("waiting")
            d.answer(**GOOD)
            d.rescan()
            d.wait_states("healed")


def worker_falls_silent(program):
    """Proves that a worker from which nothing can be heard any more is not waited for: it learns that nothing will be asked, and ends."""
    with Daemon(program, config="[Bezoar]\nWorkerTimeoutSec=1h\n", locate="mute", repair="healed") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        d.wait("told", lambda: "the worker ended with exit status 0" in d.text())
        d.answer(**GOOD)
        d.rescan()
        d.wait_states("healed")


def one_of_many_kills(program):
    """Proves that what a worker dies of, among others that it was asked about with it, does not keep the others."""
    with Daemon(program, locate="die-at-160", repair="healed") as d:
        d.poison((80, 1), (160, 1), (240, 1))
        d.start()
        d.wait_states("waiting", "waiting", "waiting")
        d.rescan()
        d.wait_states("healed", "waiting", "healed")
        d.answer(**GOOD)
        d.rescan()
        d.wait_states("healed", "healed", "healed")


def worker_hangs(program):
    """Proves that a worker that hangs is killed at its deadline while the daemon goes on."""
    with Daemon(program, config="[Bezoar]\nWorkerTimeoutSec=1s\n", locate="hang", repair="healed") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        assert d.cases()[0]["reason"] == "worker-timeout", d.cases()
        (d.root / "etc/bezoar.conf").write_text("")     # a good answer may take longer on a busy machine
        d.answer(**GOOD)
        d.rescan()
        d.wait_states("healed")


def worker_searches(program):
    """Proves that a search is waited for beyond the deadline as long as it says that it goes on, and no longer."""
    with Daemon(program, config="[Bezoar]\nWorkerTimeoutSec=4s\n", locate="search", repair="healed") as d:
        d.poison((80, 1))
        d.start()
        time.sleep(9)
        assert len(d.requests("locate")) == 1 and d.cases()[0]["state"] == "detected", d.cases()
        (d.root / "fake/release").write_text("")
        d.wait_states("healed")
        assert len(d.requests("locate")) == 1 and d.cases()[0]["attempts"] == 1, d.cases()

    with Daemon(program, config="[Bezoar]\nWorkerTimeoutSec=1s\n", locate="search-hang", repair="healed") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        assert d.cases()[0]["reason"] == "worker-timeout", d.cases()


def repair_dies(program):
    """Proves that after a worker died in a repair its intents are settled before anything is written again."""
    with Daemon(program, locate="one-file", repair="die") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("failed")
        assert d.cases()[0]["reason"] == "worker-died", d.cases()
        d.answer(locate="one-file", repair="healed",
                 settle=[{"id": "1", "state": "healed", "reason": "", "bytes": 512}])
        before = len(d.requests("repair"))
        d.poison()
        d.rescan()
        d.wait_states("healed")
        assert len(d.requests("repair")) == before, "repaired again although the intent was settled"


def cleared_but_absent(program):
    """Proves that a page that is off the list but not present keeps its case open."""
    with Daemon(program, locate="one-file", repair="waiting") as d:
        d.poison((80, 8))
        d.start()
        d.wait_states("waiting")
        d.wait("list empty", lambda: not d.badblocks())
        d.rescan()
        time.sleep(0.5)
        assert [(c["state"], c["reason"]) for c in d.cases()] == [("waiting", "page-not-present")], d.cases()


def present_again(program):
    """Proves that such a case is over when the page can be read again, not before."""
    with Daemon(program, locate="one-file", repair="waiting") as d:
        d.poison((80, 8))
        d.start()
        d.wait_states("waiting")
        d.answer(locate="readable", repair="die")
        d.rescan()
        d.wait_states("healed")
        assert len(d.requests("repair")) == 1, "written again"


def never_stored(program):
    """Proves that a page that can be read again is not called healed when its bytes were never stored."""
    with Daemon(program, locate="one-file", repair="absent") as d:
        d.poison((80, 8))
        d.start()
        d.wait_states("waiting")
        d.answer(locate="readable", repair="die")
        d.rescan()
        d.wait_states("in-doubt")
        d.rescan()
        time.sleep(0.5)
        assert [c["state"] for c in d.cases()] == ["in-doubt"], d.cases()


def settled_in_part(program):
    """Proves that an intent that was settled does not close a case of which other pages are still listed."""
    with Daemon(program, locate="one-file", repair="die") as d:
        d.poison((80, 1), (88, 1))
        d.start()
        d.wait_states("failed")
        d.poison((88, 1))
        d.answer(locate="one-file", repair="healed", settle=[{"id": "1", "state": "healed", "reason": "", "bytes": 512}])
        before = len(d.requests("repair"))
        d.rescan()
        d.wait_states("healed")
        assert len(d.requests("repair")) == before + 1, "the second page was forgotten"


def damaged_intent(program):
    """Proves that a case whose intent may be the one that cannot be read is in doubt, not gone; also later."""
    with Daemon(program, locate="one-file", repair="die") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("failed")
        d.answer(**GOOD, settle=[{"progress": True, "detail": "the intent record 'x' is damaged"}])
        d.poison()
        d.rescan()
        d.wait_states("in-doubt")
        d.answer(**GOOD)
        d.rescan()
        time.sleep(0.5)
        assert [c["state"] for c in d.cases()] == ["in-doubt"], d.cases()


def changed_names(program):
    """Proves that a case whose disk has another name since the machine stopped ends as the settlement of that disk tells, which is asked for
    with it; that nothing can be done at the disk of its name is no news, each time."""
    with Daemon(program, disks=("pmem0", "pmem1"), locate="one-file", repair="hang") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("repairing")
        d.wait("the worker", lambda: d.requests("repair"))
        d.stop(signal.SIGKILL)
        d.poison()
        elsewhere = {"id": "1", "state": "waiting", "reason": "unmounted", "bytes": 0}
        busy = dict(elsewhere, reason="file-busy")
        d.answer(**GOOD, settle={"pmem0": [elsewhere], "pmem1": [busy]})
        d.start()
        d.wait("what the other disk tells", lambda: d.cases()[0].get("reason") == "file-busy")
        before = len(d.requests("settle"))
        d.rescan()
        d.wait("a settlement of each", lambda: len(d.requests("settle")) > before + 1)
        time.sleep(0.5)
        case, = d.cases()
        told = [e["detail"] for e in case["events"]]
        assert case["state"] == "waiting" and case["reason"] == "file-busy" and len(set(told)) == len(told), case
        d.answer(**GOOD, settle={"pmem1": [{"id": "1", "state": "healed", "reason": "", "bytes": 512}]})
        d.rescan()
        d.wait_states("healed")


def doubt_stays(program):
    """Proves that a case in doubt stays in doubt when a later settlement can only say that it has to wait."""
    with Daemon(program, locate="one-file", repair="die") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("failed")
        d.answer(**GOOD, settle=[{"id": "1", "state": "in-doubt", "reason": "in-doubt", "bytes": 0}])
        d.poison()
        d.rescan()
        d.wait_states("in-doubt")
        d.answer(**GOOD, settle=[{"id": "1", "state": "waiting", "reason": "file-busy", "bytes": 0}])
        before = len(d.requests("settle"))
        d.stop()
        d.start()
        d.wait("a settlement", lambda: len(d.requests("settle")) > before)
        time.sleep(0.5)
        assert [c["state"] for c in d.cases()] == ["in-doubt"], d.cases()


def settlement_fails(program):
    """Proves that a settlement that failed is tried again by itself."""
    with Daemon(program, locate="one-file", repair="hang") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("repairing")
        d.stop(signal.SIGKILL)
        d.poison()
        d.answer(**GOOD, settle="die")
        d.start()
        d.wait("settle", lambda: d.requests("settle"))
        d.answer(**GOOD, settle=[{"id": "1", "state": "healed", "reason": "", "bytes": 512}])
        d.wait_states("healed")


def cut_off_is_not_gone(program):
    """Proves that a case that a list is too short to name is not closed."""
    with Daemon(program, protect=None, **GOOD) as d:
        d.poison((80, 1), (8000, 1))
        d.start()
        d.wait_states("refused", "refused")
        (d.root / "sys/block/pmem0/badblocks").write_text("80 1\n800")
        d.rescan()
        time.sleep(0.5)
        assert [c["state"] for c in d.cases()] == ["refused", "refused"], d.cases()


def cleared_by_others(program):
    """Proves that what somebody else cleared is gone, not healed."""
    with Daemon(program, protect=None, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("refused")
        d.poison()
        d.rescan()
        d.wait_states("gone")


def restart(program):
    """Proves that open cases survive a killed daemon with their numbers, and that numbers go on."""
    with Daemon(program, protect=None, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("refused")
        d.stop(signal.SIGKILL)
        d.poison((80, 1), (8000, 1))
        d.start()
        d.wait_states("refused", "refused")
        assert [c["id"] for c in d.cases()] == ["1", "2"], d.cases()


def killed_in_repair(program):
    """Proves that a case that was being repaired when the daemon died is settled at the next start, then repaired."""
    with Daemon(program, locate="one-file", repair="hang") as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("repairing")
        d.wait("the worker", lambda: d.requests("repair"))
        d.stop(signal.SIGKILL)
        d.answer(**GOOD)
        d.start()
        d.wait_states("healed")
        verbs = [r["verb"] for r in d.requests()]
        assert "settle" in verbs[verbs.index("repair"):], verbs


def stop_finishes(program):
    """Proves that SIGTERM lets a repair that has begun end first."""
    with Daemon(program, locate="one-file", repair="hold") as d:
        d.poison((80, 1))
        d.start()
        d.wait("the worker", lambda: d.requests("repair"))
        d.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert d.process.poll() is None and d.cases()[0]["state"] == "repairing", d.cases()
        d.release()
        assert d.process.wait(LIMIT) == 0
        assert d.cases()[0]["state"] == "healed", d.cases()


def budget(program):
    """Proves that repairs stop when the budget is used up, and that it is said."""
    with Daemon(program, config="[Bezoar]\nRepairBudget=2/1h\n", **GOOD) as d:
        d.poison((80, 1), (160, 1), (240, 1))
        d.start()
        d.wait("two healed, one waits", lambda: sorted(c["state"] for c in d.cases()) == ["healed", "healed", "waiting"])
        assert [c["reason"] for c in d.cases() if c["state"] == "waiting"] == ["budget"], d.cases()


def page_budget(program):
    """Proves that a page that is healed and lost again is left alone after so many times, that its module is named, and that another
    page is healed all the same."""
    with Daemon(program, config="[Bezoar]\nPageBudget=2/1h\n", **GOOD) as d:
        d.start()
        for n in (1, 2):
            d.poison((80, 1))
            d.rescan()
            d.wait("healed again", lambda: [c["state"] for c in d.cases()] == ["healed"] * n and not d.badblocks())
        d.poison((81, 1), (160, 1))
        d.rescan()
        d.wait_states("healed", "healed", "waiting", "healed")
        case = d.cases()[2]
        assert case["reason"] == "page-budget" and "healed 2 times" in case["events"][-1]["detail"], case
        assert all(dimm in case["events"][-1]["detail"] for dimm in case["dimms"]) and case["dimms"], case


def two_devices(program):
    """Proves that a device whose worker hangs does not hold up another one."""
    with Daemon(program, disks=("pmem0", "pmem1"), locate="hang", repair="healed") as d:
        d.poison((80, 1))
        d.start()
        d.wait("pmem0 asked", lambda: d.requests("locate"))
        d.answer(**GOOD)
        d.poison((80, 1), disk="pmem1")
        d.rescan()
        d.wait("pmem1 healed", lambda: any(c["state"] == "healed" and c["volume"]["device"] == "/dev/pmem1" for c in d.cases()))


def cut_off_list(program):
    """Proves that a list that was cut off is said to be, and that what it names is taken up."""
    with Daemon(program, protect=None, **GOOD) as d:
        (d.root / "sys/block/pmem0/badblocks").write_text("80 1\n160 ")
        d.start()
        d.wait_states("refused")
        assert "cut off" in d.text(), d.text()


def room_again(program):
    """Proves that after a list that was cut off is whole again, a scrub is asked for, once."""
    with Daemon(program, **GOOD) as d:
        (d.root / "sys/block/pmem0/badblocks").write_text("80 1\n160 1")
        d.start()
        d.wait("the first healed", lambda: d.cases() and d.cases()[0]["state"] == "healed")
        d.rescan()
        d.wait_states("healed", "healed")
        d.wait("a scrub is asked for", lambda: d.requests("scrub"))
        d.rescan()
        d.poison((240, 1))
        d.rescan()
        d.wait_states("healed", "healed", "healed")
        assert len(d.requests("scrub")) == 1, d.requests("scrub")


def many(program):
    """Proves that a long run and many ranges become cases of bounded size, and that all of them are healed."""
    with Daemon(program, config="[Bezoar]\nRepairBudget=100000/1h\n", **GOOD) as d:
        d.poison((0, 4096), *((100000 + i * 80, 1) for i in range(200)))
        d.start()
        d.wait("all healed", lambda: len(d.cases()) == 202 and all(c["state"] == "healed" for c in d.cases()), 180)
        assert max(c["range"]["length"] for c in d.cases()) == 1 << 20
        assert not d.badblocks()


def parks(program):
    """Proves that free space whose page may be absent is parked, before anything is repaired, as often as it takes; and stays as it is."""
    with Daemon(program, config="[Bezoar]\nWorkerTimeoutSec=10\n", locate="free") as d:
        d.poison((80, 8))
        d.start()
        d.wait_states("harmless")
        assert len(d.requests("park")) == 1, "it must not be asked for again and again"
        d.answer(locate="parked")
        d.wait("it is located again, below its guard", lambda: len(d.requests("locate")) > 1)
        time.sleep(0.3)
        case, = d.cases()
        assert case["reason"] == "parked" and [e["state"] for e in case["events"]] == ["detected", "located", "repairing", "harmless"], case
        plan = d.requests("park")[0]["plan"]
        assert plan["verdict"] == "park" and plan["steps"][0]["range"] == {"start": 80 * 512, "length": 4096}, plan
        time.sleep(10.5)        # the request has ended: nothing is timed out
        d.answer(locate="free")
        d.poison((80, 8), (160, 8))
        d.rescan()
        d.wait("both", lambda: [c.get("reason") for c in d.cases()] == ["parked", "parked"])
        assert d.stop() == 0


def mends(program):
    """Proves that the file system is asked to rebuild what was lost of it, once by each daemon; that what came of it is in the case and in the
    refusal; that a worker that dies of it counts as asked; and that who could not ask yet asks again."""
    with Daemon(program, protect=None, locate="mendable", mend={"state": "healed", "writer": "mend", "detail": "bnobt: rebuilt"}) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("healed")
        case, = d.cases()
        assert case["writer"] == "mend" and case["events"][-1]["detail"] == "bnobt: rebuilt", case
        plan = d.requests("mend")[0]["plan"]
        assert plan["verdict"] == "mend" and plan["steps"][0]["range"] == {"start": 80 * 512, "length": 4096}, plan
        assert d.stop() == 0

    for how, said in (({"state": "detected", "writer": "mend", "detail": "rmapbt: damaged still"}, "rmapbt: damaged still"),
                      ("die", "what came of it is not known")):
        with Daemon(program, protect=None, locate="mendable", mend=how) as d:
            d.poison((80, 1))
            d.start()
            d.wait_states("refused")
            case, = d.cases()
            assert case["reason"] == "metadata", case
            assert case["events"][-1]["detail"] == f"btrees of group 1; the file system was asked to rebuild it: {said}", case
            located = len(d.requests("locate"))
            d.rescan()
            d.wait("it is looked at again", lambda: len(d.requests("locate")) > located)
            time.sleep(0.3)
            assert len(d.requests("mend")) == 1 and d.cases()[0]["state"] == "refused", d.requests("mend")
            assert d.stop() == 0
            d.start()
            d.wait("the next daemon asks again", lambda: len(d.requests("mend")) == 2)
            d.wait_states("refused")

    with Daemon(program, protect=None, locate="mendable", mend={"state": "waiting", "reason": "file-busy", "writer": "auto"}) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        d.answer(locate="mendable", mend={"state": "healed", "writer": "mend", "detail": "bnobt: rebuilt"})
        d.rescan()
        d.wait_states("healed")


def holds_survive(program):
    """Proves that a file whose page may be absent is handed to the service manager, is held again by the next daemon although it was deleted
    meanwhile, and is let go, there too, when its page can be read."""
    def held(d):
        folder = f"/proc/{d.process.pid}/fd"
        links = []
        for fd in os.listdir(folder):
            try:
                links.append(os.readlink(f"{folder}/{fd}"))
            except FileNotFoundError:           # closed meanwhile
                pass
        return [l for l in links if "/fake/held" in l]

    with Daemon(program, protect=None, locate="held") as d:
        (d.root / "fake/held").write_text("x")
        d.poison((80, 8))
        d.start()
        d.wait_states("refused")
        d.wait("it is stored", lambda: [n for n, _ in d.stored] == ["case-1"])
        d.rescan()
        d.wait("looked again", lambda: len(d.requests("locate")) > 1)
        time.sleep(0.3)
        assert len(d.stored) == 1 and len(held(d)) == 1, (d.stored, held(d))
        d.stop(signal.SIGKILL)

        # It is no longer listed, but it may be absent: it is kept until it can be read.
        (d.root / "fake/held").unlink()
        d.answer(locate="deleted")
        d.poison()
        n = len(d.requests("locate"))
        d.start(holds=d.stored)
        d.wait("looked again", lambda: len(d.requests("locate")) > n)
        d.wait_states("waiting")
        time.sleep(0.3)
        assert len(held(d)) == 1 and "deleted" in held(d)[0] and len(d.stored) == 1, (held(d), d.stored)
        d.answer(locate="readable")
        d.rescan()
        d.wait_states("gone")
        d.wait("it is let go", lambda: not held(d) and not d.stored)


def ended_records(program):
    """Proves that what a worker left to be recorded is removed when it is: at the start, what is of no open case; of an open one when
    its next result is on record. What is no such record stays."""
    with Daemon(program, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("healed")
        d.stop()
        folder = d.root / "state/intent"
        folder.mkdir()
        for name in (".ended-1-healed-pwrite-pmem0-1", ".ended-99-waiting-revive-pmem0-2", ".ended-2-healed-auto-pmem0-3", ".lock-pmem0", "pmem0-4"):
            (folder / name).write_text("x")
        d.answer(locate="one-file", repair="hold")
        d.poison((160, 1))
        d.start()
        d.wait("its repair has begun", lambda: d.cases()[-1]["state"] == "repairing")
        left = {p.name for p in folder.iterdir()}
        assert left == {".lock-pmem0", "pmem0-4"}, left         # case 2 was not open either when the daemon began
        (folder / ".ended-2-healed-auto-pmem0-3").write_text("x")
        d.answer(**GOOD)
        d.release()
        d.wait_states("healed", "healed")
        d.wait("it is removed", lambda: {p.name for p in folder.iterdir()} == {".lock-pmem0", "pmem0-4"})


def one_request_for_all(program):
    """Proves that what the list has at once is asked about in one request: a search may take long, whatever it is for."""
    with Daemon(program, **GOOD) as d:
        d.start()
        d.wait("what comes first is over", lambda: d.requests("settle"))
        d.poison(*((i * 80, 1) for i in range(40)))
        d.rescan()
        d.wait_states(*["healed"] * 40)
        first = next(len(r["ranges"]) for r in d.requests("locate"))
        assert first == 40, [len(r["ranges"]) for r in d.requests("locate")]


def failed_least_first(program):
    """Proves that what has failed more often is asked about after the others: what takes long each time would have all the time."""
    offer = {"replica": "mirror:/srv/mirror", "state": "unreachable"}
    with Daemon(program, config="[Bezoar]\nRescanIntervalSec=10\n", locate="one-file", offer=offer) as d:
        def asked(n):
            return [a for a in ([r["range"]["start"] // 512 for r in q["ranges"]] for q in d.requests("locate")) if len(a) == n]

        d.poison((80, 1))
        d.start()
        d.wait("asked again", lambda: len(asked(1)) >= 2)
        d.poison((80, 1), (800, 1))
        d.wait("asked about both", lambda: asked(2))
        assert asked(2)[0] == [800, 80], asked(2)


def no_hold_for_the_rest(program):
    """Proves that a hold of a case that is over is dropped, and one that the ledger knows nothing of is left where it is."""
    with Daemon(program, **GOOD) as d:
        d.poison((80, 1))
        d.start()
        d.wait_states("healed")
        d.stop()
        (d.root / "fake/held").write_text("x")
        fd = os.open(d.root / "fake/held", os.O_PATH)
        d.stored = [("case-1", fd), ("case-99", fd)]
        d.start(holds=d.stored)
        d.wait("the first is dropped", lambda: [n for n, _ in d.stored] == ["case-99"])
        assert "nothing is recorded" in d.text(), d.text()


def observes_free_space(program):
    """Proves that in observe mode nothing is parked, and the alert says what would be done."""
    with Daemon(program, config="[Bezoar]\nMode=observe\n", locate="free") as d:
        d.poison((80, 8))
        d.start()
        d.wait_states("waiting")
        time.sleep(0.3)
        case, = d.cases()
        assert case["reason"] == "free-page-may-be-absent" and "only observes" in case["events"][-1]["detail"], case
        assert not d.requests("park")


run([heals, parks, mends, observes_free_space, holds_survive, no_hold_for_the_rest, ended_records, later_poison, observe, unprotected, refused_then_protected, split, worker_dies, worker_falls_silent, one_of_many_kills, worker_hangs, repair_dies, cleared_but_absent, present_again, never_stored,
     worker_searches, settled_in_part, damaged_intent, changed_names, doubt_stays, settlement_fails, cut_off_is_not_gone,
     cleared_by_others, restart, killed_in_repair, stop_finishes, budget, page_budget, two_devices, cut_off_list, room_again, many, one_request_for_all, failed_least_first])
