#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The writer `punch` on an XFS on a loop device: a hole, and the page in a block again; a crash in between never leaves
zeroes in a file without anybody being told."""

import importlib.machinery
import importlib.util
import os
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, File, expect, extent

loader = importlib.machinery.SourceFileLoader("worker_xfs", str(Path(__file__).parent / "test-worker-xfs.py"))
x = importlib.util.module_from_spec(importlib.util.spec_from_loader("worker_xfs", loader))
loader.exec_module(x)

PUNCH = {"writers": ("punch",)}


def check_restored(f):
    f.drop()
    assert f.path.read_bytes() == f.data, "the file has not the right bytes"
    st = f.path.stat()
    assert (st.st_size, st.st_mtime_ns, st.st_ino) == (f.size, f.before.st_mtime_ns, f.before.st_ino)
    assert not f.lab.intents(), "an intent was left"


def check_hole(f):
    assert extent(f.path, f.offset) is None, "it has a block there"


def punched_only(lab):
    """Killed between the hole and the write; the list has it no more."""
    f = File(lab)
    x.crash(f, "punched:kill", **PUNCH)
    lab.list.write_text("")
    check_hole(f)
    return f


def test_healed(lab):
    "the bytes are there, wherever, and the file's times and size as they were"
    f = File(lab)
    expect(f.repair(**PUNCH), "healed")
    check_restored(f)


def test_busy(lab):
    "another program has it open: it would read zeroes"
    f = File(lab)
    with f.path.open("rb"):
        expect(f.repair(exclusion="lease,optimistic", **PUNCH), "waiting", "file-busy")
        f.check_untouched()


def test_whole_page(lab):
    "no good sector shows that the page is present: whatever the plan says, it is not set free"
    f = File(lab, sectors=((0, 8),))
    expect(f.repair(**PUNCH), "failed", "write-failed")
    assert extent(f.path, f.offset) == f.at and f.page() == f.destroyed()
    lab.intents()[0].unlink()


def test_tail(lab):
    "the page that the file ends in is not punched"
    f = File(lab, tail=1000, page=40, sectors=((1, 1),))
    expect(f.repair(**PUNCH), "failed", "write-failed")
    assert extent(f.path, f.offset) == f.at and f.page() == f.destroyed()
    lab.intents()[0].unlink()


def test_settle_before(lab):
    "killed before it was punched: from the start"
    f = File(lab)
    x.crash(f, "before-write:kill", **PUNCH)
    x.settled(f, "detected")
    f.check_untouched()


def test_settle_after(lab):
    "killed after the write: healed, wherever it is"
    f = File(lab)
    x.crash(f, "after-write:unlist,after-write:kill", **PUNCH)
    x.settled(f, "healed")
    check_restored(f)


def test_settle_hole(lab):
    "killed in between: the hole is filled"
    f = punched_only(lab)
    x.settled(f, "healed")
    check_restored(f)


def test_settle_hole_other_boot(lab):
    "the same after a reboot"
    f = punched_only(lab)
    x.forge(lab, boot_id=x.OTHER_BOOT)
    x.settled(f, "healed")
    check_restored(f)


def test_settle_zeroed(lab):
    "the machine stopped when the block was there, zeroed, and not written"
    f = punched_only(lab)
    fd = os.open(f.path, os.O_RDWR)
    os.pwrite(fd, bytes(PAGE), f.offset)
    os.fsync(fd)
    os.close(fd)
    os.utime(f.path, ns=(f.before.st_atime_ns, f.before.st_mtime_ns))
    x.forge(lab, boot_id=x.OTHER_BOOT)
    x.settled(f, "healed")
    check_restored(f)


def test_settle_busy(lab):
    "somebody has it open now: later"
    f = punched_only(lab)
    with f.path.open("rb"):
        x.settled(f, "waiting", "file-busy", left=1)
        check_hole(f)


def test_settle_modified(lab):
    "the file was written to elsewhere: whether the hole is ours nobody can tell"
    f = punched_only(lab)
    with f.path.open("r+b") as file:
        file.write(b"newer")
    x.settled(f, "in-doubt", left=1)
    check_hole(f)


def test_settle_superseded(lab):
    "somebody has written the page: his it is"
    f = punched_only(lab)
    with f.path.open("r+b") as file:
        file.seek(f.offset)
        file.write(b"newer" * 100)
    x.settled(f, "gone")
    assert f.path.read_bytes()[f.offset:f.offset + 500] == b"newer" * 100


if __name__ == "__main__":
    workerlab.run_tests(tap.tests_of(globals()))
