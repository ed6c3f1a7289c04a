#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What the worker restores on a real XFS, and what it does not: healed, refused, settled.

Root, mkfs.xfs and loop devices are needed; else all is skipped, with the reason."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import tap
from workerlab import (FICLONE, PAGE, SECTOR, File, another_lab, at_each_stop, begin, expect, expect_healed, extent, go_on, leases, meanwhile, run,
                       run_tests)


# ---- healed ----

def test_healed(lab):
    "one sector in the middle of a file: healed, times and size as they were"
    expect_healed(File(lab))


def test_healed_whole_page(lab):
    "all eight sectors of a page"
    expect_healed(File(lab, sectors=((0, 8),)))


def test_healed_first_page(lab):
    "the first page, and two sectors apart"
    expect_healed(File(lab, page=0, sectors=((0, 1), (6, 2))))


def test_healed_tail(lab):
    "the page that the file ends in, the file keeps its length"
    f = File(lab, tail=1000, page=40, sectors=((1, 1),))
    expect_healed(f)


def test_healed_two_steps(lab):
    "two pages in one case"
    f = File(lab)
    second = f.at + PAGE
    assert extent(f.path, f.offset + PAGE) == second
    f.bad.append({"start": second + SECTOR, "length": SECTOR})
    lab.device_write(second + SECTOR, b"\xdb" * SECTOR)
    f.drop()
    f.relist()
    range_ = {"start": f.at, "length": 2 * PAGE}
    found = lab.finish(lab.worker(f.request("locate", ranges=[{"range": range_, "bad": f.bad}])))[-1]["found"][0]
    plan = {"verdict": "repair", "replica": f"mirror:{f.mirrors[0]}", "proof": "identity+neighbours", "writers": ["pwrite"],
            "exclusion": "lease",
            "steps": [{"range": {"start": f.at + i * PAGE, "length": PAGE}, "offset": f.offset + i * PAGE, "bad": [f.bad[i]]}
                      for i in range(2)]}
    # the list is emptied after the first write: the second page is then nobody's to write
    answer = lab.finish(lab.worker(f.request("repair", ranges=[found], plan=plan), "after-write:unlist"))[-1]
    expect(answer, "healed")
    assert lab.device(f.at, PAGE) == f.data[f.offset:f.offset + PAGE]
    assert lab.device(second + SECTOR, SECTOR) == b"\xdb" * SECTOR


def test_healed_optimistic(lab):
    "another program has it open: no lease, but the optimistic way"
    f = File(lab)
    with f.path.open("rb"):
        expect(f.repair(), "waiting", "file-busy")
        f.check_untouched()
        expect_healed(f, exclusion="lease,optimistic")


def test_healed_by_another_name(lab):
    "a file with several names, of which the replica has another one than the first"
    f = File(lab)
    names = sorted(str(lab.mount / n) for n in (f.name, f"a-{f.name}", f"z-{f.name}"))
    for n in names:
        if n != str(f.path):
            os.link(f.path, n)
    f.copy.rename(f.copy.with_name(f"z-{f.name}"))
    found = f.locate()
    assert found["owners"][0]["names"] == names and found["owners"][0]["path"] == names[0], found
    assert found["offers"][0]["state"] == "held" and found["offers"][0]["proof"] == "identity+neighbours", found
    f.before = f.path.stat()
    expect_healed(f)
    f.copy.with_name(f"z-{f.name}").unlink()
    assert f.locate()["offers"][0]["state"] == "missing"


