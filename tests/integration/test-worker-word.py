#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""An operator's word in the place of a proof: what he is shown, and that exactly this is written, or nothing. The real
worker on XFS on a loop device; see workerlab.py."""

import fcntl
import importlib.machinery
import importlib.util
import os
import signal
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, SECTOR, File, begin, expect, extent, go_on, meanwhile, process_state, wait_for

loader = importlib.machinery.SourceFileLoader("worker_xfs", str(Path(__file__).parent / "test-worker-xfs.py"))
x = importlib.util.module_from_spec(importlib.util.spec_from_loader("worker_xfs", loader))
loader.exec_module(x)

EVERYTHING = 1 << 62
ZEROES = "zero:"


def flip(path, *offsets):
    """Other bytes there; the times stay."""
    st = path.stat()
    with path.open("r+b") as f:
        for offset in offsets:
            f.seek(offset)
            byte = f.read(1)[0] ^ 0xFF
            f.seek(offset)
            f.write(bytes([byte]))
        f.flush()
        os.fsync(f.fileno())
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


class Case(File):
    """A file whose mirror is stale: of the lost sector and of what survived some bytes differ."""

    def __init__(self, lab, stale=True, **more):
        super().__init__(lab, **more)
        self.lost = self.offset + self.bad[0]["start"] - self.at
        self.other = [self.lost + 7, self.offset + 1, self.offset - 2 * PAGE + 100]
        if stale:
            flip(self.copy, *self.other)
        self.means = {"writers": ["pwrite"], "exclusion": "lease"}

    def plan(self, found, replica=None, shown=None, **more):
        steps = [{"range": {"start": found["range"]["start"] + at, "length": PAGE}, "offset": found["owners"][0]["offset"] + at,
                  "bad": [b for b in found["bad"] if at <= b["start"] - found["range"]["start"] < at + PAGE]}
                 for at in range(0, found["range"]["length"], PAGE)]
        return {"verdict": "repair", "replica": replica or self.replicas[0], "by_word": True, **({"shown": shown} if shown else {}),
                "steps": [s for s in steps if s["bad"]], **self.means, **more}

    def preview(self, found=None, limit=EVERYTHING, **more):
        found = found or self.locate()
        return self.lab.finish(self.lab.worker(self.request("preview", ranges=[found], limit=limit, plan=self.plan(found, **more))))[-1]

    def start_word(self, shown, found=None, fault="after-write:unlist", **more):
        found = found or self.locate()
        return self.lab.worker(self.request("repair", ranges=[found], plan=self.plan(found, shown=shown, **more)), fault)

    def word(self, shown, **more):
        return self.lab.finish(self.start_word(shown, **more))[-1]

    def accepted(self, from_=None):
        """The page as it is to be: the copy's bytes for what is lost, the file's for the rest."""
        copy = self.copy.read_bytes() if from_ is None else from_
        page = bytearray(self.right())
        for b in self.bad:
            at = b["start"] - self.at
            page[at:at + b["length"]] = copy[self.offset + at:self.offset + at + b["length"]].ljust(b["length"], b"\0")
        tail = self.size - self.offset
        page[tail:] = bytes(len(page[tail:]))
        return bytes(page)

    def check_accepted(self, from_=None):
        assert self.page() == self.accepted(from_), "the device has not what was shown"
        self.drop()
        data = bytearray(self.data)
        data[self.offset:self.offset + PAGE] = self.accepted(from_)[:self.size - self.offset]
        assert self.path.read_bytes() == bytes(data)
        st = self.path.stat()
        assert (st.st_size, st.st_mtime_ns, st.st_ino) == (self.size, self.before.st_mtime_ns, self.before.st_ino)
        assert not self.lab.intents(), "an intent was left"


def test_shown(lab):
    "every lost byte, and every surviving one that differs, in the page and around it; not the others"
    f = Case(lab)
    found = f.locate()
    assert "neighbours" not in found["offers"][0].get("proof", "none")
    p = f.preview(found)
    copy = f.copy.read_bytes()
    lost = [q for q in p["pieces"] if "medium" not in q]
    assert [(q["offset"], bytes.fromhex(q["replica"])) for q in lost] == [(f.lost, copy[f.lost:f.lost + SECTOR])], lost
    differ = {q["offset"] + i: (m, r) for q in p["pieces"] if "medium" in q
              for i, (m, r) in enumerate(zip(bytes.fromhex(q["medium"]), bytes.fromhex(q["replica"]))) if m != r}
    assert differ == {at: (f.data[at], copy[at]) for at in f.other if not f.lost <= at < f.lost + SECTOR}, differ
    assert (p["lost"], p["differ"]) == (SECTOR, 2) and p["compared"] > 64 << 10 and "cut" not in p, p
    assert p["path"] == str(f.path) and p["device"] == lab.loop and p["id"] == "7" and "action" not in p
    assert p["pages"] == [{"range": {"start": f.at, "length": PAGE}, "offset": f.offset, "lost": [{"start": f.lost, "length": SECTOR}]}]
    f.check_untouched()


def test_shown_in_part(lab):
    "the counts are of everything, the bytes only as many as are asked for; the token is the same"
    f = Case(lab)
    whole, part = f.preview(), f.preview(limit=10)
    assert part["cut"] and part["shown"] == whole["shown"] and part["differ"] == 2 and part["lost"] == SECTOR
    assert sum(q["length"] for q in part["pieces"] if "medium" not in q) == 10


def test_accept(lab):
    "what was shown is written: lost bytes from the replica, all others stay; without a proof"
    f = Case(lab)
    r = f.word(f.preview()["shown"])
    expect(r, "healed")
    assert r.get("proof", "none") == "none" and r["replica"] == f.replicas[0], r
    assert r["detail"].startswith(f"{SECTOR} bytes were lost") and " 2 differ" in r["detail"], r
    f.check_accepted()


def test_zero(lab):
    "zeroes for what is lost, and only for that; nothing is compared"
    f = Case(lab)
    p = f.preview(replica=ZEROES)
    assert (p["lost"], p["compared"], p["differ"]) == (SECTOR, 0, 0) and p["pieces"][0]["replica"] == "00" * SECTOR, p
    r = f.word(p["shown"], replica=ZEROES)
    expect(r, "healed")
    assert r["replica"] == ZEROES
    f.check_accepted(bytes(f.size))


def test_zero_without_replica(lab):
    "zeroes where the protect file names no replica"
    f = Case(lab)
    f.replicas = []
    p = f.preview(replica=ZEROES)
    expect(f.word(p["shown"], replica=ZEROES), "healed")
    f.check_accepted(bytes(f.size))


def test_last_page(lab):
    "the last page of a file: what is behind its end is zero, and its size stays"
    f = Case(lab, pages=30, tail=1700, page=30)
    expect(f.word(f.preview()["shown"]), "healed")
    f.check_accepted()


def test_whole_page(lab):
    "a page of which nothing survives, in a file that has nothing else: nothing is compared"
    f = Case(lab, pages=1, page=0, sectors=((0, 8),), stale=False)
    flip(f.copy, 5, 4000)
    p = f.preview()
    assert (p["lost"], p["compared"]) == (PAGE, 0), p
    expect(f.word(p["shown"]), "healed")
    f.check_accepted()


def test_several_pages(lab):
    "two bad pages with a good one between them: one word for both"
    f = Case(lab, page=20, sectors=((3, 1), (17, 2)), stale=False)
    second = f.offset + 17 * SECTOR
    flip(f.copy, f.lost + 1, second + 3)
    range_ = {"start": f.at, "length": 3 * PAGE}
    found = lab.finish(lab.worker(f.request("locate", ranges=[{"range": range_, "bad": f.bad}])))[-1]["found"][0]
    p = f.preview(found)
    assert len(p["pages"]) == 2 and p["lost"] == 3 * SECTOR, p
    started = f.start_word(p["shown"], found=found, fault="after-write:stop")
    process = begin(started)
    f.bad = f.bad[1:]
    f.relist()
    process.send_signal(signal.SIGCONT)
    wait_for("the second page", lambda: len(lab.intents()) == 1 and process_state(process.pid) == "T"
             and lab.device(f.at + 17 * SECTOR, 4) != b"\xdb" * 4)
    lab.list.write_text("")
    expect(go_on(process)[-1], "healed")
    f.drop()
    data, copy = f.path.read_bytes(), f.copy.read_bytes()
    assert data[f.lost:f.lost + SECTOR] == copy[f.lost:f.lost + SECTOR] and data[second:second + 2 * SECTOR] == copy[second:second + 2 * SECTOR]
    assert data[:f.lost] == f.data[:f.lost] and data[f.lost + SECTOR:second] == f.data[f.lost + SECTOR:second]


def test_replica_changed(lab):
    "the replica has other bytes than were shown: refused"
    f = Case(lab)
    shown = f.preview()["shown"]
    flip(f.copy, f.lost + 99)
    expect(f.word(shown), "refused", "not-as-shown")
    f.check_untouched()


def test_replica_changed_elsewhere(lab):
    "what the replica has for bytes that survive is no part of what is written"
    f = Case(lab)
    shown = f.preview()["shown"]
    flip(f.copy, f.offset + 9)
    expect(f.word(shown), "healed")
    f.check_accepted()


def test_replica_gone(lab):
    "the replica cannot give the bytes any more: refused, with its reason; nor can it be shown"
    f = Case(lab)
    found = f.locate()
    shown = f.preview(found)["shown"]
    f.copy.unlink()
    expect(f.word(shown, found=found), "refused", "replica-missing")
    assert "error" in f.preview(found)
    f.check_untouched()


def test_file_changed(lab):
    "a byte that survives in the page is another one than was shown: refused"
    f = Case(lab)
    shown = f.preview()["shown"]
    lab.device_write(f.at + 5 * SECTOR + 3, b"\x01\x02\x03")
    f.drop()
    expect(f.word(shown), "refused", "not-as-shown")
    page = bytearray(f.destroyed())
    page[5 * SECTOR + 3:5 * SECTOR + 6] = b"\x01\x02\x03"
    assert f.page() == bytes(page) and not lab.intents()


def test_file_changes(lab):
    "the same in the moment before the write"
    f = Case(lab)
    shown = f.preview()["shown"]

    def store():
        lab.device_write(f.at + 5 * SECTOR + 3, b"\x01\x02\x03")

    r = meanwhile(f.start_word(shown, fault="before-look:stop,after-write:unlist", exclusion="optimistic"), store)
    expect(r, "refused", "not-as-shown")
    page = bytearray(f.destroyed())
    page[5 * SECTOR + 3:5 * SECTOR + 6] = b"\x01\x02\x03"
    assert f.page() == bytes(page) and not lab.intents()


def test_more_lost(lab):
    "another sector was lost since: refused"
    f = Case(lab)
    shown = f.preview()["shown"]
    f.bad.append({"start": f.at + 6 * SECTOR, "length": SECTOR})
    lab.device_write(f.at + 6 * SECTOR, b"\xdb" * SECTOR)
    f.drop()
    f.relist()
    expect(f.word(shown), "refused", "not-as-shown")
    f.check_untouched()


def test_other_word(lab):
    "a word for zeroes is none for the replica, nor the other way round, nor for another replica that has the same bytes"
    f = Case(lab, mirrors=2)
    (f.mirrors[1] / f.name).write_bytes(f.copy.read_bytes())
    accept, zero = f.preview()["shown"], f.preview(replica=ZEROES)["shown"]
    expect(f.word(zero), "refused", "not-as-shown")
    expect(f.word(accept, replica=ZEROES), "refused", "not-as-shown")
    expect(f.word(accept, replica=f.replicas[1]), "refused", "not-as-shown")
    expect(f.word("0" * 64), "refused", "not-as-shown")
    f.check_untouched()


def test_other_file(lab):
    "the file is gone, or another one: nothing is written, and nothing shown"
    f = Case(lab)
    found = f.locate()
    shown = f.preview(found)["shown"]
    f.path.unlink()
    f.path.write_bytes(bytes(f.size))
    expect(f.word(shown, found=found), "detected", "changed")
    assert "gone" in f.preview(found)["error"]


def test_incomplete(lab):
    "no word without a token, none beside a proof, and no preview without a word"
    f = Case(lab)
    found = f.locate()
    for verb, plan in (("repair", f.plan(found)), ("repair", f.plan(found, shown="0" * 64, proof="identity")),
                       ("repair", f.plan(found, shown="0" * 63)), ("repair", {**f.plan(found, shown="0" * 64), "by_word": False}),
                       ("repair", {k: v for k, v in f.plan(found).items() if k != "by_word"}),
                       ("preview", f.plan(found, shown="0" * 64)), ("preview", {**f.plan(found, proof="identity"), "by_word": False})):
        r = lab.finish(lab.worker(f.request(verb, ranges=[found], plan=plan, limit=0)))[-1]
        assert "error" in r, (verb, plan, r)
    f.check_untouched()


def test_observe(lab):
    "a worker writes nothing in observe mode, whoever says so; but it shows"
    f = Case(lab)
    found = f.locate()
    shown = f.preview(found)["shown"]
    process = lab.worker(f.request("repair", mode="observe", ranges=[found], plan=f.plan(found, shown=shown)))
    expect(lab.finish(process)[-1], "waiting", "observe")
    f.check_untouched()


def test_shared(lab):
    "bytes that another file shares: it is named, and gets the same ones; frozen, in place"
    f = Case(lab)
    other = lab.mount / "shares"
    with f.path.open("rb") as old, other.open("wb") as new:
        fcntl.ioctl(new, workerlab.FICLONE, old.fileno())
        os.fsync(new.fileno())
    f.drop()
    f.means = {"writers": ["block"], "exclusion": "freeze"}
    p = f.preview()
    assert p["also"] == [str(other)] or p["path"] == str(other), p
    r = f.word(p["shown"])
    expect(r, "healed")
    assert r["writer"] == "block" and r["frozen_usec"] > 0, r
    f.check_accepted()
    assert other.read_bytes() == f.path.read_bytes() and extent(other, f.offset) == f.at


def killed(f, fault):
    found = f.locate()
    process, request = f.start_word(f.preview(found)["shown"], found=found, fault=fault)
    assert f.lab.finish((process, request))[-1:] in ([], [{"id": "7", "progress": True, "detail": f"writing the page at file offset {f.offset} from "
                                                           f"{f.replicas[0]}"}])
    assert process.returncode == -9 and len(f.lab.intents()) == 1


def test_killed_before(lab):
    "killed before the write: the poison is still there, the record goes, and the word with it"
    f = Case(lab)
    killed(f, "before-write:kill")
    x.settled(f, "detected")
    f.check_untouched()


def test_killed_cleared(lab):
    "killed in the kernel's window, and booted again: what he gave his word for is written"
    f = Case(lab)
    killed(f, "before-write:unlist,before-write:kill")
    x.forge(lab, boot_id=x.OTHER_BOOT)
    x.settled(f, "healed")
    f.check_accepted()


def test_killed_after(lab):
    "killed when it was written: settled as healed, and nothing proves it"
    f = Case(lab)
    killed(f, "after-write:unlist,after-write:kill")
    lines = f.settle()
    expect(lines[0], "healed")
    assert lines[0].get("proof", "none") == "none" and lines[0]["replica"] == f.replicas[0], lines
    f.check_accepted()


if __name__ == "__main__":
    workerlab.run_tests(tap.tests_of(globals()))
