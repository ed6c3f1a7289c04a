#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""writers.py WORKER [ROUNDS]: how long a worker takes for one repair with each writer, and for how long it freezes the file
system, on an XFS on a loop device (no DAX, no clearing of a medium: what is measured is what the worker does about it)."""

import statistics
import sys
import time
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "integration"))
import workerlab # pylint: disable=wrong-import-position

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 30
WAYS = {
    "pwrite, lease": {"writers": ("pwrite",), "exclusion": "lease"},
    "pwrite, optimistic": {"writers": ("pwrite",), "exclusion": "optimistic"},
    "block, freeze": {"writers": ("block",), "exclusion": "freeze"},
    "clone, lease": {"writers": ("clone",), "exclusion": "lease", "fault": None},
}


def say(what, usec):
    print(f"{what:28} median {statistics.median(usec) / 1000:.1f} ms, worst {max(usec) / 1000:.1f} ms (n = {len(usec)})")


def main():
    workerlab.prepare()
    with workerlab.tempfile.TemporaryDirectory(prefix="bezoar-bench-") as folder:
        lab = workerlab.Lab(Path(folder))
        try:
            for name, way in WAYS.items():
                took, frozen = [], []
                for _ in range(ROUNDS):
                    f = workerlab.File(lab)
                    found = f.locate()
                    started = time.monotonic()
                    answer = f.repair(found, **way)
                    took.append((time.monotonic() - started) * 1e6)
                    assert answer["state"] == "healed", answer
                    frozen += [answer["frozen_usec"]] if "frozen_usec" in answer else []
                    f.path.unlink()
                say(name, took)
                if frozen:
                    say("    of that frozen", frozen)
        finally:
            lab.close()


main()
