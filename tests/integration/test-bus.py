#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.bezoar1: the real daemon on a private bus, with a worker that pretends."""
import json, os, pathlib, re, select, socket, statistics, threading, time
import xml.etree.ElementTree as ElementTree

from daemon import LIMIT, PHYSICAL, SIZE, Daemon, run
from privatebus import MANAGER, SYSTEM_POLICY, Failed, Polkit, PrivateBus

SOURCE = pathlib.Path(__file__).parents[2]
GOOD = {"locate": "one-file", "plan": "one-file", "repair": "healed"}
CASE = "org.bezoar1.Case"
ROOT = os.geteuid() == 0
NOBODY = {"uid": 65534} if ROOT else {}         # a client whom only polkit can let in


def admin(bus):
    """A client who may do everything."""
    if not ROOT:
        Polkit(bus, "allow")
    return bus.client()


def fails(name, do, *words):
    """The error comes by this name, with a sentence that has these words."""
    try:
        result = do()
    except Failed as e:
        full = name if "." in name else "org.bezoar1.Error." + name
        assert e.name == full, f"{e.name} instead of {full}: {e.text}"
        assert len(e.text) > 15 and e.text[0].isupper() or "'" == e.text[0], e.text
        for word in words:
            assert word in e.text, f"no '{word}' in: {e.text}"
        return
    raise AssertionError(f"no error, but {result!r}")


class Scene:
    """A bus, a daemon on it with one refused case, and a client that may do everything."""

    def __init__(self, program, poison=((801, 1),), states=("refused",), protect=None, bus=None, **kwargs):
        self.bus = bus or PrivateBus()
        self.daemon = Daemon(program, protect=protect, **{**GOOD, **kwargs})
        self.daemon.bus = self.bus.address
        if poison:
            self.daemon.poison(*poison)
        self.states = states

    def __enter__(self):
        try:
            self.daemon.start()
            if self.states:
                self.daemon.wait_states(*self.states)
            self.client = admin(self.bus)
            # It is ready before it has read what there is.
            self.daemon.wait("the devices", lambda: self.client.manager("ListVolumes"))
        except BaseException:
            self.__exit__()
            raise
        return self.bus, self.daemon, self.client

    def __exit__(self, *_):
        self.daemon.__exit__()
        self.bus.__exit__()


# ---- what it looks like ----

def shape(xml):
    """{interface: {member: (kind, signature, names)}} of an introspection."""
    result = {}
    for interface in ElementTree.fromstring(xml).iter("interface"):
        members = result.setdefault(interface.get("name"), {})
        for m in interface:
            if m.tag == "property":
                members[m.get("name")] = ("property", m.get("type"), ())
            elif m.tag in ("method", "signal"):
                args = [(a.get("direction", "out"), a.get("type"), a.get("name")) for a in m.iter("arg")]
                assert all(name for _, _, name in args), f"arguments without a name: {m.get('name')}"
                members[m.get("name")] = (m.tag, tuple(f"{d} {t}" for d, t, _ in args), tuple(n for _, _, n in args))
    return result


def manual():
    """The same from the manual page."""
    text = (SOURCE / "docs/man/org.bezoar1.5.rst").read_text()
    result = {}
    for interface, block in re.findall(r"interface (org\.bezoar1\.\w+) \{(.*?)\n      \};", text, re.S):
        members = result.setdefault(interface, {})
        parts = re.split(r"\n +(methods|signals|properties):\n", block)
        for kind, body in zip(parts[1::2], parts[2::2]):
            if kind == "properties":
                for signature, name in re.findall(r"readonly (\S+) (\w+) =", body):
                    members[name] = ("property", signature, ())
            else:
                for name, args in re.findall(r"(\w+)\(([^;]*)\);", body):
                    args = [a.split() for a in args.split(",")] if args else []
                    args = [["out"] + a if len(a) == 2 else a for a in args]
                    members[name] = (kind[:-1], tuple(f"{d} {t}" for d, t, _ in args), tuple(n for _, _, n in args))
    return result


def introspection_is_the_manual(program):
    """Proves that every method, signal and property, with signature and argument names, is what org.bezoar1(5) says."""
    with Scene(program) as (_, _, c):
        found = {}
        for path in ("/org/bezoar1", "/org/bezoar1/case/1"):
            xml, = c.call("org.bezoar1", path, "org.freedesktop.DBus.Introspectable", "Introspect")
            found |= {k: v for k, v in shape(xml).items() if k.startswith("org.bezoar1")}
        for interface, members in manual().items():
            assert found[interface] == members, {k: (found[interface].get(k), members.get(k)) for k in found[interface] | members
                                                 if found[interface].get(k) != members.get(k)}
        assert found.keys() == manual().keys()
        top, = c.call("org.bezoar1", "/org/bezoar1", "org.freedesktop.DBus.Introspectable", "Introspect")
        assert "org.freedesktop.DBus.ObjectManager" in top
        nodes, = c.call("org.bezoar1", "/org/bezoar1/case", "org.freedesktop.DBus.Introspectable", "Introspect")
        assert '<node name="1"/>' in nodes, nodes


# ---- queries ----

