#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The real bezoar-worker, with each kind of replica: images of the device, and what bezoar-fetch asks for it, here from a
server and a program of this test. As always, the device itself is asked afterwards what it has.

Root, mkfs.xfs and loop devices are needed; else all is skipped, with the reason."""

import base64
import email.utils
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

import tap
import workerlab
from workerlab import PAGE, SECTOR, File, expect

FETCH = sys.argv[2]
NOBODY = 65534


class Fetcher:
    """What bezoar-fetch.socket does: a process for each connection, without rights."""

    def __init__(self, path):
        self.path, self.count = path, 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            self.count += 1
            with connection:
                subprocess.Popen([FETCH], stdin=connection, stdout=connection, user=NOBODY, group=NOBODY, extra_groups=[], env={})


class Lab(workerlab.Lab):
    def __init__(self, folder):
        folder.chmod(0o755)
        super().__init__(folder)
        self.fetcher, self.server = Fetcher(folder / "fetch"), serve(self)
        self.credentials = None

    def worker(self, request, fault=None):
        request["policy"]["worker_timeout_usec"] = 16000000
        if self.credentials:
            request["policy"]["credentials_dir"] = self.credentials
        return super().worker(request, fault, BEZOAR_FETCH=str(self.fetcher.path))

    def copy_of_device(self, name="copy"):
        """An image of the device as it was before bytes were lost."""
        copy = self.folder / name
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        return copy


def restored(f, copy, at=0):
    """Puts the right bytes of the lost page into a copy of the device."""
    with copy.open("r+b") as c:
        c.seek(at + f.at)
        c.write(f.right())
    return copy


IMAGE = {"policy_proof": "neighbours", "proof": "neighbours"}


def heal(f, uri, policy_proof="identity+neighbours", proof=None):
    f.replicas = [uri]
    found = f.locate(policy_proof=policy_proof)
    offer = found["offers"][0]
    assert offer["state"] == "held" and offer.get("proof") == (proof or policy_proof), offer
    expect(f.repair(found, policy_proof=policy_proof, proof=proof or policy_proof), "healed")
    f.check_healed()
    return offer


def refused(f, uri, state, word, policy_proof="identity+neighbours"):
    f.replicas = [uri]
    offer = f.locate(policy_proof=policy_proof)["offers"][0]
    assert offer["state"] == state and word in offer.get("detail", ""), offer
    f.check_untouched()


# ---- block: ----

def test_block(lab):
    "an image of the device in a file"
    f = File(lab)
    offer = heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)
    assert offer["untimed"] and "no file times" in offer["detail"], offer


def test_block_whole_page(lab):
    "an image, the whole page lost: the neighbours in the file bear witness from where they lie"
    f = File(lab, sectors=((0, 8),))
    heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)


def test_block_fragments(lab):
    "a file in many pieces: each neighbour is looked up where it is"
    f = File(lab)
    pieces = lab.mount / f"pieces{lab.count}"
    other = lab.mount / f"other{lab.count}"
    with pieces.open("wb") as a, other.open("wb") as b:
        for _ in range(24):
            for x in (a, b):
                x.write(lab.random.randbytes(PAGE))
                x.flush()
                os.fsync(x.fileno())
    f.path, f.name = pieces, pieces.name
    f.data = pieces.read_bytes()
    f.size, f.offset, f.before = len(f.data), 10 * PAGE, pieces.stat()
    f.at = workerlab.extent(pieces, f.offset)
    f.lose(((2, 1),))
    assert workerlab.extent(pieces, f.offset + PAGE) != f.at + PAGE, "it is in one piece"
    heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)


def test_block_hole(lab):
    "a hole beside the page: it is in no image, and is not compared"
    f = File(lab)
    with f.path.open("r+b") as x:
        subprocess.run(["fallocate", "--punch-hole", "--offset", str(f.offset + 2 * PAGE), "--length", str(8 * PAGE), x.name],
                       check=True)
    data = bytearray(f.data)
    data[f.offset + 2 * PAGE:f.offset + 10 * PAGE] = bytes(8 * PAGE)
    f.data = bytes(data)
    f.before = f.path.stat()
    f.drop()
    heal(f, f"block:{restored(f, lab.copy_of_device())}", **IMAGE)


def test_block_offset(lab):
    "an image that begins within a larger one, and a wrong offset"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    moved = lab.folder / "moved"
    with moved.open("wb") as m:
        m.truncate(3 << 20)
    with moved.open("ab") as m:
        subprocess.run(["cat", str(copy)], stdout=m, check=True)
    f.replicas = [f"block:{moved}@{2 << 20}"]
    offer = f.locate(policy_proof="neighbours")["offers"][0]
    assert offer["witness"] == "differ", offer
    heal(f, f"block:{moved}@{3 << 20}", **IMAGE)
    moved.unlink()


def test_block_device(lab):
    "an image on a block device"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    loop = workerlab.run("losetup", "--find", "--show", copy).strip()
    try:
        heal(f, f"block:{loop}", **IMAGE)
    finally:
        workerlab.run("losetup", "--detach", loop)


def test_block_stale(lab):
    "an image in which a neighbour is older: refused, nothing is written"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    with copy.open("r+b") as c:
        c.seek(f.at + PAGE + 17)
        c.write(b"\x00\x01\x02")
    f.replicas = [f"block:{copy}"]
    found = f.locate(policy_proof="neighbours")
    assert found["offers"][0]["witness"] == "differ" and "proof" not in found["offers"][0], found
    expect(f.repair(found, **IMAGE), "refused", "replica-stale")
    f.check_untouched()


def test_block_no_identity(lab):
    "an image shows no identity: the default policy refuses it, and says proof-missing"
    f = File(lab)
    f.replicas = [f"block:{restored(f, lab.copy_of_device())}"]
    expect(f.repair(), "refused", "proof-missing")
    f.check_untouched()


def test_block_short(lab):
    "an image that ends before the lost bytes"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    os.truncate(copy, f.at + SECTOR)
    refused(f, f"block:{copy}", "short", "")


def test_block_short_neighbours(lab):
    "an image that ends right behind the lost page: the neighbours that it should have count as different"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    os.truncate(copy, f.at + PAGE)
    f.replicas = [f"block:{copy}"]
    offer = f.locate(policy_proof="neighbours")["offers"][0]
    assert (offer["state"], offer["witness"], offer["witness_at"]) == ("held", "differ", f.offset + PAGE), offer
    f.check_untouched()


def test_block_same(lab):
    "the device itself, its file system, and a loop device on it"
    f = File(lab)
    refused(f, f"block:{lab.loop}", "same-device", "very device")
    inside = lab.mount / "image-inside"
    inside.write_bytes(bytes(1 << 20))
    refused(f, f"block:{inside}", "same-device", "very device")
    inside.unlink()


def test_block_missing(lab):
    "an image that is not there is waited for"
    f = File(lab)
    refused(f, "block:/nowhere/image", "unreachable", "not there")


# ---- exec: ----

def program(f, read="tail -c +$(($3 + 1)) \"$data\" | head -c $4", stat="stat -c '%s %.9Y' \"$data\"", name="program"):
    path = f.lab.folder / f"{name}{f.lab.count}"
    path.write_text(f"#!/bin/sh\ndata={f.mirrors[0]}/$2\ncase $1 in stat) {stat} ;; read) {read} ;; esac\n")
    path.chmod(0o755)
    return f"exec:{path}"


def test_exec(lab):
    "a program with the file's size, time and bytes, run by nobody"
    f = File(lab)
    mark = lab.folder / "who"
    mark.mkdir(mode=0o777)
    mark.chmod(0o777)
    heal(f, program(f, stat=f"id -u >{mark}/uid; stat -c '%s %.9Y' \"$data\""))
    assert (mark / "uid").read_text().strip() == str(NOBODY)


def test_exec_wrong(lab):
    "programs that have none, hang, lie about the length, or break off"
    f = File(lab)
    refused(f, program(f, stat="exit 10"), "missing", "no copy")
    refused(f, program(f, stat="exit 11"), "stale", "not the current")
    refused(f, program(f, stat="exit 12"), "unreachable", "later")
    refused(f, program(f, stat="sleep 100"), "unreachable", "in time")
    refused(f, program(f, read="sleep 100"), "unreachable", "")
    refused(f, program(f, read="cat \"$data\""), "unreadable", "Message too long")
    refused(f, program(f, read="head -c 5 \"$data\""), "unreadable", "No data")
    refused(f, program(f, read="exit 1"), "unreadable", "Input/output")
    refused(f, program(f, read="head -c $4 /dev/zero; exit 11"), "unreadable", "Stale")


def test_exec_older(lab):
    "a program whose bytes are older beside the lost ones"
    f = File(lab)
    f.replicas = [program(f, read="tail -c +$(($3 + 1)) \"$data\" | head -c $4 | tr '\\101' '\\102'")]
    offer = f.locate()["offers"][0]
    assert offer["witness"] == "differ", offer
    expect(f.repair(), "refused", "replica-stale")
    f.check_untouched()


# ---- http: ----

class Handler(http.server.BaseHTTPRequestHandler):
    """The first component of the path says how it behaves; the last is the file."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response_only(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), str(v))
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        parts = self.path.split("/")
        mode, name, server = parts[1], parts[-1], self.server
        server.seen.append((self.path, dict(self.headers)))
        data, when = server.files[urllib.parse.unquote(name)]
        status = {"to": 302}.get(mode) or (int(mode) if mode.isdigit() else 0)
        if mode == "to":
            return self.answer(302, Location=server.target.replace("NAME", name))
        if status:
            return self.answer(status, b"sorry " * 100)
        if mode == "loop":
            return self.answer(302, Location=self.path)
        if mode == "auth" and self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:hush").decode():
            return self.answer(401, WWW_Authenticate="Basic realm=x")
        if mode == "aws" and "AWS4-HMAC-SHA256 Credential=me/" not in self.headers.get("Authorization", ""):
            return self.answer(403)
        first, last = (int(x) for x in self.headers["Range"].removeprefix("bytes=").split("-"))
        body, total = data[first:last + 1], len(data)
        last = min(last, total - 1)
        headers = {"ETag": '"1"', "Last_Modified": email.utils.formatdate(when // 10**9, usegmt=True)}
        if mode in ("exact", "aws"):
            headers["X_Amz_Meta_Mtime"] = f"{when // 10**9}.{when % 10**9:09}"
        if mode == "none":
            return self.answer(200, data, **headers)
        big = last - first > 1
        if mode == "stall" and big:
            time.sleep(30)
        if mode == "swap" and big:
            headers["ETag"] = '"2"'
        if mode == "grown" and big:
            total += 1
        if mode == "gzip":
            headers["Content_Encoding"] = "gzip"
        if mode == "moved" and big:
            first, last = first + 1, last + 1
        if mode == "wide" and big:
            first -= 1
        if mode == "unsaid":
            return self.answer(206, body, **headers)
        headers["Content_Range"] = f"bytes {first}-{last}/{total}"
        if mode == "long" and big:
            body += b"x"
        if mode == "short" and big:
            body = body[:-1]
        if mode == "broken" and big:
            headers["Content_Length"] = len(body)
            body = body[:-100]
            self.close_connection = True
        if mode == "older" and big:
            body = body.replace(b"A", b"B")
        if mode == "drip" and big:
            self.answer(206, b"", Content_Length=len(body), **headers)
            for x in body:
                self.wfile.write(bytes([x]))
                time.sleep(0.5)
            return None
        return self.answer(206, body, **headers)


def serve(lab, tls=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.seen, server.target = {}, [], ""
    server.handle_error = lambda *_: None
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    return server


def served(lab, server=None, **more):
    f = File(lab, **more)
    server = server or lab.server
    server.files[f.name] = (f.data, f.before.st_mtime_ns)
    return f


def credentials(lab, text, mode=0o600):
    folder = lab.folder / "credentials.d"
    folder.mkdir(exist_ok=True)
    path = folder / "test.conf"
    path.write_text("[Credentials]\n" + text)
    path.chmod(mode)
    lab.credentials = str(folder)


def test_http_exact(lab):
    "a server that keeps the time in full, as rclone does in S3: identity"
    f = served(lab)
    heal(f, f"{lab.server.url}/exact")


def test_http_seconds(lab):
    "Last-Modified: no identity for a file whose time has a fraction, neighbours all the same"
    f = served(lab)
    offer = heal(f, f"{lab.server.url}/good", **IMAGE)
    assert offer["untimed"] and "whole seconds" in offer["detail"], offer


def test_http_whole_second(lab):
    "Last-Modified: identity for a file whose time has none"
    f = served(lab)
    os.utime(f.path, ns=(0, f.before.st_mtime_ns // 10**9 * 10**9))
    f.before = f.path.stat()
    heal(f, f"{lab.server.url}/good")


def test_http_whole_second_other(lab):
    "Last-Modified: a second later is another file"
    f = served(lab)
    os.utime(f.path, ns=(0, f.before.st_mtime_ns // 10**9 * 10**9 - 10**9))
    f.before = f.path.stat()
    refused(f, f"{lab.server.url}/good", "held", "modified")


def test_http_name(lab):
    "a name with everything in it that a URL cannot have"
    f = File(lab)
    name = "a b%20?#&;\xe4'\"\\+=\udcff"
    f.path.rename(f.path.with_name(name))
    f.path = f.path.with_name(name)
    lab.server.files[name] = (f.data, f.before.st_mtime_ns)
    unquote, urllib.parse.unquote = urllib.parse.unquote, lambda x: os.fsdecode(urllib.parse.unquote_to_bytes(x))
    try:
        heal(f, f"{lab.server.url}/exact/deep")
    finally:
        urllib.parse.unquote = unquote


def test_http_wrong(lab):
    "servers that lie, refuse, or are in trouble"
    f = served(lab)
    u = lab.server.url
    refused(f, f"{u}/none", "unreadable", "range of bytes")
    refused(f, f"{u}/404", "missing", "404")
    refused(f, f"{u}/410", "missing", "410")
    refused(f, f"{u}/403", "unreadable", "403")
    refused(f, f"{u}/500", "unreachable", "500")
    refused(f, f"{u}/503", "unreachable", "503")
    refused(f, f"{u}/429", "unreachable", "429")
    refused(f, f"{u}/204", "unreadable", "204")
    refused(f, f"{u}/gzip", "unreadable", "asked for")
    refused(f, f"{u}/unsaid", "unreadable", "asked for")
    refused(f, f"{u}/moved", "unreadable", "Bad message")
    refused(f, f"{u}/wide", "unreadable", "Bad message")
    refused(f, f"{u}/long", "unreadable", "Bad message")
    refused(f, f"{u}/short", "unreadable", "Bad message")
    refused(f, f"{u}/broken", "unreadable", "Bad message")
    refused(f, f"{u}/swap", "unreadable", "Stale")
    refused(f, f"{u}/grown", "unreadable", "Stale")
    refused(f, "http://127.0.0.1:1/x", "unreachable", "does not answer")
    refused(f, "http://nowhere.invalid/x", "unreachable", "does not answer")


def test_http_slow(lab):
    "a server that stalls, and one that sends a byte now and then"
    f = served(lab)
    refused(f, f"{lab.server.url}/stall", "unreachable", "timed out")
    refused(f, f"{lab.server.url}/drip", "unreachable", "timed out")


def test_http_older(lab):
    "a server whose bytes are older beside the lost ones"
    f = served(lab)
    f.replicas = [f"{lab.server.url}/older"]
    assert f.locate()["offers"][0]["witness"] == "differ"
    expect(f.repair(), "refused", "replica-stale")
    f.check_untouched()


def test_http_redirect(lab):
    "redirects: followed to HTTP, never elsewhere, never for ever"
    f = served(lab)
    lab.server.target = f"{lab.server.url}/exact/NAME"
    heal(f, f"{lab.server.url}/to")
    f = served(lab)
    refused(f, f"{lab.server.url}/loop", "escapes", "")
    for target in ("ftp://127.0.0.1/NAME", "file:///etc/passwd", "gopher://127.0.0.1/"):
        lab.server.target = target
        refused(f, f"{lab.server.url}/to", "escapes", "redirects")


def test_http_password(lab):
    "basic authentication: needed, shown, and not shown to whom it redirects to"
    f = served(lab)
    refused(f, f"{lab.server.url}/auth", "unreadable", "401")
    credentials(lab, f"For={lab.server.url}/\nUser=me\nPassword=hush\n", 0o640)
    refused(f, f"{lab.server.url}/auth", "unreachable", "only root can read")
    credentials(lab, f"For={lab.server.url}/\nUser=me\nPassword=wrong\n")
    refused(f, f"{lab.server.url}/auth", "unreadable", "401")
    credentials(lab, f"For={lab.server.url}/\nUser=me\nPassword=hush\n")
    heal(f, f"{lab.server.url}/auth", **IMAGE)

    other = serve(lab)
    f = served(lab)
    other.files = lab.server.files
    lab.server.target = f"{other.url}/exact/NAME"
    heal(f, f"{lab.server.url}/to")
    assert other.seen and all("Authorization" not in h for _, h in other.seen), other.seen
    assert any("Authorization" in h for p, h in lab.server.seen if p.startswith("/to/"))


def test_http_s3(lab):
    "requests signed for S3"
    f = served(lab)
    credentials(lab, f"For={lab.server.url}\nUser=me\nPassword=hush\nAwsSigv4=aws:amz:eu-central-1:s3\n")
    heal(f, f"{lab.server.url}/aws")
    assert not any("hush" in str(h) for _, h in lab.server.seen)


def certificates(folder):
    """A CA, and what it has signed: a server's certificate for 127.0.0.1, and a client's."""
    def openssl(*a):
        subprocess.run(["openssl", *a], cwd=folder, check=True, capture_output=True)
    folder.mkdir(exist_ok=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem", "-out", "ca-cert.pem", "-subj", "/CN=test", "-days", "2")
    for who in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{who}-key.pem", "-out", "req.pem", "-subj", f"/CN={who}")
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("x509", "-req", "-in", "req.pem", "-CA", "ca-cert.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", f"{who}-cert.pem")
    for p in folder.iterdir():
        p.chmod(0o600)
    return folder


def test_https(lab):
    "TLS: a server that nobody vouches for, one of our own CA, one that wants a certificate, and no way back to http"
    pki = certificates(lab.folder / "pki")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "server-cert.pem", pki / "server-key.pem")
    server = serve(lab, tls)
    f = served(lab, server)
    refused(f, f"{server.url}/exact", "unreachable", "certificate")
    credentials(lab, f"For={server.url}\nCaFile={pki}/ca-cert.pem\n")
    heal(f, f"{server.url}/exact")

    server.target = f"{lab.server.url}/exact/NAME"
    f = served(lab, server)
    refused(f, f"{server.url}/to", "escapes", "redirects")

    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(pki / "ca-cert.pem")
    refused(f, f"{server.url}/exact", "unreachable", "")
    credentials(lab, f"For={server.url}\nCaFile={pki}/ca-cert.pem\nCertificateFile={pki}/client-cert.pem\nKeyFile={pki}/client-key.pem\n")
    heal(f, f"{server.url}/exact")


# ---- nbd: ----

class Nbdkit:
    def __init__(self, *arguments):
        if not shutil.which("nbdkit"):
            raise tap.Skip("nbdkit is not installed")
        self.process = subprocess.Popen(["nbdkit", "--foreground", "--exit-with-parent", *(str(a) for a in arguments)],
                                        stderr=subprocess.DEVNULL)
        at = {a: str(v) for a, v in zip(arguments, arguments[1:])}
        self.address = (socket.AF_UNIX, at["-U"]) if "-U" in at else (socket.AF_INET, (at["-i"], int(at["-p"])))

    def listens(self):
        with socket.socket(self.address[0]) as s:
            return s.connect_ex(self.address[1]) == 0

    def __enter__(self):
        workerlab.wait_for("nbdkit listens", lambda: self.process.poll() is not None or self.listens())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def socket_of(lab, name):
    folder = lab.folder / "sockets"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return folder / f"{name}{lab.count}"


def opened(path):
    path.chmod(0o777)
    return f"nbd+unix:///?socket={path}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def test_nbd_unix(lab):
    "an image served over a Unix socket; a neighbour that differs; a server that has gone"
    f = File(lab)
    copy, path = restored(f, lab.copy_of_device()), socket_of(lab, "nbd")
    with Nbdkit("-U", path, "-r", "file", copy):
        uri = opened(path)
        with copy.open("r+b") as c:
            c.seek(f.at - 1)
            good = c.read(1)
            c.seek(f.at - 1)
            c.write(bytes([good[0] ^ 1]))
        f.replicas = [f"nbd:{uri}"]
        assert f.locate(policy_proof="neighbours")["offers"][0]["witness"] == "differ"
        with copy.open("r+b") as c:
            c.seek(f.at - 1)
            c.write(good)
        heal(f, f"nbd:{uri}", **IMAGE)
    f = File(lab)
    refused(f, f"nbd:{uri}", "unreachable", "does not answer")


def test_nbd_wrong(lab):
    "servers that fail, hang, or have too little"
    f = File(lab)
    copy = restored(f, lab.copy_of_device())
    path = socket_of(lab, "error")
    with Nbdkit("-U", path, "-r", "--filter=error", "file", copy, "error-pread=EIO", "error-pread-rate=100%"):
        refused(f, f"nbd:{opened(path)}", "unreadable", "Input/output")
    path = socket_of(lab, "delay")
    with Nbdkit("-U", path, "-r", "--filter=delay", "file", copy, "rdelay=40"):
        refused(f, f"nbd:{opened(path)}", "unreachable", "timed out")
    path = socket_of(lab, "open")
    with Nbdkit("-U", path, "-r", "--filter=delay", "file", copy, "delay-open=40"):
        refused(f, f"nbd:{opened(path)}", "unreachable", "in time")
    path = socket_of(lab, "small")
    with Nbdkit("-U", path, "-r", "memory", "1M"):
        refused(f, f"nbd:{opened(path)}", "short", "")


def test_nbd_tls(lab):
    "TLS with certificates and with keys; never without; no files named by the URI"
    pki = certificates(lab.folder / "pki")
    f = File(lab)
    copy, port = restored(f, lab.copy_of_device()), free_port()
    with Nbdkit("-i", "127.0.0.1", "-p", port, "-r", "--tls=require", f"--tls-certificates={pki}", "--tls-verify-peer", "file", copy):
        uri = f"nbds://127.0.0.1:{port}/"
        refused(f, f"nbd:nbd://127.0.0.1:{port}/", "unreachable", "")
        refused(f, f"nbd:{uri}", "unreachable", "")
        refused(f, f"nbd:{uri}?tls-certificates={pki}", "unreachable", "")
        credentials(lab, f"For={uri}\nCaFile={pki}/ca-cert.pem\nCertificateFile={pki}/client-cert.pem\nKeyFile={pki}/client-key.pem\n")
        heal(f, f"nbd:{uri}", **IMAGE)

    f = File(lab)
    copy, port = restored(f, lab.copy_of_device()), free_port()
    psk = lab.folder / "psk"
    psk.write_text("me:" + "0123456789abcdef" * 4 + "\n")
    psk.chmod(0o600)
    with Nbdkit("-i", "127.0.0.1", "-p", port, "-r", "--tls=require", f"--tls-psk={psk}", "file", copy):
        uri, public = f"nbds://127.0.0.1:{port}/", lab.folder / "psk-for-all"
        shutil.copy(psk, public)
        public.chmod(0o644)
        refused(f, f"nbd:nbds://me@127.0.0.1:{port}/?tls-psk-file={public}", "unreachable", "")
        credentials(lab, f"For={uri}\nUser=me\nPskFile={psk}\n")
        heal(f, f"nbd:{uri}", **IMAGE)

    f = File(lab)
    copy, port = restored(f, lab.copy_of_device()), free_port()
    with Nbdkit("-i", "127.0.0.1", "-p", port, "-r", "--tls=off", "file", copy):
        credentials(lab, f"For=nbds://127.0.0.1:{port}/\nUser=me\nPskFile={psk}\n")
        refused(f, f"nbd:nbds://127.0.0.1:{port}/", "unreachable", "")
        heal(f, f"nbd:nbd://127.0.0.1:{port}/", **IMAGE)
    assert not list(Path("/tmp").glob("bezoar-tls-*")), "certificates were left"


def test_no_fetch(lab):
    "without bezoar-fetch.socket: waited for, not refused"
    f = File(lab)
    path = lab.fetcher.path
    path.rename(path.with_suffix(".away"))
    try:
        refused(f, program(f), "unreachable", "bezoar-fetch.socket")
    finally:
        path.with_suffix(".away").rename(path)


def test_order(lab):
    "a hanging replica in front of a good one costs its share of the time only"
    f = File(lab)
    f.replicas = [program(f, stat="sleep 100"), program(f, name="good")]
    offers = f.locate()["offers"]
    assert [o["state"] for o in offers] == ["unreachable", "held"], offers
    assert offers[1]["proof"] == "identity+neighbours", offers


def test_root(lab):
    "bezoar-fetch does not work for root"
    r = subprocess.run([FETCH], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert r.returncode != 0 and "must not run as root" in r.stderr, r


def main():
    workerlab.prepare()
    with tempfile.TemporaryDirectory(prefix="bezoar-replicas-") as folder:
        return workerlab.run_all(Lab(Path(folder)), tap.tests_of(globals(), *sys.argv[3:4]))


tap.main(main)