def test_replica_is_the_file(lab):
    "one of the replicas is a hard link of the file itself: it is refused without being opened, and the lease holds"
    f = File(lab)
    links = lab.mount / f"links-{f.name}"
    links.mkdir()
    os.link(f.path, links / f.name)
    f.replicas.insert(0, f"mirror:{links}")
    f.replicas.append(f"block:{links / f.name}")
    found = f.locate()
    assert [o["state"] for o in found["offers"]] == ["same-device", "held", "same-device"], found
    seen = []
    started = f.start_repair(found, fault="before-look:stop,after-write:unlist", replica=f.mirrors[0])
    answer = at_each_stop(started, lambda _, pid: seen.append(leases(pid)))[-1]
    expect(answer, "healed")
    assert seen == [{f.path.stat().st_ino: "ACTIVE"}], seen
    f.check_healed()


def test_leased(lab):
    "another program has a lease on the file: it is asked for it, and nobody waits for the answer"
    f = File(lab)
    found = f.locate()
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    with f.path.open("rb+") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        owner, = f.locate()["owners"]
        assert owner["type"] == "unknown" and "a lease on the file" in owner["detail"], owner
        answer = f.repair(found)
        expect(answer, "waiting", "file-busy")
        assert "another program has a lease on it" in answer["detail"], answer
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    expect_healed(f)


# ---- never claimed ----

def test_still_listed(lab):
    "the kernel still lists it after the write: not healed"
    f = File(lab)
    expect(f.repair(fault=None), "failed", "still-listed")
    assert len(lab.intents()) == 1
    lab.intents()[0].unlink()


def test_nothing_written(lab):
    "a write that does nothing is found out"
    f = File(lab)
    expect(f.repair(fault="before-write:skip,after-write:unlist"), "failed", "read-back-failed")
    lab.intents()[0].unlink()
    f.check_untouched()


def test_write_error(lab):
    "EIO from the write"
    f = File(lab)
    expect(f.repair(fault="before-write:error=5"), "failed", "write-failed")
    lab.intents()[0].unlink()
    f.check_untouched()


def test_refused_to_clear(lab):
    "EFAULT, and still listed: the kernel could not clear"
    f = File(lab)
    expect(f.repair(fault="before-write:absent"), "failed", "write-failed")
    f.check_untouched()


def test_observe(lab):
    "Mode=observe writes nothing, whatever the plan says"
    f = File(lab)
    expect(f.repair(mode="observe"), "waiting", "observe")
    f.check_untouched()


def test_tail_needs_lease(lab):
    "the page that the file ends in is not written optimistically"
    f = File(lab, tail=1000, page=40, sectors=((1, 1),))
    expect(f.repair(exclusion="optimistic"), "waiting", "file-busy")
    f.check_untouched()


# ---- replicas that are wrong ----

def older_page(f):
    "one page older: the neighbours differ, the times too"
    data = bytearray(f.data)
    data[f.offset + PAGE:f.offset + 2 * PAGE] = f.lab.random.randbytes(PAGE)
    f.copy.write_bytes(data)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns - 10**9))


def older_but_same_time(f):
    "one page differs, mtime is equal"
    data = bytearray(f.data)
    data[f.offset + PAGE:f.offset + 2 * PAGE] = f.lab.random.randbytes(PAGE)
    keep_time(f, data)


def keep_time(f, data):
    f.copy.write_bytes(data)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))


def newer(f):
    "the same bytes, touched since"
    os.utime(f.copy)


def truncated(f):
    "it ends before the lost bytes"
    os.truncate(f.copy, f.offset)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))


def truncated_within(f):
    "it ends within the lost sector"
    os.truncate(f.copy, f.offset + 3 * SECTOR + 100)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))


def truncated_behind(f):
    "it ends a byte behind the lost sector: too short for its neighbours"
    os.truncate(f.copy, f.offset + 4 * SECTOR + 1)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))


def longer(f):
    "it is one byte longer"
    keep_time(f, f.data + b"x")


def sparse(f):
    "size and mtime are right, the bytes were never copied"
    f.copy.unlink()
    f.copy.touch()
    os.truncate(f.copy, f.size)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))


def flip(at):
    def change(f):
        data = bytearray(f.data)
        data[f.offset + at] ^= 1
        keep_time(f, data)
    return change