def cases(program):
    """Proves that the list, the JSON of a case, the properties of its object and the ledger say the same."""
    with Scene(program) as (_, d, c):
        (row,) = c.manager("ListCases", "a{sv}", {})
        case, = d.cases()
        changed = case["events"][-1]["time"]
        assert row == ("1", "/org/bezoar1/case/1", "refused", "not-protected", "/dev/pmem0", 409600, 4096, "/srv/t/file131", 409600,
                       changed), row
        assert json.loads(c.manager("GetCase", "s", "1")) == case
        assert json.loads(c.manager("ListCasesJson", "a{sv}", {})) == [case]

        p = c.get_all("/org/bezoar1/case/1", CASE)
        text = {k: p.pop(k) for k in ("Explanation", "Advice", "Detail")}
        assert all(len(t) > 20 for t in text.values()), text
        assert p == {"Id": "1", "State": "refused", "Reason": "not-protected", "Ignored": False, "Device": "/dev/pmem0",
                     "FileSystem": "xfs", "Uuid": "uuid-0", "MountPoint": "/srv", "FileSystemDevice": "/dev/pmem0",
                     "Range": (409600, 4096), "Bad": [(410112, 512)],
                     "Physical": (PHYSICAL + 409600, 4096), "Dimms": ["nmem0"], "Path": "/srv/t/file131", "Offset": 409600,
                     "Owners": [("file", 409600, 4096, 131, 1, 409600, "/srv/t/file131", False, False, "")], "Names": [], "Replica": "", "Proof": "", "AcceptedBy": "",
                     "Writer": "", "FrozenUSec": 0, "Attempts": 0, "Created": case["events"][0]["time"], "Changed": changed, "NextTry": 0,
                     "Events": [(e["time"], e["state"], e["detail"]) for e in case["events"]]}, p
        for name, value in p.items():
            assert c.get("/org/bezoar1/case/1", CASE, name) == value, name

        objects, = c.call("org.bezoar1", "/org/bezoar1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        assert objects["/org/bezoar1/case/1"][CASE]["State"] == "refused", objects


def closed_cases(program):
    """Proves that a closed case leaves the list and the objects, and can still be had, also after a restart."""
    with Scene(program, states=("healed",), protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (bus, d, c):
        for _ in range(2):
            assert c.manager("ListCases", "a{sv}", {}) == []
            assert [r[0] for r in c.manager("ListCases", "a{sv}", {"closed": ("b", True)})] == ["1"]
            assert [r[2] for r in c.manager("ListCases", "a{sv}", {"state": ("s", "healed")})] == ["healed"]
            objects, = c.call("org.bezoar1", "/org/bezoar1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
            assert objects == {}, objects
            assert json.loads(c.manager("GetCase", "s", "1")) == d.cases()[0]
            p = c.get_all("/org/bezoar1/case/1", CASE)
            assert (p["State"], p["Replica"], p["Proof"], p["Writer"], p["Attempts"]) == (
                "healed", "mirror:/srv/mirror", "identity+neighbours", "pwrite", 1), p
            assert "Where the bytes came from" in c.manager("Explain", "s", "1")
            assert c.get("/org/bezoar1", MANAGER[2], "HealedCases") == 1
            assert d.stop() == 0
            d.start()
            c = bus.client()


def filters(program):
    """Proves each entry of the filter, alone and together."""
    with Scene(program, poison=((80, 1), (160, 1), (240, 1)), states=("refused",) * 3) as (_, d, c):
        def ids(**f):
            rows = [r[0] for r in c.manager("ListCases", "a{sv}", f)]
            assert rows == [x["id"] for x in json.loads(c.manager("ListCasesJson", "a{sv}", f))]
            return "".join(rows)

        d.poison((80, 1), (240, 1))
        d.rescan()
        d.wait_states("refused", "gone", "refused")
        assert ids() == "13"
        assert ids(closed=("b", True)) == "123"
        assert ids(closed=("b", False)) == "13"
        assert ids(state=("s", "gone")) == "2"
        assert ids(state=("as", ["gone", "refused"])) == "123"
        assert ids(state=("as", [])) == "13"
        assert ids(state=("s", "waiting")) == ""
        assert ids(device=("s", "pmem0")) == "13" and ids(device=("s", "/dev/pmem0")) == "13" and ids(device=("s", "pmem1")) == ""
        assert ids(path=("s", "/srv/t/file131")) == "13" and ids(path=("s", "/srv")) == "13" and ids(path=("s", "/srv/t/f")) == ""
        assert ids(limit=("t", 1)) == "3" and ids(limit=("t", 0)) == "13" and ids(limit=("t", 2**64 - 1)) == "13"
        last = d.cases()[1]["events"][-1]["time"]
        assert ids(since=("t", last), closed=("b", True)) == "2" and ids(since=("t", 2**64 - 1)) == ""


def volumes(program):
    """Proves that devices are told with all that stands below and above them, and that the topology can be loaded again."""
    with Scene(program) as (_, d, c):
        volume, = c.manager("ListVolumes")
        assert volume == {"Device": "/dev/pmem0", "Name": "pmem0", "Size": SIZE, "On": [], "Lower": [], "Watched": True, "Physical": (PHYSICAL, SIZE),
                          "Namespace": "namespace0.0", "NamespaceMode": "fsdax", "Region": "region0", "Dimms": ["nmem0"],
                          "FileSystem": "xfs", "Uuid": "uuid-0", "MountPoint": "/srv", "ReadOnly": False, "Protected": [],
                          "OpenCases": 1}, volume
        saved = json.loads((d.root / "topology.json").read_text())
        assert json.loads(c.manager("GetTopology")) == saved

        saved["disks"].insert(0, dict(saved["disks"][0], name="dm-0", node="/dev/dm-0", minor=7, badblocks=False))
        saved["disks"].insert(1, dict(saved["disks"][1], name="pmem0p1", node="/dev/pmem0p1", minor=8, badblocks=False))
        saved["links"] = [{"upper": "dm-0", "lower": "pmem0p1", "map": [{"start": 0, "length": 1 << 20, "to": 0}]},
                          {"upper": "pmem0p1", "lower": "pmem0", "map": [{"start": 0, "length": 1 << 20, "to": 1 << 20}]}]
        saved["mounts"][0] |= {"disk": "dm-0", "mountpoint": "/srv/a\\x0ab"}
        (d.root / "topology.json").write_text(json.dumps(saved))
        (d.root / "etc/protect.d/whole.conf").write_text("[Protect]\nPath=/srv\nReplica=mirror:/srv2\n")
        d.rescan()
        d.wait("the new topology", lambda: len(c.manager("ListVolumes")) == 3)
        assert [(v["Name"], v["On"]) for v in c.manager("ListVolumes")] == [
            ("pmem0", []), ("pmem0p1", ["/dev/pmem0"]), ("dm-0", ["/dev/pmem0p1", "/dev/pmem0"])]
        dm = c.manager("ListVolumes")[2]
        assert dm["MountPoint"] == "/srv/a\\x0ab" and dm["Protected"] == ["whole"] and "Region" not in dm, dm


def explain(program):
    """Proves that the explanation names the place, the reason, the rule, and what can be done."""
    with Scene(program) as (_, _, c):
        text = c.manager("Explain", "s", "1")
        for words in ("Case 1 is refused", "'/srv/t/file131'", "512 bytes", "/dev/pmem0", "nmem0", "No protect file", "The rule:",
                      "Nothing is written but what the configuration allows", "What you can do", "bezoarctl resolve 1 retry", "detected"):
            assert words in text, f"no '{words}' in:\n{text}"


# ---- what is told unasked ----

def healing_is_told(program):
    """Proves that each step of a case is told in order, that its object comes and goes, and that the counts follow."""
    with Scene(program, poison=(), states=(), protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (_, d, c):
        c.listen()
        d.poison((801, 1))
        c.manager("Rescan")
        signals = c.heard(lambda s: any(x.member == "CaseClosed" for x in s) and any(x.member == "PropertiesChanged" and
                          "HealedCases" in x.args[1] for x in s))
        steps = [(s.member, *s.args) for s in signals if s.interface == MANAGER[2]]
        path = "/org/bezoar1/case/1"
        assert steps[0] == ("CaseAdded", "1", path, "/dev/pmem0", 409600, 4096), steps
        assert [s[0] for s in steps] == ["CaseAdded", "CaseChanged", "CaseChanged", "CaseProgress", "CaseClosed"], steps
        assert [s[3] for s in steps[1:3]] == ["located", "repairing"] and steps[3] == ("CaseProgress", "1", path, "as if")
        assert steps[4][1:5] == ("1", path, "healed", "") and len(steps[4][5]) > 10, steps
        names = [(s.member, s.args[0]) for s in signals if s.interface == "org.freedesktop.DBus.ObjectManager"]
        assert names == [("InterfacesAdded", path), ("InterfacesRemoved", path)], names
        added, = [s for s in signals if s.member == "InterfacesAdded"]
        assert added.args[1][CASE]["State"] == "detected", added.args
        last = [s for s in signals if s.member == "PropertiesChanged" and s.path == path][-1]
        assert last.args[0] == CASE and last.args[1]["State"] == "healed" and last.args[1]["Writer"] == "pwrite", last.args
        assert set(last.args[2]) == {"Bad", "Owners", "Names", "Events"}, last.args
        told = {}
        for s in signals:
            if s.member == "PropertiesChanged" and s.path == "/org/bezoar1":
                told |= s.args[1]
        assert told["HealedCases"] == 1 and told["CaseCounts"] == {"healed": 1} and told["LastScan"] > 0, told


def changes_are_gathered(program):
    """Proves that of cases that go through several states at once each state is told as a signal, and the properties once."""
    with Scene(program, poison=tuple((i * 80, 1) for i in range(50)), states=("refused",) * 50, config="[Bezoar]\nMode=observe\n") as (
            _, d, c):
        c.listen()
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.rescan()
        c.heard(lambda s: sum(x.member == "CaseChanged" and x.args[2] == "waiting" for x in s) == 50)
        c.heard(lambda s: {x.path for x in s if x.member == "PropertiesChanged" and x.args[1].get("State") == "waiting"} >=
                {f"/org/bezoar1/case/{i}" for i in range(1, 51)})
        time.sleep(0.2)
        c.manager("ListCases", "a{sv}", {})
        # That it was refused may only be told now: the ledger has it first.
        steps = [s.args[2] for s in c.signals if s.member == "CaseChanged" and s.args[2] != "refused"]
        assert steps == ["detected", "waiting"] * 50, steps
        changed = [s for s in c.signals if s.member == "PropertiesChanged" and s.path != "/org/bezoar1" and s.args[1]["State"] != "refused"]
        assert len({s.path for s in changed}) == len(changed) == 50, len(changed)
        assert {s.args[1]["State"] for s in changed} == {"waiting"}


def reminded(program):
    """Proves that who asks all the time to look again does not keep the daemon from doing what it has found to be done."""
    with Scene(program, poison=((80, 1), (160, 1)), states=("refused", "refused")) as (_, d, c):
        d.answer(locate="slow", repair="healed")
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.rescan()

        def healed():
            c.manager("Rescan")
            return [x["state"] for x in d.cases()] == ["healed", "healed"]
        d.wait("healed", healed)


def one_always_fails(program):
    """Proves that a case whose replica is away each time, though somebody asks all the time to look again, keeps none that come after it."""
    with Scene(program, poison=((80, 1), (160, 1), (240, 1)), states=("refused",) * 3) as (_, d, c):
        d.answer(locate="one-file", repair="away-at-80")
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.rescan()

        def others_healed():
            c.manager("Rescan")
            return [x["state"] for x in d.cases()[1:]] == ["healed", "healed"]
        d.wait("the others healed", others_healed)
        assert d.cases()[0]["state"] != "healed"


def counts(program):
    """Proves the properties of the manager."""
    with Scene(program, poison=((80, 1), (160, 1)), states=("refused", "refused")) as (_, d, c):
        d.poison((80, 1))
        d.rescan()
        d.wait_states("refused", "gone")
        p = c.get_all("/org/bezoar1", MANAGER[2])
        assert abs(p.pop("LastScan") / 1e6 - time.time()) < 60
        assert re.fullmatch(r"\d+(\.\d+)*", p.pop("Version"))
        assert p == {"Mode": "repair", "ConfiguredMode": "repair", "Devices": 1, "OpenCases": 1, "RefusedCases": 1, "InDoubtCases": 0,
                     "IgnoredCases": 0, "HealedCases": 0, "CaseCounts": {"refused": 1, "gone": 1}, "Replicas": [], "Rehearsals": [], "DimmAlarms": []}, p


def rehearsals(program):
    """Proves that it is counted whether what a replica had was enough and true, and that a replica that begins to fail is told once,
    and each time that it would have been believed wrongly."""
    def offered(**more):
        d.answer(**GOOD, offer={"replica": "mirror:/srv/mirror", "state": "held", "witness": "equal", "group": 1,
                                "proof": "identity+neighbours", **more})
        return json.loads(c.manager("Plan", "stt", "/srv/t/a", 0, 0))["parts"][0]["found"]["offers"][0]

    def alerts():
        return (d.root / "log").read_text().count("could not restore /srv/t/file131")

    with Scene(program, poison=(), states=(), protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (_, d, c):
        assert offered(truth="right")["enough"]
        assert c.get("/org/bezoar1", MANAGER[2], "Rehearsals") == [("mirror:/srv/mirror", 1, 1, 0)] and alerts() == 0
        assert "enough" not in offered(truth="right", witness="differ", proof="identity")
        offered(truth="wrong", witness="differ", proof="identity")
        assert c.get("/org/bezoar1", MANAGER[2], "Rehearsals") == [("mirror:/srv/mirror", 3, 1, 0)] and alerts() == 1
        offered(truth="wrong")
        offered(truth="wrong")
        assert c.get("/org/bezoar1", MANAGER[2], "Rehearsals") == [("mirror:/srv/mirror", 5, 1, 2)] and alerts() == 3
        offered()
        assert c.get("/org/bezoar1", MANAGER[2], "Rehearsals") == [("mirror:/srv/mirror", 5, 1, 2)]


def figures(program):
    """Proves that of each replica that is configured the last answer is told, and that it was not asked where it was not; and the alarms of
    memory modules."""
    def told(*expected):
        replicas = c.get("/org/bezoar1", MANAGER[2], "Replicas")
        assert all((answer == "unasked") == (t == 0) for _, answer, t in replicas), replicas
        return [(name, answer) for name, answer, _ in replicas] == list(expected)

    protect = "[Protect]\nPath=/srv/t\nReplica=mirror:/srv/other\nReplica=mirror:/srv/mirror\n"
    with Scene(program, poison=(), states=(), protect=protect, health=[{"dimm": "nmem0", "known": True, "alarms": ["spares"]}]) as (_, d, c):
        d.wait("the alarm", lambda: c.get("/org/bezoar1", MANAGER[2], "DimmAlarms") == [("nmem0", "spares")])
        (d.root / "etc/protect.d/u.conf").write_text("[Protect]\nPath=/srv/u\nReplica=mirror:/srv/mirror\n")
        d.rescan()
        d.wait("two replicas", lambda: told(("mirror:/srv/mirror", "unasked"), ("mirror:/srv/other", "unasked")))
        c.manager("Plan", "stt", "/srv/t/a", 0, 0)
        assert told(("mirror:/srv/mirror", "held"), ("mirror:/srv/other", "unasked"))
        d.answer(**GOOD, offer={"replica": "mirror:/srv/mirror", "state": "held", "witness": "differ", "group": 1})
        d.poison((801, 1))
        d.rescan()
        d.wait_states("refused")
        assert told(("mirror:/srv/mirror", "stale"), ("mirror:/srv/other", "unasked"))
        d.answer(**GOOD, offer={"replica": "mirror:/srv/other", "state": "unreachable"})
        d.rescan()
        d.wait("unreachable", lambda: told(("mirror:/srv/mirror", "stale"), ("mirror:/srv/other", "unreachable")))
        (d.root / "etc/protect.d/t.conf").unlink()
        d.rescan()
        d.wait("one replica", lambda: told(("mirror:/srv/mirror", "stale")))


# ---- plan ----

def plans(program):
    """Proves that a plan shows what would be done for a device and for a file, by the policy, and opens no case."""
    with Scene(program, poison=(), states=(), protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (_, d, c):
        p = json.loads(c.manager("Plan", "stt", "/dev/pmem0", 5000, 100))
        assert (p["target"], p["device"], p["mode"]) == ("/dev/pmem0", "/dev/pmem0", "repair"), p
        part, = p["parts"]
        assert part["found"]["range"] == {"start": 4096, "length": 4096} and part["found"]["bad"] == [{"start": 4608, "length": 512}], part
        assert part["plan"]["verdict"] == "repair" and part["plan"]["replica"] == "mirror:/srv/mirror", part
        assert part["plan"]["proof"] == "identity+neighbours" and len(part["plan"]["steps"]) == 1, part

        p = json.loads(c.manager("Plan", "stt", "/srv/t/a\\x0ab", 8192, 0))
        assert p["target"] == "/srv/t/a\\x0ab" and p["parts"][0]["plan"]["verdict"] == "repair", p
        request = d.requests("plan")[-1]
        assert request["path"] == "/srv/t/a\\x0ab" and request["in_file"] == {"start": 8192, "length": 4096}, request
        assert request["volume"]["device"] == "/dev/pmem0" and request["ranges"] == [], request

        assert c.manager("ListProtected") == [("t", "/srv/t", "", ["mirror:/srv/mirror"])], c.manager("ListProtected")
        (d.root / "etc/protect.d/t.conf").unlink()
        d.rescan()
        d.wait("the configuration", lambda: c.manager("ListProtected") == [])
        d.wait("no protect file", lambda: c.manager("ListVolumes")[0]["Protected"] == [])
        part, = json.loads(c.manager("Plan", "stt", "/srv/t/a", 0, 4096))["parts"]
        assert (part["plan"]["verdict"], part["plan"]["reason"]) == ("refuse", "not-protected") and part["explanation"] and part["advice"]
        assert c.manager("ListCases", "a{sv}", {"closed": ("b", True)}) == [] and not d.requests("repair") and not d.cases()


def plans_that_fail(program):
    """Proves that each way in which a plan cannot be made has its error, and that the daemon goes on."""
    def plan(target="/srv/t/a", offset=0, length=4096):
        return c.manager("Plan", "stt", target, offset, length)

    with Scene(program, poison=(), states=(), config="[Bezoar]\nWorkerTimeoutSec=1s\n", plan="hang") as (_, d, c):
        fails("WorkerTimeout", plan, "in time")
        (d.root / "etc/bezoar.conf").write_text("[Bezoar]\nMode=observe\n")     # with time for an answer
        d.rescan()
        d.wait("the configuration", lambda: c.get("/org/bezoar1", MANAGER[2], "ConfiguredMode") == "observe")
        d.answer(**GOOD)
        plan()
    with Scene(program, poison=(), states=()) as (_, d, c):
        for how, words in (("die", "killed"), ("garbage", ""), ("error", "not today")):
            d.answer(**{**GOOD, "plan": how})
            fails("WorkerFailed", plan, words)
        d.answer(**GOOD)
        plan()
        fails("NoSuchVolume", lambda: plan("/home/somebody"), "'/home/somebody'")
        fails("NoSuchVolume", lambda: plan("/srvt/a"))
        fails("NoSuchVolume", lambda: plan("/dev/pmem7"))
        fails("InvalidRange", lambda: plan("/dev/pmem0", SIZE))
        fails("InvalidRange", lambda: plan("/dev/pmem0", SIZE - 4096, 4097))
        plan("/dev/pmem0", SIZE - 4096, 4096)
        for target in ("/dev/pmem0", "/srv/t/a"):
            fails("InvalidRange", lambda: plan(target, 0, (16 << 20) + 1), "16777216")
            fails("InvalidRange", lambda: plan(target, 2**64 - 1, 2))
            fails("InvalidRange", lambda: plan(target, 2**64 - 1, 2**64 - 1))
            fails("InvalidRange", lambda: plan(target, 2**64 - 4096, 4095))
            fails("InvalidRange", lambda: plan(target, 2**63, 4096))
        plan("/srv/t/a", 0, 16 << 20)
        for target in ("", "a", "srv/t/a", "/srv/\\xzz"):
            fails("InvalidArgument", lambda: plan(target), "absolute path")


def too_many_plans(program):
    """Proves that plans that wait for a worker that hangs are bounded in number, hold up no repair, and end when the daemon stops."""
    if not ROOT:
        return                          # nobody else may have so many
    with Scene(program, poison=(), states=(), plan="hang", protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (_, d, c):
        serials = [c.begin(*MANAGER, "Plan", "stt", "/srv/t/a", 0, 0) for _ in range(16)]
        fails("Busy", lambda: c.manager("Plan", "stt", "/srv/t/a", 0, 0), "Too many")
        d.poison((80, 1))
        c.manager("Rescan")
        d.wait_states("healed")
        assert d.stop() == 0            # sooner than the workers have to answer
        for serial in serials:
            fails("Stopping", lambda: c.finish(serial), "stops")


def one_user_of_many(program):
    """Proves that what one user has in hand is bounded, over all his connections, and leaves others what they ask; answered calls do not count."""
    with Scene(program, poison=(), states=(), plan="hold", protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (bus, d, c):
        user, same = bus.client(**NOBODY), bus.client(**NOBODY)
        serials = [(x, x.begin(*MANAGER, "Plan", "stt", "/srv/t/a", 0, 0)) for x in (user, same) for _ in range(4)]
        for x in (user, same):          # and all of these have come before what follows
            assert x.manager("ListVolumes")
        for x in (user, same):
            fails("LimitsExceeded", lambda: x.manager("Plan", "stt", "/srv/t/a", 0, 0), "of your user")
            fails("LimitsExceeded", lambda: x.manager("Rescan"), "of your user")
        if ROOT:
            serials.append((c, c.begin(*MANAGER, "Plan", "stt", "/srv/t/a", 0, 0)))
        d.release()
        for x, serial in serials:
            assert json.loads(x.finish(serial)[0])["target"] == "/srv/t/a"
        assert user.manager("Plan", "stt", "/srv/t/a", 0, 0)


# ---- what changes something ----

def retry(program):
    """Proves that retry looks at a case again, and that what is over or unknown says so."""
    with Scene(program, states=("waiting",), locate="error") as (_, d, c):
        d.answer(**GOOD)
        assert c.get("/org/bezoar1/case/1", CASE, "NextTry") > time.time() * 1e6
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        c.manager("Resolve", "ss", "1", "retry")
        d.wait_states("refused")
        assert c.get("/org/bezoar1/case/1", CASE, "NextTry") == 0
        fails("UnknownAction", lambda: c.manager("Resolve", "ss", "1", "accept"), "'accept'", "retry", "ignore")
        fails("NoSuchCase", lambda: c.manager("Resolve", "ss", "2", "retry"))
        d.poison()
        c.manager("Rescan")
        d.wait_states("gone")
        for action in ("retry", "ignore"):
            fails("NotApplicable", lambda: c.manager("Resolve", "ss", "1", action), "closed")


def ignore(program):
    """Proves that a case that is left alone is not counted, not tried, stays so over a restart, and comes back by new poison or by
    retry."""
    with Scene(program) as (bus, d, c):
        c.manager("Resolve", "ss", "1", "ignore")
        c.manager("Resolve", "ss", "1", "ignore")
        for _ in range(2):
            p = c.get_all("/org/bezoar1", MANAGER[2])
            assert (p["OpenCases"], p["RefusedCases"], p["IgnoredCases"], p["CaseCounts"]) == (0, 0, 1, {}), p
            assert c.get("/org/bezoar1/case/1", CASE, "Ignored") and json.loads(c.manager("GetCase", "s", "1"))["ignored"]
            assert [r[0] for r in c.manager("ListCases", "a{sv}", {})] == ["1"]
            (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
            d.rescan()
            time.sleep(0.5)
            assert d.cases()[0]["state"] == "refused" and not d.requests("repair"), d.cases()
            assert d.stop() == 0
            d.start()
            c = bus.client()
        d.poison((801, 1), (803, 1))
        c.manager("Rescan")
        d.wait_states("healed")
        assert "ignored" not in d.cases()[0], d.cases()

    with Scene(program) as (_, d, c):
        c.manager("Resolve", "ss", "1", "ignore")
        c.manager("Resolve", "ss", "1", "retry")
        d.wait("counted again", lambda: c.get("/org/bezoar1", MANAGER[2], "OpenCases") == 1)


def busy(program):
    """Proves that a case that a worker has in hand cannot be decided about, and that others are answered meanwhile."""
    with Scene(program, states=(), locate="hang") as (_, d, c):
        d.wait("asked", lambda: d.requests("locate"))
        for action in ("retry", "ignore"):
            fails("Busy", lambda: c.manager("Resolve", "ss", "1", action), "in hand")
    with Scene(program, states=("repairing",), repair="hold", protect="[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n") as (_, d, c):
        fails("Busy", lambda: c.manager("Resolve", "ss", "1", "retry"), "in hand")
        d.release()
        d.wait_states("healed")


def asked_meanwhile(program):
    """Proves that a configuration that is loaded while a worker has a case in hand is not lost, although the answer is about what was
    before: the case is asked about once more."""
    with Scene(program) as (_, d, c):
        d.answer(**{**GOOD, "locate": "hold"})
        n = len(d.requests("locate"))
        d.rescan()
        d.wait("in hand", lambda: len(d.requests("locate")) > n)
        (d.root / "etc/protect.d/t.conf").write_text("[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n")
        d.rescan()
        d.wait("the configuration", lambda: c.manager("ListProtected"))
        d.release()
        d.wait_states("healed")
        assert [len(r["policy"]["protects"]) for r in d.requests("locate")][-2:] == [0, 1], "an answer to another question was used"


def brake(program):
    """Proves that observe stops repairs at once and over a restart, that repair ends it, and that neither the signal nor the property
    is forgotten."""
    protect = "[Protect]\nPath=/srv/t\nReplica=mirror:/srv/mirror\n"
    with Scene(program, poison=(), states=(), protect=protect) as (bus, d, c):
        c.listen()
        c.manager("SetMode", "s", "observe")
        c.heard(lambda s: any(x.member == "PropertiesChanged" and x.args[1].get("Mode") == "observe" for x in s))
        d.poison((801, 1))
        c.manager("Rescan")
        d.wait_states("waiting")
        for again in (d.rescan, lambda: (d.stop(), d.start())):
            again()
            c = bus.client()
            time.sleep(0.5)
            assert (c.get("/org/bezoar1", MANAGER[2], "Mode"), c.get("/org/bezoar1", MANAGER[2], "ConfiguredMode")) == ("observe", "repair")
            assert not d.requests("repair") and d.cases()[0]["reason"] == "observe", d.cases()
        assert json.loads(c.manager("Plan", "stt", "/srv/t/a", 0, 0))["mode"] == "observe"
        c = admin(bus)
        c.manager("SetMode", "s", "repair")
        d.wait_states("healed")
        assert d.stop() == 0
        d.start()
        assert bus.client().get("/org/bezoar1", MANAGER[2], "Mode") == "repair"


def mode_of_the_configuration(program):
    """Proves that what the configuration says, or has an error in, cannot be loosened."""
    for config in ("[Bezoar]\nMode=observe\n", "[Bezoar]\nMode=repiar\n"):
        with Scene(program, config=config) as (_, _, c):
            fails("ModeConfigured", lambda: c.manager("SetMode", "s", "repair"), "Mode=observe", "--check-config")
            c.manager("SetMode", "s", "observe")
            assert c.get("/org/bezoar1", MANAGER[2], "Mode") == "observe"


# ---- who may ----

def patiently(do):
    """A worker may be looking at the case, because of the change before."""
    for _ in range(100):
        try:
            return do()
        except Failed as e:
            if e.name != "org.bezoar1.Error.Busy":
                raise
            time.sleep(0.05)


def changes(c, **kwargs):
    return {"org.bezoar1.rescan": lambda: c.manager("Rescan", **kwargs),
            "org.bezoar1.resolve": lambda: patiently(lambda: c.manager("Resolve", "ss", "1", "retry", **kwargs)),
            "org.bezoar1.set-mode": lambda: c.manager("SetMode", "s", "observe", **kwargs)}


def polkit(program):
    """Proves that polkit is asked for each change, by its action, and that its word is followed; root is not asked."""
    with Scene(program) as (bus, d, root):
        if not ROOT:
            bus.open[0].close()         # the one that allows everything
            time.sleep(0.2)
        c = bus.client(**NOBODY)
        for do in changes(c).values():
            fails("org.freedesktop.DBus.Error.AccessDenied", do, "polkit does not run")
        p = Polkit(bus, "allow")
        for action, do in changes(c).items():
            do()
            assert p.asked[-1] == (action, c.name, 0), p.asked
        for action, do in changes(c, interactive=True).items():
            do()
            assert p.asked[-1] == (action, c.name, 1), p.asked
        for answer, name, words in (("deny", "AccessDenied", "polkit says no"), ("error", "AccessDenied", "no such action"),
                                    ("challenge", "InteractiveAuthorizationRequired", "password")):
            p.answer = answer
            for action, do in changes(c).items():
                fails("org.freedesktop.DBus.Error." + name, do, words)
                assert p.asked[-1][0] == action
        assert c.manager("ListCases", "a{sv}", {})
        declared = {a.get("id") for a in ElementTree.parse(SOURCE / "units/org.bezoar1.policy").iter("action")}
        assert declared == {a for a, _, _ in p.asked}, declared
        if ROOT:
            n = len(p.asked)
            for do in changes(root).values():
                do()
            assert len(p.asked) == n


def polkit_hangs(program):
    """Proves that a question that polkit does not answer holds up its caller, and nobody else; and that a denial changes nothing."""
    with Scene(program) as (bus, d, c):
        if not ROOT:
            bus.open[0].close()
            time.sleep(0.2)
        p = Polkit(bus, "hang")
        other = bus.client(**NOBODY)
        serial = other.begin(*MANAGER, "SetMode", "s", "observe")
        d.wait("asked", lambda: p.asked)
        assert c.get("/org/bezoar1", MANAGER[2], "Mode") == "repair"
        other.close()
        p.connection.close()
        time.sleep(0.2)
        assert c.get("/org/bezoar1", MANAGER[2], "Mode") == "repair", serial
        assert d.stop() == 0


def bus_policy(program):
    """Proves that the policy of the bus lets root and the group adm ask, and others only introspect."""
    for name in ("org.bezoar1.conf", "org.bezoar1.policy"):
        ElementTree.parse(SOURCE / "units" / name)
    if not ROOT:
        return
    import grp
    bus = PrivateBus(policy=SYSTEM_POLICY, include=SOURCE / "units/org.bezoar1.conf")
    with Scene(program, bus=bus) as (_, _, root):
        assert root.manager("ListCases", "a{sv}", {})
        nobody, adm = bus.client(**NOBODY), bus.client(**NOBODY, groups=[grp.getgrnam("adm").gr_gid])
        assert adm.manager("ListCases", "a{sv}", {}) and adm.get("/org/bezoar1/case/1", CASE, "State") == "refused"
        fails("org.freedesktop.DBus.Error.AccessDenied", lambda: adm.manager("Rescan"), "polkit")
        for do in (lambda: nobody.manager("ListCases", "a{sv}", {}), lambda: nobody.manager("GetCase", "s", "1"),
                   lambda: nobody.manager("Rescan"), lambda: nobody.get_all("/org/bezoar1/case/1", CASE),
                   lambda: nobody.call("org.bezoar1", "/org/bezoar1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")):
            fails("org.freedesktop.DBus.Error.AccessDenied", do)
        assert "Manager" in nobody.call("org.bezoar1", "/org/bezoar1", "org.freedesktop.DBus.Introspectable", "Introspect")[0]
        fails("org.freedesktop.DBus.Error.AccessDenied", lambda: nobody.driver("RequestName", "su", "org.bezoar1", 0))


# ---- bad input ----

def bad_input(program):
    """Proves that ids, words, paths, filters and strings of 1 MiB that make no sense get a sentence, by every method, and that the
    daemon goes on."""
    long = "1" * (1 << 20)
    with Scene(program) as (bus, d, c):
        for bad in ("", "0", "01", "-1", "+1", " 1", "1 ", "0x1", "1/2", "one", "18446744073709551616", "½", long):
            for do in (lambda: c.manager("GetCase", "s", bad), lambda: c.manager("Explain", "s", bad),
                       lambda: c.manager("Resolve", "ss", bad, "retry")):
                fails("InvalidArgument", do)
        for missing in ("2", "18446744073709551615"):
            fails("NoSuchCase", lambda: c.manager("GetCase", "s", missing), missing)
            fails("NoSuchCase", lambda: c.manager("Explain", "s", missing))
            fails("NoSuchCase", lambda: c.manager("Resolve", "ss", missing, "retry"))
        for word in ("", "Retry", "ü" * 2000):
            fails("UnknownAction", lambda: c.manager("Resolve", "ss", "1", word))
            fails("InvalidArgument", lambda: c.manager("SetMode", "s", word), "repair", "observe")
        for do in (lambda: c.manager("Resolve", "ss", "1", long), lambda: c.manager("SetMode", "s", long),
                   lambda: c.manager("Plan", "stt", "/" + long, 0, 0)):
            fails("InvalidArgument", do, "too long")
        for f in ({"colour": ("s", "red")}, {"x" * (1 << 20): ("s", "x")}, {"ü" * 1000: ("s", "")}, {"closed": ("s", "yes")},
                  {"state": ("s", "ill")}, {"state": ("as", ["gone", long])}, {"state": ("t", 1)}, {"device": ("s", long)},
                  {"path": ("s", "t/file")}, {"path": ("s", "/\\q")}, {"path": ("s", "/" + long)}, {"since": ("i", 1)},
                  {"limit": ("a{sv}", {})}, {"state": ("as", ["ill"] * 10000)}, {"device": ("v", ("s", "pmem0"))}):
            fails("InvalidArgument", lambda: c.manager("ListCases", "a{sv}", f))
            fails("InvalidArgument", lambda: c.manager("ListCasesJson", "a{sv}", f))
        fails("org.freedesktop.DBus.Error.InvalidArgs", lambda: c.manager("GetCase", "t", 1))
        fails("org.freedesktop.DBus.Error.InvalidArgs", lambda: c.manager("ListCases"))
        fails("org.freedesktop.DBus.Error.UnknownMethod", lambda: c.manager("Format"))
        for path in ("/org/bezoar1/case/2", "/org/bezoar1/case/01", "/org/bezoar1/case/one", "/org/bezoar1/case/1/2",
                     "/org/bezoar1/case/" + "1" * 10000):
            fails("org.freedesktop.DBus.Error.UnknownObject", lambda: c.get_all(path, CASE))
        fails("org.freedesktop.DBus.Error.PropertyReadOnly", lambda: c.call(
            "org.bezoar1", "/org/bezoar1", "org.freedesktop.DBus.Properties", "Set", "ssv", MANAGER[2], "Mode", ("s", "observe")))
        assert len(c.manager("ListCases", "a{sv}", {})) == 1


# ---- the bus comes and goes ----

def bus_later(program):
    """Proves that a daemon without a bus heals, and that it finds one that comes later, and comes back when the bus was restarted."""
    with PrivateBus(begin=False) as bus, Daemon(program, **GOOD) as d:
        d.bus = bus.address
        d.poison((801, 1))
        d.start()
        d.wait_states("healed")
        for _ in range(2):
            bus.begin()
            begin = time.monotonic()
            c = bus.client()
            print(f"# on the bus after {time.monotonic() - begin:.1f} s")
            assert [r[0] for r in c.manager("ListCases", "a{sv}", {"closed": ("b", True)})] == ["1"]
            bus.end()
        assert d.stop() == 0


def ready_is_answering(program):
    """Proves that a daemon that says it is ready has its name: whoever is started after it may ask."""
    with PrivateBus() as bus, Daemon(program, **GOOD) as d:
        d.bus = bus.address
        c = bus.connect()
        for _ in range(5):
            d.start()
            assert c.driver("NameHasOwner", "s", "org.bezoar1") == [True]
            assert d.stop() == 0


def ready_without_bus(program):
    """Proves that a missing bus does not hold up the start at all, and one that is there and mute not for ever; and that what is poisoned
    is healed meanwhile."""
    with Daemon(program, **GOOD) as d:
        begin = time.monotonic()
        d.start()
        absent = time.monotonic() - begin
        assert d.stop() == 0
    with Daemon(program, **GOOD) as d, socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{d.root}/mute")
        mute.listen(8)
        d.bus = f"unix:path={d.root}/mute"
        d.poison((801, 1))
        healer = threading.Thread(target=d.start)
        begin = time.monotonic()
        healer.start()
        d.wait_states("healed")
        healed = time.monotonic() - begin
        healer.join()
        ready = time.monotonic() - begin
        assert absent < ready and healed < ready and 8 < ready, (absent, healed, ready)


def name_is_taken(program):
    """Proves that a daemon that cannot have the name says so, and heals all the same."""
    with PrivateBus() as bus, Daemon(program, **GOOD) as d:
        bus.connect().driver("RequestName", "su", "org.bezoar1", 4)
        d.bus = bus.address
        d.poison((801, 1))
        d.start()
        d.wait_states("healed")
        d.wait("a complaint", lambda: "org.bezoar1 is taken" in d.text())


# ---- many ----

def many_clients(program):
    """Proves that 200 clients are answered while a worker hangs and none of them waits for it: it hangs for longer than an answer may take,
    and when all have theirs nothing has moved. How long it took is told, and bounds nothing."""
    with Scene(program, states=(), locate="hang", poison=tuple((i * 80, 1) for i in range(50)), config="[Bezoar]\nWorkerTimeoutSec=1h\n") as (
            bus, d, _):
        d.wait("asked", lambda: d.requests("locate"))
        clients = [bus.client() for _ in range(200)]
        questions = (("ListCases", "a{sv}", {}), ("GetCase", "s", "1"), ("Explain", "s", "50"), ("ListVolumes",), ("GetTopology",))

        took = []
        for i, c in enumerate(clients):
            begin = time.perf_counter()
            c.manager(*questions[i % len(questions)])
            took.append(1000 * (time.perf_counter() - begin))
        print(f"# one after another: median {statistics.median(took):.1f} ms, worst {max(took):.1f} ms")
        waiting, together = {}, []
        poll = select.poll()
        for i, c in enumerate(clients):
            waiting[c.socket.fileno()] = (c, time.perf_counter(), c.begin(*MANAGER, *questions[i % len(questions)]))
            poll.register(c.socket, select.POLLIN)
        answered = []
        while waiting:
            ready = poll.poll(1000 * LIMIT)
            assert ready, f"{len(waiting)} have no answer"
            for fd, _ in ready:
                c, begin, serial = waiting.pop(fd)
                together.append(1000 * (time.perf_counter() - begin))
                answered.append((c, serial))
                poll.unregister(fd)
        for c, serial in answered:
            c.finish(serial)
        print(f"# all at once: median {statistics.median(together):.1f} ms, worst {max(together):.1f} ms")
        assert [c["state"] for c in d.cases()] == ["detected"] * 50 and len(d.requests("locate")) == 1, "the worker did not hang"


if __name__ == "__main__":
    run([introspection_is_the_manual, cases, closed_cases, filters, volumes, explain, healing_is_told, changes_are_gathered, reminded, one_always_fails, counts, figures, rehearsals, plans,
         plans_that_fail, too_many_plans, one_user_of_many, retry, ignore, busy,
         asked_meanwhile, brake, mode_of_the_configuration, polkit, polkit_hangs, bus_policy, bad_input,
         bus_later, ready_is_answering, ready_without_bus, name_is_taken, many_clients])
