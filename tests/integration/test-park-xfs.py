#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Parking on a real XFS on a loop device: whatever block is asked for, a guard file owns it in the end, and nothing but it; and
after a worker that was killed at any point, what is left is put right by the next settlement. That a parked page no longer
crashes a kernel is shown in the guest (tests/vm/scenarios/park.sh)."""

import os
import time
from pathlib import Path

import tap
from workerlab import PAGE, SECTOR, extent, run, run_tests

OTHER_BOOT = "00000000-0000-4000-8000-000000000000"


def request(lab, verb, mode="repair", reserve=None, **more):
    policy = {"mode": mode, "protects": []}
    if reserve is not None:
        policy.update(reserve)
    return {"verb": verb, "state_dir": str(lab.state), "id": "7",
            "volume": {"device": lab.loop, "fs": "xfs", "uuid": lab.uuid, "mountpoint": str(lab.mount)}, "policy": policy, **more}


def bad_of(at, pages=1):
    return [{"start": at, "length": pages * PAGE}]


def lose(lab, *places):
    """Destroys these pages on the device, and lists them."""
    for at in places:
        lab.device_write(at, b"\xdb" * PAGE)
    lab.list.write_text("".join(f"{at // SECTOR} {PAGE // SECTOR}\n" for at in sorted(places)))


def lose_one_sector(lab, at):
    """Of a page that is parked: its other sectors can be read, so it is there."""
    lab.list.write_text(f"{at // SECTOR} 1\n")


def locate(lab, at, pages=1):
    answer = lab.finish(lab.worker(request(lab, "locate", ranges=[{"range": {"start": at, "length": pages * PAGE}, "bad": bad_of(at, pages)}])))[-1]
    assert "found" in answer, answer
    return answer["found"]


def start(lab, found, verdict, fault=None, **more):
    place = found["range"]["start"]
    offset = found["owners"][0].get("offset", 0)
    steps = [{"range": {"start": at, "length": PAGE}, "offset": offset + at - place if verdict == "unpark" else 0,
              "bad": [{"start": at, "length": PAGE}]} for at in range(place, place + found["range"]["length"], PAGE)]
    return lab.worker(request(lab, "park", ranges=[found], plan={"verdict": verdict, "steps": steps}, **more), fault)


def act(lab, found, verdict, fault=None, **more):
    answers = lab.finish(start(lab, found, verdict, fault, **more))
    return answers[-1] if answers else None


def park(lab, at, **more):
    found = locate(lab, at)[0]
    assert found["owners"][0]["type"] == "free", found
    return act(lab, found, "park", **more)


def settle(lab, **more):
    answers = lab.finish(lab.worker(request(lab, "settle", **more)))
    assert answers[-1].get("state") == "detected", answers


def guards(lab):
    return sorted(lab.mount.glob(".bezoar/ag*/park-*"))


def blocks(path):
    return path.stat().st_blocks * 512 // PAGE


def free(lab):
    s = os.statvfs(lab.mount)
    return s.f_bavail


def expect(answer, state, reason=None):
    assert answer and answer.get("state") == state and (reason is None or answer.get("reason", "") == reason), answer


def expect_parked(lab, at):
    found = locate(lab, at)[0]
    owner = found["owners"][0]
    assert owner["type"] == "file" and owner.get("guard") and owner.get("unwritten"), found
    assert "/.bezoar/ag" in owner["path"] and not found.get("held"), found
    return found


def remove_guards(lab):
    run("rm", "-rf", lab.mount / ".bezoar")
    lab.list.write_text("")


def sync(lab):
    run("sync", "-f", lab.mount)


def free_places(lab, n):
    """Places that were given to files, in all parts of the file system, and are free now: in large gaps and in ones of a block."""
    lab.count += 1
    files, places = [], []
    for i in range(n):
        folder = lab.mount / f"d{lab.count}.{i}"
        folder.mkdir()
        files.append((folder / "f", lab.random.randrange(64)))
        files[-1][0].write_bytes(lab.random.randbytes(64 * PAGE))
    sync(lab)
    for i, (f, page) in enumerate(files):
        places.append(extent(f, page * PAGE))
        if i % 3 == 0:
            f.unlink()
        else:
            length = 1 if i % 3 == 1 else lab.random.randrange(1, 64 - page + 1)
            run("fallocate", "-p", "-o", page * PAGE, "-l", length * PAGE, f)
    settled(lab, places)
    return places


def large_gap(lab):
    """Places that are free now, in a gap of 20 MiB, in the order in which a file is given them."""
    lab.count += 1
    f = lab.mount / f"large{lab.count}"
    run("fallocate", "-l", "20M", f)
    sync(lab)
    places = [extent(f, mib << 20) for mib in (1, 11, 19)]
    f.unlink()
    settled(lab, places)
    return places


def settled(lab, places):
    """Blocks of deleted files become free in the background."""
    for _ in range(100):
        sync(lab)
        before = free(lab)
        if all(locate(lab, at)[0]["owners"][0]["type"] == "free" for at in places) and free(lab) == before:
            return
        time.sleep(0.05)
    raise AssertionError("they do not become free")


# ---- park ----

def test_everywhere(lab):
    "40 free blocks in all groups, in large gaps and in gaps of one block: each ends with a guard, which owns nothing else"
    places = free_places(lab, 40)
    before = free(lab)
    for at in places:
        lose(lab, at)
        expect(park(lab, at), "harmless", "parked")
        expect_parked(lab, at)
        assert lab.device(at, PAGE) == b"\xdb" * PAGE, "the block was written to"
    assert len(guards(lab)) == len(places) and {blocks(g) for g in guards(lab)} == {1}, [(g, blocks(g)) for g in guards(lab)]
    assert before - free(lab) < len(places) + 100, "not all was given back"
    assert len({g.parent for g in guards(lab)}) > 2, "all in the same group: the test tests too little"
    for folder in [lab.mount / ".bezoar", *{g.parent for g in guards(lab)}]:
        st = folder.stat()
        assert (st.st_mode & 0o7777, st.st_uid) == (0o700, 0), folder
    remove_guards(lab)


def test_search(lab):
    "a block in a large gap is found by looking through its group, where it cannot be aimed at"
    for at in large_gap(lab):
        lose(lab, at)
        before = free(lab)
        expect(park(lab, at, fault="park-aim:skip"), "harmless", "parked")
        expect_parked(lab, at)
        assert before - free(lab) < 100
    remove_guards(lab)


def test_full(lab):
    "a file system that is filled afterwards to the last byte does not get the block"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    expect(park(lab, at), "harmless", "parked")
    full = lab.mount / "full"
    with full.open("wb") as f:
        try:
            while True:
                f.write(b"\xee" * (1 << 20))
                f.flush()
        except OSError:
            pass
    sync(lab)
    assert lab.device(at, PAGE) == b"\xdb" * PAGE
    full.unlink()
    remove_guards(lab)


def test_many_pages(lab):
    "a case of five pages is parked as a whole"
    lab.count += 1
    f = lab.mount / f"many{lab.count}"
    f.write_bytes(lab.random.randbytes(64 * PAGE))
    sync(lab)
    at = extent(f, 8 * PAGE)
    assert extent(f, 12 * PAGE) == at + 4 * PAGE
    f.unlink()
    settled(lab, [at])
    lose(lab, *(at + i * PAGE for i in range(5)))
    found = locate(lab, at, 5)
    assert len(found) == 1, found
    expect(act(lab, found[0], "park"), "harmless", "parked")
    assert [blocks(g) for g in guards(lab)] == [5]
    assert {o["owners"][0].get("guard") for o in locate(lab, at, 5)} == {True}
    remove_guards(lab)


def test_reserve(lab):
    "what must stay free stays free: nothing is taken where nothing may be, and nothing is left behind"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    before = free(lab)
    for reserve in ({"park_reserve_percent": 100}, {"park_reserve_bytes": before * PAGE}):
        answer = park(lab, at, reserve=reserve)
        expect(answer, "waiting", "free-page-may-be-absent")
        assert "ParkReserve=" in answer["detail"], answer
        assert free(lab) == before and not (lab.mount / ".bezoar").exists()
        lab.finish(start(lab, locate(lab, at)[0], "park", "park-taken:kill", reserve=reserve))
        assert [blocks(g) for g in guards(lab)] == [0], "a block was taken, even if it was given back later"
        settle(lab)
        assert not (lab.mount / ".bezoar").exists()


def test_not_ours(lab):
    "a folder of that name that others can write to, or a link, is not used"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    folder, elsewhere = lab.mount / ".bezoar", lab.mount / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    for make in (lambda: folder.mkdir(mode=0o755), lambda: (folder.mkdir(mode=0o700), os.chown(folder, 1000, 1000)),
                 lambda: folder.symlink_to(elsewhere), lambda: folder.write_text("")):
        make()
        answer = park(lab, at)
        expect(answer, "waiting", "free-page-may-be-absent")
        assert "root's alone" in answer["detail"], answer
        assert not list(elsewhere.iterdir()) and (not folder.is_dir() or not list(folder.iterdir()))
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        else:
            folder.rmdir()


def test_no_longer_free(lab):
    "space that a file was given meanwhile is left to it"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    found = locate(lab, at)[0]
    expect(act(lab, found, "park"), "harmless", "parked")
    taken = lab.mount / f"taken{lab.count}"
    guards(lab)[0].rename(taken)
    remove_guards(lab)
    lose(lab, at)
    expect(act(lab, found, "park"), "detected", "changed")
    assert not guards(lab) and blocks(taken) == 1
    taken.unlink()


def test_allowed(lab):
    "Mode=observe, and a file system that is mounted read-only: nothing is made"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    found = locate(lab, at)[0]
    expect(act(lab, found, "park", mode="observe"), "waiting", "observe")
    run("mount", "-o", "remount,ro", lab.mount)
    try:
        assert locate(lab, at)[0]["read_only"]
        expect(act(lab, found, "park"), "waiting", "read-only")
    finally:
        run("mount", "-o", "remount,rw", lab.mount)
    assert not (lab.mount / ".bezoar").exists()


def test_inherited(lab):
    "extent size hints and project numbers that the root folder hands down do not get in the way"
    run("xfs_io", "-c", "extsize 1m", "-c", "chproj 7", "-c", "chattr +P", lab.mount)
    try:
        at = free_places(lab, 2)[1]
        lose(lab, at)
        expect(park(lab, at), "harmless", "parked")
        assert [blocks(g) for g in guards(lab)] == [1]
    finally:
        run("xfs_io", "-c", "extsize 0", "-c", "chattr -P", "-c", "chproj 0", lab.mount)
    remove_guards(lab)


# ---- crashes ----

def killed(point, owned):
    def test(lab):
        at = free_places(lab, 1)[0]
        lose(lab, at)
        before = free(lab)
        process, asked = start(lab, locate(lab, at)[0], "park", f"{point}:kill")
        lab.finish((process, asked))
        assert process.returncode == -9, process.returncode
        settle(lab)
        assert [blocks(g) for g in guards(lab)] == owned, guards(lab)
        assert before - free(lab) < 100
        expect(park(lab, at) if not owned else act(lab, expect_parked(lab, at), "park"), "harmless", "parked")
        expect_parked(lab, at)
        remove_guards(lab)
    return test


def test_others_stay(lab):
    "killed with all of a group in its hands: a second page that is listed in it stays parked as well"
    other, at = large_gap(lab)[:2]
    lose(lab, at, other)
    before = free(lab)
    process, asked = start(lab, locate(lab, at)[0], "park", "park-aim:skip,park-taken:kill")
    lab.finish((process, asked))
    assert before - free(lab) > 100, "nothing was taken yet: the test is too late"
    assert locate(lab, other)[0]["owners"][0]["type"] == "file", "it was not in its hands: the test tests nothing"
    settle(lab)
    expect_parked(lab, at)
    expect_parked(lab, other)
    remove_guards(lab)


def test_tidy_keeps(lab):
    "a guard of this boot is kept although nothing is listed any more: its page may be absent still; Mode=observe touches none"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    expect(park(lab, at), "harmless")
    lab.list.write_text("")
    settle(lab)
    assert [blocks(g) for g in guards(lab)] == [1]
    other_boot(lab)
    settle(lab, mode="observe")
    assert [blocks(g) for g in guards(lab)] == [1]
    settle(lab)
    assert not (lab.mount / ".bezoar").exists(), "a guard of another boot that guards nothing is not removed"


# ---- unpark ----

def other_boot(lab):
    for g in guards(lab):
        g.rename(g.parent / (g.name[:-len(OTHER_BOOT)] + OTHER_BOOT))


def memory_is_well():
    return "HardwareCorrupted:     0 kB" in Path("/proc/meminfo").read_text()


def test_unpark(lab):
    "after another boot the page is overwritten through its guard, read back, and given back"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    before = free(lab)
    expect(park(lab, at), "harmless")
    other_boot(lab)
    settle(lab)
    found = expect_parked(lab, at)
    assert found.get("present", False) == memory_is_well(), found
    lose_one_sector(lab, at)
    expect(act(lab, found, "unpark", "unpark-written:unlist"), "healed")
    assert lab.device(at, PAGE) == bytes(PAGE) and not (lab.mount / ".bezoar").exists()
    assert free(lab) >= before - 50 and locate(lab, at)[0]["owners"][0]["type"] == "free"


def test_unpark_this_boot(lab):
    "in the boot in which it was parked the page may be absent: it is not written to, whatever the plan says"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    expect(park(lab, at), "harmless")
    found = expect_parked(lab, at)
    assert not found.get("present")
    expect(act(lab, found, "unpark"), "harmless", "parked")
    assert lab.device(at, PAGE) == b"\xdb" * PAGE
    remove_guards(lab)


def test_unpark_still_listed(lab):
    "what the kernel lists still is not called healed, and not given back"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    expect(park(lab, at), "harmless")
    other_boot(lab)
    lose_one_sector(lab, at)
    expect(act(lab, expect_parked(lab, at), "unpark"), "failed", "still-listed")
    assert [blocks(g) for g in guards(lab)] == [1]
    remove_guards(lab)


def unpark_killed(point):
    def test(lab):
        at = free_places(lab, 1)[0]
        lose(lab, at)
        expect(park(lab, at), "harmless")
        other_boot(lab)
        lose_one_sector(lab, at)
        process, asked = start(lab, expect_parked(lab, at), "unpark", f"unpark-written:unlist,{point}:kill")
        lab.finish((process, asked))
        assert process.returncode == -9
        settle(lab)
        assert not (lab.mount / ".bezoar").exists() and locate(lab, at)[0]["owners"][0]["type"] == "free"
    return test


def test_wrong_plans(lab):
    "a plan that does not fit is not carried out"
    at = free_places(lab, 1)[0]
    lose(lab, at)
    found = locate(lab, at)[0]
    answer = act(lab, found, "unpark")
    assert "error" in answer, answer
    found["range"]["start"] += PAGE
    answer = lab.finish(lab.worker(request(lab, "park", ranges=[found], plan={"verdict": "park", "steps": [
        {"range": {"start": at, "length": PAGE}, "offset": 0, "bad": bad_of(at)}]})))[-1]
    assert "error" in answer, answer
    assert not (lab.mount / ".bezoar").exists()


def tests():
    yield from tap.tests_of(globals())
    for point, owned in (("park-made", []), ("park-taken", [1]), ("park-kept", [1])):
        yield f"killed at {point}: the next settlement keeps the block and gives back the rest", killed(point, owned)
    for point in ("unpark-cleaned", "unpark-kept"):
        yield f"killed at {point}: the next settlement gives the block back", unpark_killed(point)


if __name__ == "__main__":
    run_tests(tests())
