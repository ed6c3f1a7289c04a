#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The writer `clone` on an XFS on a loop device: the file and whoever shares its block get another one, a guard file keeps
the bad one, to which nothing is written. Of all files that are given another block the worker keeps everybody else out in the same way."""

import fcntl
import importlib.machinery
import importlib.util
import os
import shutil
import struct
import signal
import time
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, File, at_each_stop, expect, extent, leases

loader = importlib.machinery.SourceFileLoader("worker_xfs", str(Path(__file__).parent / "test-worker-xfs.py"))
x = importlib.util.module_from_spec(importlib.util.spec_from_loader("worker_xfs", loader))
loader.exec_module(x)

FICLONERANGE = 0x4020940D
CLONE = {"writers": ("clone",), "fault": None}


def share(f, name):
    """Another file with the same blocks."""
    path = f.lab.mount / name
    with f.path.open("rb") as old, path.open("wb") as new:
        fcntl.ioctl(new, workerlab.FICLONE, old.fileno())
        os.fsync(new.fileno())
    f.drop()
    return path


def guards(lab):
    """Where the blocks of all guards lie."""
    return sorted(extent(p, 0) for p in (lab.mount / ".bezoar").glob("ag*/park-*") if extent(p, 0) is not None)


def check(f, *others):
    """Right bytes in another block, for all; the bad one as it was, and a guard's alone."""
    assert f.page() == f.destroyed(), "the bad block was written to"
    f.drop()
    places = set()
    for path in (f.path, *others):
        assert path.read_bytes() == f.data, path
        places.add(extent(path, f.offset))
        assert path.stat().st_size == f.size
    assert len(places) == 1 and f.at not in places, (places, f.at)
    assert f.at in guards(f.lab), guards(f.lab)
    assert f.path.stat().st_mtime_ns == f.before.st_mtime_ns
    assert not f.lab.intents(), "an intent was left"


def forget(f):
    """The next test begins without guards."""
    for p in (f.lab.mount / ".bezoar").glob("ag*/park-*"):
        p.unlink()


def keeps_its_leases(f, *others):
    """A repair by the book, in which nobody ever wants to open one of these files: not even the worker itself, once more."""
    inodes = {p.stat().st_ino for p in (f.path, *others)}
    seen = []
    fault = "before-look:stop,before-clone:stop,after-write:stop"
    started = f.start_repair(f.locate(), **{**CLONE, "fault": fault}, exclusion="lease")
    answer = at_each_stop(started, lambda _, pid: seen.append(leases(pid)))[-1]
    expect(answer, "healed")
    assert all(found == {i: "ACTIVE" for i in inodes} for found in seen), (inodes, seen)
    return len(seen)


def in_turn(*paths):
    """In the order in which the worker comes to them."""
    return sorted(paths, key=lambda p: p.stat().st_ino)


def same_block_twice(f):
    """The file has the bad block also at its beginning."""
    with f.path.open("r+b") as file:
        fcntl.ioctl(file, FICLONERANGE, struct.pack("=qQQQ", file.fileno(), f.offset, PAGE, 0))
        os.fsync(file.fileno())
    f.data = f.data[f.offset:f.offset + PAGE] + f.data[PAGE:]
    f.copy.write_bytes(f.data)
    os.utime(f.copy, ns=(0, f.path.stat().st_mtime_ns))
    f.before = f.path.stat()
    f.drop()


def test_one_file(lab):
    "a page of one file, all of it bad"
    f = File(lab, sectors=((0, 8),))
    found = f.locate()
    assert found["clonable"], found
    answer = f.repair(found, **CLONE)
    expect(answer, "healed")
    assert answer["writer"] == "clone", answer
    check(f)
    forget(f)


def test_last_page(lab):
    "the page that the file ends in keeps its length"
    f = File(lab, tail=1000, page=40, sectors=((0, 8),))
    expect(f.repair(**CLONE), "healed")
    check(f)
    forget(f)


def test_shared(lab):
    "a page that three files share: all have the new block, and go on sharing it"
    f = File(lab, sectors=((0, 8),))
    others = share(f, "second"), share(f, "third")
    expect(f.repair(exclusion="lease", **CLONE), "healed")
    check(f, *others)
    forget(f)


def test_twice_in_a_file(lab):
    "a file that has the block at two places: it is opened once, and its lease never broken"
    f = File(lab, sectors=((0, 8),))
    same_block_twice(f)
    assert keeps_its_leases(f) == 4         # looks, once for each place, writes
    check(f)
    assert extent(f.path, 0) == extent(f.path, f.offset)
    forget(f)