def other_file(f):
    "another file under this name"
    f.copy.write_bytes(f.lab.random.randbytes(f.size))
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))


def other_name(f):
    "the right file, under another name"
    f.copy.rename(f.copy.with_name("other"))


def folder(f):
    f.copy.unlink()
    f.copy.mkdir()


def link(f):
    f.copy.rename(f.copy.with_name("other"))
    f.copy.symlink_to("other")


def link_out(f):
    f.copy.unlink()
    f.copy.symlink_to("/etc/hostname")


def fifo(f):
    f.copy.unlink()
    os.mkfifo(f.copy)


def missing_mirror(f):
    shutil.rmtree(f.mirrors[0])


def same_device(f):
    shutil.rmtree(f.mirrors[0])
    m = f.lab.mount / f"mirror-{f.name}"
    m.mkdir()
    f.mirrors[0].symlink_to(m)
    (m / f.name).write_bytes(f.data)
    os.utime(m / f.name, ns=(0, f.before.st_mtime_ns))


WRONG = (
    ("older by one page", older_page, "replica-stale"),
    ("older by one page, same mtime", older_but_same_time, "replica-stale"),
    ("newer", newer, "replica-stale"),
    ("truncated before", truncated, "replica-short"),
    ("truncated within", truncated_within, "replica-short"),
    ("truncated right behind", truncated_behind, "replica-stale"),
    ("longer", longer, "replica-stale"),
    ("sparse", sparse, "replica-stale"),
    ("a bit flipped before the bad sector", flip(3 * SECTOR - 1), "replica-stale"),
    ("a bit flipped behind the bad sector", flip(4 * SECTOR), "replica-stale"),
    ("a bit flipped 64 KiB before", flip(-65536), "replica-stale"),
    ("a bit flipped at the end of the window", flip(PAGE + 65535), "replica-stale"),
    ("another file", other_file, "replica-stale"),
    ("another name", other_name, "replica-missing"),
    ("a folder", folder, "replica-not-regular"),
    ("a symbolic link", link, "replica-not-regular"),
    ("a symbolic link that leads out", link_out, "replica-escapes"),
    ("a named pipe", fifo, "replica-not-regular"),
    ("no mirror", missing_mirror, "replica-unreachable"),
    ("on the same device", same_device, "replica-same-device"),
)


def wrong_replica(change, reason):
    def test(lab):
        f = File(lab)
        good = f.locate()
        assert good["offers"][0]["proof"] == "identity+neighbours", good
        change(f)
        offer = f.locate()["offers"][0]
        assert offer.get("proof", "none") != "identity+neighbours", offer
        expect(f.repair(good), "waiting" if reason == "replica-unreachable" else "refused", reason)
        f.check_untouched()
    return test


def test_beyond_proof(lab):
    "one bit flipped within the lost sector itself, mtime kept: beyond what identity and neighbours can show; a quorum can"
    f = File(lab, mirrors=2)
    flip(3 * SECTOR + 5)(f)
    offers = f.locate()["offers"]
    assert all(o["proof"] == "identity+neighbours" for o in offers), offers
    assert offers[0]["group"] != offers[1]["group"]
    expect(f.repair(proof="quorum", policy_proof="quorum"), "refused")
    f.check_untouched()


def test_quorum(lab):
    "two copies that agree"
    f = File(lab, mirrors=2)
    expect_healed(f, proof="quorum", policy_proof="quorum")


def test_policy_changed(lab):
    "the plan's proof is not enough for the policy any more"
    f = File(lab)
    expect(f.repair(policy_proof="seal"), "refused")
    f.check_untouched()


def test_replica_changes_while_read(lab):
    "the copy is written to right after it was read"
    f = File(lab)
    found = f.locate()
    started = f.start_repair(found, fault="replica-read:stop,after-write:unlist")
    answer = meanwhile(started, lambda: f.copy.write_bytes(f.data))
    expect(answer, "refused", "replica-unreadable")
    f.check_untouched()


