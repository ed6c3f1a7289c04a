#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scenarios with hundreds of files do to all of them at once, since starting a program for each takes too long in the guest.

    many.py make FOLDER COUNT BYTES         files of random bytes, each in one piece
    many.py print FOLDER                    what may not change: name, inode, size, time and digest, a line each
    many.py places FOLDER OFFSET            the sector of the device that has that byte of each file: "SECTOR NAME"
    many.py inject                          reads "ADDRESS LENGTH" lines: the firmware has these errors, and says so once
    many.py list FILE SECTOR STEP COUNT     puts sectors into a bad-block list, until it is full: says how many it took
    many.py count FOLDER                    cases of the ledger in FOLDER by state: "healed 512"
"""
import collections
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import struct
import sys

FS_IOC_FIEMAP = 0xC020660B
ND_IOCTL_CALL = 0xC0404E0A              # linux/ndctl.h; struct nd_cmd_pkg has 64 bytes
ARS_INJECT, NOTIFY = 7, 1               # ACPI 6.5, 9.20.7.9


def files(folder):
    return sorted(p for p in pathlib.Path(folder).iterdir() if p.is_file())


def make(folder, count, size):
    for i in range(int(count)):
        with open(f"{folder}/{i:04}", "wb") as f:
            os.posix_fallocate(f.fileno(), 0, int(size))
            f.write(os.urandom(int(size)))
    os.sync()


def told(folder):
    for p in files(folder):
        st = p.stat()
        yield p.name, st.st_ino, st.st_size, st.st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()


def tell(folder):
    for line in told(folder):
        print(*line)


def places(folder, offset):
    offset = int(offset)
    for p in files(folder):
        with open(p, "rb") as f:
            answer = fcntl.ioctl(f, FS_IOC_FIEMAP, struct.pack("=QQIIII56x", offset, 1, 0, 0, 1, 0))
        logical, physical = struct.unpack_from("=QQ", answer, 32)
        print((physical + offset - logical) // 512, p.name)


def call(bus, payload, size_out):
    package = struct.pack("=QQII36xI", 0, ARS_INJECT, len(payload), size_out, 0) + payload + bytes(size_out)
    answer = fcntl.ioctl(bus, ND_IOCTL_CALL, bytearray(package))
    if answer < 0:
        raise OSError(-answer, "ND_CMD_CALL")


def inject(errors):
    with open("/dev/ndctl0", "r+b", buffering=0) as bus:
        for i, (address, length) in enumerate(errors):
            call(bus, struct.pack("=QQB", address, length, NOTIFY if i == len(errors) - 1 else 0), 4)


def fill(attribute, sector, step, entries):
    for i in range(int(entries)):
        try:
            with open(attribute, "w") as f:
                f.write(f"{int(sector) + i * int(step)} 1\n")
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
            break
    print(i)


def count(folder):
    cases = [json.loads(p.read_text()) for p in pathlib.Path(folder).glob("*.json")]
    states = collections.Counter(c["state"] for c in cases)
    for state, n in sorted(states.items()):
        print(state, n)


def inject_these():
    inject([tuple(map(int, line.split())) for line in sys.stdin])


if __name__ == "__main__":
    {"make": make, "print": tell, "places": places, "inject": inject_these, "list": fill, "count": count}[sys.argv[1]](*sys.argv[2:])
