#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""bezoarctl against the real daemon, on a bus of their own. $BEZOARCTL is the program."""
import json, os, pathlib, pty, re, select, shutil, signal, socket, subprocess

from daemon import PHYSICAL, Daemon, run

CTL = os.environ["BEZOARCTL"]
GOOD = {"locate": "one-file", "repair": "healed"}
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true"/><allow receive_type="method_call"/><allow receive_type="signal"/>
<allow receive_requested_reply="true"/></policy>{policy}</busconfig>
"""


def answers(path):
    """It is there before anybody can connect to it."""
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == 0


class Machine(Daemon):
    """The daemon on a bus, and a client."""

    def __init__(self, program, policy="", **how):
        super().__init__(program, **how)
        path = self.root / "bus"
        (self.root / "bus.conf").write_text(CONFIG.format(path=path, policy=policy))
        self.bus = f"unix:path={path}"
        self.bus_process = subprocess.Popen(["dbus-daemon", "--nofork", f"--config-file={self.root}/bus.conf"],
                                            stderr=open(self.root / "bus.log", "w"))
        self.wait("bus", lambda: answers(path))

    def start(self):
        """The daemon is ready before the bus has given it its name: it does not wait for the bus."""
        super().start()
        self.wait("name", lambda: b"not running" not in subprocess.run([CTL, "-q"], capture_output=True, env=self.env()).stderr)

    def __exit__(self, *a):
        self.bus_process.kill()
        self.bus_process.wait()
        super().__exit__(*a)

    def mount_here(self):
        """The client looks whether a file is there, so one must be: where the topology says that pmem0 is mounted."""
        t = json.loads((self.root / "topology.json").read_text())
        t["mounts"][0]["mountpoint"] = str(self.root)
        (self.root / "topology.json").write_text(json.dumps(t))

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "PAGER", "SYSTEMD_PAGER", "SUDO_UID", "PKEXEC_UID")}
        env.update(DBUS_SYSTEM_BUS_ADDRESS=self.bus, LC_ALL="C.UTF-8", TZ="UTC", TERM="xterm", BEZOARD=self.program)
        env.update(more)
        return {k: v for k, v in env.items() if v is not None}

    def ctl(self, *arguments, status=0, **env):
        """Standard output; the exit status must be as expected, and standard error empty unless it is 1."""
        r = subprocess.run([CTL, *arguments], capture_output=True, env=self.env(**env), timeout=60)
        out, err = r.stdout.decode(), r.stderr.decode()
        assert r.returncode == status, f"{arguments}: status {r.returncode}, not {status}\n{out}{err}"
        assert status == 1 or not err, f"{arguments}: {err}"
        return out

    def fails(self, *arguments, says):
        """An error: nothing on standard output, and one safe line on standard error with these words."""
        r = subprocess.run([CTL, *arguments], capture_output=True, env=self.env(), timeout=60)
        err = r.stderr.decode()
        assert r.returncode == 1 and not r.stdout, f"{arguments}: {r.returncode} {r.stdout}"
        assert err.startswith("bezoarctl: ") and err.count("\n") == 1 and err.endswith("\n"), err
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", err), repr(err)
        for words in [says] if isinstance(says, str) else says:
            assert words in err, f"{arguments}: no '{words}' in: {err}"
        return err

    def terminal(self, *arguments, **env):
        """(what a terminal gets, exit status)"""
        pid, fd = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)       # which Python ignores
            os.execve(CTL, [CTL, *arguments], self.env(**env))
        text = b""
        while select.select([fd], [], [], 30)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            text += data
        os.close(fd)
        return text.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def poisoned(program, n=1, **how):
    """A machine with n cases that are refused."""
    d = Machine(program, protect=None, **GOOD, **how)
    d.poison(*((80 * (i + 1), 1) for i in range(n)))
    d.start()
    d.wait_states(*["refused"] * n)
    return d


def not_running(program):
    """Proves that every command says that the daemon is not running and how it is started; metrics has it as a figure."""
    with Machine(program) as d:
        for verb in ("status", "list", "show 1", "explain 1", "history", "volumes", "plan /etc/passwd", "rescan", "resolve 1 retry",
                     "mode", "mode observe", "monitor"):
            d.fails(*verb.split(), says=["not running", "systemctl start bezoard"])
        r = subprocess.run([CTL, "metrics"], capture_output=True, env=d.env(), text=True)
        assert r.returncode == 0 and "bezoar_up 0\n# EOF\n" in r.stdout and "not running" in r.stderr, r
        d.bus = f"unix:path={d.root}/no-bus"
        d.fails("status", says="system bus")


def not_allowed(program):
    """Proves that who may not ask is told who may."""
    deny = '<policy context="mandatory"><deny send_destination="org.bezoar1"/></policy>'
    with Machine(program, policy=deny) as d:
        d.start()
        for verb in ("status", "list", "show 1", "volumes", "rescan", "metrics"):
            d.fails(*verb.split(), says=["Not allowed", "root", "adm"])


def status(program):
    """Proves what status says, and its exit status: 0 without open cases, 3 with."""
    with Machine(program, protect=None, **GOOD) as d:
        d.start()
        out = d.ctl()
        assert "mode: repair" in out.lower() and "1 device" in out and "0 cases" in out, out
        assert d.ctl("-q") == ""
        d.poison((80, 1), (160, 1))
        d.rescan()
        d.wait_states("refused", "refused")
        out = d.ctl("status", status=3)
        assert "2 cases" in out and "2 refused" in out and "/srv/t/file131" in out and "bezoarctl explain" in out, out
        assert "explain" not in d.ctl("--no-legend", status=3) and "STATE" not in d.ctl("--no-legend", status=3)
        assert d.ctl("-q", "status", status=3) == ""
        value = json.loads(d.ctl("--json=short", status=3))
        assert value["OpenCases"] == 2 and value["RefusedCases"] == 2 and value["Mode"] == "repair", value
        assert json.loads(d.ctl("--json=pretty", status=3)).keys() == value.keys()


def lists(program):
    """Proves that list and history have the right cases, aligned, filtered, and as JSON the very text of the ledger."""
    with poisoned(program, 12) as d:
        lines = d.ctl("list").splitlines()
        assert len(lines) == 13 and len({line.index("refused") for line in lines[1:]}) == 1, lines
        assert lines[0].index("STATE") == lines[1].index("refused") and lines[1].startswith(" 1  ") and lines[12].startswith("12  "), lines
        assert lines[1].split() == ["1", "refused", "not-protected", *lines[1].split()[3:-4], "/dev/pmem0", "40960", "4K", "/srv/t/file131"]
        assert len(d.ctl("list", "--no-legend").splitlines()) == 12
        assert json.loads(d.ctl("list", "--json=short")) == d.cases() and d.ctl("list", "--json=short").count("\n") == 1
        assert json.loads(d.ctl("list", "--json=pretty")) == d.cases() and d.ctl("list", "--json=pretty").count("\n") > 100

        d.poison(*((80 * i, 1) for i in range(2, 13)))
        d.ctl("rescan")
        d.wait("one is gone", lambda: d.cases()[0]["state"] == "gone")
        assert len(d.ctl("list").splitlines()) == 12 and len(d.ctl("history").splitlines()) == 13
        assert [c["id"] for c in json.loads(d.ctl("history", "--json=short", "-n", "2"))] == ["11", "12"]
        assert [c["id"] for c in json.loads(d.ctl("list", "--json=short", "--state=gone"))] == ["1"]
        assert len(json.loads(d.ctl("history", "--json=short", "--state=gone,refused"))) == 12
        for device, n in (("/dev/pmem0", 11), ("pmem0", 11), ("pmem1", 0)):
            assert len(json.loads(d.ctl("list", "--json=short", "--device=" + device))) == n, device
        for path, n in (("/srv/t", 11), ("/srv/t/file131", 11), ("/srv/t/fil", 0), ("/", 11)):
            assert len(json.loads(d.ctl("list", "--json=short", "--path=" + path))) == n, path
        assert d.ctl("list", "--device=pmem1") == "No open cases.\n" and d.ctl("-q", "list", "--device=pmem1") == ""


def shows(program):
    """Proves that show has everything about a case, open or closed, and explain has sentences."""
    with poisoned(program) as d:
        out = d.ctl("show", "1")
        for words in ("refused", "not-protected", "/dev/pmem0", "40960 + 4K", "40960 + 512", f"0x{PHYSICAL + 40960:x}", "nmem0", "131",
                      "/srv/t/file131", "/etc/bezoar/protect.d", "detected", "UTC"):
            assert words in out, f"no {words} in\n{out}"
        assert json.loads(d.ctl("show", "1", "--json=short")) == d.cases()[0]
        assert json.loads(d.ctl("show", "1", "--json=pretty")) == d.cases()[0]
        text = d.ctl("explain", "1")
        assert "/srv/t/file131" in text and "protect" in text and len(text.splitlines()) > 2, text
        assert json.loads(d.ctl("explain", "1", "--json=short"))["text"].split() == text.split()

        d.poison((160, 1))
        d.ctl("rescan")
        d.wait("gone and new", lambda: [c["state"] for c in d.cases()] == ["gone", "refused"])
        out = d.ctl("show", "1", "2")
        assert out.count("\nOWNER") == 2 and "gone" in out, out
        assert d.ctl("explain", "1", "2").count("/srv/t/file131") >= 2
        for verb in ("show", "explain"):
            d.fails(verb, "3", says="3")
            d.fails(verb, "18446744073709551615", says="18446744073709551615")


def volumes(program):
    """Proves that volumes shows what is there, and what is protected by what."""
    with Machine(program, disks=("pmem0", "pmem1"), **GOOD) as d:
        d.start()
        lines = d.ctl("volumes").splitlines()
        assert len(lines) == 7 and lines[1].startswith("region0 (nmem0)") and "namespace0.0 (fsdax)" in lines[2], lines
        assert "/dev/pmem0" in lines[3] and "1G" in lines[3] and "xfs" in lines[3] and "/srv" in lines[3], lines
        assert any(line.split()[-1] == "t" for line in lines[1:]), lines
        value = json.loads(d.ctl("volumes", "--json=short"))
        assert [v["Device"] for v in value] == ["/dev/pmem0", "/dev/pmem1"] and value[0]["Watched"] is True, value


def stacks(program):
    """Proves that volumes draws what stands on what: a device on two disks on both of them, to the last level."""
    with Machine(program, disks=("pmem0", "pmem1"), **GOOD) as d:
        path = d.root / "topology.json"
        t = json.loads(path.read_text())
        t["disks"] += [{"name": f"dm-{n}", "node": f"/dev/dm-{n}", "major": 253, "minor": n, "size": 16 << 20, "logical_block_size": 512}
                       for n in range(2)]
        t["links"] = [{"upper": "dm-0", "lower": f"pmem{n}", "map": [], "striped": [
            {"start": 0, "length": 16 << 20, "to": 1 << 20, "chunk": 65536, "stripes": 2, "stripe": n}]} for n in range(2)]
        t["links"] += [{"upper": "dm-1", "lower": "dm-0", "map": [{"start": 0, "length": 8 << 20, "to": 0}]}]
        t["mounts"] = [dict(t["mounts"][0], disk="dm-1")]
        path.write_text(json.dumps(t))
        d.start()
        lines = [re.split(r"  +", line.strip())[0] for line in d.ctl("volumes", "--no-legend").splitlines()]
        upper = ["└─/dev/dm-0 (striped)", "└─/dev/dm-1 (linear)"]
        assert lines == ["region0 (nmem0)", "└─namespace0.0 (fsdax)", "└─/dev/pmem0", *upper,
                         "region1 (nmem1)", "└─namespace1.0 (fsdax)", "└─/dev/pmem1", *upper], lines
        dm = {v["Device"]: v for v in json.loads(d.ctl("volumes", "--json=short"))}
        assert dm["/dev/dm-0"]["Lower"] == ["/dev/pmem0", "/dev/pmem1"] and dm["/dev/dm-0"]["Kind"] == "striped", dm
        assert dm["/dev/dm-1"]["On"] == ["/dev/dm-0", "/dev/pmem0", "/dev/pmem1"] and "Kind" not in dm["/dev/pmem0"], dm
        assert [*dm] == ["/dev/pmem0", "/dev/pmem1", "/dev/dm-0", "/dev/dm-1"], dm


def side_by_side(program):
    """Proves that volumes draws two namespaces of one region under it, and what stands on each under that."""
    with Machine(program, disks=("pmem0", "pmem0.1", "pmem2"), **GOOD) as d:
        path = d.root / "topology.json"
        t = json.loads(path.read_text())
        t["namespaces"][1].update(name="namespace0.1", region="region0")
        del t["regions"][1]
        t["disks"].append({"name": "pmem0.1p1", "node": "/dev/pmem0.1p1", "major": 259, "minor": 9, "size": 16 << 20, "logical_block_size": 512})
        t["links"] = [{"upper": "pmem0.1p1", "lower": "pmem0.1", "map": [{"start": 0, "length": 16 << 20, "to": 1 << 20}]}]
        path.write_text(json.dumps(t))
        d.start()
        lines = [re.split(r"  +", line.strip())[0] for line in d.ctl("volumes", "--no-legend").splitlines()]
        assert lines == ["region0 (nmem0)", "└─namespace0.0 (fsdax)", "└─/dev/pmem0",
                         "└─namespace0.1 (fsdax)", "└─/dev/pmem0.1", "└─/dev/pmem0.1p1 (partition)",
                         "region2 (nmem2)", "└─namespace2.0 (fsdax)", "└─/dev/pmem2"], lines
        assert [v["Region"] for v in json.loads(d.ctl("volumes", "--json=short")) if "Region" in v][:2] == ["region0"] * 2


def parts(program):
    """Proves that volumes draws what a file system has on other devices, each as what it is, that cases are counted there and not on the file
    system's own device, and that plan, which asks a worker with all of them that may have a file, names the one that has it."""
    with Machine(program, disks=("pmem0", "pmem1", "pmem2"), **GOOD) as d:
        d.mount_here()
        path = d.root / "topology.json"
        t = json.loads(path.read_text())
        fs = {"node": "/dev/pmem0", "mountpoint": str(d.root), "fs": "xfs", "uuid": t["mounts"][0]["uuid"]}
        t.update(mounts=t["mounts"][:1], parts=[{"disk": "pmem1", "part": "log", **fs}, {"disk": "pmem2", "part": "realtime", **fs}])
        path.write_text(json.dumps(t))
        (d.root / "etc/protect.d/t.conf").write_text(f"[Protect]\nPath={d.root}/db\nReplica=mirror:/srv/mirror\n")
        d.poison((80, 1), disk="pmem2")
        d.start()
        d.wait_states("refused")
        lines = {w[0].removeprefix("└─"): w[1:] for w in (re.split(r"  +", line.strip()) for line in d.ctl("volumes", "--no-legend").splitlines())}
        assert lines["/dev/pmem0"][2:] == ["-", "xfs", str(d.root), "t"], lines
        assert lines["/dev/pmem1"][2:] == ["-", "xfs (log)", str(d.root), "-"], lines
        assert lines["/dev/pmem2"][2:] == ["1", "xfs (realtime)", str(d.root), "t"], lines
        told = {v["Device"]: v for v in json.loads(d.ctl("volumes", "--json=short"))}
        assert told["/dev/pmem2"]["Part"] == "realtime" and told["/dev/pmem2"]["FileSystemDevice"] == "/dev/pmem0", told
        assert "Part" not in told["/dev/pmem0"] and "Protected" not in told["/dev/pmem1"], told

        (d.root / "f").write_text("x")
        assert json.loads(d.ctl("plan", str(d.root / "f"), "--json=short"))["device"] == "/dev/pmem0"
        asked = d.requests("plan")[-1]
        assert asked["volume"]["device"] == "/dev/pmem0" and [(v["device"], v["part"]) for v in asked["others"]] == [("/dev/pmem2", "realtime")], asked
        d.answer(**GOOD, found={"part": "realtime"})
        assert json.loads(d.ctl("plan", str(d.root / "f"), "--json=short"))["device"] == "/dev/pmem2"

        t.update(mounts=[])                     # the file system's own device is no persistent memory
        path.write_text(json.dumps(t))
        d.ctl("rescan")
        d.wait("unmounted", lambda: "FileSystem" not in json.loads(d.ctl("volumes", "--json=short"))[0])
        assert json.loads(d.ctl("plan", str(d.root / "f"), "--json=short"))["device"] == "/dev/pmem2"
        assert d.requests("plan")[-1]["volume"]["part"] == "realtime", d.requests("plan")[-1]