# ---- the file changes meanwhile ----

def grow(f):
    with f.path.open("ab") as o:
        o.write(b"more")


def shrink(f):
    os.truncate(f.path, f.offset + PAGE)


def delete(f):
    f.path.unlink()


def punch(f):
    run("fallocate", "--punch-hole", "--offset", f.offset, "--length", PAGE, f.path)


def share(f):
    with f.path.open("rb") as a, (f.lab.mount / f"{f.name}.clone").open("wb") as b:
        fcntl.ioctl(b, FICLONE, a.fileno())


CHANGES = (
    ("grown", grow, "detected", "changed"),
    ("truncated", shrink, "detected", "changed"),
    ("deleted", delete, "detected", "changed"),
    ("punched", punch, "detected", "changed"),
    ("shared", share, "detected", "changed"),
)


def file_changes(change, state, reason, during):
    def test(lab):
        f = File(lab)
        found = f.locate()
        if during:
            started = f.start_repair(found, exclusion="optimistic", fault="before-look:stop,after-write:unlist")
            # what it answers must not depend on the identity alone
            answer = meanwhile(started, lambda: change(f))
        else:
            change(f)
            answer = f.repair(found)
        if (answer["state"], answer.get("reason")) != ("refused", "replica-stale"): # the times had changed as well
            expect(answer, state, reason)
        assert f.page() == f.destroyed(), "the device was written to"
        assert not lab.intents()
    return test


def test_deleted_during(lab):
    "deleted while it is being repaired: it is still a file, and held open"
    f = File(lab)
    answer = meanwhile(f.start_repair(f.locate(), fault="before-look:stop,after-write:unlist"), lambda: delete(f))
    assert answer["state"] == "healed", answer


def want(f):
    """Wants to open a file that is under a lease, until that is lost."""
    try:
        os.close(os.open(f.path, os.O_RDWR | os.O_NONBLOCK))
        raise AssertionError("there was no lease")
    except BlockingIOError:
        time.sleep(1)       # at first the lease still holds: worker/lease.c


def test_lease_wanted(lab):
    "somebody wants to open the file: it is left to him"
    f = File(lab)
    answer = meanwhile(f.start_repair(f.locate(), fault="before-look:stop,after-write:unlist"), lambda: want(f))
    expect(answer, "waiting", "file-busy")
    f.check_untouched()


def test_lease_wanted_freeze(lab):
    "somebody wants to open the file: he does, and it is healed on the frozen file system"
    f = File(lab)
    how = {"writers": ("pwrite", "block"), "exclusion": "lease,freeze,optimistic"}
    answer = meanwhile(f.start_repair(f.locate(), fault="before-look:stop,after-write:unlist", **how), lambda: want(f))
    assert (answer["state"], answer["writer"], answer["exclusion"]) == ("healed", "block", "freeze"), answer
    f.check_healed()


def ext4():
    """There writing moves the time of a file."""
    return another_lab("ext4", ("-b", "4096"))


def test_lease_wanted_late(lab):
    "somebody wants to open a file of ext4 after the page is written: its time is set back before he gets it"
    with ext4() as there:
        f = File(there)
        expect(meanwhile(f.start_repair(f.locate(), fault="after-write:stop,after-write:unlist"), lambda: want(f)), "healed")
        f.check_healed()


def test_open_for_a_moment(lab):
    "somebody has a file of ext4 open for a moment: it is waited for that, since its time could not be set back"
    with ext4() as there:
        for _ in range(10):
            f = File(there)
            process = begin(f.start_repair(f.locate(), fault="before-repair:stop,after-write:unlist", exclusion="lease,optimistic"))
            with f.path.open("rb"):
                begun = time.monotonic()
                os.kill(process.pid, signal.SIGCONT)
                time.sleep(0.1)
            late = time.monotonic() - begun > 0.4       # so busy is the machine: once more
            answer = go_on(process)[-1]
            expect(answer, "healed")
            if not late:
                assert answer["exclusion"] == "lease", answer
                return f.check_healed()
        raise AssertionError("it could not be closed in time")


