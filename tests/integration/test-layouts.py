#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon makes of stacks of devices, from saved topologies: which volume a case belongs to, where cases are cut, whom a worker
is sent to, and which list is read for what has none of its own."""
import json
from daemon import PHYSICAL, Daemon, run

MIB = 1 << 20
PAGE = 4096
GOOD = {"locate": "one-file", "repair": "healed"}


class Machine(Daemon):
    """A topology of its own; lists of disks and of regions."""

    def build(self, topology, lists=(), regions=()):
        empty = {"regions": [], "namespaces": [], "disks": [], "links": [], "mounts": []}
        for disk in lists:
            (self.root / "sys/block" / disk).mkdir(parents=True, exist_ok=True)
            (self.root / "sys/block" / disk / "badblocks").touch()
        for region in regions:
            (self.root / "sys/bus/nd/devices" / region).mkdir(parents=True, exist_ok=True)
            (self.root / "sys/bus/nd/devices" / region / "badblocks").touch()
        (self.root / "topology.json").write_text(json.dumps({**empty, **topology}))

    def poison_region(self, region, *ranges):
        (self.root / "sys/bus/nd/devices" / region / "badblocks").write_text("".join(f"{s} {n}\n" for s, n in ranges))

    def places(self):
        return [(c["volume"]["device"], c["volume"].get("fs_device"), c["range"]["start"] // PAGE, c["range"]["length"] // PAGE)
                for c in self.cases()]


def disk(name, size, minor, **more):
    return {"name": name, "node": f"/dev/{name}", "major": 259, "minor": minor, "size": size, "logical_block_size": 512, **more}


def mount(name, where, uuid):
    return {"disk": name, "mountpoint": where, "root": "/", "fs": "xfs", "uuid": uuid, "options": "rw"}


def linear(upper, lower, start, length, to):
    return {"upper": upper, "lower": lower, "map": [{"start": start, "length": length, "to": to}]}


def region(n, size, dimms):
    return {"name": f"region{n}", "bus": "ndbus0", "physical": {"start": PHYSICAL + n * (1 << 30), "length": size}, "dimms": dimms}


def namespace(n, mode, name, size, at=0, number=0):
    start = PHYSICAL + n * (1 << 30) + at
    return {"name": f"namespace{n}.{number}", "region": f"region{n}", "mode": mode, "whole": {"start": start, "length": size},
            **({"disk": name, "data": {"start": start + 2 * MIB, "length": size - 2 * MIB}} if name else {})}


PARTITIONS = {
    "regions": [region(0, 256 * MIB, ["nmem0", "nmem1"])],
    "namespaces": [namespace(0, "fsdax", "pmem0", 256 * MIB)],
    "disks": [disk("pmem0", 254 * MIB, 0, badblocks=True), disk("pmem0p1", 10 * MIB, 1), disk("pmem0p2", 10 * MIB, 2)],
    "links": [linear("pmem0p1", "pmem0", 0, 10 * MIB, MIB), linear("pmem0p2", "pmem0", 0, 10 * MIB, 11 * MIB)],
    "mounts": [mount("pmem0p1", "/srv/one", "u1"), mount("pmem0p2", "/srv/two", "u2")],
}


def partitions(program):
    """Proves that one run of bad sectors over two partitions becomes two cases of two volumes, that each is asked of its own file system and
    repaired there, and that the modules that the region is interleaved over are named."""
    with Machine(program, **GOOD) as d:
        d.build(PARTITIONS, lists=["pmem0"], regions=["region0"])
        border = 11 * MIB // 512
        d.poison((border - 8, 16))
        d.start()
        d.wait_states("healed", "healed")
        assert d.places() == [("/dev/pmem0", "/dev/pmem0p1", 2815, 1), ("/dev/pmem0", "/dev/pmem0p2", 2816, 1)], d.places()
        for c, uuid, where in zip(d.cases(), ("u1", "u2"), ("/srv/one", "/srv/two")):
            assert c["volume"]["uuid"] == uuid and c["volume"]["mountpoint"] == where and c["dimms"] == ["nmem0", "nmem1"], c
            assert c["physical"]["start"] == PHYSICAL + 2 * MIB + c["range"]["start"], c
        for verb in ("locate", "repair"):
            asked = {(r["volume"]["fs_device"], tuple(x["range"]["start"] for x in r["ranges"])) for r in d.requests(verb)}
            assert asked == {("/dev/pmem0p1", (2815 * PAGE,)), ("/dev/pmem0p2", (2816 * PAGE,))}, asked
        settle = d.requests("settle")[0]
        assert [v["uuid"] for v in settle["others"]] == ["u1", "u2"] and "uuid" not in settle["volume"], settle


def outside(program):
    """Proves that what lies before the partitions is somebody's who cannot be asked, and says so."""
    with Machine(program, **GOOD) as d:
        d.build(PARTITIONS, lists=["pmem0"], regions=["region0"])
        d.poison((80, 1))
        d.start()
        d.wait("asked", lambda: d.requests("locate"))
        volume = d.requests("locate")[0]["volume"]
        assert "before, between or behind" in volume["hindrance"] and "mountpoint" not in volume, volume


