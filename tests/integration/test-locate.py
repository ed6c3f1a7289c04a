#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What bezoar-worker says about ranges of a device, against what all files say about themselves: 10,000 files, fragmented, with
holes, unwritten, sharing blocks, in a file system at rest, where every answer has to be equal; and in one that other
processes change, where every answer has to have been true at some moment while it was made.

Root and loop devices are needed; else all is skipped, with the reason. A second argument chooses: "without rmapbt: changing"."""

import fcntl
import json
import multiprocessing
import os
import random
import re
import struct
import subprocess
import sys
import time
import traceback

import tap
from loopfs import BLOCK, ForwardMap, LoopFs, claimed, extents, generation, own_mounts, run, shared_blocks

WORKER = sys.argv[1]
SEED = 20251125
FILES, RANGES = 10000, 1000
SECONDS = 5             # of change, for each kind of file system; a slow machine takes as long as it needs to see enough
SECONDS_MAX = 300
ENOUGH = {"changes": 200, "blocks": 100}
FICLONERANGE = 0x4020940D
PUNCH, KEEP = 2, 1

KINDS = {
    "xfs with rmapbt": ("xfs", ["-m", "rmapbt=1,reflink=1"], True),
    "xfs without rmapbt": ("xfs", ["-m", "rmapbt=0,reflink=1"], True),
    "xfs without rmapbt and reflink": ("xfs", ["-m", "rmapbt=0,reflink=0"], False),
    "ext4": ("ext4", ["-b", "4096"], False),
}


def fallocate(fd, mode, offset, length):
    libc = fallocate.libc
    if libc.fallocate64(fd, mode, offset, length):
        raise OSError(fallocate.errno(), "fallocate")


def bind_libc():
    import ctypes
    fallocate.libc = ctypes.CDLL(None, use_errno=True)
    fallocate.libc.fallocate64.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    fallocate.errno = ctypes.get_errno


def clone(source, at, length, target, to):
    fcntl.ioctl(target, FICLONERANGE, struct.pack("=qQQQ", source, at, length, to))


# ---- at rest ----

def make_file(folder, i, rng, reflink, earlier):
    path = folder / f"file{i}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    kind = i % 20
    if kind == 0:               # fragmented: every second block is taken away again
        os.pwrite(fd, b"f" * BLOCK * 20, 0)
        os.fsync(fd)
        for block in range(1, 20, 2):
            fallocate(fd, PUNCH | KEEP, block * BLOCK, BLOCK)
    elif kind == 1:             # unwritten, with data in the middle, and more behind the end of the file
        fallocate(fd, KEEP, 0, 12 * BLOCK)
        os.pwrite(fd, b"u" * BLOCK * 2, 4 * BLOCK)
    elif kind == 2 and reflink and earlier:
        source = os.open(rng.choice(earlier), os.O_RDWR)
        blocks = os.fstat(source).st_size // BLOCK
        if blocks:
            first = rng.randrange(blocks)
            clone(source, first * BLOCK, (blocks - first) * BLOCK, fd, rng.randrange(3) * BLOCK)
        os.close(source)
    elif kind == 3:             # sparse
        for block in rng.sample(range(1000), 5):
            os.pwrite(fd, b"s" * BLOCK, block * BLOCK)
    elif kind == 4:
        os.setxattr(fd, "user.test", b"x" * rng.randrange(100, 3000))
        os.pwrite(fd, b"x", 0)
    elif kind == 5:
        os.symlink("t" * rng.randrange(10, 1000), folder / f"link{i}")
    else:
        os.pwrite(fd, b"d" * rng.randrange(1, 5 * BLOCK), 0)
        if kind == 6:
            os.link(path, folder / f"other{i}")
    os.close(fd)
    return path


def populate(fs, reflink, rng):
    earlier = []
    for i in range(FILES):
        folder = fs.mount / f"d{i // 500}"
        folder.mkdir(exist_ok=True)
        path = make_file(folder, i, rng, reflink, earlier)
        if i % 7 == 0:
            earlier.append(path)
        if i % 50 == 49:        # holes between the files
            os.unlink(folder / f"file{i - 30}")
            earlier = [p for p in earlier if p.exists()]


def xfs_db(fs, *commands):
    return run("xfs_db", "-r", *(a for c in commands for a in ("-c", c)), fs.loop)


def xfs_reserve(fs, ag):
    """The free list of a group: blocks for its btrees, which xfs_db counts as free. A ring."""
    first, last, n = (int(v) for v in re.findall(r" = (\d+)$", xfs_db(fs, f"agf {ag}", "p flfirst fllast flcount"), re.M))
    ring = {int(i): at for i, at in re.findall(r"(\d+):(\d+|null)", xfs_db(fs, f"agfl {ag}", "p bno"))}
    length = int(re.search(r"bno\[0-(\d+)\]", xfs_db(fs, f"agfl {ag}", "p bno"))[1]) + 1
    return {int(ring[(first + i) % length]) for i in range(n)}


def free_blocks(fs):
    """What is free by the file system's own tool; not mounted."""
    if fs.kind == "xfs":
        size, groups = (int(v) for v in re.findall(r" = (\d+)$", xfs_db(fs, "sb 0", "p agblocks agcount"), re.M))
        rows = re.findall(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s*$", xfs_db(fs, "freesp -d"), re.M)
        free = {int(ag) * size + int(at) + i for ag, at, n in rows for i in range(int(n))}
        return free - {ag * size + at for ag in range(groups) for at in xfs_reserve(fs, ag)}
    rows = re.findall(r"^  Free blocks: (.*)$", run("dumpe2fs", fs.loop), re.M)
    spans = [s.split("-") for row in rows for s in row.split(", ") if s]
    return {b for s in spans for b in range(int(s[0]), int(s[-1]) + 1)}


def choose(rng, fs, used):
    """A range of whole blocks: in the middle of files, or anywhere."""
    blocks = fs.size // BLOCK
    at = rng.choice(used) - rng.randrange(8) if rng.random() < 0.7 else rng.randrange(blocks)
    at = max(0, at)
    return at * BLOCK, min(rng.choice([1, 1, 1, 2, 5, 16, 64]), blocks - at) * BLOCK


def covers(owners, start, length):
    at = start
    for o in owners:
        assert start <= o["start"] <= at and o["start"] + o["length"] <= start + length, f"{start}+{length}: {o}"
        at = max(at, o["start"] + o["length"])
    assert at == start + length, f"{start}+{length}: nothing behind {at}"


def compare(owners, start, length, forward, what):
    covers(owners, start, length)
    said, expected = claimed(owners), forward.expected(start, length)
    assert said == expected, f"{what} {start}+{length}: said alone {sorted(said - expected)}, expected alone {sorted(expected - said)}"
    several = {b for b in forward.several if start // BLOCK <= b < (start + length) // BLOCK}
    assert shared_blocks(owners) == several, f"{what} {start}+{length}: shared: {shared_blocks(owners) ^ several}"
    assert all(o["type"] != "unknown" for o in owners), f"{what} {start}+{length}: {owners}"


def blocks_of(owners, kind):
    return {b for o in owners if o["type"] == kind for b in range(o["start"] // BLOCK, (o["start"] + o["length"]) // BLOCK)}


def test_at_rest(fs, reflink):
    rng = random.Random(SEED)
    populate(fs, reflink, rng)
    fs.remount("ro")    # nothing moves, not even what the file system does by itself at the end
    forward = ForwardMap(fs.mount)
    forward.several = {b for b, owners in forward.blocks.items() if len(owners) > 1}
    assert forward.files > FILES * 0.9 and len(forward.blocks) > 20000
    assert bool(forward.several) == reflink
    assert any(o[3] for owners in forward.blocks.values() for o in owners)
    used = sorted(forward.blocks)

    ranges = [choose(rng, fs, used) for _ in range(RANGES)]
    asked, free, allocated = set(), set(), set()
    for start, length in ranges:
        owners = fs.locate(start, length, "--no-path")
        compare(owners, start, length, forward, "one by one:")
        asked |= set(range(start // BLOCK, (start + length) // BLOCK))
        free |= blocks_of(owners, "free")
        allocated |= blocks_of(owners, "file") | blocks_of(owners, "metadata") | blocks_of(owners, "log")
    assert not free & allocated and free | allocated == asked

    # All at once, as the daemon asks: ranges that touch are one there.
    apart, end = [], -1
    for start, length in sorted(ranges):
        if start > end:
            apart.append((start, length))
            end = start + length
    together = fs.locate_many(apart)
    assert claimed(together) == set().union(*(forward.expected(*r) for r in apart))

    run("umount", fs.mount)
    truly_free = free_blocks(fs)
    assert free == asked & truly_free, f"free: {sorted(free ^ (asked & truly_free))[:20]}"
    return f"{len(forward.blocks)} blocks of {forward.files} names, {len(forward.several)} shared, {RANGES} ranges, {len(free)} free blocks"


# ---- while it changes ----

class Mutator:
    """Changes files that nobody else changes, one system call (and a sync) at a time, and notes after each what the file has
    then. So it is known for every moment what a file had for certain, and what it may have had."""

    def __init__(self, top, number, reflink, counter, over):
        self.top, self.reflink = top / f"m{number}", reflink
        self.counter, self.over = counter, over         # of all changes; an event
        self.rng = random.Random(SEED + number)
        self.files = {}         # path -> (inode, generation)
        self.notes = []         # (begin, end, key, extents)
        self.count = 0

    def note(self, begin, path, fd):
        os.fsync(fd)
        key = self.files.setdefault(path, (os.fstat(fd).st_ino, generation(fd)))
        now = extents(fd)
        self.notes.append((begin, time.monotonic(), key, [tuple(e) for e in now]))
        with self.counter:
            self.counter.value += 1

    def create(self):
        self.count += 1
        path = self.top / f"f{self.count}"
        begin = time.monotonic()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Never past the end of the file: there XFS would allocate more than it keeps.
        os.ftruncate(fd, self.rng.randrange(1, 40) * BLOCK)
        self.note(begin, path, fd)
        os.close(fd)
        self.write(path)

    def write(self, path):
        fd = os.open(path, os.O_RDWR)
        blocks = os.fstat(fd).st_size // BLOCK
        if blocks:
            first = self.rng.randrange(blocks)
            begin = time.monotonic()
            os.pwrite(fd, b"w" * BLOCK * self.rng.randrange(1, blocks - first + 1), first * BLOCK)
            self.note(begin, path, fd)
        os.close(fd)

    def truncate(self, path):
        fd = os.open(path, os.O_RDWR)
        begin = time.monotonic()
        os.ftruncate(fd, self.rng.randrange(1, 40) * BLOCK)
        self.note(begin, path, fd)
        os.close(fd)

    def punch(self, path):
        fd = os.open(path, os.O_RDWR)
        blocks = os.fstat(fd).st_size // BLOCK
        if blocks:
            first = self.rng.randrange(blocks)
            begin = time.monotonic()
            fallocate(fd, PUNCH | KEEP, first * BLOCK, self.rng.randrange(1, blocks - first + 1) * BLOCK)
            self.note(begin, path, fd)
        os.close(fd)

    def preallocate(self, path):
        fd = os.open(path, os.O_RDWR)
        blocks = os.fstat(fd).st_size // BLOCK
        if blocks:
            begin = time.monotonic()
            fallocate(fd, KEEP, 0, blocks * BLOCK)
            self.note(begin, path, fd)
        os.close(fd)

    def share(self, path):
        if not self.reflink:
            return self.write(path)
        other = self.rng.choice(list(self.files))
        if other == path:
            return
        source, target = os.open(other, os.O_RDWR), os.open(path, os.O_RDWR)
        blocks = os.fstat(source).st_size // BLOCK
        if blocks and os.fstat(target).st_size:
            first = self.rng.randrange(blocks)
            length = min(self.rng.randrange(1, blocks - first + 1), os.fstat(target).st_size // BLOCK)
            begin = time.monotonic()
            if length:
                clone(source, first * BLOCK, length * BLOCK, target, 0)
                self.note(begin, path, target)
        os.close(source)
        os.close(target)

    def rename(self, path):
        self.count += 1
        new = self.top / f"f{self.count}"
        os.rename(path, new)
        self.files[new] = self.files.pop(path)

    def delete(self, path):
        begin = time.monotonic()
        os.unlink(path)
        self.notes.append((begin, time.monotonic(), self.files.pop(path), []))

    def run(self):
        self.top.mkdir()
        acts = [self.write] * 4 + [self.truncate, self.punch, self.preallocate, self.share, self.share, self.rename, self.delete]
        while not self.over.is_set():
            try:
                if len(self.files) < 40:
                    self.create()
                else:
                    self.rng.choice(acts)(self.rng.choice(list(self.files)))
            except OSError as e:
                if e.errno != 28:       # full: set something free
                    raise
                for path in list(self.files)[:5]:
                    self.delete(path)


def mutate(top, number, reflink, counter, over, result):
    bind_libc()
    m = Mutator(top, number, reflink, counter, over)
    try:
        m.run()
        result.put((m.notes, None))
    except BaseException:
        result.put((m.notes, traceback.format_exc()))


class History:
    """When which block was whose. A file that has a block after one act and before the next has it for certain in between;
    from the beginning of the first to the end of the second it may have had it."""

    def __init__(self, notes):
        self.of_block = {}      # block -> list of (maybe from, surely from, surely until, maybe until, owner, unwritten)
        files = {}
        for begin, end, key, has in sorted(notes):
            files.setdefault(key, []).append((begin, end, has))
        forever = float("inf")
        for key, acts in files.items():
            for i, (begin, end, has) in enumerate(acts):
                sure, maybe = (acts[i + 1][0], acts[i + 1][1]) if i + 1 < len(acts) else (forever, forever)
                for start, stop, offset, unwritten in has:
                    for at in range(start, stop, BLOCK):
                        self.of_block.setdefault(at // BLOCK, []).append(
                            (begin, end, sure, maybe, (*key, offset + at - start), unwritten))

    def maybe(self, block, owner, t0, t1):
        return any(e[4] == owner and e[0] <= t1 and t0 <= e[3] for e in self.of_block.get(block, ()))

    def surely(self, block, t0, t1):
        """Owners that had it all the time."""
        spans = {}
        for begin, end, sure, maybe, owner, unwritten in self.of_block.get(block, ()):
            if end <= t1 and t0 <= sure:
                spans.setdefault(owner, []).append((end, sure, unwritten))
        return {(owner, s[0][2]) for owner, s in spans.items() if any(a <= t0 and t1 <= b for a, b, _ in s)}


class Asker:
    """One worker that is asked again and again."""

    def __init__(self, fs):
        self.fs = fs
        self.process = subprocess.Popen([WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        mount = json.loads(fs.saved.read_text())["mounts"][0]
        self.request = {"verb": "locate", "policy": {"mode": "observe", "protects": []}, "no_path": True,
                        "volume": {"device": fs.loop, "fs": fs.kind, "uuid": mount["uuid"], "mountpoint": str(fs.mount)}}

    def ask(self, start, length):
        extent = {"start": start, "length": length}
        t0 = time.monotonic()
        self.process.stdin.write(json.dumps(self.request | {"ranges": [{"range": extent, "bad": [extent]}]}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return t0, time.monotonic(), [o for f in answer["found"] for o in f["owners"]]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def judge(history, t0, t1, start, length, owners):
    """What is wrong with an answer; and how many blocks it was definite about."""
    covers(owners, start, length)
    wrong, definite = [], 0
    said = {}
    for block, owner in claimed(owners):
        said.setdefault(block, set()).add((owner[:3], owner[3]))
    shared = shared_blocks(owners)
    unknown = blocks_of(owners, "unknown")
    for block in range(start // BLOCK, (start + length) // BLOCK):
        mine = said.get(block, set())
        for owner, unwritten in mine:
            if not history.maybe(block, owner, t0, t1):
                wrong.append(f"block {block} was never {owner}'s in that time")
        if block in unknown:
            continue
        definite += 1
        sure = history.surely(block, t0, t1)
        missed = {o for o, _ in sure} - {o for o, _ in mine}
        if missed:
            wrong.append(f"block {block} was {missed}'s all the time; said: {mine or 'no file'}")
        if len({o for o, _ in sure}) > 1 and block not in shared:
            wrong.append(f"block {block} was shared all the time")
        for owner, unwritten in sure:
            if (owner, not unwritten) in mine:
                wrong.append(f"block {block} of {owner}: unwritten is {unwritten}")
    return wrong, definite


def test_changing(fs, reflink):
    rng = random.Random(SEED)
    filler = fs.mount / "filler"        # little is left: what is set free is somebody's again at once
    fd = os.open(filler, os.O_RDWR | os.O_CREAT)
    free = os.statvfs(fs.mount).f_bavail * BLOCK - (24 << 20)
    fallocate(fd, 0, 0, free)
    os.fsync(fd)
    now = extents(fd)
    kept = {(e.start // BLOCK, e.end // BLOCK) for e in now}
    notes = [(0, 0, (os.fstat(fd).st_ino, generation(fd)), [tuple(e) for e in now])]
    os.close(fd)
    elsewhere = [b for b in range(fs.size // BLOCK) if not any(a <= b < z for a, z in kept)]

    result = multiprocessing.Queue()
    changes, over = multiprocessing.Value("i"), multiprocessing.Event()
    children = [multiprocessing.Process(target=mutate, args=(fs.mount, i, reflink, changes, over, result)) for i in range(3)]
    for c in children:
        c.start()
    asker, answers, files = Asker(fs), [], 0
    began = time.monotonic()

    def enough():
        took = time.monotonic() - began
        return took > SECONDS and (changes.value >= ENOUGH["changes"] and files >= ENOUGH["blocks"] or took > SECONDS_MAX)

    try:
        while not enough():
            at = rng.choice(elsewhere)
            length = min(rng.choice([1, 1, 2, 8]), fs.size // BLOCK - at) * BLOCK
            t0, t1, owners = asker.ask(at * BLOCK, length)
            answers.append((t0, t1, at * BLOCK, length, owners))
            files += len(claimed(owners))
        over.set()
        for _ in children:
            more, error = result.get()
            assert not error, error
            notes += more
    finally:
        asker.close()
        for c in children:      # whatever happened: the file system has to be unmounted
            if sys.exc_info()[0]:
                c.kill()
            c.join()

    history = History(notes)
    wrong, definite, blocks = [], 0, 0
    for t0, t1, start, length, owners in answers:
        bad, known = judge(history, t0, t1, start, length, owners)
        wrong += bad
        definite += known
        blocks += length // BLOCK
    assert not wrong, f"{len(wrong)} wrong, in {len(answers)} answers: " + "; ".join(wrong[:5])
    assert len(notes) >= ENOUGH["changes"] and files >= ENOUGH["blocks"], f"nothing was seen: {len(notes)} changes, {files} blocks of files"
    assert definite > blocks / 2, f"only {definite} of {blocks} blocks have an answer"
    return f"{len(notes)} changes, {len(answers)} answers, {files} blocks of files, {definite} of {blocks} blocks definite"


def main():
    bind_libc()
    tests = [(f"{name}: {what.__name__[5:].replace('_', ' ')}", kind, mkfs, reflink, what, size)
             for name, (kind, mkfs, reflink) in KINDS.items()
             for what, size in ((test_at_rest, 1 << 30), (test_changing, 320 << 20))]
    tests = [t for t in tests if len(sys.argv) < 3 or sys.argv[2] in t[0]]
    own_mounts()

    def one(kind, mkfs, reflink, what, size):
        with LoopFs(WORKER, kind, size=size, mkfs=mkfs) as fs:
            return what(fs, reflink)

    return tap.run((name, lambda how=how: one(*how)) for name, *how in tests)


tap.main(main)