def plans(program):
    """Proves that plan says what would be done, and that nothing is done; and what it says to wrong ranges and places."""
    with Machine(program, **GOOD) as d:
        d.mount_here()
        d.start()
        (d.root / "f").write_text("x")
        out = d.ctl("plan", str(d.root / "f"))
        assert "would be" in out and "/srv/t/file131" in out and "mirror:/srv/mirror" in out, out
        value = json.loads(d.ctl("plan", str(d.root / "f"), "4K", "4096", "--json=short"))
        assert value["device"] == "/dev/pmem0" and value["parts"][0]["plan"]["verdict"] in ("repair", "refuse"), value
        assert not d.requests("repair") and not d.cases()
        d.fails("plan", str(d.root / "f"), "0", "1G", says="")
        d.fails("plan", "/proc/version", says="")
        folder = os.getcwd()
        os.chdir(d.root)
        assert json.loads(d.ctl("plan", "f", "--json=short"))["target"] == str(d.root / "f")
        os.chdir(folder)
        d.answer(plan="die")
        d.fails("plan", str(d.root / "f"), says="orker")


def rescans(program):
    """Proves that rescan comes back when the lists have been read."""
    with Machine(program, protect=None, **GOOD) as d:
        d.start()
        for n in range(1, 6):
            d.poison(*((80 * i, 1) for i in range(1, n + 1)))
            assert f"{n} case{'s' if n > 1 else ''} open" in d.ctl("rescan")
        assert d.ctl("-q", "rescan") == ""


