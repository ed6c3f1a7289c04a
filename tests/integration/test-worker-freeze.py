#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The writer `block` on a frozen XFS on a loop device, with what test-worker-xfs.py has: files that share their bytes,
what must not be written in this way, and that the file system is thawed whoever is killed."""

import errno
import fcntl
import importlib.machinery
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, SECTOR, File, begin, expect, extent, go_on, meanwhile, process_state, run, wait_for

loader = importlib.machinery.SourceFileLoader("worker_xfs", str(Path(__file__).parent / "test-worker-xfs.py"))
x = importlib.util.module_from_spec(importlib.util.spec_from_loader("worker_xfs", loader))
loader.exec_module(x)

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
FREEZE = {"writers": ("block",), "exclusion": "freeze"}


def share(f, name):
    """Another file with the same blocks."""
    path = f.lab.mount / name
    with f.path.open("rb") as old, path.open("wb") as new:
        fcntl.ioctl(new, workerlab.FICLONE, old.fileno())
        os.fsync(new.fileno())
    return path


def note(lab):
    return lab.state / "intent" / f".frozen-{Path(lab.loop).name}"


def guardian(worker):
    """The process that looks after the freeze, or None."""
    found = subprocess.run(["pgrep", "-P", str(worker.pid), "-x", "bezoar-thaw"], capture_output=True, text=True, check=False)
    return int(found.stdout) if found.stdout else None


def is_frozen(lab):
    fd = os.open(lab.mount, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, FIFREEZE, 0)
    except OSError as e:
        assert e.errno == errno.EBUSY, e
        return True
    else:
        fcntl.ioctl(fd, FITHAW, 0)
        return False
    finally:
        os.close(fd)


def blocked_writer(lab):
    """A process that wants to write to it, and cannot."""
    assert is_frozen(lab), "it is not frozen"
    writer = subprocess.Popen(["touch", str(lab.mount / "written")])
    wait_for("the writer waits", lambda: process_state(writer.pid) in ("D", "Z"))
    assert is_frozen(lab) and writer.poll() is None, "it was thawed"
    return writer


class Frozen:
    """A repair that holds the file system frozen and does not go on, and a process that wants to write to it."""

    def __init__(self, lab):
        self.lab = lab
        self.file = File(lab)
        self.worker = begin(self.file.start_repair(self.file.locate(), fault="before-write:stop", **FREEZE))
        self.guardian = guardian(self.worker)
        self.writer = blocked_writer(lab)

    def kill_guardian(self):
        os.kill(self.guardian, signal.SIGKILL)
        wait_for("the guardian has ended", lambda: process_state(self.guardian) in (None, "Z"))

    def thawed(self):
        """By what is asked about: the limit comes later."""
        started = time.monotonic()
        self.writer.wait(timeout=self.lab.freeze_seconds / 2)
        print(f"# thawed after {time.monotonic() - started:.2f} s")
        wait_for("the note is gone", lambda: not note(self.lab).exists())

    def finish(self, state):
        self.worker.kill()
        self.worker.communicate()
        for p in self.lab.intents():
            assert json.loads(p.read_bytes().split(b"\n")[0])["in_place"]
        x.settled(self.file, state)
        self.file.check_untouched()


def test_in_place(lab):
    "one sector, while another program has the file open: healed, and how long it was frozen is told"
    f = File(lab)
    with f.path.open("r+b"):
        answer = f.repair(**FREEZE)
    expect(answer, "healed")
    assert answer["writer"] == "block" and answer["exclusion"] == "freeze" and answer["frozen_usec"] > 0, answer
    assert not note(lab).exists()
    f.check_healed()


def store_beside(f, sector=0):
    """A store to a good sector of the lost page, which leaves no trace in the file's times; and one that is taken back."""
    at = f.at + sector * SECTOR
    old = f.lab.device(at, 1)
    f.lab.device_write(at, bytes([old[0] ^ 0xFF]))
    return lambda: f.lab.device_write(at, old)


def test_stored_meanwhile(lab):
    "somebody stores beside the lost bytes while the replica is read: no copy is believed, one that is equal again is"
    f = File(lab)
    took_back = []
    found = meanwhile(lab.worker(f.request("locate", ranges=[{"range": {"start": f.at, "length": PAGE}, "bad": f.bad}]),
                                 "replica-read:stop"), lambda: took_back.append(store_beside(f)))["found"][0]
    offer, = found["offers"]
    assert offer["witness"] == "busy" and offer["proof"] == "identity" and offer["witness_at"] == f.offset, offer
    took_back.pop()()
    found = f.locate()
    answer = meanwhile(f.start_repair(found, fault="replica-read:stop", **FREEZE), lambda: took_back.append(store_beside(f, 7)))
    expect(answer, "refused", "neighbours-busy")
    took_back.pop()()
    f.check_untouched()
    with f.path.open("r+b"):
        expect(f.repair(found, **FREEZE), "healed")
    f.check_healed()