def test_leases(lab):
    "three files that share the page: a lease on each, until the end"
    f = File(lab, sectors=((0, 8),))
    others = share(f, "lease-2"), share(f, "lease-3")
    before = [p.stat().st_mtime_ns for p in others]
    assert keeps_its_leases(f, *others) == 5
    check(f, *others)
    assert [p.stat().st_mtime_ns for p in others] == before
    forget(f)


def test_without_rmapbt(lab):
    "the same on an XFS that has to be searched for them: the search opens all files but those"
    with workerlab.another_lab(mkfs=workerlab.NO_RMAPBT) as there:
        f = File(there, sectors=((0, 8),))
        keeps_its_leases(f)
        check(f)
        f = File(there, sectors=((0, 8),))
        other = share(f, "other")
        same_block_twice(f)
        keeps_its_leases(f, other)
        f.drop()
        assert f.path.read_bytes() == f.data and other.read_bytes()[f.offset:] == f.data[f.offset:]
        assert f.page() == f.destroyed(), "the bad block was written to"


def test_sharer_busy(lab):
    "another program has one of the sharers open, for writing or reading: waits, and says which; where optimism is allowed it need not"
    f = File(lab, sectors=((0, 8),))
    others = share(f, "idle"), share(f, "in-use")
    for mode in ("r+b", "rb"):
        with others[1].open(mode):
            answer = f.repair(exclusion="lease", **CLONE)
            expect(answer, "waiting", "file-busy")
            assert f"'{others[1]}'" in answer["detail"], answer
            f.check_untouched()
            assert not guards(lab)
    with others[1].open("r+b"):
        expect(f.repair(exclusion="lease,optimistic", **CLONE), "healed")
    check(f, *others)
    forget(f)


