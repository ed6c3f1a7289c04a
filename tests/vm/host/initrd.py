# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the guest gets at boot: the ACPI table, the staged installation and the lab itself.

All of it travels in one uncompressed cpio in front of the image's initrd: the kernel looks for ACPI tables only there, and the
initrd copies the rest (below payload/) to the root file system before systemd starts, so nothing has to be reloaded."""
import os
import pathlib
import stat
import subprocess

PAYLOAD = "payload"


class Cpio:
    """A writer of the "newc" format, as far as the kernel's unpacker wants it. Everything belongs to root."""

    def __init__(self, file):
        self.file, self.seen, self.inode = file, set(), 0

    def _entry(self, name, mode, data=b""):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self.file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, name):
        if name and name not in self.seen:
            self.folder(os.path.dirname(name))
            self.seen.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o644):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def add_tree(self, source, name):
        for path in sorted(pathlib.Path(source).rglob("*")):
            inside = f"{name}/{path.relative_to(source)}"
            if path.is_symlink():
                self.folder(os.path.dirname(inside))
                self._entry(inside, stat.S_IFLNK | 0o777, os.readlink(path).encode())
            elif path.is_dir():
                self.folder(inside)
            else:
                self.add(inside, path.read_bytes(), stat.S_IMODE(path.stat().st_mode))

    def close(self):
        self._entry("TRAILER!!!", 0)


def compile_table(source, work):
    """Compiles the ACPI table and returns its bytes."""
    r = subprocess.run(["iasl", "-p", work / "nvdr", source], capture_output=True, text=True)
    if r.returncode != 0:
        raise RuntimeError(f"iasl: {r.stdout}{r.stderr}")
    return (work / "nvdr.aml").read_bytes()


def build(target, base, table, trees):
    """Writes the initrd: `trees` maps a folder of the guest to a folder here."""
    with open(target, "wb") as f:
        cpio = Cpio(f)
        cpio.add("kernel/firmware/acpi/nvdr.aml", table)
        for inside, source in trees.items():
            # Debian's /lib and /sbin are links into /usr, and unpacking must not replace them.
            for part in sorted(pathlib.Path(source).iterdir()) if inside == "" else [pathlib.Path(source)]:
                name = inside or (f"usr/{part.name}" if part.name in ("bin", "lib", "lib64", "sbin") else part.name)
                if part.is_dir():
                    cpio.add_tree(part, f"{PAYLOAD}/{name}")
        cpio.close()
        f.write(base.read_bytes())