def test_good_bytes_change(lab):
    "a good byte of the page changes while it is being repaired: it is kept"
    f = File(lab)

    def store():
        lab.device_write(f.at, b"new!")

    answer = meanwhile(f.start_repair(f.locate(), fault="before-look:stop,after-write:unlist"), store)
    expect(answer, "healed")
    assert lab.device(f.at, 4) == b"new!"
    assert lab.device(f.at + 4, PAGE - 4) == f.data[f.offset + 4:f.offset + PAGE]


def test_dirty_in_memory(lab):
    "the lost page has been overwritten in memory (no DAX): the new bytes are not lost again"
    f = File(lab)
    found = f.locate()
    new = lab.random.randbytes(PAGE)
    with f.path.open("r+b", buffering=0) as o:
        o.seek(f.offset)
        o.write(new)
    os.utime(f.path, ns=(f.before.st_atime_ns, f.before.st_mtime_ns))
    answer = f.repair(found)
    assert lab.device(f.at, PAGE) == new or f.path.read_bytes()[f.offset:f.offset + PAGE] == new, answer
    f.drop()
    assert f.path.read_bytes()[f.offset:f.offset + SECTOR] == new[:SECTOR]
    for p in lab.intents():
        p.unlink()


def test_wrong_steps(lab):
    "a plan whose step is at another place of the file is no plan"
    f = File(lab)
    found = f.locate()
    process, request = f.start_repair(found)
    request["plan"]["steps"][0]["offset"] += PAGE
    assert "error" in lab.finish((process, request))[-1]
    f.check_untouched()


def test_two_workers(lab):
    "a second worker on the same device waits for the first"
    f = File(lab)
    found = f.locate()
    first = begin(f.start_repair(found, fault="before-look:stop,after-write:unlist"))
    expect(f.repair(found, exclusion="optimistic"), "waiting", "file-busy")
    assert "error" in f.settle()[-1]
    expect(go_on(first)[-1], "healed")
    f.check_healed()


# ---- settle ----

def crash(f, fault, **more):
    process, request = f.start_repair(f.locate(), fault=fault, **more)
    lines = f.lab.finish((process, request))
    assert process.returncode == -9, (process.returncode, lines)
    assert len(f.lab.intents()) == 1


def settled(f, state, reason=None, left=0):
    lines = f.settle()
    assert len(lines) == 2 and "id" not in lines[1], lines
    assert lines[0]["id"] == "7", lines
    expect(lines[0], state, reason)
    assert len(f.lab.intents()) == left
    for p in f.lab.intents():
        p.unlink()


def forge(lab, **changes):
    """Changes members of the intent, and seals it again."""
    path, = lab.intents()
    record = path.read_bytes()[:-32]
    text, rest = record.split(b"\n", 1)
    intent = {**json.loads(text), **changes}
    record = json.dumps({k: v for k, v in intent.items() if v is not None}).encode() + b"\n" + rest
    path.write_bytes(record + hashlib.sha256(record).digest())


OTHER_BOOT = "00000000-0000-0000-0000-000000000000"


def test_settle_before(lab):
    "killed before the write: still poisoned, from the start"
    f = File(lab)
    crash(f, "before-write:kill")
    settled(f, "detected")
    f.check_untouched()


def test_settle_after(lab):
    "killed after the write: healed"
    f = File(lab)
    crash(f, "after-write:unlist,after-write:kill")
    settled(f, "healed")
    f.check_healed()


def cleared_only(f):
    """Cleared, and not copied."""
    crash(f, "before-write:unlist,before-write:kill")


