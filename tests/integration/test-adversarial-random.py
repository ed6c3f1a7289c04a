#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Wrong replicas at random: files, places, losses, rules, one to four replicas and what was done to each, before the case is
located or between that and the repair; and what came of it against what the model allows. A wrong byte on the medium that the
rule could have kept away fails at once, with the seed that makes the case again.

    test-adversarial-random.py WORKER MAKE-PLAN FETCH [--count N | --minutes N] [--seed N] [--only N]

The same as ADVERSARIAL_COUNT, ADVERSARIAL_MINUTES and ADVERSARIAL_SEED in the environment. Root, mkfs.xfs and loop devices
are needed; else all is skipped, with the reason."""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import tap
import workerlab
from adversary import ALIASES, FORMS, Copy, Lab, Store, Victim, Wrong, new_counts, run_case, say
from tap import Skip, Tap
from workerlab import PAGE, SECTOR

POLICIES = ("seal,identity+neighbours",) * 4 + (
    "identity+neighbours", "identity+neighbours", "seal", "quorum", "quorum+neighbours", "seal,quorum+neighbours",
    "identity+quorum", "neighbours", "identity", "quorum,identity+neighbours")
SLOW = ("stacked", "eio", "bind-mount", "renaming")     # forms that mount something, or race: seldom
LIES = ("too-much", "too-little", "nothing", "fails-after", "has-none", "says-stale", "later", "not-a-number", "shrinks")
PER_SECOND = (1, 99, 100, 1000, 10**4, 10**6, 10**9 - 1, 10**9, 3600 * 10**9)


def somewhere(f, rng):
    """An offset in the file, most often near what is interesting."""
    around = [f.offset, f.offset + PAGE, f.offset - 65536, f.offset + PAGE + 65536, f.size, *(x for a in f.lost() for x in a)]
    at = rng.choice(around) + rng.choice((-1, 0, 0, 1, -SECTOR, SECTOR)) if rng.random() < 0.7 else rng.randrange(f.size)
    return min(max(at, 0), f.size - 1)


def in_lost(f, rng):
    a, b = rng.choice(list(f.lost()))
    return rng.randrange(a, b)


def put(c, at, data):
    data = data[:max(0, len(c.data) - at)]
    c.data[at:at + len(data)] = data


def flip(c, f, rng, at=None):
    at = somewhere(f, rng) if at is None else at
    if at < len(c.data):
        c.data[at] ^= 1 << rng.randrange(8)


def flip_lost(c, f, rng):
    flip(c, f, rng, in_lost(f, rng))


def rewrite(c, f, rng):
    put(c, somewhere(f, rng), rng.randbytes(rng.choice((1, 8, SECTOR, PAGE))))


def rewrite_page(c, f, rng):
    put(c, rng.randrange((f.size + PAGE - 1) // PAGE) * PAGE, rng.randbytes(PAGE))


def rewrite_lost(c, f, rng):
    for a, b in f.lost():
        put(c, a, rng.randbytes(b - a))


def hole(c, f, rng):
    put(c, somewhere(f, rng) // SECTOR * SECTOR, bytes(rng.choice((SECTOR, PAGE, 4 * PAGE))))


def destroyed(c, f, _rng):
    for a, b in f.lost():
        put(c, a, b"\xdb" * (b - a))


def cut(c, f, rng):
    at = somewhere(f, rng)
    if c.kind == "block":       # images are read in whole pages
        at = at // PAGE * PAGE
    del c.data[at:]


def longer(c, _f, rng):
    c.data += rng.randbytes(rng.choice((1, SECTOR, PAGE)))


def shift(c, f, rng):
    n = rng.choice((1, SECTOR, PAGE))
    c.data[:] = (c.data[-n:] + c.data[:-n])[:len(c.data)]


def swap(c, f, rng):
    n = rng.choice((1, SECTOR, PAGE))
    if len(c.data) < 2 * n:
        return
    a, b = (min(somewhere(f, rng), len(c.data) - n) // n * n for _ in range(2))
    x, y = bytes(c.data[a:a + n]), bytes(c.data[b:b + n])
    put(c, a, y)
    put(c, b, x)


def other(c, _f, rng):
    c.data[:] = rng.randbytes(len(c.data))


def clock(c, _f, rng):
    c.mtime += rng.choice((-1, 1)) * rng.choice(PER_SECOND)


def rounded(c, _f, rng):
    to = rng.choice((100, 1000, 10**4, 10**6, 10**9))
    c.mtime = c.mtime // to * to + rng.choice((0, 0, to))


def nothing(_c, _f, _rng):
    pass


def another_form(c, _f, rng):
    if c.kind == "exec":
        c.form = rng.choice(LIES)
    elif c.kind == "mirror":
        c.form = rng.choice([x for x in FORMS if x not in (*SLOW, *ALIASES)] if rng.random() < 0.9 else SLOW)


CHANGES = (nothing, flip, flip, flip_lost, flip_lost, rewrite, rewrite, rewrite_page, rewrite_lost, hole, destroyed, cut, longer, shift,
           swap, other, clock, clock, rounded, another_form)


def some_sectors(rng):
    bad = sorted(rng.sample(range(8), rng.choice((1, 1, 1, 2, 3, 8))))
    return tuple((s, 1) for s in bad) if len(bad) < 8 else ((0, 8),)


class Adversary:
    def __init__(self, files, seed):
        self.files, self.seed, self.ways = files, seed, Counter()

    def copies(self, f, rng, kinds):
        """Each copy begins as the right one, or as one of those before it: what is wrong is often wrong in two places."""
        copies = []
        for kind in kinds:
            if copies and kind == copies[0].kind == "mirror" and copies[0].form == "file" and rng.random() < 0.1:
                copies.append(copies[0].twin())
                copies[-1].form = rng.choice(("alias-link", "alias-hard"))
                self.ways["alias"] += 1
                continue
            if copies and rng.random() < 0.3:
                c = rng.choice(copies).twin()
                c.kind, c.form = kind, "file"
            else:
                c = Copy(bytearray(f.data), f.before.st_mtime_ns, kind)
            for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
                change = rng.choice(CHANGES)
                self.ways[change.__name__] += 1
                change(c, f, rng)
            if kind == "block" and len(c.data) < f.size:
                del c.data[len(c.data) // PAGE * PAGE:]
            copies.append(c)
        return copies

    def case(self, number, counts):
        rng = random.Random(f"{self.seed}.{number}")
        f = rng.choice(self.files)
        policy = rng.choice(POLICIES)
        sectors, page = some_sectors(rng), rng.randrange((f.size + PAGE - 1) // PAGE)
        if page * PAGE + sectors[0][0] * SECTOR >= f.size:
            sectors = ((0, 1),)
        kinds = rng.choices(("mirror", "block", "exec"), (80, 15, 5), k=rng.choice((1, 1, 1, 2, 2, 3, 4)))
        more = {}
        if rng.random() < 0.3:
            late = random.Random(rng.random())
            more["late"] = lambda f: self.copies(f, late, kinds)

        def before(f):
            if more and rng.random() < 0.8: # so that there is a plan
                return [Copy(bytearray(f.data), f.before.st_mtime_ns, k) for k in kinds]
            return self.copies(f, rng, kinds)

        good = [page * PAGE + i for i in (0, 511, 4095, 2048) if not any(a <= i // SECTOR < a + n for a, n in sectors)
                and page * PAGE + i < f.size]
        if not more and good and rng.random() < 0.1:
            more["store"] = Store(rng.choice(good))
        return run_case(f.lab, f, counts, page, sectors, policy, before, **more)


def run(lab, options):
    sizes = [{"pages": 40, "tail": 1000}, {"pages": 40}, {"pages": 3, "tail": 17}, {"pages": 1}, {"pages": 80, "tail": 4095},
             {"pages": 0, "tail": 700}, {"pages": 40, "zeros": True}]
    rng = random.Random(1)
    files = [Victim(lab, nsec=rng.choice((0, 100, 123456789, 999999999, 5000, 10**9 - 1000)), **s) for s in sizes for _ in range(2)]
    lab.seal(files[::2])
    adversary, counts = Adversary(files, options.seed), new_counts()
    numbers = [options.only] if options.only is not None else range(options.count or sys.maxsize)
    end = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    bad, began, told = [], time.monotonic(), time.monotonic()
    for number in numbers:
        if time.monotonic() > end:
            break
        if time.monotonic() > told + 60:
            told = time.monotonic()
            Tap.note(say(counts))
        try:
            adversary.case(number, counts)
        except Skip:
            counts["skipped"] += 1
        except AssertionError as e:
            bad.append(f"--seed {options.seed} --only {number}: {'WRONG BYTES: ' if isinstance(e, Wrong) else ''}{e}")
            Tap.note(bad[-1])
            if len(bad) == options.failures:
                break
    Tap.note(say(counts))
    Tap.note(f"{len(bad)} were not what the model allows; {sum(adversary.ways.values())} changes to replicas, in "
             f"{time.monotonic() - began:.0f} s, seed {options.seed}")
    assert not bad and counts["wrong"] == 0, "\n".join(bad)
    assert counts["cases"] < 100 or counts["healed"] > 0 < counts["refused"], f"nothing was tried: {say(counts)}"


def main():
    env = os.environ
    p = argparse.ArgumentParser()
    p.add_argument("program", nargs=3)
    p.add_argument("--count", type=int, default=int(env.get("ADVERSARIAL_COUNT", "0")))
    p.add_argument("--minutes", type=float, default=float(env.get("ADVERSARIAL_MINUTES", "0")))
    p.add_argument("--seed", type=int, default=int(env.get("ADVERSARIAL_SEED", "1")))
    p.add_argument("--only", type=int)
    p.add_argument("--failures", type=int, default=10)
    options = p.parse_args()
    if not options.minutes and not options.count:
        options.count = 1500
    workerlab.prepare()
    with tempfile.TemporaryDirectory(prefix="bezoar-adversarial-") as folder:
        lab = Lab(Path(folder))
        try:
            return tap.run([("what becomes of files whose replicas are wrong at random", lambda: run(lab, options))])
        finally:
            lab.close()


if __name__ == "__main__":
    tap.main(main)
