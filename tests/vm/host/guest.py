# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtual machine: its life, and the line protocol with the agent in it.

The guest has two virtio-serial ports. "lab.control" is a conversation: the agent says `ready`, the host says `run …`, the
scenario asks for poison, and so on, one line each way. "lab.trace" is a file on this side: what a scenario prints is here
even if the guest dies in the next moment. The NVDIMMs are plain files, shared with the guest, so that the host can destroy
bytes below it, and so that they survive a power cut.

A power cut kills QEMU. What the guest has stored to an NVDIMM is in its file, and what it has written to its disk, too. Where a
scenario asks for it (`disk: volatile`) there is a second disk, of which only what was flushed is there: it is served by nbdkit,
whose cache filter is killed at the same moment.

Booting takes a while. A machine can be saved as it is, but for NVDIMMs and second disk, and then comes back so after each
power cut instead."""
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import time

from host.poison import Poison

MEDIA_SIZES = (512, 128, 256)           # MiB; the third only where a scenario asks for it
CPUS, MEMORY = 2, 1024
MIGRATE_SECONDS = 240
DISK_SIZE = "256M"                      # of the second disk


class Gone(Exception):
    """The guest ended."""


class Silent(Exception):
    """The guest said nothing in time."""


class Lines:
    """Lines from and to a socket."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def send(self, line):
        try:
            self.sock.sendall(line.encode() + b"\n")
        except OSError as e:
            raise Gone(str(e)) from e

    def receive(self, deadline):
        while b"\n" not in self.buffer:
            if not select.select([self.sock], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Silent()
            try:
                data = self.sock.recv(65536)
            except OSError as e:
                raise Gone(str(e)) from e
            if not data:
                raise Gone()
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")


@dataclasses.dataclass(frozen=True)
class Machine:
    """What differs between the machines that scenarios ask for."""
    append: str = ""            # to the kernel's command line
    modules: int = 2            # NVDIMMs
    disk: str = "none"          # a second one: "volatile", a power cut takes what was not flushed


class Guest:
    def __init__(self, image, initrd, work):
        self.image, self.initrd, self.work = image, initrd, work
        self.media = [work / f"nv{i}" for i in range(len(MEDIA_SIZES))]
        self.second = work / "second.img"
        self.console, self.trace = work / "console", work / "trace"
        self.process = self.disk = None
        self.saved = None               # the file with the machine as it was
        self.machine = Machine()
        self.poison = Poison(work / "poison")

    def renew(self):
        """A new root file system, new NVDIMMs and an empty second disk."""
        self.saved = None
        subprocess.run(["cp", "--reflink=auto", "--sparse=always", self.image / "root.img", self.work / "root.img"], check=True)
        for path, size in zip(self.media, MEDIA_SIZES):
            path.unlink(missing_ok=True)
            with open(path, "wb") as f:
                f.truncate(size << 20)
        if self.machine.disk == "volatile":
            self.second.unlink(missing_ok=True)
            subprocess.run(["mke2fs", "-q", "-t", "ext4", self.second, DISK_SIZE], check=True, stdout=subprocess.DEVNULL)
        self.poison.renew()

    def _command(self, control, monitor):
        command = [
            # However the runner ends, no machine stays behind.
            "setpriv", "--pdeathsig", "KILL",
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
            # One thread for all CPUs: with one each, a CPU may run an instruction that the other has patched long ago, and the
            # kernel dies of its own break point ("Oops: int3"). Two guests on two CPUs are as fast this way.
            "-machine", "pc,nvdimm=on", "-accel", "tcg,thread=single",
            # The kernel believes the address in a machine check only if an Intel CPU sends it.
            "-cpu", "Skylake-Server-v3", "-smp", str(CPUS), "-m", f"{MEMORY}M,slots=4,maxmem=4G",
            "-kernel", self.image / "vmlinuz", "-initrd", self.initrd,
            # A guest that panics ends (panic=-1 with -no-reboot), and is started again.
            "-append", "console=ttyS0 root=/dev/vda rw quiet panic=-1 mitigations=off random.trust_cpu=on no_timer_check"
                       # A busy machine may not run a CPU of ours for long, which is no lockup.
                       " watchdog_thresh=60"
                       # Legacy persistent memory only where a scenario asks for it, and last.
                       f" systemd.show_status=no audit=0 modprobe.blacklist=nd_e820 {self.machine.append}",
            # Nothing that this machine's own power could take: what reached the file stays in it, flushed or not.
            "-drive", f"file={self.work}/root.img,if=virtio,format=raw,cache=unsafe,snapshot={'on' if self.saved else 'off'}",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            "-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console",
            "-chardev", f"socket,id=control,fd={control}", "-chardev", f"file,id=trace,path={self.trace},append=on",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=control,name=lab.control",
            "-device", "virtserialport,chardev=trace,name=lab.trace",
            "-chardev", f"file,id=poison,path={self.poison.path},append=on", "-device", "isa-debugcon,iobase=0x5b0,chardev=poison",
            # A machine that ends itself at a certain moment: nvdr.asl, CUTM.
            "-device", "pc-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
        ]
        for i, (path, size) in enumerate(zip(self.media[:self.machine.modules], MEDIA_SIZES)):
            command += ["-object", f"memory-backend-file,id=nv{i},share=on,mem-path={path},size={size}M",
                        "-device", f"nvdimm,id=nvdimm{i},memdev=nv{i}"]
        if self.machine.disk == "volatile":
            command += ["-drive", f"file=nbd+unix:///?socket={self.work}/disk,if=virtio,format=raw,cache=writeback"]
        if self.saved:
            command += ["-incoming", "defer"]
        return command

    def _serve_disk(self):
        """What is written stays in the cache of the server until it is flushed; and then in this machine's, which goes on."""
        ready = self.work / "disk.pid"
        for old in (ready, self.work / "disk"):
            old.unlink(missing_ok=True)
        with open(self.work / "qemu.log", "ab") as log:
            self.disk = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "nbdkit", "--foreground", "--unix", self.work / "disk", "--pidfile", ready,
                 "--filter=cache", "--filter=fua", "file", self.second, "cache=writeback", "cache-min-block-size=4096", "fuamode=discard"],
                env={**os.environ, "TMPDIR": str(self.work)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not ready.exists():
            if self.disk.poll() is not None or time.monotonic() > deadline:
                raise Gone("nbdkit serves no disk, see qemu.log")
            time.sleep(0.01)

    def start(self):
        self.poison.restart()
        if self.machine.disk == "volatile":
            self._serve_disk()
        pairs = [socket.socketpair() for _ in range(2)]
        fds = [theirs.fileno() for _, theirs in pairs]
        with open(self.work / "qemu.log", "ab") as log:
            self.process = subprocess.Popen(self._command(*fds), pass_fds=fds, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _, theirs in pairs:
            theirs.close()
        self.control, self.monitor = (Lines(ours) for ours, _ in pairs)
        self._monitor_reply()
        self.qmp("qmp_capabilities")
        if self.saved:
            self._migrate("migrate-incoming", f"exec:cat {self.saved}", "running")

    def save(self):
        """From now on start() goes on from here, with the NVDIMMs and the second disk as they are then. The machine ends."""
        file = self.work / "saved"
        self._migrate("migrate", f"exec:cat >{file}", "postmigrate")
        self.kill()
        self.saved = file

    def _migrate(self, command, uri, state):
        # What is shared is the NVDIMMs.
        self.qmp("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.qmp(command, uri=uri)
        deadline = time.monotonic() + MIGRATE_SECONDS
        while self.qmp("query-status")["status"] != state:
            if self.qmp("query-migrate").get("status") == "failed" or time.monotonic() > deadline:
                raise Gone(f"{command} failed, see qemu.log")
            time.sleep(0.02)

    def _monitor_reply(self):
        """Skips events, returns the next reply."""
        while True:
            message = json.loads(self.monitor.receive(time.monotonic() + 30))
            if "event" not in message:
                return message

    def qmp(self, command, **arguments):
        self.monitor.send(json.dumps({"execute": command, "arguments": arguments}))
        reply = self._monitor_reply()
        if "error" in reply:
            raise RuntimeError(f"{command}: {reply['error']['desc']}")
        return reply["return"]

    def machine_check(self, address):
        """An uncorrected memory error, action optional, of the whole page; to all CPUs, or the guest would panic."""
        text = self.qmp("human-monitor-command", **{"command-line": f"mce -b 0 9 0xbd000000000000c0 5 {address:#x} 0x8c"})
        if text.strip():
            raise RuntimeError(f"mce: {text.strip()}")
        self.poison.add(address // 4096 * 4096, 4096)

    def destroy(self, medium, offset, length):
        """Overwrites bytes of an NVDIMM behind the guest's back."""
        with open(self.media[medium], "r+b", buffering=0) as f:
            f.seek(offset)
            f.write(os.urandom(length))

    def kill(self):
        """Ends the machine at once: for the guest, a power cut."""
        if self.process and self.process.poll() is None:
            # Nothing may happen between the death of the disk and its own.
            self.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            self._end_disk()
            self.process.send_signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout=None):
        if self.process:
            self.process.wait(timeout)
            self.control.sock.close()
            self.monitor.sock.close()
            self.process = None
        self._end_disk()

    def _end_disk(self):
        if self.disk:
            self.disk.kill()
            self.disk.wait()
            self.disk = None
