# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real bezoard on a saved topology, a made-up /sys and a worker that only pretends; for tests of everything between them."""
import json, os, pathlib, signal, socket, subprocess, sys, tempfile, threading, time

import tap

HERE = pathlib.Path(__file__).parent
SIZE = 1 << 30
LIMIT = 60              # seconds; not what it should take, but what tells a hang from a busy machine
PHYSICAL = 0x100a00000


class Ended(AssertionError):
    """It ended before it was ready; the exit status."""


class Daemon:
    def __init__(self, program, disks=("pmem0",), config="", protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n", **answers):
        self.program = program
        self.dir = tempfile.TemporaryDirectory(prefix="bezoar-test-")
        self.root = pathlib.Path(self.dir.name)
        self.process = None
        self.bus = None         # address
        self.stored = []        # (name, descriptor) each, as the service manager keeps them
        for folder in ("etc/protect.d", "state", "fake", "sys/block"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/bezoar.conf").write_text(config)
        if protect:
            (self.root / "etc/protect.d/t.conf").write_text(protect)
        self.topology(disks)
        self.answer(**answers)

    def topology(self, disks):
        t = {"regions": [], "namespaces": [], "disks": [], "links": [], "mounts": []}
        for i, disk in enumerate(disks):
            start = PHYSICAL + i * 2 * SIZE
            t["regions"].append({"name": f"region{i}", "bus": "ndbus0", "physical": {"start": start, "length": SIZE}, "dimms": [f"nmem{i}"]})
            t["namespaces"].append({"name": f"namespace{i}.0", "region": f"region{i}", "mode": "fsdax", "disk": disk,
                                    "data": {"start": start, "length": SIZE}})
            t["disks"].append({"name": disk, "node": f"/dev/{disk}", "major": 259, "minor": i, "size": SIZE, "logical_block_size": 512,
                               "badblocks": True})
            t["mounts"].append({"disk": disk, "mountpoint": "/srv", "root": "/", "fs": "xfs", "uuid": f"uuid-{i}", "options": "rw"})
            (self.root / "sys/block" / disk).mkdir(exist_ok=True)
            (self.root / "sys/block" / disk / "badblocks").write_text("")
        (self.root / "topology.json").write_text(json.dumps(t))

    def answer(self, **answers):
        new = self.root / "fake/answers.new"
        new.write_text(json.dumps(answers))
        new.rename(self.root / "fake/answers.json")

    def poison(self, *ranges, disk="pmem0"):
        """Sectors: (start, count) each."""
        path = self.root / "sys/block" / disk / "badblocks"
        new = path.with_name("badblocks.poison")        # at once: the daemon may be reading
        new.write_text("".join(f"{s} {n}\n" for s, n in ranges))
        new.rename(path)

    def badblocks(self, disk="pmem0"):
        return (self.root / "sys/block" / disk / "badblocks").read_text()

    def start(self, holds=()):
        """`holds`: (name, descriptor) each, as the service manager gives them back."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.root / "notify"
        path.unlink(missing_ok=True)
        notify.bind(str(path))
        env = dict(os.environ, NOTIFY_SOCKET=str(path), BEZOAR_SYSFS=str(self.root / "sys"), FAKE=str(self.root / "fake"),
                   DBUS_SYSTEM_BUS_ADDRESS=self.bus or f"unix:path={self.root}/no-bus")
        env.pop("WATCHDOG_USEC", None)
        wrapper = os.environ.get("BEZOAR_WRAP", "").split()
        if holds:
            env.update(LISTEN_FDS=str(len(holds)), LISTEN_FDNAMES=":".join(name for name, _ in holds))
            wrapper = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *wrapper]
        self.log = open(self.root / "log", "a")
        self.process = self.spawn(wrapper + [self.program, f"--config={self.root}/etc", f"--state={self.root}/state",
                                         f"--topology={self.root}/topology.json", f"--worker={HERE}/fake-worker", "--debug"],
                                  env=env, stderr=self.log, close_fds=not holds,
                                  preexec_fn=(lambda: [os.dup2(fd, 3 + i) for i, (_, fd) in enumerate(holds)]) if holds else None)
        ready = threading.Event()
        threading.Thread(target=self.listen, args=(notify, ready), daemon=True).start()
        end = time.monotonic() + LIMIT
        while not ready.wait(0.1):
            if self.process.poll() is not None:
                raise Ended(self.process.returncode)
            if time.monotonic() > end:
                raise AssertionError(f"never ready:\n{self.text()}")
        return self

    def spawn(self, argv, **more):
        return subprocess.Popen(argv, **more)

    def listen(self, notify, ready):
        """As the service manager would: everything is read, or the sender blocks."""
        while True:
            data, fds, _, _ = socket.recv_fds(notify, 4096, 8)
            message = data.decode()
            if "READY=1" in message:
                ready.set()
            name = next((line[7:] for line in message.splitlines() if line.startswith("FDNAME=")), None)
            if "FDSTORE=1" in message:
                assert "FDPOLL=0" in message, message
                os.set_inheritable(fds[0], False)
                self.stored.append((name, fds[0]))
            elif "FDSTOREREMOVE=1" in message:
                self.stored = [s for s in self.stored if s[0] != name]
            for line in message.splitlines():
                if line.startswith("STATUS="):
                    self.status = line[7:]

    def rescan(self):
        self.process.send_signal(signal.SIGHUP)

    def release(self):
        """Lets go on what waits for it ("hold"), and whatever is asked after it."""
        (self.root / "fake/release").touch()

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        code = self.process.wait(LIMIT)
        self.process = None
        return code

    def cases(self):
        return [json.loads(p.read_text()) for p in sorted((self.root / "state/cases").glob("[0-9]*.json"), key=lambda p: int(p.stem))]

    def requests(self, verb=None):
        try:
            lines = (self.root / "fake/requests").read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [r for r in map(json.loads, (l for l in lines if l.endswith("\n"))) if verb in (None, r["verb"])]

    def wait(self, what, predicate, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                cases = "\n".join(f"{c['id']}: {c['state']} {c.get('reason', '')}" for c in self.cases()[:20])
                log = "\n".join(self.text().splitlines()[-20:])
                raise AssertionError(f"not within {seconds} s: {what}\n{cases}\n{log}")
            time.sleep(0.02)

    def wait_states(self, *states):
        self.wait(f"cases {states}", lambda: tuple(c["state"] for c in self.cases()) == states)

    def text(self):
        return (self.root / "log").read_text()

    def __enter__(self):
        return self

    def __exit__(self, kind=None, *_):
        if kind and kind is not tap.Skip and (self.root / "log").exists():
            tap.explain("what the daemon said last", "\n".join(self.text().splitlines()[-20:]))
        if self.process:
            self.process.kill()
            self.process.wait()
        self.dir.cleanup()


def run(tests):
    """Runs each function with the program's path, or those whose names stand behind it."""
    program, asked = sys.argv[1], sys.argv[2:]

    def one(test):
        if asked and test.__name__ not in asked:
            raise tap.Skip("not asked for")
        return test(program)

    sys.exit(tap.run((test.__name__, lambda test=test: one(test)) for test in tests))