def test_stored_before_write(lab):
    "somebody stores beside the lost bytes once they are proved and before it is frozen: nothing is written"
    for how in (FREEZE, {"exclusion": "optimistic"}):
        f = File(lab)
        took_back = []
        with f.path.open("r+b"):
            answer = meanwhile(f.start_repair(f.locate(), fault="before-look:stop", **how),
                               lambda f=f, took_back=took_back: took_back.append(store_beside(f)))
        expect(answer, "detected", "changed")
        assert "stored to bytes around" in answer["detail"], answer
        took_back.pop()()
        f.check_untouched()


def test_last_page(lab):
    "the page that the file ends in: healed, without a lease"
    f = File(lab, tail=1000, page=40, sectors=((1, 1),))
    with f.path.open("r+b"):
        expect(f.repair(**FREEZE), "healed")
    f.check_healed()


def test_shared(lab):
    "two files that share the page: both are owners, healed in place, sharing kept; a write through the file is refused"
    f = File(lab)
    other = share(f, "other")
    f.drop()
    found = f.locate()
    assert [o["inode"] for o in found["owners"]] == sorted(p.stat().st_ino for p in (f.path, other)), found
    assert found["freezable"] and not found.get("coarse"), found
    expect(f.repair(found, exclusion="optimistic"), "detected", "changed")
    f.check_untouched()
    expect(f.repair(found, **FREEZE), "healed")
    f.check_healed()
    assert other.read_bytes() == f.data and extent(other, f.offset) == f.at


def test_shared_cached(lab):
    "who shares the page has been read without DAX when it was wrong: afterwards it is read anew"
    f = File(lab)
    other = share(f, "cached")
    assert other.read_bytes() != f.data, "nothing was destroyed"
    expect(f.repair(**FREEZE), "healed")
    assert other.read_bytes() == f.data, "memory has the wrong bytes still"
    f.check_healed()


def test_shared_meanwhile(lab):
    "the page becomes shared just before it is frozen: still right for both"
    f = File(lab)
    found = f.locate()
    started = f.start_repair(found, fault="before-look:stop,after-write:unlist", **FREEZE)
    workerlab.meanwhile(started, lambda: share(f, "later"))
    f.check_healed()
    assert (lab.mount / "later").read_bytes() == f.data


def test_whole_page(lab):
    "no good sector in the page: the block device is not written, whatever the plan says"
    f = File(lab, sectors=((0, 8),))
    expect(f.repair(**FREEZE), "failed", "write-failed")
    lab.intents()[0].unlink()
    f.check_untouched()


def test_state_on_it(lab):
    "the file system with the state folder is never frozen"
    f = File(lab)
    before, lab.state = lab.state, lab.mount / "state"
    lab.state.mkdir()
    try:
        assert not f.locate().get("freezable")
        expect(f.repair(**FREEZE), "waiting", "file-busy")
        f.check_untouched()
    finally:
        lab.state = before


def test_frozen_already(lab):
    "somebody else has frozen it: that is left alone, and waited for"
    f = File(lab)
    run("xfs_freeze", "-f", lab.mount)
    try:
        expect(f.repair(**FREEZE), "waiting", "file-busy")
        writer = blocked_writer(lab)
    finally:
        run("xfs_freeze", "-u", lab.mount)
    writer.wait(timeout=60)
    f.check_untouched()


def test_worker_killed(lab):
    "the worker is killed: thawed at once"
    z = Frozen(lab)
    z.worker.kill()
    z.thawed()
    z.finish("detected")


def test_worker_hangs(lab):
    "the worker hangs: killed and thawed after two seconds"
    f = File(lab)
    found = f.locate()
    lab.freeze_seconds, bound = None, lab.freeze_seconds
    try:
        # Not that it is frozen at any moment: a slow machine may come to look only when it is over.
        began = time.monotonic()
        worker = begin(f.start_repair(found, fault="before-write:stop", **FREEZE))
        assert worker.wait(timeout=60) == -signal.SIGKILL
        took = time.monotonic() - began
        print(f"# killed after {took:.2f} s")
        assert took >= 2, "too early"
        wait_for("the note is gone", lambda: not note(lab).exists())
        assert not is_frozen(lab)
    finally:
        lab.freeze_seconds = bound
    x.settled(f, "detected")
    f.check_untouched()


def test_guardian_killed(lab):
    "the guardian is killed: the worker thaws by itself"
    z = Frozen(lab)
    z.kill_guardian()
    assert is_frozen(lab), "who thawed?"
    go_on(z.worker)
    z.thawed()
    for p in lab.intents():
        p.unlink()