def test_settle_write(lab):
    "another boot, cleared and not copied: written now"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    settled(f, "healed")
    f.check_healed()


def test_settle_other_part(lab):
    "an intent about the realtime device of the same file system: left to who settles that"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT, part="realtime", device="/dev/pmem77")
    before = lab.intents()[0].read_bytes()
    lines = f.settle()
    assert len(lines) == 1 and "id" not in lines[0], lines
    assert [p.read_bytes() for p in lab.intents()] == [before]
    lab.intents()[0].unlink()


def test_settle_write_observe(lab):
    "the same with Mode=observe: not written"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    expect(f.settle(mode="observe")[0], "waiting", "observe")
    lab.intents()[0].unlink()
    f.check_untouched()


def test_settle_not_alone(lab):
    "the same, but others had the file open then: in doubt"
    f = File(lab)
    with f.path.open("rb"):
        crash(f, "before-write:unlist,before-write:kill", exclusion="lease,optimistic")
    forge(lab, boot_id=OTHER_BOOT)
    settled(f, "in-doubt", left=1)
    f.check_untouched()


def test_settle_busy(lab):
    "the same, and somebody has it open now: later"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    with f.path.open("rb"):
        settled(f, "waiting", "file-busy", left=1)
    f.check_untouched()


def test_settle_same_boot(lab):
    "cleared and not copied in one boot cannot be: in doubt"
    f = File(lab)
    cleared_only(f)
    settled(f, "in-doubt", left=1)
    f.check_untouched()


def test_settle_modified(lab):
    "another boot, and the file was written to: in doubt"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    os.utime(f.path)
    settled(f, "in-doubt", left=1)
    assert f.page() == f.destroyed()


def test_settle_good_differ(lab):
    "another boot, and good bytes differ: in doubt"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    lab.device_write(f.at, b"new!")
    f.drop()
    settled(f, "in-doubt", left=1)
    assert lab.device(f.at + 3 * SECTOR, SECTOR) == b"\xdb" * SECTOR


def test_settle_shared(lab):
    "the block is another file's as well: never written"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    share(f)
    settled(f, "in-doubt", left=1)
    assert f.page() == f.destroyed()


def test_settle_deleted(lab):
    "the file is gone"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    f.path.unlink()
    settled(f, "gone")
    assert f.page() == f.destroyed()


def test_settle_punched(lab):
    "the block is no longer the file's"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT)
    punch(f)
    settled(f, "gone")
    assert f.page() == f.destroyed()


def test_settle_other_inode(lab):
    "a forged inode, generation, or place: nothing is written; where the block of a file is as a clearing left it, it is told"
    f = File(lab)
    cleared_only(f)
    other = File(lab)
    lab.list.write_text("")
    path, = lab.intents()
    record = path.read_bytes()
    for state, changes in (("in-doubt", {"inode": other.path.stat().st_ino}), ("in-doubt", {"generation": 1}),
                           ("in-doubt", {"offset": f.offset + PAGE}),
                           ("gone", {"range": {"start": f.at + PAGE, "length": PAGE}, "bad": [{"start": f.at + PAGE, "length": SECTOR}]})):
        path.write_bytes(record)
        forge(lab, boot_id=OTHER_BOOT, **changes)
        answer = f.settle()[0]
        expect(answer, state)
        path.unlink(missing_ok=True)
    f.check_untouched()
    other.check_untouched()


def test_settle_bigger_file(lab):
    "an intent of a larger file"
    f = File(lab)
    cleared_only(f)
    forge(lab, boot_id=OTHER_BOOT, file_size=f.size + 10 * PAGE)
    settled(f, "in-doubt", left=1)
    f.check_untouched()


def test_settle_tail(lab):
    "crashed between writing the last page and cutting the file back: cut back"
    f = File(lab, tail=1000, page=40, sectors=((1, 1),))
    crash(f, "after-write:unlist,after-write:kill")
    os.truncate(f.path, f.size + PAGE - 1000)
    os.utime(f.path, ns=(f.before.st_atime_ns, f.before.st_mtime_ns))
    settled(f, "healed")
    f.check_healed()