def resolves(program):
    """Proves that a case can be left alone and taken up again, and what is said to what cannot be."""
    with poisoned(program) as d:
        d.ctl("resolve", "1", "ignore")
        out = d.ctl("status")
        assert "1 more ignored" in out and "ignored" in d.ctl("list") and "Ignored:" in d.ctl("show", "1"), out
        d.ctl("resolve", "1", "retry")
        d.wait("taken up again", lambda: "1 case" in subprocess.run([CTL], capture_output=True, text=True, env=d.env()).stdout)
        d.fails("resolve", "1", "nonsense", says=["retry", "ignore"])
        d.fails("resolve", "1", "\udcff\x1b[2J", says=["retry", "ignore"])
        d.fails("resolve", "9", "retry", says="9")
        d.poison()
        d.ctl("rescan")
        d.wait_states("gone")
        d.fails("resolve", "1", "retry", says="1")


def modes(program):
    """Proves that the mode is shown and set, and that the configuration is not loosened."""
    with Machine(program, **GOOD) as d:
        d.start()
        assert d.ctl("mode") == "repair\n"
        assert "observe" in d.ctl("mode", "observe")
        assert d.ctl("mode", "-q") == "observe\n"
        assert json.loads(d.ctl("mode", "--json=short")) == {"Mode": "observe", "ConfiguredMode": "repair"}
        assert "observe" in d.ctl("status")
        assert d.ctl("-q", "mode", "repair") == "" and d.ctl("mode") == "repair\n"
        d.fails("mode", "Repair", says=["repair", "observe"])
    with Machine(program, config="[Bezoar]\nMode=observe\n", **GOOD) as d:
        d.start()
        d.fails("mode", "repair", says="observe")