def test_both_killed(lab):
    "both are killed: `bezoar-worker thaw` thaws, which the unit calls"
    z = Frozen(lab)
    z.kill_guardian()
    z.worker.kill()
    z.worker.wait()
    assert is_frozen(lab) and z.writer.poll() is None, "who thawed?"
    done = subprocess.run([sys.argv[1], "thaw", f"--state={lab.state}"], capture_output=True, text=True, check=True)
    assert "Thawed 1 file system " in done.stderr, done
    z.thawed()
    z.finish("detected")


def test_both_killed_settled(lab):
    "both are killed: the next settlement thaws, before anything else"
    z = Frozen(lab)
    z.kill_guardian()
    z.worker.kill()
    z.worker.wait()
    assert is_frozen(lab) and z.writer.poll() is None, "who thawed?"
    x.settled(z.file, "detected")
    z.thawed()
    z.file.check_untouched()


def test_note_of_another_boot(lab):
    "a note of another boot: nothing is thawed, and it is removed"
    note(lab).write_text(f"{x.OTHER_BOOT} 7:0 {lab.mount}")
    run("xfs_freeze", "-f", lab.mount)
    try:
        subprocess.run([sys.argv[1], "thaw", f"--state={lab.state}"], check=True)
        writer = blocked_writer(lab)
    finally:
        run("xfs_freeze", "-u", lab.mount)
    writer.wait(timeout=60)
    assert not note(lab).exists()


def cleared_only(f):
    """Cleared, and not copied, in another boot."""
    x.crash(f, "before-write:unlist,before-write:kill", **FREEZE)
    wait_for("thawed", lambda: not note(f.lab).exists())
    x.forge(f.lab, boot_id=x.OTHER_BOOT)


def test_settle_shared(lab):
    "another boot, cleared and not copied, shared by two files: written in place now, for both"
    f = File(lab)
    other = share(f, "settled")
    f.drop()
    cleared_only(f)
    assert other.read_bytes() != f.data, "nothing was cleared"
    x.settled(f, "healed")
    f.check_healed()
    assert other.read_bytes() == f.data and extent(other, f.offset) == f.at


def test_settle_heir(lab):
    "another boot, cleared and not copied, and the file has been written since: whoever shared the block has lost data, and it is told"
    f = File(lab)
    other = share(f, "heir")
    f.drop()
    cleared_only(f)
    with f.path.open("r+b") as file:            # it gets another block
        os.pwrite(file.fileno(), b"n" * workerlab.PAGE, f.offset)
        os.fsync(file.fileno())
    assert extent(f.path, f.offset) != f.at and extent(other, f.offset) == f.at
    for name in ("heir", "heir that was renamed"):
        told = f.settle()[0]
        expect(told, "in-doubt")
        assert f"at file offset {f.offset} of '{lab.mount / name}'" in told["detail"] and str(f.path) in told["detail"], told
        assert f.page() == f.destroyed() and len(lab.intents()) == 1, "what is another file's now was written to"
        if name == "heir":
            other.rename(lab.mount / "heir that was renamed")
    with (lab.mount / "heir that was renamed").open("r+b") as file:     # a person puts it right
        os.pwrite(file.fileno(), f.right(), f.offset)
        os.fsync(file.fileno())
    x.settled(f, "gone")


def test_settle_heir_closed(lab):
    "the same without rmapbt, where the other file cannot be looked at, since a program has a write lease on it: waits, and is told then"
    with workerlab.another_lab(mkfs=workerlab.NO_RMAPBT) as there:
        f = File(there)
        other = share(f, "closed")
        f.drop()
        cleared_only(f)
        with f.path.open("r+b") as file:
            os.pwrite(file.fileno(), b"n" * PAGE, f.offset)
            os.fsync(file.fileno())
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        with other.open("rb") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            expect(f.settle()[0], "waiting", "unknown-owner")
            assert len(there.intents()) == 1, "the intent was dropped"
        x.settled(f, "in-doubt", left=1)


def test_settle_heir_newer(lab):
    "the same, and the other file has been written as well: nobody has lost anything"
    f = File(lab)
    other = share(f, "newer")
    f.drop()
    cleared_only(f)
    for path in (f.path, other):
        with path.open("r+b") as file:
            os.pwrite(file.fileno(), b"n" * workerlab.PAGE, f.offset)
            os.fsync(file.fileno())
    x.settled(f, "gone")


def test_settle_open(lab):
    "the same, while another program has the file open: frozen"
    f = File(lab)
    cleared_only(f)
    with f.path.open("r+b"):
        x.settled(f, "healed")
    f.check_healed()


def test_settle_modified(lab):
    "the same, but the file was modified since: in doubt, nothing is written"
    f = File(lab)
    cleared_only(f)
    os.utime(f.path)
    x.settled(f, "in-doubt", left=1)
    assert f.page() == f.destroyed()


if __name__ == "__main__":
    workerlab.run_tests(tap.tests_of(globals()))
