# SPDX-License-Identifier: LGPL-2.1-or-later

"""Replicas that are wrong, on purpose, and a model that says what may come of it.

A Copy is what a replica holds. A *way* of being wrong changes copies before anything is written to a disk, so the model can
judge the very same values: whether they show the size and time of the file, the bytes that survive around the lost ones, and
the lost ones themselves. A Case then puts them there and drives the real worker, with the real planner between its two
requests; at the end the device is asked what it has."""

import dataclasses
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import tap
import workerlab
from workerlab import PAGE, SECTOR, File, extent, run

PLANNER, FETCH = sys.argv[2], sys.argv[3]
WINDOW = 65536
NOBODY = 65534


class Fetcher:
    """What bezoar-fetch.socket does: a process for each connection, without rights."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                subprocess.Popen([FETCH], stdin=connection, stdout=connection, user=NOBODY, group=NOBODY, extra_groups=[], env={})


class Service:
    """A program that answers a line with lines."""

    def __init__(self, command, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("BEZOAR_")}
        self.heard = None       # called with each answer
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**clean, **env})

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            assert line, f"{self.process.args} has died"
            answer = json.loads(line)
            if not answer.get("progress"):
                if self.heard:
                    self.heard(answer)
                return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Lab(workerlab.Lab):
    """With one worker for all cases; a write takes the page off the list, as the kernel would."""

    def __init__(self, folder):
        folder.chmod(0o755)
        super().__init__(folder)
        self.copies, self.undo = folder / "copies", []
        self.fetcher = Fetcher(folder / "fetch")
        self.planner = Service([PLANNER])
        self.server = Service([workerlab.WORKER], BEZOAR_SYSFS=str(self.sys), BEZOAR_FAULT="after-write:unlist",
                              BEZOAR_FETCH=str(self.fetcher.path))

    def close(self):
        if hasattr(self, "server"):
            self.server.close()
            self.planner.close()
        self.clean()
        super().close()

    def clean(self):
        while self.undo:
            self.undo.pop()()
        if self.intents():
            shutil.rmtree(self.state / "intent")

    def topology(self):
        st = os.stat(self.loop).st_rdev
        name = os.path.basename(self.loop)
        (self.folder / "machine.json").write_text(json.dumps({
            "regions": [], "namespaces": [], "links": [],
            "disks": [{"name": name, "node": self.loop, "major": os.major(st), "minor": os.minor(st), "logical_block_size": 512,
                       "size": self.image.stat().st_size, "badblocks": True}],
            "mounts": [{"disk": name, "mountpoint": str(self.mount), "root": "/", "fs": "xfs", "uuid": self.uuid, "options": "rw",
                        "read_only": False}]}))

    def seal(self, files):
        """Only what has been left alone for two seconds is sealed."""
        self.topology()
        time.sleep(2.5)
        out = run(workerlab.WORKER, "seal", f"--topology={self.folder}/machine.json", f"--state={self.state}", "--",
                  *(f.path for f in files))
        assert out.startswith(f"{len(files)} sealed"), out
        for f in files:
            f.sealed = True


class Victim(File):
    """A file that can lose bytes again and again: it is put back after each case."""

    def __init__(self, lab, zeros=False, nsec=None, **more):
        super().__init__(lab, mirrors=0, sectors=(), **more)
        self.sealed, self.intact = False, True
        if zeros:
            with self.path.open("r+b") as f:
                f.write(bytes(self.size))
                os.fsync(f.fileno())
            self.data = bytes(self.size)
        if nsec is not None:
            os.utime(self.path, ns=(0, self.before.st_mtime_ns // 10**9 * 10**9 + nsec))
        self.link = lab.folder / "mnt" / f"links{lab.count}" / self.name
        self.link.parent.mkdir()
        os.link(self.path, self.link)
        self.before = self.path.stat()
        self.start = extent(self.path, 0)
        pages = (self.size + PAGE - 1) // PAGE
        assert all(extent(self.path, i * PAGE) == self.start + i * PAGE for i in range(pages)), "it is not in one piece"
        self.length = pages * PAGE

    def lose_at(self, page, sectors):
        self.offset, self.at = page * PAGE, self.start + page * PAGE
        self.lose(sectors)

    def medium(self):
        return self.lab.device(self.start, self.length)

    def whole(self):
        return self.data + bytes(self.length - self.size)

    def put_back(self):
        self.lab.device_write(self.start, self.whole())
        self.drop()

    def lost(self):
        """File offsets of the lost bytes."""
        for b in self.bad:
            at = b["start"] - self.start
            if at < self.size:
                yield at, min(at + b["length"], self.size)

    def surviving(self):
        first, last = max(0, self.offset - WINDOW), min(self.size, self.offset + PAGE + WINDOW)
        for begin, end in (*self.lost(), (last, last)):
            if first < begin:
                yield first, begin
            first = max(first, end)


@dataclasses.dataclass
class Copy:
    """What a replica holds: its bytes, its time, and in what form it is there."""
    data: bytearray
    mtime: int
    kind: str = "mirror"        # or block, exec
    form: str = "file"

    def twin(self):
        return dataclasses.replace(self, data=bytearray(self.data))


UNREACHABLE = ("no-mirror", "later", "hangs")
ALIASES = ("alias-link", "alias-hard", "alias-bind", "alias-image", "alias-loop")    # other names of the first copy
LEGIBLE = ("file", "linked-folder", "renaming", "hard-linked", *ALIASES)


def same_time(original, copy):
    """As bezoar.protect(5) says of `identity`, for a replica whose file system keeps nanoseconds."""
    ns = original % 10**9
    return original // 10**9 == copy // 10**9 and copy % 10**9 in (ns, ns - ns % 100, ns - ns % 1000)


class Judgement:
    """What the model says of one copy."""

    def __init__(self, f, copy):
        lost = list(f.lost())
        self.held = copy.form in LEGIBLE and len(copy.data) >= lost[-1][1]
        self.away = copy.form in UNREACHABLE
        self.bytes = tuple(bytes(copy.data[a:b]) for a, b in lost) if self.held else None
        self.right = self.held and all(copy.data[a:b] == f.data[a:b] for a, b in lost)
        self.proofs, self.differs = set(), False
        if not self.held:
            return
        parts = list(f.surviving())
        self.differs = any(copy.data[a:b] != f.data[a:b] for a, b in parts)
        if not self.differs and sum(b - a for a, b in parts) >= SECTOR:
            self.proofs.add("neighbours")
        if copy.kind != "block" and len(copy.data) == f.size and same_time(f.before.st_mtime_ns, copy.mtime):
            self.proofs.add("identity")
        if f.sealed:
            self.proofs.add("seal")
            if not self.right or not f.intact:
                self.held, self.proofs, self.bytes = False, set(), None

    def shows(self, alternative):
        return self.held and alternative <= self.proofs and not self.refuted()

    def refuted(self):
        """What a surviving byte contradicts counts for nothing, unless a seal says that the lost ones are right."""
        return self.differs and "seal" not in self.proofs


def judge_all(f, copies):
    judged = [Judgement(f, c) for c in copies]
    place_of = [0 if c.form in ALIASES else i for i, c in enumerate(copies)]
    for i, a in enumerate(judged):
        if a.held and not a.refuted() and any(place_of[i] != place_of[k] and b.held and not b.refuted() and a.bytes == b.bytes
                                              for k, b in enumerate(judged)):
            a.proofs.add("quorum")
    return judged


def disagree(judged):
    """Two that have something to show, and hold different bytes."""
    sealed = any("seal" in j.proofs for j in judged)
    return len({j.bytes for j in judged if j.held and j.proofs and ("seal" in j.proofs or (not sealed and not j.differs))}) > 1


def decide(judged, policy):
    """The number of the copy that may be used, and what it shows; or None."""
    if disagree(judged):
        return None
    for alternative in (set(a.split("+")) for a in policy.split(",")):
        for i, j in enumerate(judged):
            if j.shows(alternative):
                return i, alternative
    return None


# ---- how copies come to a disk ----

def write_copy(path, copy):
    path.write_bytes(copy.data)
    os.utime(path, ns=(0, copy.mtime))


def form_no_mirror(_lab, folder, _path, _f, _copy):
    shutil.rmtree(folder)


def form_other_name(_lab, _folder, path, _f, copy):
    write_copy(path.with_name("other"), copy)


def form_folder(_lab, _folder, path, _f, _copy):
    path.mkdir()


def form_link(_lab, _folder, path, _f, copy):
    write_copy(path.with_name("other"), copy)
    path.symlink_to("other")


def form_link_out(lab, folder, path, _f, copy):
    outside = lab.folder / f"outside-{folder.name}"
    write_copy(outside, copy)
    path.symlink_to(outside)


def form_fifo(_lab, _folder, path, _f, _copy):
    os.mkfifo(path)


def form_socket(_lab, _folder, path, _f, _copy):
    with socket.socket(socket.AF_UNIX) as s:
        here = os.open(path.parent, os.O_RDONLY)
        s.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


def form_zero_device(_lab, _folder, path, _f, _copy):
    os.mknod(path, 0o020666, os.makedev(1, 5))


def form_linked_folder(_lab, folder, path, _f, copy):
    """The mirror's folder has become a link to another one: that is where it is now."""
    moved = folder.with_name(f"{folder.name}-moved")
    folder.rename(moved)
    folder.symlink_to(moved)
    write_copy(path, copy)


