#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The programs of contrib/replicas, run as bezoar-fetch runs them: with a local restic repository, a local rclone remote,
and ssh to this machine. What is not installed is skipped."""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tap

FOLDER = Path(sys.argv[1]) / "contrib/replicas"
NAMES = ("file", "a b/it's $1", "-dash", "empty")
SIZE = 300000


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise tap.Skip(f"{p} is not installed")


class Lab:
    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        self.secrets, self.cache = folder / "secrets", folder / "cache"
        for d in (self.data, self.secrets, self.cache):
            d.mkdir()
        for name in NAMES:
            path = self.data / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(random.Random(name).randbytes(0 if name == "empty" else SIZE))
            os.utime(path, ns=(0, 1700000000123456789))

    def run(self, program, *arguments, **more):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.cache), "CACHE_DIRECTORY": str(self.cache),
               "CREDENTIALS_DIRECTORY": str(self.secrets), "LANG": "C.UTF-8", **more}
        return subprocess.run([FOLDER / program, *(str(a) for a in arguments)], env=env, capture_output=True, timeout=120)

    def check(self, program, *arguments, **more):
        """All that bezoar.protect(5) asks of a program."""
        for name in NAMES:
            data = (self.data / name).read_bytes()
            r = self.run(program, *arguments, "stat", name, **more)
            assert r.returncode == 0 and r.stdout.decode() == f"{len(data)} 1700000000.123456789\n", (name, r)
            for offset, length in ((0, 1), (4096, 131072), (SIZE - 5, 5)):
                if data:
                    r = self.run(program, *arguments, "read", name, offset, length, **more)
                    assert r.returncode == 0 and r.stdout == data[offset:offset + length], (name, offset, r.returncode, r.stderr)
        for name in ("none", "a b"):
            r = self.run(program, *arguments, "stat", name, **more)
            assert r.returncode == 10, (name, r)


def test_rclone(lab):
    "rclone, a local remote"
    need("rclone", "jq")
    (lab.secrets / "rclone.conf").write_text("[here]\ntype = local\n")
    lab.check("replica-rclone", f"here:{lab.data}")


def test_restic(lab):
    "restic, a local repository, and one that is not there"
    need("restic", "jq")
    (lab.secrets / "restic-password").write_text("hush\n")
    env = {**os.environ, "RESTIC_PASSWORD": "hush", "RESTIC_CACHE_DIR": str(lab.cache / "other")}
    for command in (["init"], ["backup", str(lab.data)]):
        subprocess.run(["restic", "-q", "-r", str(lab.folder / "repository"), *command], env=env, check=True, capture_output=True)
    lab.check("replica-restic", lab.folder / "repository", lab.data)
    assert lab.run("replica-restic", lab.folder / "nowhere", lab.data, "stat", "file").returncode == 12


def test_ssh(lab):
    "ssh to this machine, and to nobody"
    need("ssh", "sshd", "ssh-keygen")
    if os.geteuid() != 0:
        raise tap.Skip("sshd needs root")
    for name in ("ssh-key", "host-key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(lab.secrets / name)], check=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    (lab.secrets / "authorized").write_text((lab.secrets / "ssh-key.pub").read_text())
    (lab.secrets / "ssh-known-hosts").write_text(f"[127.0.0.1]:{port} " + (lab.secrets / "host-key.pub").read_text())
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = subprocess.Popen([shutil.which("sshd"), "-D", "-f", "/dev/null", "-p", port, "-h", str(lab.secrets / "host-key"),
                             "-o", "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={lab.secrets}/authorized", "-o", "StrictModes=no",
                             "-o", "PidFile=none", "-o", "PermitRootLogin=yes"], stderr=subprocess.DEVNULL)
    options = {"SSH_OPTIONS": f"-p {port}"}
    try:
        for _ in range(600):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.1)
        lab.check("replica-ssh", "root@127.0.0.1", lab.data, **options)
    finally:
        sshd.terminate()
        sshd.wait()
    assert lab.run("replica-ssh", "root@127.0.0.1", lab.data, "stat", "file", **options).returncode == 12


def in_lab(test):
    with tempfile.TemporaryDirectory(prefix="bezoar-contrib-") as folder:
        test(Lab(Path(folder)))


sys.exit(tap.run((name, lambda test=test: in_lab(test)) for name, test in tap.tests_of(globals())))