def follow(d, *arguments):
    return subprocess.Popen([CTL, "monitor", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=d.env())


def hears(d, p):
    """It does not say when it begins to: cases are made until it tells of one. How many."""
    for n in range(1, 100):
        d.poison((8000 + 80 * n, 1))
        d.rescan()
        d.wait("healed", lambda: len(d.cases()) == n and d.cases()[-1]["state"] == "healed")
        if select.select([p.stdout], [], [], 0.5)[0]:
            break
    for line in p.stdout:
        s = json.loads(line)
        if (s["signal"], s["arguments"][0]) == ("CaseClosed", str(n)):
            return n
    raise AssertionError("it hears nothing")


def monitors(program):
    """Proves that monitor tells each step while it happens, as text and as JSON, and goes on when the daemon is started again."""
    with Machine(program, **GOOD) as d:
        d.start()
        lines = follow(d, "--json=short")
        n = hears(d, lines)
        text = follow(d)
        assert "following" in text.stderr.readline()
        d.poison((80, 1))
        d.rescan()
        seen = [text.stdout.readline() for _ in range(5)]
        assert "new poison: /dev/pmem0, 40960 + 4K" in seen[0] and "healed" in seen[-1], seen
        signals = [json.loads(lines.stdout.readline()) for _ in range(5)]
        assert signals[0]["signal"] == "CaseAdded" and signals[0]["arguments"][0] == str(n + 1), signals
        assert signals[-1]["signal"] == "CaseClosed" and signals[-1]["arguments"][2] == "healed", signals
        d.stop()
        assert "stopped" in text.stderr.readline()
        d.start()
        assert "running" in text.stderr.readline()
        d.poison((160, 1))
        d.rescan()
        assert "new poison" in text.stdout.readline()
        for p in (text, lines):
            p.send_signal(signal.SIGINT)
            p.wait(60)


def metrics(program):
    """Proves that the figures are those of the daemon, and that the text has the form of OpenMetrics."""
    with Machine(program, health=[{"dimm": "nmem0", "known": True, "alarms": ["fatal"]}], **GOOD) as d:
        d.poison((80, 1), (160, 2))
        d.start()
        d.wait_states("healed", "healed")
        d.wait("the alarm", lambda: "Alarms: nmem0: fatal" in d.ctl("status"))
        out = d.ctl("metrics")
        for line in ("bezoar_up 1", "bezoar_devices 1", "bezoar_open_cases 0", "bezoar_healed_cases_total 2", "bezoar_restored_bytes 1536",
                     "bezoar_repair_seconds_count 2", 'bezoar_repair_seconds_bucket{le="+Inf"} 2',
                     'bezoar_cases{state="healed",reason=""} 2',
                     'bezoar_replica_answer{replica="mirror:/srv/mirror",answer="held"} 1', 'bezoar_dimm_alarm{dimm="nmem0",alarm="fatal"} 1', 'bezoar_cases{state="in-doubt",reason=""} 0'):
            assert f"\n{line}\n" in "\n" + out, f"no {line} in\n{out}"
        assert out.endswith("# EOF\n") and out.count("# EOF") == 1
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", out, re.M))
        for line in out.splitlines():
            if not line.startswith("#"):
                name = re.match(r"(bezoar_\w+)(\{(\w+=\"[^\"]*\",?)+\})? [0-9.]+$", line)[1]
                assert (types.get(name) == "gauge" or types.get(name.removesuffix("_total")) == "counter" or
                        types.get(re.sub("_(bucket|count|sum)$", "", name)) == "histogram"), line
        manual = (pathlib.Path(__file__).parents[2] / "docs/man/bezoarctl.1.rst").read_text()
        told = set(re.findall(r"``(bezoar_\w+)", re.search(r"^METRICS\n=+\n(.*?)^EXAMPLES", manual, re.M | re.S)[1]))
        printed = {name + ("_total" if kind == "counter" else "") for name, kind in types.items()}
        assert printed == told, f"the manual and the program differ: {printed ^ told}"
        if shutil.which("promtool"):        # its form is not OpenMetrics: there the type of a counter is that of NAME_total
            text = re.sub(r"^(# \w+ bezoar_(?:healed_cases|replica_rehearsed)) ", r"\1_total ", out, flags=re.M)
            r = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            assert r.returncode == 0 and not r.stderr, r
        d.fails("metrics", "--json=short", says="OpenMetrics")


def seals(program):
    """Proves that seal hands the worker what it was given, or what is protected and there, and passes its exit status on."""
    with Machine(program, protect="") as d:
        worker = d.root / "seal-worker"
        worker.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
        worker.chmod(0o755)
        env = {"BEZOAR_WORKER": str(worker)}
        assert d.ctl("seal", "-q", "a", "b\n", **env) == "<seal><--quiet><--><a><b\n>"
        d.fails("seal", "--json=short", "a", says="no --json")
        d.fails("seal", says="not running")
        (d.root / "a").mkdir()
        (d.root / "c").mkdir()
        for name, path in (("one", d.root / "a"), ("two", d.root / "c"), ("three", "/nowhere/at-all")):
            (d.root / f"etc/protect.d/{name}.conf").write_text(f"[Protect]\nPath={path}\nReplica=mirror:/srv/mirror\n")
        d.start()
        r = subprocess.run([CTL, "seal"], capture_output=True, text=True, env=d.env(**env))
        assert r.stdout == f"<seal><--><{d.root}/a><{d.root}/c>" and "three: /nowhere/at-all: not sealed" in r.stderr, r
        worker.write_text("#!/bin/sh\nexit 1\n")
        d.ctl("seal", "a", status=1, **env)


def drills(program):
    """Proves that drill asks for as many pages as it is told to, of files only, counts what the daemon says of them, and fails when
    one could not be restored."""
    with Machine(program, protect="", locate="one-file", plan="one-file") as d:
        d.mount_here()
        folder = d.root / "drill"
        (folder / ".bezoar").mkdir(parents=True)
        (folder / "empty").touch()
        (folder / "link").symlink_to("/etc/hostname")
        (folder / ".bezoar/guard").write_bytes(bytes(1 << 20))
        (d.root / "etc/protect.d/t.conf").write_text(f"[Protect]\nPath={folder}\nReplica=mirror:/srv/mirror\n")
        (d.root / "etc/protect.d/u.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.start()
        d.fails("drill", str(folder), says="no file with a page")
        (folder / "a").write_bytes(bytes(5000))
        (folder / "b").write_bytes(bytes(4096 * 1000))

        def answer(**more):
            d.answer(locate="one-file", plan="one-file", offer={"replica": "mirror:/srv/mirror", "state": "held", "witness": "equal", "group": 1,
                                              "proof": "identity+neighbours", "truth": "right", **more})

        answer()
        out = json.loads(d.ctl("drill", str(folder), "--pages=30", "--json=short"))
        assert out == {"pages": 30, "good": 30, "bad": 0, "replicas": [{"replica": "mirror:/srv/mirror", "pages": 30, "good": 30, "wrong": 0}]}, out
        asked = {(pathlib.Path(r["path"]).name, r["in_file"]["start"]) for r in d.requests("plan")}
        assert len(asked) > 20 and all(name in ("a", "b") and start % 4096 == 0 for name, start in asked), asked
        assert "30 of 30 pages would be restored" in d.ctl("drill", str(folder), "--pages=30")
        answer(witness="differ", proof="identity")
        r = subprocess.run([CTL, "drill", str(folder), "--pages=20"], capture_output=True, text=True, env=d.env())
        assert r.returncode == 1 and "0 of 20 pages" in r.stdout and r.stderr.count("could not be restored") == 10, r
        answer(truth="wrong")
        out = json.loads(d.ctl("drill", str(folder), "--pages=4", "--json=short", status=1))
        assert out["bad"] == 4 and out["replicas"][0]["wrong"] == 4, out
        for pages in ("0", "x", "100001"):
            d.fails("drill", str(folder), f"--pages={pages}", says="from 1 to 100000")
        d.fails("list", "--pages=3", says="for drill")


def checks_config(program):
    """Proves that check-config is the daemon's own check, with its exit status."""
    with Machine(program) as d:
        assert "fine" in d.ctl("check-config", str(d.root / "etc"))
        assert d.ctl("-q", "check-config", str(d.root / "etc")) == ""
        (d.root / "etc/bezoar.conf").write_text("[Bezoar]\nMode=sleep\n")
        r = subprocess.run([CTL, "check-config", str(d.root / "etc")], capture_output=True, text=True, env=d.env())
        own = subprocess.run([program, "--check-config", f"--config={d.root}/etc"], capture_output=True, text=True)
        assert r.returncode == 1 and r.stdout == own.stdout and "bezoar.conf:2" in r.stdout, r
        d.fails("check-config", "--json=short", says="no --json")


def hostile_names(program):
    """Proves that a name that would move the cursor, break the line or turn the writing around cannot, anywhere."""
    name = "/srv/t/\\x1b[2J\\x0a9  healed\u202e\\xff\\x5c\u00e4"
    with poisoned(program) as d:
        d.stop()
        path = d.root / "state/cases/1.json"
        case = json.loads(path.read_text())
        case["owners"][0]["path"] = name
        case["state"] = "gone"
        case["reason"] = "cleared"
        case["events"].append({"time": 1, "state": "gone", "detail": name})
        path.write_text(json.dumps(case, ensure_ascii=False))
        d.start()
        shown = name.replace("\u202e", "\\xe2\\x80\\xae")
        for arguments in (["history"], ["show", "1"], ["explain", "1"]):
            out = d.ctl(*arguments)
            assert shown in out and not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", out), f"{arguments}: {out!r}"
            assert d.ctl(*arguments, LC_ALL="C").isascii()
        assert json.loads(d.ctl("show", "1", "--json=short"))["owners"][0]["path"] == name


def terminals(program):
    """Proves that there are colours on a terminal only, that NO_COLOR and TERM=dumb are respected, that sentences keep within the width,
    that a pager is used as systemd's tools do, and that the exit status stays what it is."""
    with poisoned(program) as d:
        assert "\033[" not in d.ctl(status=3)
        text, code = d.terminal("--no-pager")
        assert "\033[1;31mrefused\033[0m" in text and code == 3, (text, code)
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text, code = d.terminal("--no-pager", **env)
            assert "refused" in text and "\033[" not in text, repr(text)
        assert "\033[1;31m" in d.terminal("--no-pager", NO_COLOR="")[0]

        for verb in ("show", "explain"):
            text, code = d.terminal("--no-pager", verb, "1")
            lines = re.sub("\033\\[[0-9;]*m", "", text).splitlines()
            assert code == 0 and 60 < max(len(line) for line in lines if "OWNER" not in line) <= 80, text

        pager = "echo BEGIN $LESS; cat; echo END"
        for env, used in (({"SYSTEMD_PAGER": pager}, True), ({"PAGER": pager}, True), ({"SYSTEMD_PAGER": "", "PAGER": pager}, False),
                          ({"PAGER": "cat"}, False), ({"PAGER": pager, "SUDO_UID": "1000"}, False),
                          ({"PAGER": pager, "SUDO_UID": "1000", "SYSTEMD_PAGERSECURE": "0"}, True)):
            text, code = d.terminal("status", **env)
            assert ("BEGIN FRSXMK\n" in text and text.rstrip().endswith("END")) == used and "refused" in text and code == 3, (env, text)
        text, code = d.terminal("status", PAGER="true")
        assert code == 3 and text == "", text
        text, code = d.terminal("status", PAGER="no-such-pager-anywhere")
        assert code == 3 and "refused" in text, text
        d.poison(*((80 * i, 1) for i in range(100)))
        d.rescan()
        d.wait("more than a pipe holds", lambda: len(d.ctl("list", "--json=pretty")) > 1 << 16)
        assert d.terminal("list", "--json=pretty", PAGER="true") == ("", 0)
        text, code = d.terminal("monitor", "x", PAGER=pager)
        assert code == 1 and "BEGIN" not in text, text


def progress(program):
    """Proves that a terminal is told that something takes long, on one line that is gone at the end; not with --quiet."""
    with Machine(program, config="[Bezoar]\nWorkerTimeoutSec=2s\n", plan="hang") as d:
        d.mount_here()
        d.start()
        text, code = d.terminal("plan", str(d.root / "topology.json"))
        assert code == 1 and "\rAsking the file system and the replicas: 1 s" in text, repr(text)
        assert re.search(r"\r {70,}\rbezoarctl: ", text), repr(text)
        assert "Asking" not in d.terminal("-q", "plan", str(d.root / "topology.json"))[0]


def completes(program):
    """Proves that bash offers what can come next: commands, options, their values, and the ids of cases."""
    script = pathlib.Path(__file__).parents[2] / "contrib/completion/bash/bezoarctl"
    with poisoned(program, 3) as d:
        d.ctl("resolve", "2", "ignore")
        for words, expected in ((["r"], ["rescan", "resolve"]), (["--no"], ["--no-pager", "--no-legend"]), (["--js"], ["--json="]),
                                (["--json", "=", "p"], ["pretty"]), (["--json", "="], ["pretty", "short", "off"]),
                                (["list", "--state", "=", "re"], ["repairing", "refused"]), (["show", ""], ["1", "2", "3"]),
                                (["-q", "--json", "=", "short", "explain", ""], ["1", "2", "3"]), (["resolve", ""], ["1", "2", "3"]),
                                (["resolve", "2", ""], ["retry", "ignore"]), (["resolve", "2", "retry", ""], []),
                                (["mode", "o"], ["observe"]), (["list", ""], [])):
            bash = 'source "$0"; compopt() { :; }; COMP_WORDS=(bezoarctl "$@"); COMP_CWORD=$#; _bezoarctl; printf "%s\\n" "${COMPREPLY[@]}"'
            env = d.env(PATH=f"{pathlib.Path(CTL).parent}:{os.environ['PATH']}")
            r = subprocess.run(["bash", "-c", bash, script, *words], capture_output=True, text=True, env=env)
            assert r.stdout.split() == expected and not r.stderr, f"{words}: {r}"


def bad_input(program):
    """Proves that wrong arguments get a sentence that names what is allowed, whether the daemon runs or not."""
    long = "9" * ((1 << 17) - 64)       # the kernel lets no argument be longer (MAX_ARG_STRLEN)
    with Machine(program, **GOOD) as d:
        d.start()
        for arguments, says in (
                (["nonsense"], ["no command", "status", "check-config"]), (["nonsense\x1b\n"], "no command"),
                (["--nonsense"], "--help"), (["list", "--json"], "--help"), (["--json=yes"], ["pretty", "short", "off"]),
                (["list", "x"], "too much"), (["show"], "show ID"), (["show", "x"], "number"), (["show", "0"], "number"),
                (["show", "-1"], "--help"), (["show", ""], "number"), (["show", "+1"], "number"), (["show", " 1"], "number"),
                (["show", "0x1"], ["number", "history"]), (["show", long], "number"), (["show", "1/../2"], "number"),
                (["show", "\udcff"], "number"), (["explain", "1", "y"], "number"), (["status", "--lines=3"], "list and history"),
                (["list", "--lines=0"], "from 1"), (["list", "-n", "x"], "from 1"),
                (["list", "--state=ill"], ["detected", "in-doubt", "gone"]), (["list", "--state="], "detected"),
                (["list", "--device=" + long], "4096"), (["plan"], "plan PATH"), (["plan", ""], "No such"),
                (["plan", "/nonexistent"], "No such file"), (["plan", long], "too long"),
                (["plan", "/etc/passwd", "x"], "bytes are wanted"), (["plan", "--", "/etc/passwd", "-1"], "bytes are wanted"),
                (["plan", "/etc/passwd", "1", "0"], "at least one"), (["plan", "/etc/passwd", "1", long], "too large"),
                (["plan", "/etc/passwd", "18446744073709551615", "1"], "more than"),
                (["plan", "/etc/passwd", "1", "2", "3"], "too much"), (["resolve", "1"], "needs more"), (["resolve"], "ID [ACTION]"),
                (["resolve", "1", "retry", "x"], "too much"), (["resolve", "1", long], ""), (["mode", "x"], ["repair", "observe"]),
                (["mode", "repair", "x"], "too much"), (["monitor", "x"], "too much"), (["metrics", "x"], "too much"),
                (["rescan", "x"], "too much"), (["volumes", "x"], "too much"), (["history", "x"], "too much"),
                (["check-config", "a", "b"], "too much")):
            d.fails(*arguments, says=says)
        assert d.ctl("list", "--device=\udcff") == "No open cases.\n"
        r = subprocess.run([CTL, "volumes"], stdout=open("/dev/full", "w"), stderr=subprocess.PIPE, text=True, env=d.env())
        assert r.returncode == 1 and "could not be written" in r.stderr, r


if __name__ == "__main__":
    run([not_running, not_allowed, status, lists, shows, volumes, stacks, side_by_side, parts, plans, rescans, resolves, modes, monitors, metrics, seals, drills, checks_config, hostile_names,
         terminals, progress, completes, bad_input])
