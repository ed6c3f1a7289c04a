# SPDX-License-Identifier: LGPL-2.1-or-later
"""The NVDIMMs, and the files on them that the scenario power-cuts has (cuts.py)."""
import fcntl
import mmap
import os
import pathlib
import struct
import subprocess
import time

import many
from hostside import ask

PAGE, SECTOR, PAGES = 4096, 512, 16
FICLONE = 0x40049409
KEPT = pathlib.Path("/srv/kept")                # the second disk: outlives a cut as far as it was flushed
BUS = pathlib.Path("/sys/bus/nd/devices")
DAX_BYTES = 1 << 20                             # of the device, that are looked at


def run(*words):
    print(f"{time.monotonic():.3f}", *words, flush=True)
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


# --- where things are

class Medium:
    """An NVDIMM. Addresses are physical; names of regions and disks change from boot to boot."""

    def __init__(self, number):
        self.number = number
        for region in BUS.glob("region*"):
            nmem = (region / "mapping0").read_text().split(",")[0]
            if int((BUS / nmem / "nfit/handle").read_text(), 0) == number + 1:
                self.region = region
        self.base = int((self.region / "resource").read_text(), 0)
        digits = self.region.name.removeprefix("region")
        for claim in BUS.glob(f"*{digits}.*/resource"):
            if claim.parent.name.startswith(("pfn", "dax")) and (claim.parent / "namespace").read_text().strip():
                self.start, self.is_dax = int(claim.read_text(), 0), claim.parent.name.startswith("dax")
                self.disk = claim.parent.name if self.is_dax else f"pmem{digits}"

    def listed(self):
        """[(first byte, behind the last)…] that the kernel lists."""
        file, base = (self.region / "badblocks", self.base) if self.is_dax else (pathlib.Path(f"/sys/block/{self.disk}/badblocks"), self.start)
        runs = (map(int, line.split()) for line in file.read_text().splitlines())
        return [(base + s * SECTOR, base + (s + n) * SECTOR) for s, n in runs]


MEDIA = {}


def medium(number):
    if number not in MEDIA:
        MEDIA[number] = Medium(number)
    return MEDIA[number]


def overlaps(runs, at, length=PAGE):
    return any(start < at + length and at < end for start, end in runs)


class File:
    """A file, and perhaps another one that shares its blocks."""

    def __init__(self, kind, folder, number=0, shared=False, absent=False):
        self.kind, self.number, self.shared, self.absent = kind, number, shared, absent
        self.path = pathlib.Path(folder) / kind
        self.snapshot = pathlib.Path("/srv/pmem/snapshot") / kind
        self.mirror = KEPT / "mirror" / folder.strip("/") / kind
        self.truth = KEPT / "truth" / kind

    def names(self):
        return [self.path] + [self.snapshot] * self.shared

    def make(self, rnd):
        for p in [self.path.parent, self.mirror.parent, self.truth.parent] + [self.snapshot.parent] * self.shared:
            p.mkdir(parents=True, exist_ok=True)
        for p in self.names():
            p.unlink(missing_ok=True)
        self.path.write_bytes(rnd.randbytes(PAGES * PAGE))
        if self.shared:
            with self.path.open("rb") as ours, self.snapshot.open("wb") as theirs:
                fcntl.ioctl(theirs, FICLONE, ours.fileno())
        st = self.path.stat()
        for copy in (self.mirror, self.truth):
            copy.write_bytes(self.path.read_bytes())
            os.utime(copy, ns=(st.st_atime_ns, st.st_mtime_ns))

    def draw_page(self, rnd):
        return rnd.randrange(PAGES) * PAGE

    def place(self, offset, name=None):
        """The physical address; None: there is no block."""
        with (name or self.path).open("rb") as f:
            answer = fcntl.ioctl(f, many.FS_IOC_FIEMAP, struct.pack("=QQIIII56x", offset, 1, 1, 0, 1, 0))
        if not struct.unpack_from("=I", answer, 20)[0]:
            return None
        logical, physical = struct.unpack_from("=QQ", answer, 32)
        return medium(self.number).start + physical + offset - logical

    def read(self, name, healed=False):
        """Its pages; None where that fails. A file that shares its blocks may be read by way of the page cache, where a large folio fails as
        a whole: unless all shall be healed, what the page itself has counts then."""
        pages, buffer = [], mmap.mmap(-1, PAGE)
        with name.open("rb", buffering=0) as f, open(os.open(name, os.O_RDONLY | os.O_DIRECT), "rb", buffering=0) as direct:
            for offset in range(0, os.fstat(f.fileno()).st_size, PAGE):
                try:
                    pages.append(os.pread(f.fileno(), PAGE, offset))
                except OSError:
                    try:
                        os.preadv(direct.fileno(), [buffer], offset)
                        pages.append(None if healed else buffer[:])
                    except OSError:
                        pages.append(None)
        return pages

    def write(self, offset, data):
        """Whether it could be. Who shares lost bytes with others cannot write them."""
        try:
            with self.path.open("r+b", buffering=0) as f:
                os.pwrite(f.fileno(), data, offset)
                os.fsync(f.fileno())
        except OSError:
            return False
        self.tell_truth(offset, data)
        return True

    def tell_truth(self, offset, data):
        with self.truth.open("r+b") as f:
            f.seek(offset)
            f.write(data)


class Device(File):
    """A device-dax. Loads from it never fail: the kernel does not ask its list there."""

    def __init__(self, kind, number):
        super().__init__(kind, "device", number)
        self.mirror = KEPT / "image"

    @property
    def path(self):
        return pathlib.Path("/dev") / medium(self.number).disk

    @path.setter
    def path(self, _):
        pass

    def map(self):
        with self.path.open("r+b", buffering=0) as f:
            return mmap.mmap(f.fileno(), DAX_BYTES)

    def make(self, rnd):
        """Only once; later what newer data there is, is no more."""
        self.truth.parent.mkdir(parents=True, exist_ok=True)
        if not self.mirror.exists():
            self.mirror.write_bytes(rnd.randbytes(DAX_BYTES))
            os.truncate(self.mirror, int((pathlib.Path("/sys/bus/dax/devices") / medium(self.number).disk / "size").read_text()))
        with self.mirror.open("rb") as f:
            data = f.read(DAX_BYTES)
        self.truth.write_bytes(data)
        with self.map() as m:
            m[:] = data

    def draw_page(self, rnd):
        return rnd.randrange(4, DAX_BYTES // PAGE - 4) * PAGE

    def place(self, offset, name=None):
        return medium(self.number).start + offset

    def read(self, name, healed=False):
        listed = medium(self.number).listed()
        with self.map() as m:
            return [None if overlaps(listed, self.place(at)) else m[at:at + PAGE] for at in range(0, DAX_BYTES, PAGE)]

    def write(self, offset, data):
        with self.map() as m:
            m[offset:offset + PAGE] = data
        self.tell_truth(offset, data)
        return True


FILES = [File("pwrite", "/srv/pmem/db"), File("revive", "/srv/pmem/db", absent=True), File("block", "/srv/pmem/db", shared=True),
         File("clone", "/srv/pmem/db", shared=True, absent=True), File("punch", "/srv/pmem/punch"),
         File("pwrite-ext4", "/srv/pmem.ext4/db", 1), Device("clear", 2)]
BY_KIND = {f.kind: f for f in FILES}
