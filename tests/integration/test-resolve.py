#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operator takes on: bezoarctl resolve --accept, --zero and --ignore, and Preview and Resolve below them, with the real daemon on a
bus of its own and a worker that pretends. That exactly what was shown is written is for test-worker-word.py."""
import importlib.machinery, importlib.util, json, os, pathlib, pty, select, time

from daemon import LIMIT, run
from privatebus import MANAGER, Connection, Polkit


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(pathlib.Path(__file__).parent / f"{name}.py"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


ctl, bus = load("test-ctl"), load("test-bus")
MIRROR = "mirror:/srv/mirror"
STALE = {"replica": MIRROR, "state": "held", "witness": "differ", "witness_at": 5}
TOKEN = "ab" * 32               # the worker's, for everything
ACCEPT, ZERO = f"accept:{TOKEN}:{MIRROR}", f"zero:{TOKEN}"
WHO = f"uid {os.geteuid()}"


class Stale(ctl.Machine):
    """One case, refused because the replica is stale."""

    def __init__(self, program, state="refused", **how):
        super().__init__(program, **{**ctl.GOOD, "offer": STALE, **how})
        self.state = state

    def __enter__(self):
        self.poison((801, 1))
        self.start()
        self.wait_states(self.state)
        self.client = Connection(self.bus)
        return self

    def __exit__(self, *a):
        if hasattr(self, "client"):
            self.client.close()
        super().__exit__(*a)

    def set(self, **answers):
        self.answer(**{**ctl.GOOD, "offer": STALE, **answers})

    def case(self):
        return json.loads(self.client.manager("GetCase", "s", "1"))

    def preview(self, action=f"accept:{MIRROR}", all_=False):
        return json.loads(self.client.manager("Preview", "ssb", "1", action, all_))

    def resolve(self, action):
        bus.patiently(lambda: self.client.manager("Resolve", "ss", "1", action))

    def untouched(self):
        assert not self.requests("repair") and self.badblocks() == "801 1\n", self.requests("repair")


def accepts(program):
    """Proves that what differs is shown, that it is then written by the word alone, and that who said so is in the case, in its story and
    in what is shown of it."""
    with Stale(program) as d:
        out = d.ctl("resolve", "1", f"--accept={MIRROR}", "--yes")
        for words in ("/srv/t/file131", "/dev/pmem0", MIRROR, "512 bytes are lost", "3584", " 2 are not", " ?? ?? ", " 41 42 43", " 41 7a 7a", "Azz |",
                      "healed, accepted by", WHO):
            assert words in out, f"no '{words}' in:\n{out}"
        case = d.cases()[0]
        assert case["state"] == "healed" and "proof" not in case and case["replica"] == MIRROR, case
        assert WHO in case["accepted_by"] and "pid " in case["accepted_by"] and "bezoarctl" in case["accepted_by"], case["accepted_by"]
        said = [e["detail"] for e in case["events"] if "an operator has said" in e["detail"]]
        assert len(said) == 1 and MIRROR in said[0] and WHO in said[0], case["events"]
        last = case["events"][-1]
        assert last["state"] == "healed" and case["accepted_by"] in last["detail"] and "512 bytes were lost" in last["detail"], last
        plan = d.requests("repair")[-1]["plan"]
        assert plan["by_word"] and plan["shown"] == TOKEN and "proof" not in plan and len(d.requests("repair")) == 1, plan
        assert case["accepted_by"] in d.ctl("show", "1") and "none" in d.ctl("show", "1")
        assert d.client.get("/org/bezoar1/case/1", bus.CASE, "AcceptedBy") == case["accepted_by"]
        assert d.client.get("/org/bezoar1/case/1", bus.CASE, "Proof") == "none"
        # Bytes are for the operator alone.
        assert "7a7a" not in d.text() and "00000000" not in d.text()
        assert not any("7a7a" in p.read_text() for p in (d.root / "state").rglob("*") if p.is_file())


def zeroes(program):
    """Proves the same for zeroes, which need no replica in the protect file."""
    with Stale(program, protect="[Protect]\nPath=/srv/t\n") as d:
        out = d.ctl("resolve", "1", "--zero", "-y", "-q")
        assert out == "", out
        case = d.cases()[0]
        assert case["state"] == "healed" and case["replica"] == "zero:" and "zeroes" in " ".join(e["detail"] for e in case["events"]), case
    with Stale(program, preview={"compared": 0, "differ": 0, "pieces": [{"offset": 4096, "length": 512, "replica": "00" * 512}]}) as d:
        out = d.ctl("resolve", "1", "--zero", "--preview")
        assert out.count(" ?? ") and out.count("\n*\n") == 1 and "would become zeroes" in out and "00001200" in out, out
        d.untouched()


def asks(program):
    """Proves that a terminal is asked, that only the number of the case is a yes, and that without a terminal nothing is even shown."""
    def answer(text):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(ctl.CTL, [ctl.CTL, "resolve", "1", "--accept", MIRROR], d.env())
        seen, end = b"", time.monotonic() + LIMIT
        while time.monotonic() < end and select.select([fd], [], [], LIMIT)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
            if b"number of the case: " in seen and text is not None:
                os.write(fd, text)
                text = None
        os.close(fd)
        return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with Stale(program) as d:
        d.fails("resolve", "1", f"--accept={MIRROR}", says=["--yes", "--preview"])
        d.fails("resolve", "1", "--zero", "--json=short", says="--yes")
        assert not d.requests("preview")
        for no in (b"\n", b"2\n", b"yes\n", b"11\n", b"\x04"):
            out, status = answer(no)
            assert status == 1 and "Nothing was done" in out and " ?? " in out, out
        d.untouched()
        assert "accepted_by" not in d.case()
        out, status = answer(b"1\n")
        assert status == 0 and "healed, accepted by" in out, out


def previews(program):
    """Proves that a preview writes nothing, in whatever form it is wanted, and how much of it is asked for."""
    with Stale(program, preview={"cut": True}) as d:
        out = d.ctl("resolve", "1", f"--accept={MIRROR}", "--preview")
        assert " ?? " in out and "--all shows" in out, out
        told = json.loads(d.ctl("resolve", "1", f"--accept={MIRROR}", "--preview", "--json=short"))
        assert told["action"] == ACCEPT and told["shown"] == TOKEN and told["differ"] == 2 and told == d.preview(), told
        assert d.preview("zero")["action"] == ZERO
        d.ctl("resolve", "1", f"--accept={MIRROR}", "--preview", "--all")
        assert {r["limit"] for r in d.requests("preview")[:-1]} == {1024} and d.requests("preview")[-1]["limit"] > 1 << 60
        assert all("shown" not in r["plan"] for r in d.requests("preview"))
        d.untouched()
        assert d.case()["state"] == "refused" and len(d.case()["events"]) == 2, d.case()


def not_shown(program):
    """Proves that a word for what was not shown is none, and that one for something else is found out, leaves no trace in the case but its
    story, and can be given again."""
    with Stale(program) as d:
        for action in (f"accept:{MIRROR}", "zero"):
            bus.fails("NotShown", lambda: d.resolve(action), "Preview")
        for action in ("accept", "accept:", "accept:/srv/mirror", "zero:", f"zero:{TOKEN}0", "accept:zero:", f"accept:{TOKEN}", "Zero"):
            bus.fails("UnknownAction", lambda: d.resolve(action), "accept:REPLICA")
            bus.fails("UnknownAction", lambda: d.preview(action), "accept:REPLICA")
        bus.fails("UnknownAction", lambda: d.preview("retry"), "writes")
        assert len(d.case()["events"]) == 2
        d.resolve("accept:" + "cd" * 32 + ":" + MIRROR)
        d.wait("found out", lambda: d.case().get("reason") == "not-as-shown")
        assert d.case()["state"] == "refused" and "accepted_by" not in d.case() and d.badblocks(), d.case()
        d.resolve(ACCEPT)
        d.wait_states("healed")
        assert WHO in d.case()["accepted_by"]


def never(program):
    """Proves where no word helps: another replica than those of the protect file, a file that has none, what is no file, a case that is over,
    and a daemon that only observes, which shows all the same."""
    with Stale(program) as d:
        bus.fails("NotApplicable", lambda: d.preview("accept:mirror:/srv/other"), "whatever anybody says", "does not name mirror:/srv/other")
        d.resolve(f"accept:{TOKEN}:mirror:/srv/other")
        d.wait("refused", lambda: d.case().get("reason") == "no-replica")
        d.fails("resolve", "1", "--accept=mirror:/srv/other", "--yes", says="does not name")
        d.ctl("mode", "observe")
        assert d.preview()["shown"] == TOKEN
        bus.fails("NotApplicable", lambda: d.resolve(ACCEPT), "observes")
        d.fails("resolve", "1", f"--accept={MIRROR}", "--yes", "-q", says="observes")
        d.untouched()
        d.poison()
        d.ctl("rescan")
        d.wait_states("gone")
        for do in (lambda: d.preview(), lambda: d.resolve(ACCEPT)):
            bus.fails("NotApplicable", do, "closed")
        bus.fails("NoSuchCase", lambda: d.client.manager("Preview", "ssb", "9", "zero", False))
    with Stale(program, protect=None) as d:
        bus.fails("NotApplicable", lambda: d.preview("zero"), "No protect file")
        d.untouched()
    with Stale(program, state="refused", locate="mendable", mend={"state": "detected", "detail": "in vain"}) as d:
        bus.fails("NotApplicable", lambda: d.preview("zero"), "metadata")
        d.resolve(ZERO)
        time.sleep(0.5)
        d.untouched()
    with Stale(program, state="harmless", locate="free") as d:
        bus.fails("NotApplicable", lambda: d.preview("zero"), "harmless")
        bus.fails("NotApplicable", lambda: d.resolve(ZERO), "harmless")


def cannot_show(program):
    """Proves that a worker that cannot show, dies or does not understand is told of, and that the case is looked at again where it may have
    changed."""
    with Stale(program, preview="error") as d:
        n = len(d.requests("locate"))
        bus.fails("CannotShow", lambda: d.preview(), "not today")
        d.wait("looked at again", lambda: len(d.requests("locate")) > n)
        for how in ("die", "garbage"):
            d.set(preview=how)
            bus.fails("WorkerFailed", lambda: bus.patiently(lambda: d.preview()))
        d.set()
        assert bus.patiently(lambda: d.preview())["shown"] == TOKEN


def holds_up_nothing(program):
    """Proves that previews that wait for a worker that hangs are bounded, hold up no repair, and end when the daemon stops."""
    with Stale(program, preview="hang") as d:
        serials = [d.client.begin(*MANAGER, "Preview", "ssb", "1", "zero", False) for _ in range(16)]
        bus.fails("Busy", lambda: d.preview())
        d.resolve(ACCEPT)
        d.wait_states("healed")
        assert d.stop() == 0
        for serial in serials:
            bus.fails("Stopping", lambda: d.client.finish(serial), "stops")


def meanwhile(program):
    """Proves that a word is not lost when there is reason to look at the case once more before it is acted on; nor is it asked for the
    budget."""
    with Stale(program, config="[Bezoar]\nRepairBudget=1/1h\n") as d:
        d.set(locate="hold")
        n = len(d.requests("locate"))
        d.resolve(ACCEPT)
        d.wait("in hand", lambda: len(d.requests("locate")) > n)
        for _ in range(3):
            d.client.manager("Rescan")
        d.release()
        d.wait_states("healed")
        assert d.requests("repair")[-1]["plan"]["by_word"] and WHO in d.case()["accepted_by"]


def once(program):
    """Proves that a word holds for one try: what was not written by it is not written later."""
    waits = {"state": "waiting", "reason": "file-busy", "bytes": 0}
    with Stale(program, repair=waits) as d:
        d.resolve(ACCEPT)
        d.wait("tried in vain", lambda: d.case().get("reason") == "file-busy")
        assert "accepted_by" not in d.case()
        d.set()
        d.ctl("resolve", "1", "retry")
        d.wait("refused again", lambda: d.case().get("reason") == "replica-stale")
        assert len(d.requests("repair")) == 1


def crashes(program):
    """Proves that a worker that dies, or the daemon, in the middle of what was accepted is settled as any repair: where the bytes arrived, it
    is known by whose word; where they did not, nobody's word is left."""
    written = [{"id": "1", "state": "healed", "bytes": 512, "replica": MIRROR}]
    with Stale(program, repair="die", settle=[{"id": "1", "state": "detected", "bytes": 0}]) as d:
        d.resolve(ACCEPT)
        d.wait("refused again", lambda: d.requests("repair") and d.case()["state"] == "refused")
        assert "accepted_by" not in d.case() and d.case()["reason"] == "replica-stale", d.case()
    with Stale(program, repair="hold", settle=written) as d:
        d.resolve(ACCEPT)
        d.wait_states("repairing")
        assert WHO in d.cases()[0]["accepted_by"]
        d.process.kill()
        d.process.wait()
        d.client.close()
        d.poison()
        d.start()
        d.wait_states("healed")
        d.client = Connection(d.bus)
        assert WHO in d.case()["accepted_by"], d.case()
        assert WHO in d.case()["events"][-1]["detail"], d.case()


