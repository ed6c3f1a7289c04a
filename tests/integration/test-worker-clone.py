#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The writer `clone` on an XFS on a loop device: the file and whoever shares its block get another one, a guard file keeps
the bad one, to which nothing is written."""

import fcntl
import importlib.machinery
import importlib.util
import os
import shutil
import struct
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, File, expect, extent

loader = importlib.machinery.SourceFileLoader("worker_xfs", str(Path(__file__).parent / "test-worker-xfs.py"))
x = importlib.util.module_from_spec(importlib.util.spec_from_loader("worker_xfs", loader))
loader.exec_module(x)

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
    "a file that has the block at two places"
    f = File(lab, sectors=((0, 8),))
    with f.path.open("r+b") as file:
        request = struct.pack("=qQQQ", file.fileno(), f.offset, PAGE, 0)
        fcntl.ioctl(file, 0x4020940D, request)
        os.fsync(file.fileno())
    f.data = f.data[f.offset:f.offset + PAGE] + f.data[PAGE:]
    f.copy.write_bytes(f.data)
    os.utime(f.copy, ns=(0, f.path.stat().st_mtime_ns))
    f.before = f.path.stat()
    f.drop()
    expect(f.repair(**CLONE), "healed")
    check(f)
    assert extent(f.path, 0) == extent(f.path, f.offset)
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
        fcntl.ioctl(new, 0x4020940D, struct.pack("=qQQQ", old.fileno(), 0, PAGE, f.offset))
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
