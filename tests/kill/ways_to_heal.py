# SPDX-License-Identifier: LGPL-2.1-or-later

"""The repairs that are cut short, one for each writer and what else makes a difference: what is lost, what is allowed, how it must end."""

import fcntl
import mmap
import os

import killlab
from killlab import must
from workerlab import FICLONE, PAGE, File


class Way:
    """One page of a file on XFS, one sector of it lost, under a lease: the writer `pwrite`."""

    name, kind = "pwrite", "xfs"
    victims = ("worker", "daemon", "both")
    roles = ("worker", "daemon")
    settings = {}
    file = {"sectors": ((3, 1),)}
    keeps_times = True      # no kill moves the file's time
    prior = None            # a kill that has come before

    def make(self, lab):
        f = File(lab, **self.file)
        lab.protect(f, **self.settings)
        return f

    def final(self, case):
        return case["state"] == "healed"

    def moment(self, f):
        killlab.check_moment(f)

    def between(self, f):
        """What happens between the kill and the next start."""

    def check_file(self, f):
        must(f.page() == f.right(), "the device has not the right bytes")
        f.drop()
        must(f.path.read_bytes() == f.data, "the file has not the right bytes")
        now = f.path.stat()
        must((now.st_size, now.st_ino) == (f.size, f.before.st_ino), now)
        must(now.st_mtime_ns == f.before.st_mtime_ns or not self.keeps_times, "the file's time has moved")
        must(killlab.lease_can_be_had(f.path), "somebody has a lease on it, or has it open")

    def end(self, f):
        killlab.check_leftovers(f.lab)
        must(not killlab.listed(f.lab), "poison is left")
        self.check_file(f)
        cases = f.lab.cases()
        must(len(cases) == 1 and cases[0]["state"] == "healed", cases)

    def clean(self, f):
        f.lab.list.write_text("")
        f.path.unlink(missing_ok=True)


class LastPage(Way):
    """The page that the file ends in, which is written whole, and the file cut back."""

    name = "last-page"
    file = {"tail": 1000, "page": 40, "sectors": ((1, 1),)}
    keeps_times = False


class TwoPagesFile(File):
    """Of two pages, the end of the first and the begin of the second are lost."""

    def page(self):
        return self.lab.device(self.at, 2 * PAGE)

    def right(self):
        return self.data[self.offset:self.offset + 2 * PAGE]


class TwoPages(Way):
    """Two steps of one case: the first is done, or both."""

    name = "two-pages"

    def make(self, lab):
        f = TwoPagesFile(lab, sectors=((7, 2),))
        lab.protect(f, **self.settings)
        return f


class Block(Way):
    """Two sectors of a page that two files share, through the block device of the frozen file system."""

    name = "block"
    victims = ("worker", "daemon", "both", "all")
    roles = ("worker", "guardian", "daemon")
    settings = {"Exclusion": "freeze"}
    file = {"sectors": ((2, 1), (6, 1))}

    def make(self, lab):
        f = super().make(lab)
        f.other = lab.mount / f"{f.name}.shares"
        share(f.path, f.other)
        f.drop()
        return f

    def check_file(self, f):
        super().check_file(f)
        must(f.other.read_bytes() == f.data, "the other file has not the right bytes")

    def clean(self, f):
        super().clean(f)
        f.other.unlink(missing_ok=True)


class Clone(Way):
    """A page that two files share, and that a machine check has taken away: both get another block."""

    name = "clone"
    file = {"sectors": ((0, 8),)}
    settings = {"Exclusion": "lease"}

    def make(self, lab):
        f = super().make(lab)
        f.other = lab.mount / f"{f.name}.shares"
        share(f.path, f.other)
        f.drop()
        lab.take_away(f.at)
        return f

    def final(self, case):
        return case["state"] == "healed" or (case["state"] == "harmless" and case.get("reason") == "parked")

    def moment(self, f):
        must(f.page() == f.destroyed(), "the bad block was written to")

    def end(self, f):
        lab = f.lab
        killlab.check_leftovers(lab)
        for path in (f.path, f.other):
            must(path.read_bytes() == f.data, f"{path} has not the right bytes")
        now = f.path.stat()
        must((now.st_size, now.st_ino, now.st_mtime_ns) == (f.size, f.before.st_ino, f.before.st_mtime_ns), now)
        must(f.page() == f.destroyed(), "the bad block was written to")
        owners = [p for p in lab.mount.rglob("*") if p.is_file() and killlab.owns(p, f.at)]
        must(len(owners) == 1 and ".bezoar" in owners[0].parts, f"the bad block is {owners}'s")
        must(sorted(c["state"] for c in lab.cases()) == ["harmless", "healed"], lab.cases())

    def clean(self, f):
        super().clean(f)
        f.other.unlink(missing_ok=True)
        for p in (f.lab.mount / ".bezoar").glob("ag*/park-*"):
            p.unlink()


