# SPDX-License-Identifier: LGPL-2.1-or-later
"""How scenarios ended, kept in a folder for tests/vm/table: one file a kernel, {"scenario": {"verdict", "why", "seconds", "version"}}.
A run replaces what it ran again, and leaves the rest."""
import fcntl
import json

KERNELS = ("6.1", "6.12", "7.2")        # of tests/vm/image


def load(folder, kernel):
    try:
        return json.loads((folder / f"{kernel}.json").read_text())
    except FileNotFoundError:
        return {}


def note(outcomes, folder, kernel, version):
    """Passes the outcomes on, each noted as soon as it is there: who ends a run early keeps what it found out."""
    folder.mkdir(parents=True, exist_ok=True)
    for o in outcomes:
        with (folder / f"{kernel}.lock").open("w") as lock:     # two parts of a suite may run side by side
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = load(folder, kernel)
            known[o.name] = {"verdict": o.verdict, "why": o.why, "seconds": round(o.seconds, 1), "version": version}
            new = folder / f"{kernel}.json.new"
            new.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
            new.replace(folder / f"{kernel}.json")
        yield o