def test_settle_tail_extended(lab):
    "the same length, but made by somebody since: his"
    f = File(lab, tail=1000, page=40, sectors=((1, 1),))
    crash(f, "after-write:unlist,after-write:kill")
    os.truncate(f.path, f.size + PAGE - 1000)
    settled(f, "healed")
    assert f.path.stat().st_size == f.size + PAGE - 1000


def test_settle_damaged(lab):
    "a damaged record is told, stays, and does not hide the others"
    f = File(lab)
    crash(f, "after-write:unlist,after-write:kill")
    good, = lab.intents()
    damaged = bytearray(good.read_bytes())
    damaged[-100] ^= 1
    other = good.with_name(good.name[:-1] + "1")
    other.write_bytes(damaged)
    lines = f.settle()
    assert len(lines) == 3 and "id" not in lines[2] and not lines[2].get("progress"), lines
    assert [line for line in lines if line.get("progress") and "damaged" in line["detail"]], lines
    assert [line for line in lines if line.get("id") == "7" and line["state"] == "healed"], lines
    assert lab.intents() == [other]
    other.unlink()
    f.check_healed()


def test_settle_two_pages(lab):
    "of two pages of a case one is healed and the other in doubt: the case is in doubt, whichever is found first"
    for other in (-PAGE, PAGE):
        f = File(lab)
        crash(f, "after-write:unlist,after-write:kill")
        healed, = lab.intents()
        text = healed.read_bytes().split(b"\n", 1)[0]
        at = f.at + other
        intent = {**json.loads(text), "range": {"start": at, "length": PAGE}, "offset": f.offset + other,
                  "bad": [{"start": at, "length": SECTOR}]}
        record = json.dumps(intent).encode() + b"\n" + os.urandom(PAGE)
        healed.with_name(f"{Path(lab.loop).name}-{at:016x}").write_bytes(record + hashlib.sha256(record).digest())
        settled(f, "in-doubt", left=1)


def renamed(lab, **changes):
    """The device had another name when the intent was stored."""
    forge(lab, device="/dev/pmem99", **changes)
    path, = lab.intents()
    path.rename(path.with_name(path.name.replace(Path(lab.loop).name, "pmem99")))


def test_settle_renamed_device(lab):
    "the device had another name in the boot of the crash"
    f = File(lab)
    crash(f, "after-write:unlist,after-write:kill")
    renamed(lab, boot_id=OTHER_BOOT)
    settled(f, "healed")
    f.check_healed()


def test_settle_other_memory(lab):
    "another disk has the name now, with a copy of the file system: the intent is left alone, and told of; the disk that it is of settles it"
    f = File(lab)
    crash(f, "after-write:unlist,after-write:kill")
    forge(lab, boot_id=OTHER_BOOT, namespace="n1")
    lines = f.settle(namespace="n2")
    expect(lines[0], "waiting", "unmounted")
    assert f"'{lab.intents()[0].name}'" in lines[0]["detail"], lines
    assert lines[0]["id"] == "7" and len(lines) == 2 and len(lab.intents()) == 1, lines
    renamed(lab)
    assert len(f.settle(namespace="n2")) == 1 and len(lab.intents()) == 1
    expect(f.settle(namespace="n1")[0], "healed")
    assert not lab.intents()
    f.check_healed()


def test_settle_copy(lab):
    "a copy of a file system that is mounted as well, in the same boot: a repair of the one is not settled by who settles the other"
    f = File(lab)
    crash(f, "after-write:unlist,after-write:kill")
    renamed(lab)
    assert len(f.settle()) == 1 and len(lab.intents()) == 1
    lab.intents()[0].unlink()


