#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""test-faults-daemon.py BEZOARD FAULT-AT [--every=N]: each system call of the daemon fails once, with each error that it can give, from
its first to where a page is healed and a client has asked for it. The worker only pretends.

Whatever fails: the daemon does not crash. It may end, if it says why, as where its state folder cannot be used; started again it goes on.
Else it goes on by itself, and in the end the case is healed in the ledger and on the bus, no descriptor is left open, and it ends when it is
told to. Without --every all of it is done; with it, one fault of N."""

import concurrent.futures
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
EVERY = next((int(a[8:]) for a in sys.argv if a.startswith("--every=")), 1)
PROGRAM, FAULT_AT = [a for a in sys.argv[1:] if not a.startswith("--")][:2]
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import tap                                              # noqa: E402
from daemon import Daemon, Ended                        # noqa: E402
from edges import Program, choose, faults               # noqa: E402
from privatebus import Failed, PrivateBus               # noqa: E402

SIDE_BY_SIDE = 6
GOOD = {"locate": "one-file", "repair": "healed"}


class Faulty(Daemon):
    """Below fault-at, from its first call on."""
    first = None

    def spawn(self, argv, **more):
        more["pass_fds"] = ()
        self.faulted = Program(FAULT_AT, argv, first=self.first, own=True, **more)
        return self.faulted.process

    def stop(self, sig=signal.SIGTERM):
        os.kill(self.faulted.pid, sig)
        code = self.process.wait(60)
        self.process = None
        return code


class World:
    """A daemon with a bad page, on a bus of its own."""

    def __init__(self, first):
        self.bus = PrivateBus()
        self.daemon = Faulty(PROGRAM, config="[Bezoar]\nRescanIntervalSec=10s\n", **GOOD)
        self.daemon.bus, self.daemon.first = self.bus.address, first
        self.daemon.poison((801, 1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.daemon.process:
            try:
                os.kill(self.daemon.faulted.pid, signal.SIGKILL)
            except (OSError, IndexError):
                pass
        self.daemon.__exit__()
        self.bus.__exit__()

    def start(self):
        """Whether it was ready at the first try."""
        try:
            self.daemon.start()
            return True
        except Ended as e:
            status = e.args[0]
            assert status >= 0, f"it died of signal {-status}"
            assert status != 99, f"fault-at failed: {self.daemon.text()}"
            assert self.daemon.text().strip(), "it ended without a word"
            self.daemon.first = None
            self.daemon.start()
            return False

    def told(self):
        """Whether a client is told how it ended. The daemon may lose the bus while it asks, and comes back."""
        client = self.bus.connect()
        try:
            return client.manager("ListCases", "a{sv}", {"closed": ("b", True)})
        except Failed:
            return False
        finally:
            client.close()

    def descriptors(self):
        """Without what is open only while it is read."""
        kept = None
        for _ in range(3):
            now = Counter(x.replace(str(self.daemon.root), "") for x in self.daemon.faulted.descriptors())
            kept = now if kept is None else kept & now
            time.sleep(0.1)
        return sorted(kept.elements())

    def live(self):
        """Until all is well and it has ended. What it had open before."""
        d = self.daemon
        # A daemon that does not hear how a repair ended finds nothing listed when it looks.
        d.wait("healed", lambda: [c["state"] for c in d.cases()] in (["healed"], ["gone"]), 150)
        d.wait("on the bus", self.told, 150)
        assert d.badblocks() == "", d.badblocks()
        descriptors = self.descriptors()
        status = d.stop()
        assert status == 0, f"exit status {status}"
        return descriptors


def well():
    """The calls, without a fault; and the descriptors."""
    with World("record") as w:
        w.start()
        d = w.daemon
        d.wait("healed", lambda: "healed" in [c["state"] for c in d.cases()])
        d.wait("on the bus", w.told)
        return d.faulted.calls()


def usual():
    with World(None) as w:
        w.start()
        return w.live()


def one(fault, descriptors):
    """What was wrong, or None."""
    try:
        with World(fault) as w:
            first = w.start()
            try:
                now = w.live()
            except AssertionError:
                # It may also end later, for a reason that it tells; then somebody starts it again.
                if w.daemon.process.poll() is None or w.daemon.process.returncode <= 0:
                    raise
                w.daemon.first = None
                w.daemon.start()
                now = w.live()
            # A client that asked may not be quite gone.
            extra = [x for x in now if x not in descriptors]
            assert not extra and len(now) <= len(descriptors) + 1, f"descriptors: {now}, not {descriptors}"
            return None, first
    except AssertionError as e:
        return f"{fault}: {e}", True
    except Exception:                   # pylint: disable=broad-except
        return f"{fault}: {traceback.format_exc()}", True


def not_ours(what, error):
    """A configuration that may not be read is told, and stays so until somebody reloads."""
    return error in ("EACCES", "EROFS", "ENOSPC") and (what.endswith(".conf") or what in ("bezoar.conf.d", "protect.d", "credentials.d"))


def loading(calls):
    """How many calls the loader makes before the daemon begins; without memory it crashes."""
    return next(i for i, (call, _) in enumerate(calls) if call not in ("access", "mmap", "newfstatat", "openat", "pread64", "read"))


def every_call():
    if os.geteuid() != 0:
        raise tap.Skip("needs root")
    descriptors = usual()
    calls = well()
    chosen = choose(faults(calls, not_ours, loading(calls)), EVERY)
    threading.stack_size(1 << 20)
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        ends = list(pool.map(lambda f: one(f, descriptors), chosen))
    # Six daemons at once on a busy machine may be late; alone, what is wrong is so again.
    suspects = [(fault, why) for fault, (why, _) in zip(chosen, ends) if why]
    bad = [why for why in (one(fault, descriptors)[0] for fault, _ in suspects) if why]
    tap.Tap.note("\n".join([f"{len(calls)} calls, {len(chosen)} faults, {sum(not first for _, first in ends)} daemons ended at their start, "
                            f"{len(bad)} bad", *bad, *(f"at first: {why}" for _, why in suspects)]))
    assert not bad, "\n".join(bad)


sys.exit(tap.run([("every call of the daemon", every_call)]))
