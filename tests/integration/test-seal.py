#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What a seal proves, and what it does not: the real worker seals files on a real XFS, then they lose bytes.

Root, mkfs.xfs and loop devices are needed; else all is skipped, with the reason."""

import fcntl
import json
import mmap
import os
import random
import subprocess
import sys
import time

import tap
from workerlab import PAGE, SECTOR, WORKER, File, expect, extent, run, run_tests

HERE = {}


class Sealed(File):
    """A file that has not lost anything yet, so that it can be sealed; lose_now() comes after."""

    def lose(self, sectors):
        self.sectors = sectors

    def lose_now(self, sectors=None):
        with self.path.open("rb") as f:
            os.fsync(f.fileno())
        self.at = extent(self.path, self.offset)
        super().lose(sectors or self.sectors)
        return self

    def heals(self, **more):
        found = self.locate(policy_proof="seal")
        assert found["offers"][0].get("proof", "none").startswith("seal"), found["offers"]
        expect(self.repair(found, proof="seal", policy_proof="seal", **more), "healed")
        assert self.page() == self.right(), "the device has not the right bytes"

    def refuses(self, policy="seal,identity+neighbours"):
        offers = self.locate(policy_proof=policy)["offers"]
        assert not any("seal" in o.get("proof", "none") for o in offers), offers
        good = {"proof": policy.rsplit(",", maxsplit=1)[-1], "policy_proof": policy}
        answer = self.repair(**good)
        assert answer["state"] in ("refused", "detected"), answer
        self.check_untouched()
        return offers

    @property
    def store(self):
        st = self.path.stat()
        [found] = (self.lab.state / "seal" / self.lab.uuid).glob(f"{st.st_ino:x}.*")
        return found


def topology(lab):
    st = os.stat(lab.loop).st_rdev
    size = lab.image.stat().st_size
    name = os.path.basename(lab.loop)
    (lab.folder / "machine.json").write_text(json.dumps({
        "regions": [], "namespaces": [], "links": [],
        "disks": [{"name": name, "node": lab.loop, "major": os.major(st), "minor": os.minor(st), "size": size,
                   "logical_block_size": 512, "badblocks": True}],
        "mounts": [{"disk": name, "mountpoint": str(lab.mount), "root": "/", "fs": "xfs", "uuid": lab.uuid, "options": "rw",
                    "read_only": False}]}))
    return lab.folder / "machine.json"


def start_seal(lab, *paths, force=False):
    return subprocess.Popen([WORKER, "seal", f"--topology={lab.folder}/machine.json", f"--state={lab.state}",
                             *(["--force"] if force else []), "--", *map(str, paths or [lab.mount])],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def seal(lab, *paths, **more):
    p = start_seal(lab, *paths, **more)
    out, err = p.communicate(timeout=60)
    return p.returncode, out, err


def setup(lab):
    """All files at once: only a file that has been left alone for two seconds is sealed."""
    topology(lab)
    for name, test in TESTS:
        HERE[test] = Sealed(lab, **getattr(test, "file", {}))
    status, out, err = seal(lab)
    assert status == 0 and out.startswith(f"{len(TESTS)} sealed"), (status, out, err)


def file(**arguments):
    def mark(test):
        test.file = arguments
        return test
    return mark


# ---- proved ----

def test_proved(f):
    "one lost sector: the page hashes to what was sealed"
    f.lose_now().heals()


@file(sectors=((0, 8),))
def test_whole_page(f):
    "a whole page is proved by its seal alone"
    f.lose_now().heals()


@file(tail=1000, page=40, sectors=((1, 1),))
def test_tail(f):
    "the last page; its repair moves the ctime, and the seal goes with it"
    f.lose_now().heals()
    f.lose_now(((0, 1),)).heals()


def test_other_times(f):
    "the replica's time and the rest of it may be what they are: its page is right"
    data = bytearray(f.data)
    data[f.offset - 3 * PAGE] ^= 1
    f.copy.write_bytes(data)
    f.lose_now().heals()


def test_word(f):
    "an operator's word for what is not as sealed: he is told so, and the seal ends with it"
    data = bytearray(f.data)
    data[f.offset + 3 * SECTOR] ^= 1
    f.copy.write_bytes(data)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))
    found = f.lose_now().locate()
    assert found["offers"][0]["state"] == "not-as-sealed", found
    plan = {"verdict": "repair", "replica": f.replicas[0], "by_word": True, "writers": ["pwrite"], "exclusion": "lease",
            "steps": [{"range": found["range"], "offset": f.offset, "bad": found["bad"]}]}
    [shown] = f.lab.finish(f.lab.worker(f.request("preview", ranges=[found], limit=0, plan=plan)))
    assert "not what was sealed" in shown["detail"], shown
    assert f.store.exists()
    answer = f.lab.finish(f.lab.worker(f.request("repair", ranges=[found], plan={**plan, "shown": shown["shown"]}), "after-write:unlist"))[-1]
    expect(answer, "healed")
    assert f.page() == bytes(data[f.offset:f.offset + PAGE])
    assert not list((f.lab.state / "seal" / f.lab.uuid).glob(f"{f.path.stat().st_ino:x}.*"))


def test_word_as_sealed(f):
    "an operator's word for what is as sealed: the seal stays"
    found = f.lose_now().locate()
    plan = {"verdict": "repair", "replica": f.replicas[0], "by_word": True, "writers": ["pwrite"], "exclusion": "lease",
            "steps": [{"range": found["range"], "offset": f.offset, "bad": found["bad"]}]}
    [shown] = f.lab.finish(f.lab.worker(f.request("preview", ranges=[found], limit=0, plan=plan)))
    assert "detail" not in shown, shown
    answer = f.lab.finish(f.lab.worker(f.request("repair", ranges=[found], plan={**plan, "shown": shown["shown"]}), "after-write:unlist"))[-1]
    expect(answer, "healed")
    assert f.store.exists() and f.page() == f.right()


@file(mirrors=2)
def test_decides(f):
    "two replicas that disagree: the one that is as sealed is right"
    data = bytearray(f.data)
    data[f.offset + 3 * SECTOR] ^= 1
    f.copy.write_bytes(data)
    os.utime(f.copy, ns=(0, f.before.st_mtime_ns))
    f.lose_now()
    offers = f.locate(policy_proof="seal")["offers"]
    assert offers[0]["state"] == "not-as-sealed" and "seal" in offers[1]["proof"], offers
    expect(f.repair(proof="seal", policy_proof="seal", replica=f.mirrors[1]), "healed")
    assert f.page() == f.right()


# ---- contradicted ----

def flip_within(f, copies=1):
    data = bytearray(f.data)
    data[f.offset + 3 * SECTOR + 17] ^= 0x40
    for m in f.mirrors[:copies]:
        (m / f.name).write_bytes(data)
        os.utime(m / f.name, ns=(0, f.before.st_mtime_ns))


def test_flip(f):
    "one bit flipped within the lost sector, times kept: refused, though identity and neighbours hold"
    flip_within(f)
    offers = f.lose_now().refuses()
    assert offers[0]["state"] == "not-as-sealed", offers


@file(mirrors=2)
def test_flip_twice(f):
    "two replicas that agree on what is not as sealed are no quorum"
    flip_within(f, 2)
    f.lose_now().refuses("seal,quorum")


# ---- not current any more ----

def stale(change):
    def test(f):
        change(f)
        offers = f.lose_now().locate(policy_proof="seal")["offers"]
        assert all("seal" not in o.get("proof", "none") for o in offers), offers
        expect(f.repair(proof="seal", policy_proof="seal"), "refused")
        assert f.page() == f.destroyed(), "the device was written to"
    return test


def written(f):
    with f.path.open("r+b") as o:
        o.seek(100)
        o.write(b"x")


def mapped(f):
    with f.path.open("r+b") as o, mmap.mmap(o.fileno(), 0) as m:
        m[f.offset + 3 * SECTOR] ^= 1
        m.flush()


def set_back(f):
    written(f)
    os.utime(f.path, ns=(0, f.before.st_mtime_ns))


def copied_over(f):
    """cp -p: same size, same time, other bytes."""
    other = f.lab.folder / "other"
    other.write_bytes(f.lab.random.randbytes(f.size))
    os.utime(other, ns=(0, f.before.st_mtime_ns))
    run("cp", "-p", other, f.path)
    f.data = other.read_bytes()


def renamed(f):
    f.path.rename(f.path.with_name("renamed"))
    f.path.with_name("renamed").rename(f.path)


STALE = (("written to", written), ("changed through a mapping", mapped), ("written to, and its mtime set back", set_back),
         ("overwritten by cp -p", copied_over), ("renamed", renamed))


# ---- a damaged store ----

def test_damage(f):
    "a byte of the seal is not what it was, wherever: it proves nothing, and contradicts nothing"
    f.lose_now()
    good, at = f.store.read_bytes(), random.Random(1)
    assert len(good) == 80 + len(str(f.path)) + 32 + 41 * 32 + 32 - 32 * (41 - (f.size + PAGE - 1) // PAGE), len(good)
    for i in list(range(0, len(good), 97)) + [at.randrange(len(good)) for _ in range(20)]:
        bad = bytearray(good)
        bad[i] ^= 1 << at.randrange(8)
        f.store.write_bytes(bad)
        [offer] = f.locate(policy_proof="seal")["offers"]
        assert offer["proof"] == "identity+neighbours", (i, offer)
    for n in (0, 1, 79, 80, 200, len(good) - 1):
        f.store.write_bytes(good[:n])
        [offer] = f.locate(policy_proof="seal")["offers"]
        assert offer["proof"] == "identity+neighbours", (n, offer)
    expect(f.repair(proof="seal", policy_proof="seal"), "refused")
    f.check_untouched()
    f.store.write_bytes(good)
    f.heals()


def test_foreign(f):
    "the seal of another file under this file's name"
    other = HERE[test_proved]
    f.store.write_bytes(other.store.read_bytes())
    f.lose_now()
    [offer] = f.locate(policy_proof="seal")["offers"]
    assert offer["proof"] == "identity+neighbours", offer


# ---- sealing ----

def test_again(f):
    "what has a current seal is passed over; what was changed is sealed anew"
    status, out, _ = seal(f.lab, f.path)
    assert status == 0 and "0 sealed" in out and "1 had a current seal" in out, out
    f.path.write_bytes(f.data)
    before = f.store.read_bytes()
    status, out, _ = seal(f.lab, f.path)
    assert status == 0 and out.startswith("1 sealed"), out
    assert f.store.read_bytes() != before
    f.before = f.path.stat()
    f.lose_now().heals()


def test_busy(f):
    "a file that somebody has open for writing, or mapped so, is not sealed, and keeps the seal that it has"
    before = f.store.read_bytes()
    with f.path.open("r+b") as o:
        status, _, err = seal(f.lab, f.path, force=True)
        assert status == 1 and "open for writing" in err, err
        m = mmap.mmap(o.fileno(), 0)
    status, _, err = seal(f.lab, f.path, force=True)
    assert status == 1 and "open for writing" in err, err
    m.close()
    assert f.store.read_bytes() == before
    f.lose_now().heals()


def test_interrupted(f):
    "who opens a file for writing while it is sealed does not wait, and the file is not sealed"
    big = f.lab.mount / "big"
    with big.open("wb") as o:
        for _ in range(160):
            o.write(f.lab.random.randbytes(1 << 20))
    time.sleep(3)
    for attempt in range(5):
        p = start_seal(f.lab, big, force=True)
        time.sleep(0.05 * attempt + 0.05)
        began = time.monotonic()
        with big.open("r+b"):
            waited = time.monotonic() - began
            _, err = p.communicate(timeout=60)
        print(f"# the program waited {waited:.2f} s")
        assert waited < 30, "it waited until the kernel took the lease away"    # fs.lease-break-time: 45 s
        if p.returncode == 1:
            assert "while it was read" in err or "open for writing" in err, err
            break
    else:
        raise AssertionError("the sealing was always quicker")
    big.unlink()


def test_pruned(f):
    "the seal of a file that is no more is removed; an empty file, a link and another file system have none"
    store, folder = f.store, f.lab.mount / "folder"
    f.path.unlink()
    folder.mkdir()
    (folder / "empty").touch()
    (folder / "link").symlink_to(HERE[test_proved].path)
    (folder / "foreign").mkdir()
    run("mount", "-t", "tmpfs", "none", folder / "foreign")
    (folder / "foreign" / "file").write_text("x")
    status, out, err = seal(f.lab, folder)
    assert status == 0 and "0 sealed" in out and "1 empty" in out, (out, err)
    status, _, err = seal(f.lab, folder / "foreign" / "file")
    assert status == 1 and "persistent memory" in err, err
    run("umount", folder / "foreign")
    assert not store.exists()


def test_arguments(f):
    "a path that is not there, one without a file, two sealings at a time"
    status, _, err = seal(f.lab, f.lab.mount / "nowhere")
    assert status == 1 and "nowhere" in err and "No such file" in err, err
    (f.lab.mount / "nothing").mkdir()
    status, _, err = seal(f.lab, f.lab.mount / "nothing")
    assert status == 1 and "no regular file" in err, err
    lock = os.open(f.lab.state / "seal", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, _, err = seal(f.lab, f.path)
        assert status == 1 and "another sealing" in err, err
    finally:
        os.close(lock)


def tests():
    yield from tap.tests_of(globals())
    for name, change in STALE:
        yield f"a seal of a file that was since {name} proves nothing", stale(change)


def with_file(test):
    return lambda lab: test(HERE[test])


TESTS = list(tests())
if len(sys.argv) > 2:
    TESTS = [t for t in TESTS if sys.argv[2] in t[0] or t[1] is test_proved]
run_tests([(name, with_file(test)) for name, test in TESTS], setup=setup)
