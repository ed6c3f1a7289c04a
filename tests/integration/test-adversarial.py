#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The table of wrong replicas (ways.py), each way under each rule, before the case is located and between that and the repair.
What the table says must be what the model says and what the real worker does.

Root, mkfs.xfs and loop devices are needed; else all is skipped, with the reason."""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

import tap
import workerlab
from adversary import Busy, Copy, Lab, Store, Victim, new_counts, run_case, say
from workerlab import PAGE, SECTOR, run
from ways import A_BIT, BUSY, RULES, SECTORS, TOGETHER, WAYS, both, form, image, nothing

OUTCOME = {"h": "healed", "r": "refused", "b": "beyond"}
COUNTS, HERE = new_counts(), {}
NSEC = 987654321        # of the times of the files: each cut is another time


def right(f, kind="mirror"):
    return Copy(bytearray(f.data), f.before.st_mtime_ns, kind)


def wrong(f, *changes):
    copies = []
    for change in changes:
        c = right(f)
        change(c, f, random.Random(7))
        copies.append(c)
    return copies


def victim(sealed):
    return HERE["sealed" if sealed else "plain"]


def expect(f, policy, changes, letter, what, **more):
    """What a way says must be what comes of it."""
    got = run_case(f.lab, f, COUNTS, 20, SECTORS, policy, more.pop("before", lambda f: wrong(f, *changes)), **more)
    assert got == OUTCOME[letter], f"{what}: {got}, and the table says {OUTCOME[letter]}"


def way(change, letters):
    def test(_lab):
        for rule, letter in zip(RULES, letters):
            f = victim(rule.sealed)
            changes = [change] * rule.replicas
            expect(f, rule.proof, changes, letter, f"Proof={rule.proof}")
            if rule.letter in "ISQ":
                expect(f, rule.proof, changes, letter, f"Proof={rule.proof}, once the plan was made",
                       before=lambda f, c=changes: [right(f, x.kind) for x in wrong(f, *c)], late=lambda f, c=changes: wrong(f, *c))
    return test


def together(changes, policy, sealed, letter):
    def test(_lab):
        expect(victim(sealed), policy, changes, letter, f"Proof={policy}")
    return test


def busy(sectors):
    """Copies that are right but for what has been stored since, and copies that are older in the lost sector, too."""
    def test(_lab):
        for rule in RULES:
            f = victim(rule.sealed)
            for change in (nothing, A_BIT):
                expect(f, rule.proof, [change] * rule.replicas, "r", f"Proof={rule.proof}", busy=Busy(*sectors))
    return test


# ---- what others say once the plan was made; which one is taken ----

def late(policy, letter, *changes, sealed=False):
    """All are right when the plan is made."""
    expect(victim(sealed), policy, changes, letter, f"Proof={policy}", late=lambda f: wrong(f, *changes),
           before=lambda f: [right(f, c.kind) for c in wrong(f, *changes)])


def test_others_are_heard(_lab):
    "another replica than the planned one comes to contradict it: refused; that it went away speaks against nobody"
    for policy in ("identity+neighbours", "neighbours", "identity"):
        late(policy, "r", nothing, A_BIT)
        late(policy, "r", nothing, nothing, A_BIT)
        late(policy, "h", nothing, form("no-mirror"))
        late(policy, "h", nothing, form("hangs", "exec"))
    late("quorum", "r", nothing, nothing, A_BIT)
    late("seal,identity+neighbours", "h", nothing, A_BIT, sealed=True)


def test_order(lab):
    "replicas are taken in the order of their proof in Proof=, and among equals as they are named"
    IMAGE, WRONG_TIME = image, (lambda c, f, rng: setattr(c, "mtime", c.mtime - 10**10))
    table = [
        ("identity+neighbours,neighbours", (IMAGE, nothing), 1),
        ("neighbours,identity+neighbours", (IMAGE, nothing), 0),
        ("identity+neighbours", (nothing, nothing), 0),
        ("identity+neighbours", (WRONG_TIME, nothing, nothing), 1),
        ("identity+neighbours,quorum", (IMAGE, WRONG_TIME, nothing), 2),
        ("quorum,identity+neighbours", (IMAGE, WRONG_TIME, nothing), 0),
        ("quorum+identity,neighbours", (IMAGE, WRONG_TIME, nothing, nothing), 2),
        ("identity,neighbours", (IMAGE, both(image), WRONG_TIME), 0),
    ]
    f = victim(False)
    for policy, changes, number in table:
        got = []
        lab.planner.heard = lambda answer, got=got: got.append(answer["plan"]["replica"])
        try:
            expect(f, policy, changes, "h", f"Proof={policy}")
        finally:
            lab.planner.heard = None
        assert got == [f.replicas[number]], f"Proof={policy}: {got[0]} and not number {number} of {f.replicas}"


# ---- the file is special ----

def case(f, letter, policy, *changes, page=20, sectors=SECTORS, **more):
    got = run_case(f.lab, f, COUNTS, page, sectors, policy, lambda f: wrong(f, *changes), **more)
    assert got == OUTCOME[letter], f"Proof={policy}: {got}"


def sparse(c, f, _rng):
    c.data[:] = bytes(f.size)


def some(c, f, rng):
    c.data[f.offset + 3 * SECTOR:f.offset + 4 * SECTOR] = rng.randbytes(SECTOR)


def same(_c, _f, _rng):
    pass


def test_zeros(_lab):
    "a file of zeroes: a copy that was never written is right; zeroes around other bytes prove little, and all that there is"
    case(HERE["zeros"], "h", "identity+neighbours", sparse)
    case(HERE["zeros"], "b", "identity+neighbours", some)


def test_lone_page(_lab):
    "a file of one page that is lost as a whole has no neighbours: only its identity, a quorum or a seal can speak"
    lone = {"page": 0, "sectors": ((0, 8),)}
    case(HERE["lone"], "r", "identity+neighbours", same, **lone)
    case(HERE["lone"], "r", "neighbours", same, **lone)
    case(HERE["lone"], "h", "identity", same, **lone)
    case(HERE["lone"], "h", "quorum", same, same, **lone)
    case(HERE["lone"], "b", "identity", some, **lone)


def test_few_neighbours(_lab):
    "a file of 700 bytes whose first sector is lost: 188 bytes are too few to prove anything"
    case(HERE["short"], "r", "identity+neighbours", same, page=0, sectors=((0, 1),))
    case(HERE["short"], "h", "identity+neighbours", same, page=0, sectors=((1, 1),))


def test_renaming(_lab):
    "another version takes its name again and again while it is read: the right one, or nothing"
    def renaming(c, f, rng):
        c.form = "renaming"
        c.data[f.offset + PAGE:f.offset + 2 * PAGE] = rng.randbytes(PAGE)
        some(c, f, rng)
    for policy, name in (("identity+neighbours", "plain"), ("neighbours", "plain"), ("seal", "sealed")) * 10:
        run_case(HERE[name].lab, HERE[name], COUNTS, 20, SECTORS, policy, lambda f: wrong(f, renaming))


def test_store(_lab):
    "a good byte of the page is stored to once the plan was made: no replica has it, so none is right"
    for policy, name, letter in (("identity+neighbours", "plain", "r"), ("seal", "sealed", "r"), ("identity", "plain", "r")):
        f = HERE[name]
        case(f, letter, policy, same, store=Store(20 * PAGE + 5))
        case(f, letter, policy, same, store=Store(20 * PAGE + 4 * SECTOR))


def test_reused_inode(lab):
    "the file was removed, and another one has its inode: it is not the file that lost the bytes"
    f = Victim(lab, pages=40)
    f.lose_at(20, SECTORS)
    inode = f.path.stat().st_ino
    f.replicas = [f"mirror:{lab.folder}"]
    (lab.folder / f.name).write_bytes(f.data)
    os.utime(lab.folder / f.name, ns=(0, f.before.st_mtime_ns))
    found = f.locate()
    f.path.unlink()
    f.link.unlink()
    run("sync", "-f", lab.mount)
    time.sleep(0.5)         # XFS gives inodes back in the background
    for i in range(200):
        other = lab.mount / f"other{i}"
        other.touch()
        if other.stat().st_ino == inode:
            break
    else:
        raise tap.Skip("the inode was not used again")
    other.write_bytes(lab.random.randbytes(f.size))
    other.rename(f.path)
    os.utime(f.path, ns=(0, f.before.st_mtime_ns))
    data = f.path.read_bytes()
    with f.path.open("rb") as o:
        os.fsync(o.fileno())
    f.relist()
    answer = f.repair(found)
    assert answer["state"] == "detected" and answer["reason"] == "changed", answer
    f.drop()
    assert f.path.read_bytes() == data


def tests():
    for name, change, letters in WAYS:
        assert letters[1] != "b"
        yield f"{letters} {name}", way(change, letters)
    for name, changes, policy, sealed, letter in TOGETHER:
        yield f"{letter} several: {name}", together(changes, policy, sealed, letter)
    yield from tap.tests_of(globals())
    for name, sectors in BUSY:          # last: the files are not as they were sealed after that
        yield f"r stored to: {name}", busy(sectors)


def main():
    workerlab.prepare()
    with tempfile.TemporaryDirectory(prefix="bezoar-adversarial-") as folder:
        lab = Lab(Path(folder))
        half = {"pages": 40, "tail": PAGE // 2, "nsec": NSEC}
        HERE.update(plain=Victim(lab, **half), sealed=Victim(lab, **half), zeros=Victim(lab, zeros=True, **half),
                    lone=Victim(lab, pages=1), short=Victim(lab, pages=0, tail=700))
        lab.seal([HERE["sealed"]])
        chosen = [t for t in tests() if len(sys.argv) < 5 or sys.argv[4] in t[0]]
        status = workerlab.run_all(lab, chosen)
    tap.Tap.note(f"{len(WAYS) - 1} ways to be wrong, {len(TOGETHER)} of several together, {len(BUSY)} places that are "
          f"stored to; {say(COUNTS)}")
    return status


if __name__ == "__main__":
    tap.main(main)
