# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which bytes of the NVDIMMs are lost: what a real module knows of itself, also after a power cut, and what the emulated one, whose
list is a variable of the ACPI table, forgets.

The table tells each change over an I/O port, which QEMU writes to a file (nvdr.asl, TELR): records of nine bytes, two 32-bit numbers
(first unit, units) and "+" (lost) or "-" (cleared). It does so before the kernel learns that something was cleared, hence before
the kernel copies the new bytes there. A unit is 256 bytes of physical memory."""
import struct

UNIT = 256
RECORD = struct.Struct("<IIc")


class Poison:
    def __init__(self, path):
        self.path, self.units = path, set()
        self.read = 0                   # bytes of the file

    def renew(self):
        """All memory is new."""
        self.path.write_bytes(b"")
        self.units, self.read = set(), 0

    def restart(self):
        """The machine was off: of a record that it had begun nothing is left."""
        self._follow()
        self.read = self.path.stat().st_size

    def add(self, start, length):
        """A machine check: the CPU has found lost bytes that no firmware reports."""
        self._follow()
        self.units.update(range(start // UNIT, (start + length) // UNIT))

    def ranges(self):
        """What is lost now: [(first byte, bytes)…] of physical memory."""
        self._follow()
        found = []
        for unit in sorted(self.units):
            if found and found[-1][0] + found[-1][1] == unit * UNIT:
                found[-1][1] += UNIT
            else:
                found.append([unit * UNIT, UNIT])
        return [tuple(f) for f in found]

    def _follow(self):
        with open(self.path, "rb") as f:
            f.seek(self.read)
            data = f.read()
        for at in range(0, len(data) - RECORD.size + 1, RECORD.size):
            start, length, what = RECORD.unpack_from(data, at)
            change = self.units.update if what == b"+" else self.units.difference_update
            change(range(start, start + length))
            self.read += RECORD.size
