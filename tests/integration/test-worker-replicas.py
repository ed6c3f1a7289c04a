#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The real bezoar-worker, with each kind of replica: images of the device, and what bezoar-fetch asks for it, here from a
server and a program of this test. As always, the device itself is asked afterwards what it has.

Root, mkfs.xfs and loop devices are needed; else all is skipped, with the reason."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import workerlab
from workerlab import PAGE, SECTOR, File, expect

FETCH = sys.argv[2]
NOBODY = 65534


class Fetcher:
    """What bezoar-fetch.socket does: a process for each connection, without rights."""

    def __init__(self, path):
        self.path, self.count = path, 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            self.count += 1
            with connection:
                subprocess.Popen([FETCH], stdin=connection, stdout=connection, user=NOBODY, group=NOBODY, extra_groups=[], env={})


class Lab(workerlab.Lab):
    def __init__(self, folder):
        folder.chmod(0o755)
        super().__init__(folder)
        self.fetcher = Fetcher(folder / "fetch")

    def worker(self, request, fault=None):
        request["policy"]["worker_timeout_usec"] = 16000000
        return super().worker(request, fault, BEZOAR_FETCH=str(self.fetcher.path))

    def copy_of_device(self, name="copy"):
        """An image of the device as it was before bytes were lost."""
        copy = self.folder / name
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        return copy


def restored(f, copy, at=0):
    """Puts the right bytes of the lost page into a copy of the device."""
    with copy.open("r+b") as c:
        c.seek(at + f.at)
        c.write(f.right())
    return copy


IMAGE = {"policy_proof": "neighbours", "proof": "neighbours"}


def heal(f, uri, policy_proof="identity+neighbours", proof=None):
    f.replicas = [uri]
    found = f.locate(policy_proof=policy_proof)
    offer = found["offers"][0]
    assert offer["state"] == "held" and offer.get("proof") == (proof or policy_proof), offer
    expect(f.repair(found, policy_proof=policy_proof, proof=proof or policy_proof), "healed")
    f.check_healed()
    return offer


def refused(f, uri, state, word, policy_proof="identity+neighbours"):
    f.replicas = [uri]
    offer = f.locate(policy_proof=policy_proof)["offers"][0]
    assert offer["state"] == state and word in offer.get("detail", ""), offer
    f.check_untouched()


# ---- block: ----

def test_block(lab):
    "an image of the device in a file"
    f = File(lab)
    offer = heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)
    assert offer["untimed"] and "no file times" in offer["detail"], offer


def test_block_whole_page(lab):
    "an image, the whole page lost: the neighbours in the file bear witness from where they lie"
    f = File(lab, sectors=((0, 8),))
    heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)


def test_block_fragments(lab):
    "a file in many pieces: each neighbour is looked up where it is"
    f = File(lab)
    pieces = lab.mount / f"pieces{lab.count}"
    other = lab.mount / f"other{lab.count}"
    with pieces.open("wb") as a, other.open("wb") as b:
        for _ in range(24):
            for x in (a, b):
                x.write(lab.random.randbytes(PAGE))
                x.flush()
                os.fsync(x.fileno())
    f.path, f.name = pieces, pieces.name
    f.data = pieces.read_bytes()
    f.size, f.offset, f.before = len(f.data), 10 * PAGE, pieces.stat()
    f.at = workerlab.extent(pieces, f.offset)
    f.lose(((2, 1),))
    assert workerlab.extent(pieces, f.offset + PAGE) != f.at + PAGE, "it is in one piece"
    heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)


def test_block_hole(lab):
    "a hole beside the page: it is in no image, and is not compared"
    f = File(lab)
    with f.path.open("r+b") as x:
        subprocess.run(["fallocate", "--punch-hole", "--offset", str(f.offset + 2 * PAGE), "--length", str(8 * PAGE), x.name],
                       check=True)
    data = bytearray(f.data)
    data[f.offset + 2 * PAGE:f.offset + 10 * PAGE] = bytes(8 * PAGE)
    f.data = bytes(data)
    f.before = f.path.stat()
    f.drop()
    heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)


def test_block_offset(lab):
    "an image that begins within a larger one, and a wrong offset"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    moved = lab.folder / "moved"
    with moved.open("wb") as m:
        m.truncate(3 << 20)
    with moved.open("ab") as m:
        subprocess.run(["cat", str(copy)], stdout=m, check=True)
    f.replicas = [f"block:{moved}@{2 << 20}"]
    offer = f.locate(policy_proof="neighbours")["offers"][0]
    assert offer["witness"] == "differ", offer
    heal(f, f"block:{moved}@{3 << 20}", **IMAGE)
    moved.unlink()


def test_block_device(lab):
    "an image on a block device"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    loop = workerlab.run("losetup", "--find", "--show", copy).strip()
    try:
        heal(f, f"block:{loop}", **IMAGE)
    finally:
        workerlab.run("losetup", "--detach", loop)


