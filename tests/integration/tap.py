# SPDX-License-Identifier: LGPL-2.1-or-later
"""TAP, for every test that is written in Python. A failure is explained on standard error: that is what meson shows of a failed test, and
the only thing that is left of one which failed on somebody else's machine."""
import sys
import traceback

FRAMES, LINES = 8, 60           # the last ones of a traceback, and of what an exception says


class Skip(Exception):
    """It cannot be done here; the reason."""


def explain(name, why):
    """`why`: an exception, or text."""
    if isinstance(why, BaseException):
        text = [f"{type(why).__name__}: {why}", *(f"    {frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}: {frame.line}"
                                                 for frame in traceback.extract_tb(why.__traceback__)[-FRAMES:])]
    else:
        text = [why]
    lines = "\n".join(text).splitlines()
    if len(lines) > LINES:
        lines[LINES // 2:-LINES // 2] = [f"… {len(lines) - LINES} lines …"]
    print("\n  ".join([f"{name}:", *lines]), file=sys.stderr, flush=True)


class Tap:
    """One result after the other, of as many as were planned."""

    def __init__(self, planned):
        self.number = self.failed = 0
        print(f"1..{planned}", flush=True)

    def _say(self, verdict, name, more=""):
        self.number += 1
        print(f"{verdict} {self.number} - {name}{more}", flush=True)

    def ok(self, name, note=None):
        if note:
            self.note(note)
        self._say("ok", name)

    def skip(self, name, why):
        self._say("ok", name, f" # SKIP {why}")

    def fail(self, name, why):
        self.failed += 1
        self._say("not ok", name)
        explain(name, why)

    @staticmethod
    def note(text):
        print("\n".join(f"# {line}" for line in str(text).splitlines()), flush=True)

    def status(self):
        """The exit status."""
        return 1 if self.failed else 0


def run(tests, before=None, failed=None):
    """Runs pairs of a name and a function, which may return a note; the exit status. `before` is called before each, and may skip it;
    `failed` after each that failed."""
    tests = list(tests)
    out = Tap(len(tests))
    for name, test in tests:
        try:
            if before:
                before()
            out.ok(name, test())
        except Skip as skip:
            out.skip(name, skip)
        except Exception as e:          # pylint: disable=broad-except
            out.fail(name, e)
            if failed:
                failed()
    return out.status()


def tests_of(names, word=None):
    """(sentence, function) of all functions of a module that are called test_…, in order; only those with the word in either."""
    found = [(f.__doc__ and f.__doc__.split("\n")[0] or n, f) for n, f in names.items() if n.startswith("test_")]
    return [(name, f) for name, f in found if not word or word in name or word in f.__name__]


def main(function):
    """Ends the program with the exit status that it returns; where nothing can be done, all is skipped."""
    try:
        sys.exit(function())
    except Skip as skip:
        print(f"1..0 # SKIP {skip}")
        sys.exit(0)