def form_hard_linked(_lab, _folder, path, _f, copy):
    """A copy with more names, one of them in a place where others write."""
    write_copy(path, copy)
    os.link(path, path.with_name("other-name"))


def on_device(lab, folder, copy, name):
    inside = lab.mount / f"copies-{folder.name}"
    inside.mkdir(exist_ok=True)
    if copy:
        write_copy(inside / name, copy)
    lab.undo.append(lambda: shutil.rmtree(inside))
    return inside


def form_same_device(lab, folder, path, _f, copy):
    inside = on_device(lab, folder, copy, path.name)
    folder.rmdir()
    folder.symlink_to(inside)


def form_bind_mount(lab, folder, path, _f, copy):
    inside = on_device(lab, folder, copy, path.name)
    run("mount", "--bind", inside, folder)
    lab.undo.append(lambda: run("umount", folder))


def form_itself(_lab, folder, _path, f, _copy):
    """The mirror has the very file, by a hard link."""
    folder.rmdir()
    folder.symlink_to(f.link.parent)


def small_file_system(lab, folder, image, *options):
    with image.open("wb") as o:
        o.truncate(8 << 20)
    run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", image)
    loop = run("losetup", "--find", "--show", *options, image).strip()
    lab.undo.append(lambda: run("losetup", "--detach", loop))
    run("mount", "-t", "ext4", loop, folder)
    lab.undo.append(lambda: run("umount", folder))
    return loop