class Punch(Way):
    """A hole is punched, and the page written to whatever block the file is given then; the poison is free space, or the file's no more."""

    name = "punch"
    settings = {"Writer": "punch"}
    keeps_times = False

    def final(self, case):
        return case["state"] in ("healed", "harmless")

    def moment(self, f):
        """Where the file has its block, as always. Where it has none, or another one, a hole tells nobody: the intent must."""
        f.drop()
        if killlab.owns(f.path, f.at):
            killlab.check_moment(f)
        else:
            must(f.lab.intents() or f.path.read_bytes() == f.data, "wrong bytes can be read, and no intent tells of it")

    def end(self, f):
        killlab.check_leftovers(f.lab)
        f.drop()
        must(f.path.read_bytes() == f.data, "the file has not the right bytes")
        now = f.path.stat()
        must((now.st_size, now.st_ino) == (f.size, f.before.st_ino), now)
        must(not killlab.owns(f.path, f.at) or not killlab.listed(f.lab), "the file has a poisoned block")
        must([c["state"] for c in f.lab.cases()].count("healed") == 1, f.lab.cases())


class Revive(Way):
    """A page of one file that a machine check has taken away: stored through a mapping, declared lost once more, written."""

    name = "revive"
    file = {"sectors": ((0, 8),)}
    settings = {"Writer": "revive"}
    keeps_times = False

    def make(self, lab):
        f = super().make(lab)
        lab.take_away(f.at)
        return f

    def end(self, f):
        super().end(f)
        must(not f.lab.absent.exists(), "the page is absent still")


class Ext4(Way):
    """ext4 moves the time of a file with each write; under the lease it is put back."""

    name, kind = "ext4", "ext4"
    keeps_times = False


class Newer(Way):
    """Between the kill and the next start a program writes the page anew, which clears it: its bytes stay."""

    name = "newer"
    victims = ("both",)

    def final(self, case):
        return case["state"] in ("healed", "gone")

    def between(self, f):
        new = bytes(b ^ 0x5a for b in f.right())
        with f.path.open("r+b") as file:
            os.pwrite(file.fileno(), new, f.offset)
            os.fsync(file.fileno())
        f.lab.list.write_text("")
        f.data = f.data[:f.offset] + new + f.data[f.offset + PAGE:]

    def end(self, f):
        killlab.check_leftovers(f.lab)
        must(not killlab.listed(f.lab), "poison is left")
        f.drop()
        must(f.path.read_bytes() == f.data, "newer bytes were lost")
        must(len(f.lab.cases()) <= 1, f.lab.cases())


class NewerUntraced(Newer):
    """A program stores through a mapping, of which the file's time tells nothing: to the bytes that were lost, if they are back, and to
    good ones beside them, if they are not."""

    name = "newer-untraced"

    def final(self, case):
        return case["state"] in ("healed", "gone", "in-doubt", "refused")

    def between(self, f):
        lost = killlab.is_listed(f.lab, f.bad[0]["start"])
        at = f.offset + (0 if lost else f.bad[0]["start"] - f.at)
        with f.path.open("r+b") as file, mmap.mmap(file.fileno(), f.size) as m:
            m[at:at + 8] = b"newer!!!"
            m.flush()
            os.fsync(file.fileno())
        os.utime(f.path, ns=(0, f.before.st_mtime_ns))
        f.drop()
        f.data = f.data[:at] + b"newer!!!" + f.data[at + 8:]
        f.still_lost = lost

    def end(self, f):
        must(not f.lab.is_frozen(), "the file system is frozen")
        must(killlab.listed(f.lab) if f.still_lost else not killlab.listed(f.lab), killlab.listed(f.lab))
        must(f.page() == (f.destroyed() if f.still_lost else f.right()), "newer bytes were lost")
        case, = f.lab.cases()
        must(case["state"] == "refused" if f.still_lost else case["state"] != "refused", case)
        must(f.lab.intents() or case["state"] != "in-doubt", "the record of a case in doubt was removed")


def after(call, at=1, when="after", kill="both", role="worker"):
    return {"call": call, "at": at, "when": when, "kill": kill, "role": role}


class Twice(Way):
    """Killed before the page was written; then the settlement, and what comes after it, is killed."""

    name = "twice-unwritten"
    victims = ("both",)
    prior = after("pwrite64", when="before")


class TwiceWritten(Twice):
    """… after it was written."""

    name = "twice-written"
    prior = after("pwrite64")


class TwiceEnded(Twice):
    """… after the intent had ended, and before anybody was told."""

    name = "twice-ended"
    prior = after("renameat", at=2)


class TwiceFrozen(Block):
    """… all of them while the file system was frozen: it is frozen still when the daemon is started again."""

    name = "twice-frozen"
    victims = ("all",)
    prior = after("ioctl", kill="all")


class TwiceAbsent(Revive):
    """… after the first write had cleared the page and written nothing."""

    name = "twice-absent"
    victims = ("both",)
    prior = after("pwrite64")


class TwiceStored(Revive):
    """… after the bytes had been stored through the mapping."""

    name = "twice-stored"
    victims = ("both",)
    prior = after("pread64")


def share(path, other):
    with path.open("rb") as old, other.open("wb") as new:
        fcntl.ioctl(new, FICLONE, old.fileno())
        os.fsync(new.fileno())


WAYS = [Way(), LastPage(), TwoPages(), Block(), Clone(), Punch(), Revive(), Ext4(), Newer(), NewerUntraced(), Twice(), TwiceWritten(), TwiceEnded(),
        TwiceFrozen(), TwiceAbsent(), TwiceStored()]