def wants_to_open(path):
    """Somebody who would wait until the lease is given up; and enough time for its holder to believe it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except BlockingIOError:
        time.sleep(0.7)
        return
    raise AssertionError(f"nobody has a lease on {path}")


def test_sharer_wanted(lab):
    "a program wants to open a sharer when half of them have the new block: no more are given it, and the rest is done later"
    f = File(lab, sectors=((0, 8),))
    others = in_turn(share(f, "wanted-2"), share(f, "wanted-3"))
    started = f.start_repair(f.locate(), **{**CLONE, "fault": "before-clone:stop"}, exclusion="lease")
    answer = at_each_stop(started, lambda n, _: n == 1 and wants_to_open(others[1]))[-1]
    expect(answer, "waiting", "file-busy")
    assert f"'{others[1]}'" in answer["detail"], answer
    assert [extent(p, f.offset) == f.at for p in (others[0], others[1], f.path)] == [False, True, True]
    assert others[0].read_bytes() == f.data
    x.settled(f, "detected")
    expect(f.repair(exclusion="lease", **CLONE), "healed")
    check(f)
    assert others[1].read_bytes() == f.data
    forget(f)


def test_sharer_written(lab):
    "a sharer's page was written anew, and only memory has it yet: its new bytes stay"
    for how in ("lease", "optimistic"):
        f = File(lab, sectors=((0, 8),))
        other = share(f, f"written-{how}")
        new = bytes(b ^ 0x5a for b in f.right())
        found = f.locate()

        def store(_, pid, path=other, at=f.offset, page=new, leased=how == "lease"):
            if not leased or pid is None:
                with path.open("r+b") as file:
                    os.pwrite(file.fileno(), page, at)

        if how == "lease":
            store(0, None)
            answer = f.repair(found, exclusion=how, **CLONE)
        else:
            answer = at_each_stop(f.start_repair(found, **{**CLONE, "fault": "before-look:stop"}, exclusion=how), store)[-1]
        expect(answer, "healed")
        check(f)
        assert other.read_bytes() == f.data[:f.offset] + new + f.data[f.offset + PAGE:], f"newer bytes were lost ({how})"
        forget(f)


def test_sharer_written_late(lab):
    "without leases, a sharer's page is written right before it would be given the new block: its new bytes stay, and it is looked at again"
    f = File(lab, sectors=((0, 8),))
    other = share(f, "late")
    new = bytes(b ^ 0x5a for b in f.right())

    def store(n, _):
        if n == 0:
            with other.open("r+b") as file:
                os.pwrite(file.fileno(), new, f.offset)

    answer = at_each_stop(f.start_repair(f.locate(), **{**CLONE, "fault": "before-clone:stop"}, exclusion="optimistic"), store)[-1]
    expect(answer, "detected", "changed")
    assert other.read_bytes() == f.data[:f.offset] + new + f.data[f.offset + PAGE:], "newer bytes were lost"
    x.settled(f, "detected")
    expect(f.repair(**CLONE), "healed")
    check(f)
    forget(f)


def test_written_before(lab):
    "without leases, the file's own page is written right before a guard is given the bad block: that is not set free by giving the others a new one"
    f = File(lab, sectors=((0, 8),))
    other = share(f, "stays")
    new = bytes(b ^ 0x5a for b in f.right())

    def store(*_):
        with f.path.open("r+b") as file:
            os.pwrite(file.fileno(), new, f.offset)
            os.fsync(file.fileno())

    answer = at_each_stop(f.start_repair(f.locate(), **{**CLONE, "fault": "before-write:stop"}, exclusion="optimistic"), store)[-1]
    expect(answer, "detected", "changed")
    assert f.path.read_bytes() == f.data[:f.offset] + new + f.data[f.offset + PAGE:], "newer bytes were lost"
    assert extent(other, f.offset) == f.at or f.at in guards(f.lab), "the bad block is nobody's"
    assert f.page() == f.destroyed(), "the bad block was written to"
    forget(f)


def test_new_sharer(lab):
    "a file comes to share the page after it was located: it was not kept out of, so that all are looked for once more"
    f = File(lab, sectors=((0, 8),))
    found = f.locate()
    other = share(f, "new")
    for how in ("lease", "optimistic"):
        expect(f.repair(found, exclusion=how, **CLONE), "detected", "changed")
        assert f.page() == f.destroyed() and {extent(p, f.offset) for p in (f.path, other)} == {f.at}
        for p in lab.intents():
            p.unlink()
    expect(f.repair(exclusion="lease", **CLONE), "healed")
    check(f, other)
    forget(f)


def test_killed_between(lab):
    "killed when some of the files have the new block: each has right bytes or an error, and the rest is done by the next"
    f = File(lab, sectors=((0, 8),))
    others = in_turn(share(f, "between-2"), share(f, "between-3"))
    at_each_stop(f.start_repair(f.locate(), **{**CLONE, "fault": "before-clone:stop"}, exclusion="lease"),
                 lambda n, pid: n == 1 and os.kill(pid, signal.SIGKILL))
    assert [extent(p, f.offset) == f.at for p in (others[0], others[1], f.path)] == [False, True, True]
    assert others[0].read_bytes() == f.data and f.page() == f.destroyed()
    x.settled(f, "detected")
    expect(f.repair(exclusion="lease", **CLONE), "healed")
    check(f)
    for p in others:
        assert p.read_bytes() == f.data, p
    forget(f)


def test_killed_before(lab):
    "killed before it: poisoned as before, and healed by the next"
    f = File(lab, sectors=((0, 8),))
    other = share(f, "before")
    x.crash(f, "before-write:kill", writers=("clone",))
    x.settled(f, "detected")
    f.check_untouched()
    expect(f.repair(**CLONE), "healed")
    check(f, other)
    forget(f)


def test_killed_after(lab):
    "killed after it: settled as healed, since the file has these bytes elsewhere"
    f = File(lab, sectors=((0, 8),))
    other = share(f, "after")
    x.crash(f, "after-write:kill", writers=("clone",))
    x.settled(f, "healed")
    check(f, other)
    forget(f)


def test_guard_shares(lab):
    "a guard that has the block already, and some of the files have another: the rest is done"
    f = File(lab, sectors=((0, 8),))
    os.truncate(share(f, "half"), 0)        # at once, while an unlinked file keeps its blocks for a moment
    expect(f.repair(**CLONE), "healed")
    guard, = (lab.mount / ".bezoar").glob("ag*/park-*")
    with guard.open("rb") as old, f.path.open("r+b") as new:
        fcntl.ioctl(new, FICLONERANGE, struct.pack("=qQQQ", old.fileno(), 0, PAGE, f.offset))
        os.fsync(new.fileno())
    os.utime(f.path, ns=(0, f.before.st_mtime_ns))
    f.drop()
    assert extent(f.path, f.offset) == f.at
    found = f.locate()
    assert len(found["owners"]) == 1 and found["owners"][0]["shared"], found
    expect(f.repair(found, **CLONE), "healed")
    check(f)
    forget(f)


def test_no_guard(lab):
    "somebody else's .bezoar: nothing is done"
    f = File(lab, sectors=((0, 8),))
    folder = lab.mount / ".bezoar"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    expect(f.repair(**CLONE), "failed", "write-failed")
    folder.rmdir()
    for p in lab.intents():
        p.unlink()
    f.check_untouched()


if __name__ == "__main__":
    workerlab.run_tests(tap.tests_of(globals()))