def test_settle_other_volume(lab):
    "an intent of another file system is left alone"
    f = File(lab)
    crash(f, "after-write:unlist,after-write:kill")
    forge(lab, uuid="11111111-2222-3333-4444-555555555555")
    lines = f.settle()
    assert len(lines) == 1, lines
    assert len(lab.intents()) == 1
    lab.intents()[0].unlink()


# ---- rehearsals ----

def plan(f, path=None, start=0, length=PAGE):
    in_file = {"start": start, "length": length}
    return f.lab.finish(f.lab.worker(f.request("plan", path=str(path or f.path), in_file=in_file)))[-1]


def test_plan_file(lab):
    "bytes of a healthy file: where they are, whose, and what the replica could show; and nothing has changed"
    f = File(lab, sectors=())
    atime = f.path.stat().st_atime_ns
    found, = plan(f, start=f.offset + 600, length=100)["found"]
    assert found["range"] == {"start": f.at, "length": PAGE} and found["bad"] == [{"start": f.at + SECTOR, "length": SECTOR}], found
    owner, = found["owners"]
    assert (owner["type"], owner["inode"], owner["offset"], owner["path"]) == ("file", f.before.st_ino, f.offset, str(f.path)), owner
    offer, = found["offers"]
    assert (offer["state"], offer["proof"], offer["witness"]) == ("held", "identity+neighbours", "equal"), offer
    assert "held" not in found, found
    assert offer["truth"] == "right", offer
    flip(700)(f)
    wrong, = plan(f, start=f.offset + 600, length=100)["found"]
    assert (wrong["offers"][0]["proof"], wrong["offers"][0]["truth"]) == ("identity+neighbours", "wrong"), wrong
    keep_time(f, f.data)
    by_range = f.request("plan", ranges=[{"range": found["range"], "bad": found["bad"]}])
    assert lab.finish(lab.worker(by_range))[-1]["found"] == [found]
    assert f.path.stat().st_atime_ns == atime
    f.check_untouched()


def test_plan_holes(lab):
    "a file with holes: only what has a place on the device, piece by piece"
    f = File(lab, sectors=())
    sparse = lab.mount / "sparse"
    with sparse.open("wb") as out:
        for page in (1, 5, 6, 40):
            out.seek(page * PAGE)
            out.write(lab.random.randbytes(PAGE))
        out.flush()
        os.fsync(out.fileno())
    answer = plan(f, sparse, length=16 << 20)
    assert "found" in answer, answer
    found = answer["found"]
    pages = {x["owners"][0]["offset"] + i: x["range"]["start"] + i for x in found for i in range(0, x["range"]["length"], PAGE)}
    assert pages == {n * PAGE: extent(sparse, n * PAGE) for n in (1, 5, 6, 40)}, found
    assert plan(f, sparse, start=2 * PAGE)["found"] == []


def test_plan_errors(lab):
    "what cannot be planned is said, each thing by its own sentence"
    f = File(lab, sectors=())
    os.mkfifo(lab.mount / "fifo")
    for path, start, words in ((lab.mount / "none", 0, "cannot be found"), (lab.mount, 0, "not a regular file"),
                               (lab.mount / "fifo", 0, "not a regular file"), (f.copy, 0, f"not on {lab.loop}"),
                               (f.path, f.size, "behind the end"), ("/dev/null", 0, "not a regular file")):
        answer = plan(f, path, start)
        assert words in answer.get("error", ""), (path, answer)


def tests():
    yield from tap.tests_of(globals())
    for name, change, reason in WRONG:
        yield f"a replica that is wrong: {name}", wrong_replica(change, reason)
    for name, change, state, reason in CHANGES:
        yield f"the file is {name} between locate and repair", file_changes(change, state, reason, False)
        if change is not delete:
            yield f"the file is {name} during the repair", file_changes(change, state, reason, True)


if __name__ == "__main__":
    run_tests(tests())