def make_known(lab, device):
    """What the machine says of a device, the lab's own sysfs says too."""
    number = os.stat(device).st_rdev
    known = lab.sys / "dev/block" / f"{os.major(number)}:{os.minor(number)}"
    known.parent.mkdir(parents=True, exist_ok=True)
    known.symlink_to(f"/sys/dev/block/{known.name}")
    lab.undo.append(known.unlink)


def form_stacked(lab, folder, path, _f, copy):
    """Another file system, in an image that lies on the device."""
    inside = on_device(lab, folder, None, None)
    make_known(lab, small_file_system(lab, folder, inside / "image"))
    write_copy(path, copy)


def form_eio(lab, folder, path, f, copy):
    """Its disk ends before the lost bytes: reading them is an I/O error, reading the file's begin is not."""
    image = lab.folder / f"broken-{folder.name}"
    try:
        small_file_system(lab, folder, image, "--direct-io=on")
    except subprocess.CalledProcessError as e:
        raise tap.Skip(f"no disk that breaks: {e.stderr}".strip()) from e
    write_copy(path, copy)
    run("sync", "-f", path)
    at = extent(path, f.offset)
    with path.open("rb") as o:
        os.posix_fadvise(o.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    os.truncate(image, at)
    lab.undo.append(lambda: os.truncate(image, 8 << 20))
    with path.open("rb") as o:
        try:
            os.pread(o.fileno(), PAGE, f.offset)
        except OSError:
            return
    raise tap.Skip("the disk does not break")


def form_alias_link(_lab, folder, _path, _f, _copy):
    folder.rmdir()
    folder.symlink_to(folder.with_name("0"))


def form_alias_hard(_lab, folder, path, _f, _copy):
    os.link(folder.with_name("0") / path.name, path)


def form_alias_bind(lab, folder, _path, _f, _copy):
    run("mount", "--bind", folder.with_name("0"), folder)
    lab.undo.append(lambda: run("umount", folder))


def form_renaming(lab, folder, path, f, copy):
    """Another version takes its name, again and again, while it is read: the right one and this."""
    right = Copy(bytearray(f.data), f.before.st_mtime_ns)
    spare, stop = folder / "spare", threading.Event()
    write_copy(path, right)

    def swap():
        turn = 0
        while not stop.is_set():
            turn ^= 1
            write_copy(spare, copy if turn else right)
            spare.rename(path)

    thread = threading.Thread(target=swap, daemon=True)
    thread.start()
    lab.undo.append(lambda: (stop.set(), thread.join()))


FORMS = {name.removeprefix("form_").replace("_", "-"): value for name, value in list(globals().items()) if name.startswith("form_")}


def place_block(lab, f, copy, number):
    image = lab.copies / f"image{number}"
    if copy.form == "alias-image":
        image.symlink_to("image0")
        return f"block:{image}"
    if copy.form == "alias-loop":
        loop = run("losetup", "--find", "--show", lab.copies / "image0").strip()
        lab.undo.append(lambda: run("losetup", "--detach", loop))
        make_known(lab, loop)
        return f"block:{loop}"
    with image.open("wb") as o:
        o.truncate(lab.image.stat().st_size)
        o.seek(f.start)
        o.write(copy.data)
        if len(copy.data) < f.size:
            o.truncate(f.start + len(copy.data))
    return f"block:{image}"


LIES = {                # what the program does instead, for stat and read
    "file": ("", ""),
    "too-much": ("", "tail -c +$(($3 + 1)) \"$data\" | head -c $4; echo; exit"),
    "too-little": ("", "tail -c +$(($3 + 1)) \"$data\" | head -c $(($4 - 1)); exit"),
    "nothing": ("", "exit 0"),
    "fails-after": ("", "tail -c +$(($3 + 1)) \"$data\" | head -c $4; exit 1"),
    "has-none": ("exit 10", "exit 10"),
    "says-stale": ("exit 11", "exit 11"),
    "later": ("exit 12", "exit 12"),
    "not-a-number": ("echo many bytes; exit", ""),
    "negative": ("echo -1 -1; exit", ""),
    "shrinks": ("", ": >\"$data\"; exit 0"),
    "hangs": ("sleep 100", ""),
}


def place_exec(lab, f, copy, number):
    data, program = lab.copies / f"data{number}", lab.copies / f"program{number}"
    write_copy(data, copy)
    stat, read = LIES[copy.form]
    program.write_text(f"#!/bin/sh\ndata={data}\ncase $1 in\nstat) {stat or ':'}; stat -c '%s %.9Y' \"$data\" ;;\n"
                       f"read) {read or ':'}; tail -c +$(($3 + 1)) \"$data\" | head -c $4 ;;\nesac\n")
    program.chmod(0o755)
    return f"exec:{program}"


def place_mirror(lab, f, copy, number):
    folder = lab.copies / str(number)
    folder.mkdir()
    path = folder / f.name
    if copy.form == "file":
        write_copy(path, copy)
    else:
        FORMS[copy.form](lab, folder, path, f, copy)
    return f"mirror:{folder}"


def place(lab, f, copies):
    """Puts the copies there, in place of those that were, under the names that they had."""
    lab.clean()
    shutil.rmtree(lab.copies, ignore_errors=True)
    lab.copies.mkdir(mode=0o755)
    return [globals()[f"place_{c.kind}"](lab, f, c, i) for i, c in enumerate(copies)]


# ---- one case ----

class Wrong(AssertionError):
    """A wrong byte is on the medium."""


class Case:
    """Loses bytes of a file and lets them be restored from copies. `late`: what the copies have become once the plan was
    made."""

    def __init__(self, lab, f, policy, copies, late=None, store=None, busy=None):
        self.lab, self.f, self.policy, self.copies, self.late, self.store, self.busy = lab, f, policy, copies, late, store, busy
        self.planned = False

    def ask(self, verb, **more):
        request = {**self.f.request(verb, policy_proof=self.policy), **more}
        request["policy"]["worker_timeout_usec"] = 8000000
        if self.busy:           # so that it is the proof, and not the good bytes of the page, that stands in the way
            request["policy"]["protects"][0]["exclusion"] = "freeze"
        return request

    def expected(self):
        """What may come of it: pairs of an outcome (healed, beyond, refused) and the bytes that the page has then."""
        f, possible = self.f, set()
        if self.busy:           # somebody stores to the window all the time: whatever the copies have
            return {("refused", None)}
        for copies in self.versions(self.copies):
            chosen = decide(judge_all(f, copies), self.policy)
            if not chosen:
                possible.add(("refused", None))
                continue
            if not self.late and not self.store:
                possible.add(self.written(copies[chosen[0]]))
                if any(c.form == "renaming" for c in self.copies):
                    possible.add(("refused", None))
                continue
            with_store = self.store.apply(f) if self.store else f
            for later in self.versions(self.late or self.copies):
                judged = judge_all(with_store, later)
                mine = judged[chosen[0]]
                possible.add(self.written(later[chosen[0]]) if mine.shows(chosen[1]) and not disagree(judged)
                             else ("refused", None))
        return possible

    def versions(self, copies):
        """One that changes its name all the time is this or the right one."""
        if not any(c.form == "renaming" for c in copies):
            return [copies]
        right = Copy(bytearray(self.f.data), self.f.before.st_mtime_ns)
        return [copies, [right if c.form == "renaming" else c for c in copies]]

    def written(self, copy):
        lost = tuple(bytes(copy.data[a:b]) for a, b in self.f.lost())
        right = tuple(self.f.data[a:b] for a, b in self.f.lost())
        return ("healed" if lost == right else "beyond", lost)

    def run(self):
        """The outcome, and the answer that led to it; Wrong when it is none of those that are possible and the medium has
        something else than it had."""
        lab, f = self.lab, self.f
        f.replicas = place(lab, f, self.copies)
        range_ = {"start": f.at, "length": PAGE}
        if self.busy:
            self.busy.begin(f)
        answer = lab.server.ask(self.ask("locate", ranges=[{"range": range_, "bad": f.bad}]))
        assert "found" in answer, answer
        request = lab.planner.ask(self.ask("locate", ranges=answer["found"]))
        plan = request["plan"]
        if plan["verdict"] == "repair":
            self.planned = True
            if self.late:
                f.replicas = place(lab, f, self.late)
            if self.store:
                self.store.do(f)
            plan = lab.server.ask(request)
        if self.busy:
            self.busy.end(f)
        return self.outcome(plan)

    def outcome(self, answer):
        f, page = self.f, self.f.offset
        expected, possible = bytearray(f.whole()), self.expected()
        if self.store and self.planned:
            expected = self.store.changed(f, expected)
        destroyed = bytearray(expected)
        for b in f.bad:
            at = b["start"] - f.start
            destroyed[at:at + b["length"]] = b"\xdb" * b["length"]
        medium = f.medium()
        for a, b in self.busy.places(f) if self.busy else ():
            expected[a:b] = destroyed[a:b] = medium[a:b]
        healed = answer.get("state") == "healed"

        for outcome, lost in possible:
            want = bytearray(destroyed)
            for (a, b), part in zip(f.lost(), lost or ()):
                want[a:b] = part
            if lost and f.size < page + PAGE:   # behind the end of the file there are zeroes
                want[f.size:] = bytes(f.length - f.size)
            if medium == want and healed == (outcome != "refused"):
                assert "error" not in answer and not self.lab.intents(), answer
                self.check_times()
                return outcome, answer
        kind = AssertionError if medium in (destroyed, expected) else Wrong
        raise kind(f"{answer}; possible were {sorted(x[0] for x in possible)}; the medium has "
                   f"{'the destroyed bytes' if medium == destroyed else 'the right bytes' if medium == expected else 'WRONG BYTES'}")

    def check_times(self):
        st = self.f.path.stat()
        assert (st.st_size, st.st_mtime_ns) == (self.f.size, self.f.before.st_mtime_ns), "size or time have changed"


class Store:
    """Somebody stores to a good byte of the page once the plan was made, and it leaves no trace in its times."""

    def __init__(self, at):
        self.at = at            # in the file

    def do(self, f):
        f.lab.device_write(f.start + self.at, bytes([f.data[self.at] ^ 0xFF]))
        f.drop()

    def changed(self, f, data):
        data = bytearray(data)
        data[self.at] = f.data[self.at] ^ 0xFF
        return data

    def apply(self, f):
        """The file as it is then, to be judged."""
        class Then:
            data = bytes(self.changed(f, f.data))
            size, before, sealed, intact = f.size, f.before, f.sealed, False
            lost, surviving = f.lost, f.surviving
        return Then


class Busy:
    """Somebody stores to sectors around the lost one all the time, each time something new. In the lost page he does it on the
    device, since a page that cannot be read cannot be mapped here; in others through the file."""

    def __init__(self, *sectors):
        self.sectors = sectors          # from the begin of the lost page
        self.stop = threading.Event()

    def places(self, f):
        return [(f.offset + s * SECTOR, f.offset + (s + 1) * SECTOR) for s in self.sectors]

    def begin(self, f):
        self.file, self.image = os.open(f.path, os.O_RDWR), os.open(f.lab.image, os.O_RDWR)
        began = threading.Event()

        def go_on():
            for turn in itertools.count(1):
                for a, _ in self.places(f):
                    inside = f.offset <= a < f.offset + PAGE
                    os.pwrite(self.image if inside else self.file, turn.to_bytes(8, "little"), f.start + a if inside else a)
                began.set()
                if self.stop.is_set():
                    return
        self.thread = threading.Thread(target=go_on, daemon=True)
        self.thread.start()
        began.wait()

    def end(self, f):
        self.stop.set()
        self.thread.join()
        for a, b in self.places(f):
            if not f.offset <= a < f.offset + PAGE:
                os.pwrite(self.file, f.data[a:b], a)
        os.fsync(self.file)
        os.utime(self.file, ns=(0, f.before.st_mtime_ns))
        os.close(self.file)
        os.close(self.image)


def run_case(lab, f, counts, page, sectors, policy, copies, **more):
    """Loses, restores, counts, and puts the file back, whatever came of it."""
    f.lose_at(page, sectors)
    try:
        outcome, answer = Case(lab, f, policy, copies(f), **{k: v(f) if k == "late" and v else v for k, v in more.items()}).run()
        counts[outcome if outcome != "refused" or answer.get("state") != "waiting" and answer.get("verdict") != "wait"
               else "waiting"] += 1
        return outcome
    except Wrong:
        counts["wrong"] += 1
        raise
    finally:
        counts["cases"] += 1
        lab.clean()
        lab.list.write_text("")
        f.put_back()


def new_counts():
    return Counter(cases=0, healed=0, refused=0, waiting=0, beyond=0, wrong=0)


def say(counts):
    return (f"{counts['cases']} cases: {counts['healed']} healed, {counts['refused']} refused, {counts['waiting']} waiting, "
            f"{counts['beyond']} beyond what their policy can show, {counts['wrong']} wrong writes")