def test_block_stale(lab):
    "an image in which a neighbour is older: refused, nothing is written"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    with copy.open("r+b") as c:
        c.seek(f.at + PAGE + 17)
        c.write(b"\x00\x01\x02")
    f.replicas = [f"block:{copy}"]
    found = f.locate(policy_proof="neighbours")
    assert found["offers"][0]["witness"] == "differ" and "proof" not in found["offers"][0], found
    expect(f.repair(found, **IMAGE), "refused", "replica-stale")
    f.check_untouched()


def test_block_no_identity(lab):
    "an image shows no identity: the default policy refuses it, and says proof-missing"
    f = File(lab)
    f.replicas = [f"block:{restored(f, lab.copy_of_device())}"]
    expect(f.repair(), "refused", "proof-missing")
    f.check_untouched()


def test_block_short(lab):
    "an image that ends before the lost bytes"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    os.truncate(copy, f.at + SECTOR)
    refused(f, f"block:{copy}", "short", "")


def test_block_same(lab):
    "the device itself, its file system, and a loop device on it"
    f = File(lab)
    refused(f, f"block:{lab.loop}", "same-device", "very device")
    inside = lab.mount / "image-inside"
    inside.write_bytes(bytes(1 << 20))
    refused(f, f"block:{inside}", "same-device", "very device")
    inside.unlink()


def test_block_missing(lab):
    "an image that is not there is waited for"
    f = File(lab)
    refused(f, "block:/nowhere/image", "unreachable", "not there")


# ---- exec: ----

def program(f, read="tail -c +$(($3 + 1)) \"$data\" | head -c $4", stat="stat -c '%s %.9Y' \"$data\"", name="program"):
    path = f.lab.folder / f"{name}{f.lab.count}"
    path.write_text(f"#!/bin/sh\ndata={f.mirrors[0]}/$2\ncase $1 in stat) {stat} ;; read) {read} ;; esac\n")
    path.chmod(0o755)
    return f"exec:{path}"


def test_exec(lab):
    "a program with the file's size, time and bytes, run by nobody"
    f = File(lab)
    mark = lab.folder / "who"
    mark.mkdir(mode=0o777)
    mark.chmod(0o777)
    heal(f, program(f, stat=f"id -u >{mark}/uid; stat -c '%s %.9Y' \"$data\""))
    assert (mark / "uid").read_text().strip() == str(NOBODY)


def test_exec_wrong(lab):
    "programs that have none, hang, lie about the length, or break off"
    f = File(lab)
    refused(f, program(f, stat="exit 10"), "missing", "no copy")
    refused(f, program(f, stat="exit 11"), "stale", "not the current")
    refused(f, program(f, stat="exit 12"), "unreachable", "later")
    refused(f, program(f, stat="sleep 100"), "unreachable", "in time")
    refused(f, program(f, read="sleep 100"), "unreachable", "")
    refused(f, program(f, read="cat \"$data\""), "unreadable", "Message too long")
    refused(f, program(f, read="head -c 5 \"$data\""), "unreadable", "No data")
    refused(f, program(f, read="exit 1"), "unreadable", "Input/output")
    refused(f, program(f, read="head -c $4 /dev/zero; exit 11"), "unreadable", "Stale")


def test_exec_older(lab):
    "a program whose bytes are older beside the lost ones"
    f = File(lab)
    f.replicas = [program(f, read="tail -c +$(($3 + 1)) \"$data\" | head -c $4 | tr '\\101' '\\102'")]
    offer = f.locate()["offers"][0]
    assert offer["witness"] == "differ", offer
    expect(f.repair(), "refused", "replica-stale")
    f.check_untouched()


def test_no_fetch(lab):
    "without bezoar-fetch.socket: waited for, not refused"
    f = File(lab)
    path = lab.fetcher.path
    path.rename(path.with_suffix(".away"))
    try:
        refused(f, program(f), "unreachable", "bezoar-fetch.socket")
    finally:
        path.with_suffix(".away").rename(path)


def test_order(lab):
    "a hanging replica in front of a good one costs its share of the time only"
    f = File(lab)
    f.replicas = [program(f, stat="sleep 100"), program(f, name="good")]
    offers = f.locate()["offers"]
    assert [o["state"] for o in offers] == ["unreachable", "held"], offers
    assert offers[1]["proof"] == "identity+neighbours", offers


def test_root(lab):
    "bezoar-fetch does not work for root"
    r = subprocess.run([FETCH], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert r.returncode != 0 and "must not run as root" in r.stderr, r


def main():
    workerlab.prepare()
    tests = [t for name, t in globals().items() if name.startswith("test_") and (len(sys.argv) < 4 or sys.argv[3] in name)]
    with tempfile.TemporaryDirectory(prefix="bezoar-replicas-") as folder:
        return workerlab.run_all(Lab(Path(folder)), [(t.__doc__, t) for t in tests])


try:
    sys.exit(main())
except workerlab.Skip as skip:
    print(f"1..0 # SKIP {skip}")
