# SPDX-License-Identifier: LGPL-2.1-or-later

"""A file system on a loop device, the worker asked about it by hand, and the forward map to compare its answers with: every
extent of every file, by FIEMAP. For tests and for tests/bench."""

import ctypes
import fcntl
import json
import os
import struct
import subprocess
import tempfile
from collections import namedtuple
from pathlib import Path

from tap import Skip

BLOCK = 4096
FIEMAP, FIGETVERSION = 0xC020660B, 0x80087601
FIEMAP_SYNC = 1
LAST, UNKNOWN, DELALLOC, INLINE, UNWRITTEN, SHARED = 0x1, 0x2, 0x4, 0x200, 0x800, 0x2000
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **more).stdout


def own_mounts():
    """From now on mounts are this process's own, and end with it."""
    if os.geteuid() != 0:
        raise Skip("needs root, for loop devices and mounts")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        raise Skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")


class LoopFs:
    """Makes one when there is no image yet; unmounts and detaches at the end of the block."""

    def __init__(self, worker, kind, image=None, size=1 << 30, mkfs=(), options=()):
        self.worker, self.kind, self.options = worker, kind, options
        self.top = Path(tempfile.mkdtemp(prefix="bezoar-loop-", dir="/var/tmp"))
        self.mount = self.top / "mnt"
        self.image = Path(image) if image else self.top / "image"
        self.loop = None
        self.mount.mkdir()
        try:
            if not image:
                with self.image.open("wb") as f:
                    f.truncate(size)
                run(f"mkfs.{kind}", *(["-F"] if kind.startswith("ext") else []), "-q", *mkfs, self.image)
            self.loop = run("losetup", "--find", "--show", self.image).strip()
            self.remount()
        except (OSError, subprocess.CalledProcessError) as e:
            self.close()
            raise Skip(f"no {kind} {' '.join(mkfs)} on a loop device: {getattr(e, 'stderr', '') or e}".strip().replace("\n", " "))
        self.size = int(run("blockdev", "--getsize64", self.loop))
        self.topology()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.mount.is_mount():
            run("umount", self.mount)
        if self.loop:
            run("losetup", "--detach", self.loop)
        # Name by name: what removes folders with all that is in them would empty a kept image, if it is still mounted.
        self.mount.rmdir()
        for leftover in self.top.iterdir():
            leftover.unlink()
        self.top.rmdir()

    def remount(self, *more):
        """With cold caches: nothing of the file system is in memory. `more`: mount options."""
        if self.mount.is_mount():
            run("umount", self.mount)
            Path("/proc/sys/vm/drop_caches").write_text("3")
        run("mount", "-t", self.kind, "-o", ",".join(["defaults", *self.options, *more]), self.loop, self.mount)

    def topology(self):
        """A machine that has this loop device for persistent memory."""
        st = os.stat(self.loop)
        data = {"start": 1 << 32, "length": self.size}
        disk = Path(self.loop).name
        self.saved = self.top / "topology.json"
        self.saved.write_text(json.dumps({
            "regions": [{"name": "region0", "bus": "ndbus0", "physical": data, "dimms": ["nmem0"]}],
            "namespaces": [{"name": "namespace0.0", "region": "region0", "mode": "fsdax", "disk": disk, "data": data}],
            "disks": [{"name": disk, "node": self.loop, "major": os.major(st.st_rdev), "minor": os.minor(st.st_rdev),
                       "size": self.size, "logical_block_size": 512, "badblocks": True}],
            "links": [],
            "mounts": [{"disk": disk, "mountpoint": str(self.mount), "root": "/", "fs": self.kind,
                        "uuid": run("blkid", "-o", "value", "-s", "UUID", self.loop).strip(), "options": "rw"}]}))

    def by_hand(self, start, length, *more):
        """The command line that locates one range."""
        return [self.worker, "locate", f"--device={self.loop}", f"--range={start}+{length}", f"--topology={self.saved}", *more]

    def locate(self, start, length, *more):
        """The owners of a range, by hand; the answer is for whole pages."""
        answer = json.loads(run(*self.by_hand(start, length, *more)))
        return [o for f in answer["found"] for o in f["owners"]]

    def locate_many(self, ranges):
        """The same of many ranges in one request: a list of owners for all."""
        page = [{"range": {"start": s, "length": n}, "bad": [{"start": s, "length": n}]} for s, n in ranges]
        volume = json.loads(self.saved.read_text())["mounts"][0]
        request = {"verb": "locate", "volume": {"device": self.loop, "fs": self.kind, "uuid": volume["uuid"],
                                                "mountpoint": str(self.mount)},
                   "policy": {"mode": "observe", "protects": []}, "ranges": page, "no_path": True}
        # Lines may come first that tell that the search goes on.
        answer = json.loads(run(self.worker, input=json.dumps(request) + "\n").splitlines()[-1])
        return [o for f in answer["found"] for o in f["owners"]]


Extent = namedtuple("Extent", "start end offset unwritten")     # bytes on the device; offset in the file


def extents(fd, sync=True):
    """All extents that a file has on the device."""
    room, at, found = 256, 0, []
    while True:
        b = bytearray(struct.pack("=QQLLLL", at, 2**64 - 1 - at, FIEMAP_SYNC if sync else 0, 0, room, 0) + bytes(56 * room))
        fcntl.ioctl(fd, FIEMAP, b)
        n = struct.unpack_from("=L", b, 20)[0]
        for i in range(n):
            logical, physical, length, _, _, flags = struct.unpack_from("=QQQQQL", b, 32 + 56 * i)
            if not flags & (UNKNOWN | DELALLOC | INLINE):
                found.append(Extent(physical, physical + length, logical, bool(flags & UNWRITTEN)))
            at = logical + length
            if flags & LAST:
                return found
        if n == 0:
            return found


def generation(fd):
    b = bytearray(8)
    fcntl.ioctl(fd, FIGETVERSION, b)
    return struct.unpack_from("=L", b)[0]


class ForwardMap:
    """Whose every block is that some regular file has: block number -> set of (inode, generation, offset, unwritten)."""

    def __init__(self, top):
        self.blocks = {}
        self.files = 0
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    continue
                fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
                try:
                    inode, gen = os.fstat(fd).st_ino, generation(fd)
                    for e in extents(fd):
                        for at in range(e.start, e.end, BLOCK):
                            self.blocks.setdefault(at // BLOCK, set()).add((inode, gen, e.offset + at - e.start, e.unwritten))
                finally:
                    os.close(fd)
                self.files += 1

    def expected(self, start, length):
        """(block, owner) of everything that files have in a range of whole blocks."""
        return {(b, o) for b in range(start // BLOCK, (start + length + BLOCK - 1) // BLOCK) for o in self.blocks.get(b, ())}


def claimed(owners):
    """The same out of an answer."""
    return {(at // BLOCK, (o["inode"], o["generation"], o["offset"] + at - o["start"], o.get("unwritten", False)))
            for o in owners if o["type"] == "file"
            for at in range(o["start"], o["start"] + o["length"], BLOCK)}


def shared_blocks(owners):
    return {at // BLOCK for o in owners if o["type"] == "file" and o.get("shared")
            for at in range(o["start"], o["start"] + o["length"], BLOCK)}
