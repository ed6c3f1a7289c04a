#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""test-faults-worker.py WORKER FAULT-AT [WORD] [--every=N]: each system call of a worker fails once, with each error that it can give,
while it does each kind of work on a real XFS on a loop device.

Whatever fails: the worker does not crash, leaks no descriptor, and says why; the page has its right bytes or its lost ones, never
others; nothing stays frozen; and the same work done again, by the same worker, goes well. Without --every all of it is done; with it,
one fault of N."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EVERY = next((int(a[8:]) for a in sys.argv if a.startswith("--every=")), 1)
sys.argv = [a for a in sys.argv if not a.startswith("--every=")]
FAULT_AT = sys.argv.pop(2)
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import workerlab                                                        # noqa: E402
from edges import Ended, Lines, Program, choose, faults                # noqa: E402
from workerlab import PAGE, File, extent, run_tests            # noqa: E402


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(HERE.parent / "integration" / f"test-{name}.py"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


parking, freezing = load("park-xfs"), load("worker-freeze")


class Worker:
    """One that serves request after request."""

    def __init__(self, lab, fault=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("BEZOAR_")}
        env.update(BEZOAR_SYSFS=str(lab.sys), BEZOAR_FREEZE_SEC="60")
        if fault:
            env["BEZOAR_FAULT"] = fault
        self.program = Program(FAULT_AT, [workerlab.WORKER], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = Lines(self.program.process.stdout)
        self.ask({"verb": "none"})          # it is up, and what fails from now on is no matter of the loader

    def ask(self, request):
        """The last of its answers."""
        return self.ask_all(request)[-1]

    def ask_all(self, request):
        answers = []
        try:
            self.program.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.program.process.stdin.flush()
        except BrokenPipeError:
            raise Ended(self.program.process.wait()) from None
        while True:
            line = self.lines.next()
            if line is None:
                raise Ended(self.program.process.wait())
            answer = json.loads(line)
            if not answer.get("progress"):
                answers.append(answer)
                if "error" in answer or request["verb"] != "settle" or not answer.get("id"):
                    return answers

    def close(self):
        """Its exit status."""
        if self.program.process.poll() is None:
            self.program.process.stdin.close()
        return self.program.process.wait(60)


class Work:
    """Something that a worker does, again and again. `fault` makes the kernel's part in it (workerlab)."""
    fault = "after-write:unlist"

    def __init__(self, lab):
        self.lab = lab

    def prepare(self):
        """So that there is something to do."""

    def request(self):
        raise NotImplementedError

    def done(self, answer):
        return answer.get("state") == "healed"

    def check(self, answer, settle):
        """After a fault: as promised."""

    def check_done(self):
        """After all went well."""


class Locate(Work):
    def __init__(self, lab):
        super().__init__(lab)
        self.file = File(lab)

    def request(self):
        return self.file.request("locate", ranges=[{"range": {"start": self.file.at, "length": PAGE}, "bad": self.file.bad}])

    def done(self, answer):
        found = answer.get("found", [{}])[0]
        return any(o.get("path") == str(self.file.path) for o in found.get("owners", [])) and bool(found["offers"][0].get("proof"))

    def check(self, answer, settle):
        for found in answer.get("found", []):
            for owner in found.get("owners", []):
                assert owner["type"] in ("file", "unknown", "unmounted"), owner
                assert owner["type"] != "file" or owner["inode"] in (self.file.before.st_ino, str(self.file.before.st_ino)), owner


class Rehearse(Locate):
    """What would be done for a page, bad or not."""

    def request(self):
        return self.file.request("plan", path=str(self.file.path), in_file={"start": self.file.offset, "length": PAGE})


class Machine(Work):
    """What there is."""
    verb = "topology"

    def request(self):
        return {"verb": self.verb}

    def done(self, answer):
        return self.member in answer and "error" not in answer

    member = "disks"


class Health(Machine):
    verb, member = "health", "dimms"


class Repair(Work):
    """A page of a file, in place."""
    how = {"writers": ["pwrite"], "exclusion": "lease"}
    sectors = ((3, 1),)

    def __init__(self, lab):
        super().__init__(lab)
        self.file = None

    def prepare(self):
        if self.file:
            self.file.lose(self.sectors)
        else:
            self.file = File(self.lab, sectors=self.sectors)
            self.found = self.file.locate()

    def request(self):
        f = self.file
        plan = {"verdict": "repair", "replica": f.replicas[0], "proof": "identity+neighbours", **self.how,
                "steps": [{"range": self.found["range"], "offset": self.found["owners"][0]["offset"], "bad": self.found["bad"]}]}
        return f.request("repair", ranges=[self.found], plan=plan)

    def sound(self):
        assert self.file.page() in (self.file.right(), self.file.destroyed()), "wrong bytes on the device"

    def check(self, answer, settle):
        self.sound()
        if answer.get("state") == "healed":
            assert self.file.page() == self.file.right(), "said to be healed, and is not"
        else:
            assert answer.get("error") or answer.get("reason"), f"no reason: {answer}"
        assert not freezing.is_frozen(self.lab), "it stays frozen"
        if self.lab.intents():
            told = settle(self.file.request("settle"))
            assert "error" not in told[-1], told
            self.sound()
            if told[0]["state"] == "in-doubt":      # which it is, where the list is empty and the bytes are lost
                assert self.file.page() == self.file.destroyed() and not self.lab.list.read_text(), told
                self.lab.intents()[0].unlink()
            assert not self.lab.intents(), f"intents stay after {answer}: {told}"

    def check_done(self):
        self.file.drop()
        assert self.file.page() == self.file.right(), "healed, and has other bytes"
        assert self.file.path.read_bytes() == self.file.data, "the file is not as it was"
        assert not self.lab.intents(), "an intent was left"


class Block(Repair):
    how = {"writers": ["block"], "exclusion": "freeze"}


class Clone(Repair):
    """Each time another file: its bytes are in another place afterwards."""
    how = {"writers": ["clone"], "exclusion": "lease"}
    sectors = ((0, 8),)
    fault = None

    def prepare(self):
        if not self.file or self.where() != self.file.at:
            if self.file:
                self.file.path.unlink()
            for guard in parking.guards(self.lab):
                guard.unlink()
            self.file = File(self.lab, sectors=self.sectors)
            self.found = self.file.locate()

    def where(self):
        return extent(self.file.path, self.file.offset)

    def sound(self):
        """What was bad is not written to; whoever reads the file gets the lost page or the right one."""
        at = self.where()
        assert self.file.page() == self.file.destroyed(), "the bad block was written to"
        assert at == self.file.at or self.lab.device(at, PAGE) == self.file.right(), "the file has other bytes"

    def check(self, answer, settle):
        self.sound()
        assert answer.get("state") == "healed" or answer.get("error") or answer.get("reason"), f"no reason: {answer}"
        if self.lab.intents():
            settle(self.file.request("settle"))
            self.sound()
            assert not self.lab.intents(), f"intents stay: {self.lab.intents()}"

    def check_done(self):
        self.file.drop()
        assert self.where() != self.file.at and self.file.path.read_bytes() == self.file.data, "the file is not as it was"


class Settle(Repair):
    """What a worker left that was killed between the write and the end of the intent."""

    def prepare(self):
        super().prepare()
        started = self.lab.worker(super().request(), "after-write:kill")
        self.lab.finish(started)
        assert len(self.lab.intents()) == 1, "no intent was left"

    def request(self):
        return self.file.request("settle")

    def done(self, answer):
        return answer.get("state") == "detected" and not self.lab.intents()

    def check(self, answer, settle):
        self.sound()
        if self.lab.intents():
            settle(self.request())
            self.sound()
            assert not self.lab.intents(), f"intents stay: {self.lab.intents()}"

    def check_done(self):
        self.sound()


class Park(Work):
    """A free block gets a guard."""
    fault = None

    def prepare(self):
        parking.remove_guards(self.lab)
        parking.sync(self.lab)
        self.at = parking.free_places(self.lab, 1)[0]
        parking.lose(self.lab, self.at)
        self.found = parking.locate(self.lab, self.at)[0]

    def request(self):
        steps = [{"range": {"start": self.at, "length": PAGE}, "offset": 0, "bad": [{"start": self.at, "length": PAGE}]}]
        return parking.request(self.lab, "park", ranges=[self.found], plan={"verdict": "park", "steps": steps})

    def done(self, answer):
        return answer.get("reason") == "parked"

    def check(self, answer, settle):
        assert answer.get("error") or answer.get("reason"), f"no reason: {answer}"
        told = settle(parking.request(self.lab, "settle"))
        assert "error" not in told[-1], told
        assert self.lab.device(self.at, PAGE) == b"\xdb" * PAGE, "the bad block was written to"

    def check_done(self):
        parking.expect_parked(self.lab, self.at)


class Lab:
    """One kind of work, all of its faults."""

    def __init__(self, work):
        self.work, self.tried, self.ended, self.bad = work, 0, 0, []
        self.worker = self.spare = None

    def again(self):
        """Workers that nothing has happened to."""
        self.worker = self.worker or Worker(self.work.lab, self.work.fault)
        self.spare = self.spare or Worker(self.work.lab)
        self.settle = self.spare.ask_all

    def well(self):
        """Once without a fault; and what it needs for it."""
        self.again()
        self.work.prepare()
        self.worker.program.record()
        answer = self.worker.ask(self.work.request())
        calls = self.worker.program.calls()
        assert self.work.done(answer), f"without a fault: {answer}"
        self.work.check_done()
        return calls, self.worker.program.descriptors()

    def one(self, fault, descriptors):
        self.again()
        self.work.prepare()
        self.worker.program.arm(fault)
        try:
            answer = self.worker.ask(self.work.request())
        except Ended as e:
            status = e.args[0]
            assert status >= 0, f"it died of signal {-status}"
            assert status != 99, "fault-at failed"
            answer, self.worker = {"error": f"exit status {status}"}, None
            self.ended += 1
        if self.worker:
            self.tried += self.worker.program.off()
            now = self.worker.program.descriptors()
            assert now == descriptors, f"descriptors: {sorted(set(now) - set(descriptors)) or now}"
        else:
            self.tried += 1
        self.work.check(answer, self.settle)
        if not self.work.done(answer):
            self.again()
            self.work.prepare()
            second = self.worker.ask(self.work.request())
            assert self.work.done(second), f"after {json.dumps(answer)[:300]} the next try: {json.dumps(second)[:300]}"
        self.work.check_done()

    def close(self):
        for w in (self.worker, self.spare):
            if w:
                w.close()

    def run(self):
        self.well()
        calls, descriptors = self.well()            # what is done once only is over by now
        sizes = []
        chosen = choose(faults(calls, lambda what, _: what.startswith(("pipe:", "socket:"))), EVERY)
        for i, fault in enumerate(chosen):
            try:
                self.one(fault, descriptors)
            except AssertionError as e:
                self.bad.append(f"{fault}: {e}")
                for p in self.work.lab.intents():
                    p.unlink()
                for w in (self.worker, self.spare):
                    if w:
                        w.program.process.kill()
                        w.program.process.wait()
                self.worker = self.spare = None
            if self.worker and i % 50 == 0:
                sizes.append(self.worker.program.resident() >> 10)
        self.close()
        print(f"# {len(calls)} calls, {self.tried} faults happened, {self.ended} workers ended, {len(self.bad)} bad; resident KiB: {sizes[:2]} … {sizes[-2:]}",
              flush=True)
        assert self.tried >= len(chosen) * 3 // 4 > 0, f"only {self.tried} of {len(chosen)} faults happened"
        assert not self.bad, f"{len(self.bad)} of {len(chosen)}:\n" + "\n".join(self.bad[:40])


def all_of(work):
    return lambda lab: Lab(work(lab)).run()


TESTS = [("locating", all_of(Locate)), ("rehearsing", all_of(Rehearse)), ("reading the topology", all_of(Machine)),
         ("reading the health", all_of(Health)), ("the writer pwrite", all_of(Repair)), ("the writer block", all_of(Block)),
         ("the writer clone", all_of(Clone)), ("settling", all_of(Settle)), ("parking", all_of(Park))]

if __name__ == "__main__":
    run_tests(TESTS)
