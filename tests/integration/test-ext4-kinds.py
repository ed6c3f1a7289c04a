#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Files of ext4 that are not like the others: hard links, quota, encryption, fs-verity. Whose their blocks are, by the worker.

Root, mkfs.ext4 and loop devices are needed; else all is skipped, with the reason."""

import fcntl
import os
import struct
import sys

import tap
from loopfs import LoopFs, extents, own_mounts, run

WORKER = sys.argv[1]
ADD_KEY, SET_POLICY, ENABLE_VERITY = 0xC0506617, 0x800C6613, 0x40806685


def file_with(path, data=b"x" * 40960):
    path.write_bytes(data)
    with path.open("rb") as f:
        os.fsync(f.fileno())
        return extents(f.fileno())[0].start, os.fstat(f.fileno()).st_ino


def test_hard_links():
    "all names of a file, wherever they are, in one answer; other files have none of them"
    with LoopFs(WORKER, "ext4", size=128 << 20, mkfs=("-b", "4096")) as fs:
        for folder in ("a", "b/c", "d"):
            (fs.mount / folder).mkdir(parents=True)
        start, inode = file_with(fs.mount / "b/c/one")
        for name in ("a/\nnew line", "d/two"):
            os.link(fs.mount / "b/c/one", fs.mount / name)
        alone, other = file_with(fs.mount / "d/alone")
        names = [str(fs.mount / n).replace("\n", "\\x0a") for n in ("a/\nnew line", "b/c/one", "d/two")]
        owner, = fs.locate(start, 4096)
        assert owner["inode"] == inode and owner["names"] == names and owner["path"] == names[0], owner
        owner, = fs.locate(alone, 4096)
        assert owner["inode"] == other and owner["path"] == str(fs.mount / "d/alone") and "names" not in owner, owner

        os.unlink(fs.mount / "b/c/one")
        owner, = fs.locate(start, 4096)
        assert owner["names"] == [names[0], names[2]], owner


def test_quota():
    "the files that the kernel keeps its accounts in are metadata, and files are found as ever"
    with LoopFs(WORKER, "ext4", size=128 << 20, mkfs=("-b", "4096", "-O", "quota")) as fs:
        start, inode = file_with(fs.mount / "file")
        owner, = fs.locate(start, 4096)
        assert owner["type"] == "file" and owner["inode"] == inode, owner
        run("sync", "-f", fs.mount)
        block = int(run("debugfs", "-R", "blocks <3>", fs.loop).split()[0])
        owner, = fs.locate(block * 4096, 4096)
        assert owner["type"] == "metadata" and owner["detail"] == "quota file", owner


def encrypt(folder):
    """A new folder whose files are encrypted, by a key that the mounted file system has from now on."""
    spec = struct.pack("=II32s", 2, 0, bytes(32))
    key = bytearray(spec + struct.pack("=II32s", 64, 0, bytes(32)) + b"k" * 64)
    fd = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, ADD_KEY, key)
        identifier = bytes(key[8:24])
        folder.mkdir()
        at = os.open(folder, os.O_RDONLY)
        try:
            fcntl.ioctl(at, SET_POLICY, struct.pack("=BBBBB3s16s", 2, 1, 4, 3, 0, bytes(3), identifier))
        finally:
            os.close(at)
    except OSError as e:
        raise tap.Skip(f"no encryption here: {e}")
    finally:
        os.close(fd)


def test_encrypted():
    "encrypted files are nobody's that could be healed: neither with the key nor without it"
    with LoopFs(WORKER, "ext4", size=128 << 20, mkfs=("-b", "4096", "-O", "encrypt")) as fs:
        encrypt(fs.mount / "closed")
        start, closed = file_with(fs.mount / "closed/file")
        plain, inode = file_with(fs.mount / "open")
        for again in range(2):
            owner, = fs.locate(start, 4096)
            assert owner["type"] == "unknown" and "an encrypted file" in owner["detail"] and owner["inode"] == closed, owner
            owner, = fs.locate(plain, 4096)
            assert owner["type"] == "file" and owner["inode"] == inode, owner
            fs.remount()        # and the key is gone


def test_verity():
    "a file that fs-verity has closed is found, its tree is metadata, and nobody can open it for writing"
    with LoopFs(WORKER, "ext4", size=128 << 20, mkfs=("-b", "4096", "-O", "verity")) as fs:
        path = fs.mount / "file"
        start, inode = file_with(path)
        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, ENABLE_VERITY, struct.pack("=IIIIQIIQ11Q", 1, 1, 4096, 0, 0, 0, 0, 0, *[0] * 11))
            tree = extents(fd)[-1]
        except OSError as e:
            raise tap.Skip(f"no fs-verity here: {e}")
        finally:
            os.close(fd)
        owner, = fs.locate(start, 4096)
        assert owner["type"] == "file" and owner["inode"] == inode, owner
        owner = fs.locate(tree.end - 4096, 4096)[0]
        assert owner["type"] == "metadata" and "fs-verity" in owner["detail"], owner
        try:
            os.close(os.open(path, os.O_RDWR))
        except PermissionError:
            return
        raise AssertionError("it was opened for writing")


def main():
    own_mounts()
    return tap.run(tap.tests_of(globals()))


tap.main(main)
