#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What a user can do who owns files of the protected tree, or writes to the tree that is its mirror: exchange files for links while they are
being repaired, thousands of times; link foreign files into it; mount over it; make files that are huge, or have names that are no text. After
each repair the lost page has its own bytes or still the destroyed ones, and every other file what it had.

Root, mkfs.xfs and loop devices are needed; else all is skipped, with the reason."""

import ctypes
import multiprocessing
import os
import shutil
from contextlib import contextmanager

from tap import Skip, tests_of
from workerlab import PAGE, SECTOR, File, expect, extent, run, run_tests

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2
ROUNDS = 25             # repairs while somebody is at it …
TIMES = 2000            # … who has done it so often at least


@contextmanager
def again_and_again(*steps):
    """Another process takes the steps, one after the other, without end; the value counts. At the end all have been taken equally often."""
    count, stop = multiprocessing.Value("L", 0), multiprocessing.Event()

    def work():
        while not stop.is_set() or count.value % len(steps):
            steps[count.value % len(steps)]()
            count.value += 1

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        yield count
    finally:
        stop.set()
        process.join()
    assert process.exitcode == 0, "whoever was at it failed"


def exchange(a, b):
    """Two names change places, in one go."""
    a, b = os.fsencode(a), os.fsencode(b)

    def step():
        assert LIBC.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0, os.strerror(ctypes.get_errno())

    return step


class Others:
    """What other files have, and still must have."""

    def __init__(self, *paths):
        self.files = [(p, p.read_bytes(), p.stat().st_mtime_ns) for p in paths]

    def check(self):
        for path, data, mtime in self.files:
            with path.open("rb") as f:
                os.fsync(f.fileno())
                os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            assert path.read_bytes() == data, f"{path} was written to"
            assert path.stat().st_mtime_ns == mtime


def tempting(f, path):
    """A file that would pass for f's copy, if only it were read: the same size, time, and bytes, but for those that are lost."""
    data = bytearray(f.data)
    for b in f.bad:
        at = f.offset + b["start"] - f.at
        data[at:at + b["length"]] = b"!" * b["length"]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    shutil.copystat(f.path, path)
    return path


def repairs(f, lab, count, others, wanted=0):
    """Loses the page and has it repaired, until both sides have done enough, and so many were healed. How many were."""
    healed = left = 0
    while healed + left < ROUNDS or count.value < TIMES or healed < wanted:
        answer = lab.finish(lab.worker(f.request("locate", ranges=[{"range": {"start": f.at, "length": PAGE}, "bad": f.bad}])))[-1]
        assert "found" in answer, answer
        found, lost = answer["found"][0], f.destroyed()
        if found["owners"][0]["type"] == "file":
            answer = f.repair(found)
            assert "error" in answer or answer["state"] in ("healed", "refused", "waiting", "failed"), answer
        page = f.page()
        assert page in (f.right(), lost), "the device has bytes of somebody else"
        assert page == f.right() or answer.get("state") != "healed", answer
        others.check()
        if page == f.right():
            healed += 1
            f.lose(((3, 1),))
        else:
            left += 1
            f.relist()
            f.drop()
        for p in lab.intents():
            p.unlink()
    print(f"# {healed} healed, {left} not, while others were at it {count.value} times")
    lab.list.write_text("")
    return healed


# ---- the mirror's tree ----

def test_mirror_link(lab):
    "the copy is exchanged for a link that leads out of the mirror, to a file that would pass"
    f = File(lab)
    secret = tempting(f, lab.folder / "outside" / f.name)
    link = f.mirrors[0] / "link"
    link.symlink_to(secret)
    with again_and_again(exchange(f.copy, link)) as count:
        repairs(f, lab, count, Others(secret), wanted=1)


def test_mirror_folder(lab):
    "a folder on the way to the copy is exchanged for a link that leads out of the mirror"
    f = below(File(lab), "d")
    secret = tempting(f, lab.folder / "outside.d" / f.name)
    link = f.mirrors[0] / "link"
    link.symlink_to(secret.parent)
    with again_and_again(exchange(f.mirrors[0] / "d", link)) as count:
        repairs(f, lab, count, Others(secret), wanted=1)


# ---- the protected tree ----

def below(f, folder):
    """Moves a file and its copies into a folder."""
    for top in (f.lab.mount, *f.mirrors):
        (top / folder).mkdir(exist_ok=True)
        (top / f.name).rename(top / folder / f.name)
    f.path = f.lab.mount / folder / f.name
    return f


def foreign(lab, name):
    """A file of somebody else, with a copy in the same mirror."""
    path = lab.mount / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lab.random.randbytes(40 * PAGE))
    return path