def ignores(program):
    """Proves that it is said what stays lost, and recorded who left it alone and who took it up again."""
    with Stale(program) as d:
        out = d.ctl("resolve", "1", "--ignore")
        assert "'/srv/t/file131'" in out and "stays lost" in out and "another version" in out, out
        assert d.case()["ignored"] and WHO in d.case()["events"][-1]["detail"], d.case()
        d.ctl("resolve", "1", "retry", "-q")
        assert any("try again" in e["detail"] and WHO in e["detail"] for e in d.case()["events"]), d.case()
        bus.patiently(d.preview)        # until no worker is looking at it because of that
        d.ctl("resolve", "1", "ignore")
        d.ctl("resolve", "1", f"--accept={MIRROR}", "--yes", "-q")      # his word ends that
        d.wait_states("healed")


def arguments(program):
    """Proves what goes together on the command line."""
    with Stale(program) as d:
        for more, says in (([], "needs more"), (["--zero", "--ignore"], "one decision"), (["retry", "--zero"], "one decision"),
                           (["--zero", f"--accept={MIRROR}"], "one decision"), (["retry", "--yes"], "--accept and --zero"),
                           (["--ignore", "--preview"], "--accept and --zero"), (["--accept"], "lacks its value"),
                           (["--accept=nonsense", "--yes"], "accept:REPLICA"), (["--accept=/srv/\x1b[2J\udcff", "--yes"], "accept:REPLICA")):
            d.fails("resolve", "1", *more, says=says)
        d.fails("list", "--zero", says="resolve")
        d.fails("status", "-y", says="resolve")
        d.untouched()


def polkit(program):
    """Proves that nobody sees or decides anything whom polkit does not let, and that it is asked for both by the action for cases."""
    if not bus.ROOT:
        return
    with bus.Scene(program, states=("refused",), protect=f"[Protect]\nPath=/srv/t\nReplica={MIRROR}\n", offer=STALE) as (there, d, root):
        other = there.client(**bus.NOBODY)
        p = Polkit(there, "deny")
        for do in (lambda: other.manager("Preview", "ssb", "1", "zero", False), lambda: other.manager("Resolve", "ss", "1", ZERO)):
            bus.fails("org.freedesktop.DBus.Error.AccessDenied", do, "polkit says no")
            assert p.asked[-1][0] == "org.bezoar1.resolve"
        assert not d.requests("preview") and not d.requests("repair")
        p.answer = "allow"
        action = json.loads(other.manager("Preview", "ssb", "1", "zero", False))["action"]
        other.manager("Resolve", "ss", "1", action)
        d.wait_states("healed")
        assert "uid 65534" in d.cases()[0]["accepted_by"], d.cases()


if __name__ == "__main__":
    run([accepts, zeroes, asks, previews, not_shown, never, cannot_show, holds_up_nothing, meanwhile, once, crashes, ignores, arguments, polkit])