def striped(program):
    """Proves that bad pages of a disk that is a stripe are asked for with the device that they are a part of, over two devices, and that
    what is left over of the lower one is nobody's."""
    stripe = {"start": 0, "length": 16 * MIB, "chunk": 65536, "stripes": 2}
    t = {"regions": [region(n, 64 * MIB, [f"nmem{n}"]) for n in range(2)],
         "namespaces": [namespace(n, "fsdax", f"pmem{n}", 64 * MIB) for n in range(2)],
         "disks": [disk("pmem0", 62 * MIB, 0, badblocks=True), disk("pmem1", 62 * MIB, 1, badblocks=True), disk("dm-0", 16 * MIB, 2),
                   disk("dm-1", 8 * MIB, 3)],
         "links": [{"upper": "dm-0", "lower": f"pmem{n}", "map": [], "striped": [{**stripe, "to": MIB, "stripe": n}]} for n in range(2)] +
                  [linear("dm-1", "dm-0", 0, 8 * MIB, 8 * MIB)],
         "mounts": [mount("dm-1", "/srv/t", "u")]}
    with Machine(program, **GOOD) as d:
        d.build(t, lists=["pmem0", "pmem1"], regions=["region0", "region1"])
        d.poison(((MIB + 4 * MIB) // 512, 8), disk="pmem1")             # byte 0 or 64K of dm-1
        d.poison(((MIB + 4 * MIB) // 512 - 8, 8))                       # just before it begins
        d.start()
        d.wait("both asked", lambda: len({r["volume"]["device"] for r in d.requests("locate")}) == 2)
        assert sorted(d.places(), key=str) == [("/dev/pmem0", None, 1279, 1), ("/dev/pmem1", "/dev/dm-1", 1280, 1)], d.places()
        asked = {r["volume"]["device"]: r["volume"] for r in d.requests("locate")}
        assert "of what stands on /dev/dm-0 nothing" in asked["/dev/pmem0"]["hindrance"], asked


def no_list_of_its_own(program):
    """Proves that a device-dax and a disk in sector mode are watched by the list of their region, counted from where they begin, and that
    btt is never translated."""
    t = {"regions": [region(0, 64 * MIB, ["nmem0"]), region(1, 64 * MIB, ["nmem1"])],
         "namespaces": [namespace(0, "devdax", "dax0.0", 64 * MIB), namespace(1, "sector", "pmem1s", 64 * MIB)],
         "disks": [disk("dax0.0", 62 * MIB, 0, character=True), disk("pmem1s", 50 * MIB, 0)],
         "mounts": [mount("pmem1s", "/srv/t", "u")]}
    with Machine(program, **GOOD) as d:
        d.build(t, lists=[], regions=["region0", "region1"])
        d.poison_region("region0", (2 * MIB // 512 + 80, 1))
        d.poison_region("region1", (2 * MIB // 512 + 160, 1))
        d.start()
        d.wait("both asked", lambda: len({r["volume"]["device"] for r in d.requests("locate")}) == 2)
        assert sorted(d.places(), key=str) == [("/dev/dax0.0", None, 10, 1), ("/dev/pmem1s", None, 20, 1)], d.places()
        asked = {r["volume"]["device"]: r["volume"] for r in d.requests("locate")}
        assert "btt moves sectors" in asked["/dev/pmem1s"]["hindrance"] and "mountpoint" not in asked["/dev/pmem1s"], asked
        assert asked["/dev/dax0.0"]["region"] == "region0" and asked["/dev/dax0.0"]["window"]["start"] == 2 * MIB, asked


def disabled(program):
    """Proves that poison in a namespace that is disabled is a case of the region, which is over, and one of the disk, when the namespace
    comes; and that what the namespace keeps for itself stays the region's."""
    t = {"regions": [region(0, 64 * MIB, ["nmem0"])], "namespaces": [namespace(0, "fsdax", None, 64 * MIB)]}
    with Machine(program, locate="error", repair="healed") as d:
        d.build(t, regions=["region0"])
        d.poison_region("region0", (80, 1), (2 * MIB // 512 + 80, 1))
        d.start()
        d.wait("asked", lambda: len([x for r in d.requests("locate") for x in r["ranges"]]) == 2)
        assert d.places() == [("region0", None, 10, 1), ("region0", None, 522, 1)], d.places()
        assert d.requests("locate")[0]["volume"]["hindrance"] == "namespace0.0 is disabled" and d.cases()[0]["dimms"] == ["nmem0"]

        t.update(namespaces=[namespace(0, "fsdax", "pmem0", 64 * MIB)], disks=[disk("pmem0", 62 * MIB, 0, badblocks=True)],
                 mounts=[mount("pmem0", "/srv/t", "u")])
        d.build(t, lists=["pmem0"], regions=["region0"])
        d.poison((80, 1))
        d.rescan()
        d.wait("a case of the disk", lambda: [c["state"] for c in d.cases()][:2] == ["waiting", "gone"] and len(d.cases()) == 3)
        assert d.places()[2] == ("/dev/pmem0", None, 10, 1) and d.cases()[2]["volume"]["uuid"] == "u", d.cases()
        assert "keeps them for itself" in d.cases()[0]["volume"]["hindrance"], d.cases()


def parts(program):
    """Proves that a worker is told of which file system a disk has the journal, or the realtime files, wherever that file system is; and
    that both are what they were before once it is unmounted."""
    t = {"regions": [region(0, 64 * MIB, ["nmem0"]), region(1, 64 * MIB, ["nmem1"])],
         "namespaces": [namespace(0, "fsdax", "pmem0", 64 * MIB), namespace(1, "fsdax", "pmem1", 64 * MIB)],
         "disks": [disk("pmem0", 62 * MIB, 0, badblocks=True), disk("pmem1", 62 * MIB, 1, badblocks=True)],
         "parts": [{"disk": f"pmem{i}", "part": part, "node": "/dev/sda1", "mountpoint": "/srv/t", "fs": "xfs", "uuid": "u"}
                   for i, part in enumerate(("log", "realtime"))]}
    with Machine(program, locate="error") as d:
        d.build(t, lists=["pmem0", "pmem1"])
        for name in ("pmem0", "pmem1"):
            (d.root / "sys/block" / name / "badblocks").write_text("80 1\n")
        d.start()
        d.wait("both asked", lambda: len({r["volume"]["device"] for r in d.requests("locate")}) == 2)
        asked = {r["volume"]["device"]: r["volume"] for r in d.requests("locate")}
        assert asked["/dev/pmem0"] == {"device": "/dev/pmem0", "fs": "xfs", "uuid": "u", "mountpoint": "/srv/t", "fs_device": "/dev/sda1",
                                       "part": "log"}, asked
        assert asked["/dev/pmem1"] == {**asked["/dev/pmem0"], "device": "/dev/pmem1", "part": "realtime"}, asked

        n = len(d.requests("locate"))
        d.build({**t, "parts": []})
        d.rescan()
        d.wait("both asked again", lambda: {r["volume"]["device"] for r in d.requests("locate")[n:] if len(r["volume"]) == 1} ==
               {"/dev/pmem0", "/dev/pmem1"})


def two_namespaces(program):
    """Proves that of two namespaces in one region each has its own cases, at its own addresses, though the same sectors of both are bad; and
    that what the second keeps for itself, or neither has, is the region's."""
    t = {"regions": [region(0, 256 * MIB, ["nmem0"])],
         "namespaces": [namespace(0, "fsdax", "pmem0", 128 * MIB), namespace(0, "fsdax", "pmem0.1", 112 * MIB, 128 * MIB, 1)],
         "disks": [disk("pmem0", 126 * MIB, 0, badblocks=True), disk("pmem0.1", 110 * MIB, 1, badblocks=True)],
         "mounts": [mount("pmem0", "/srv/one", "u1"), mount("pmem0.1", "/srv/two", "u2")]}
    header, rest = 128 * MIB // PAGE + 5, 245 * MIB // PAGE
    with Machine(program, **GOOD) as d:
        d.build(t, lists=["pmem0", "pmem0.1"], regions=["region0"])
        for name in ("pmem0", "pmem0.1"):
            d.poison((80, 8), disk=name)
        d.poison_region("region0", *((n * MIB // 512 + 80, 8) for n in (2, 130)), *((n * PAGE // 512, 8) for n in (header, rest)))
        d.start()
        d.wait("all asked", lambda: sum(len(r["ranges"]) for r in d.requests("locate")) >= 4)
        assert sorted(d.places()) == [("/dev/pmem0", None, 10, 1), ("/dev/pmem0.1", None, 10, 1),
                                      ("region0", None, header, 1), ("region0", None, rest, 1)], d.places()
        d.wait("both repaired", lambda: [c["state"] for c in d.cases() if "pmem" in c["volume"]["device"]] == ["healed"] * 2)
        cases = {(c["volume"]["device"], c["range"]["start"] // PAGE): c for c in d.cases()}
        for name, uuid, start in (("/dev/pmem0", "u1", 2 * MIB), ("/dev/pmem0.1", "u2", 130 * MIB)):
            c = cases[name, 10]
            assert (c["volume"]["uuid"], c["physical"]["start"], c["dimms"]) == (uuid, PHYSICAL + start + 10 * PAGE, ["nmem0"]), c
        for verb in ("locate", "repair"):
            asked = {(r["volume"]["device"], r["volume"].get("uuid")) for r in d.requests(verb)} - {("region0", None)}
            assert asked == {("/dev/pmem0", "u1"), ("/dev/pmem0.1", "u2")}, asked
        assert "namespace0.1 keeps them for itself" in cases["region0", header]["volume"]["hindrance"], cases
        assert "no namespace" in cases["region0", rest]["volume"]["hindrance"], cases


def appears(program):
    """Proves that an open case follows: when device mapper is made of the disk and something mounted, it is asked of that."""
    t = {"regions": [region(0, 64 * MIB, ["nmem0"])], "namespaces": [namespace(0, "fsdax", "pmem0", 64 * MIB)],
         "disks": [disk("pmem0", 62 * MIB, 0, badblocks=True)]}
    with Machine(program, locate="error", repair="healed") as d:
        d.build(t, lists=["pmem0"], regions=["region0"])
        d.poison((80, 1))
        d.start()
        d.wait_states("waiting")
        t["disks"].append(disk("dm-0", 8 * MIB, 1))
        t.update(links=[linear("dm-0", "pmem0", 0, 8 * MIB, 0)], mounts=[mount("dm-0", "/srv/t", "u")])
        d.build(t)
        d.answer(**GOOD)
        d.rescan()
        d.wait_states("healed")
        assert d.places() == [("/dev/pmem0", "/dev/dm-0", 10, 1)] and d.cases()[0]["volume"]["uuid"] == "u", d.cases()


run([partitions, outside, striped, no_list_of_its_own, disabled, parts, two_namespaces, appears])