def test_tree_link(lab):
    "the file is exchanged for a link to a foreign one: the inode is what counts"
    f = below(File(lab), "e")
    other = foreign(lab, "foreign1")
    hidden = f.path.with_name("hidden")
    hidden.symlink_to(other)
    shutil.copy2(f.mirrors[0] / "e" / f.name, f.mirrors[0] / "e" / "hidden")
    keep = f.path.with_name("kept")                 # by which the test finds it
    keep.hardlink_to(f.path)
    shutil.copy2(f.mirrors[0] / "e" / f.name, f.mirrors[0] / "e" / "kept")
    f.path, was = keep, f.path
    f.before = keep.stat()
    with again_and_again(exchange(was, hidden)) as count:
        repairs(f, lab, count, Others(other), wanted=1)


def test_tree_folder(lab):
    "the folder of the file is exchanged for a link to one that has a foreign file of that name"
    f = below(File(lab), "g")
    other = foreign(lab, f"h/{f.name}")
    link = lab.mount / "link-to-h"
    link.symlink_to(other.parent)
    keep = lab.mount / f"kept-{f.name}"
    keep.hardlink_to(f.path)
    shutil.copy2(f.mirrors[0] / "g" / f.name, f.mirrors[0] / keep.name)
    f.path = keep
    f.before = keep.stat()
    with again_and_again(exchange(lab.mount / "g", link)) as count:
        repairs(f, lab, count, Others(other), wanted=1)


class Elsewhere(File):
    """A file that is outside of what is protected."""

    def request(self, verb, **more):
        request = super().request(verb, **more)
        request["policy"]["protects"][0]["path"] = str(self.lab.mount / "protected")
        return request


def test_hard_link(lab):
    "a foreign file is linked into the protected tree and out again, and its mirror has other bytes under that name"
    (lab.mount / "protected").mkdir()
    f = Elsewhere(lab)
    name = lab.mount / "protected" / "mine"
    trap = f.mirrors[0] / "mine"
    trap.write_bytes(bytes(f.size))
    shutil.copystat(f.path, trap)
    with again_and_again(lambda: name.hardlink_to(f.path), name.unlink) as count:
        assert repairs(f, lab, count, Others(trap)) == 0


def test_mounted_over(lab):
    "something else is mounted over the file system: it is not taken for it"
    f = File(lab)
    found = f.locate()
    run("mount", "-t", "tmpfs", "none", lab.mount)
    try:
        trap = lab.mount / f.name
        trap.write_bytes(bytes(f.size))
        answers = [f.repair(found)]
        answers += lab.finish(lab.worker(f.request("locate", ranges=[{"range": {"start": f.at, "length": PAGE}, "bad": f.bad}])))
        assert trap.read_bytes() == bytes(f.size)
        assert f.page() == f.destroyed()
        assert answers[0].get("state") != "healed", answers
        assert not any(o["type"] == "file" for a in answers[1:] for r in a.get("found", ()) for o in r["owners"]), answers
    finally:
        run("umount", lab.mount)
    f.check_untouched()


def test_giant(lab):
    "a file of 1 TiB that has one page: as quick as any"
    f = File(lab)
    size, offset = 1 << 40, (1 << 40) - 4 * PAGE
    f.path, f.copy_path = lab.mount / "giant", f.mirrors[0] / "giant"
    f.data = lab.random.randbytes(PAGE)
    try:
        for path in (f.path, f.copy_path):
            with path.open("wb") as out:
                out.truncate(size)
                out.seek(offset)
                out.write(f.data)
                os.fsync(out.fileno())
    except OSError as e:
        raise Skip(f"no files of 1 TiB here: {e}") from e
    shutil.copystat(f.path, f.copy_path)
    f.at = extent(f.path, offset)
    f.lose(((3, 1),))
    expect(f.repair(), "healed")
    assert lab.device(f.at, PAGE) == f.data
    f.path.unlink()


def test_names(lab):
    "names that are no text, or too much of it, heal like any, and come in one line"
    for name in (b"\x1b[2J\nx", b"\xff\xfe\xc0", b"-rf", b" ", b"a" * 255, "\u202egnp".encode()):
        f = File(lab)
        for top in (lab.mount, f.mirrors[0]):
            os.rename(os.fsencode(top / f.name), os.path.join(os.fsencode(top), name))
        f.path = lab.mount / os.fsdecode(name)
        found = f.locate()
        assert all(" " <= c for c in found["owners"][0]["path"]), found
        expect(f.repair(found), "healed")
        assert lab.device(f.at, SECTOR * 8) == f.right()
        f.path.unlink()
        lab.list.write_text("")


run_tests(tests_of(globals()))
