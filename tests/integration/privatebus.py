# SPDX-License-Identifier: LGPL-2.1-or-later
"""D-Bus, as much of it as tests need: a private bus, connections as any user, calls with the names of errors, signals, and a polkit
that says what it is told to. No binding is needed, and strings of any length can be sent."""
import os, pathlib, socket, struct, subprocess, tempfile, threading, time

FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
LIMIT = 60              # seconds: as in daemon.py
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
MANAGER = ("org.bezoar1", "/org/bezoar1", "org.bezoar1.Manager")
PROPERTIES = "org.freedesktop.DBus.Properties"


class Failed(Exception):
    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


def split(signature):
    """'a{sv}su' -> ['a{sv}', 's', 'u']"""
    types, i = [], 0
    while i < len(signature):
        start = i
        while signature[i] == "a":
            i += 1
        if signature[i] in "({":
            depth = 0
            while True:
                depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(signature[i], 0)
                if depth == 0:
                    break
                i += 1
        i += 1
        types.append(signature[start:i])
    return types


def alignment(t):
    return struct.calcsize(FIXED[t]) if t in FIXED else {"g": 1, "v": 1, "s": 4, "o": 4, "a": 4}.get(t[0], 8)


class Writer:
    def __init__(self):
        self.data = bytearray()

    def pad(self, n):
        self.data += bytes(-len(self.data) % n)

    def put(self, t, value):
        self.pad(alignment(t))
        if t in FIXED:
            self.data += struct.pack("<" + FIXED[t], value)
        elif t == "g":
            self.data += bytes([len(value)]) + value.encode() + b"\0"
        elif t in "so":
            text = value.encode()
            self.data += struct.pack("<I", len(text)) + text + b"\0"
        elif t == "v":
            self.put("g", value[0])
            self.put(*value)
        elif t[0] == "a":
            at = len(self.data)
            self.data += bytes(4)
            self.pad(alignment(t[1:]))
            start = len(self.data)
            for item in value.items() if t[1] == "{" else value:
                self.put(t[1:], item)
            struct.pack_into("<I", self.data, at, len(self.data) - start)
        else:
            for part, item in zip(split(t[1:-1]), value, strict=True):
                self.put(part, item)


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def get(self, t):
        self.at += -self.at % alignment(t)
        if t in FIXED:
            value, = struct.unpack_from("<" + FIXED[t], self.data, self.at)
            self.at += struct.calcsize(FIXED[t])
            return bool(value) if t == "b" else value
        if t in "sog":
            n = self.get("y" if t == "g" else "u")
            self.at += n + 1
            return self.data[self.at - n - 1:self.at - 1].decode()
        if t == "v":
            return self.get(self.get("g"))
        if t[0] == "a":
            n = self.get("u")
            self.at += -self.at % alignment(t[1:])
            end, items = self.at + n, []
            while self.at < end:
                items.append(self.get(t[1:]))
            return dict(items) if t[1] == "{" else items
        return tuple(self.get(part) for part in split(t[1:-1]))


class Message:
    def __init__(self, data):
        self.type, self.flags = data[1], data[2]
        body, self.serial = struct.unpack_from("<II", data, 4)
        fields = dict(Reader(data, 12).get("a(yv)"))
        self.path, self.interface, self.member, self.error, self.reply_to, _, self.sender, signature = (fields.get(i) for i in range(1, 9))
        reader = Reader(data[len(data) - body:])
        self.signature = signature or ""
        self.args = [reader.get(t) for t in split(self.signature)]


class Connection:
    """uid: who it is to be, where the test may choose; groups: his."""

    def __init__(self, address, uid=None, groups=()):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.serial, self.buffer, self.signals, self.answers = 0, b"", [], {}
        me = os.geteuid()
        if uid not in (None, me):
            os.setgroups(groups)
            os.setegid(uid)
            os.seteuid(uid)
        try:
            self.socket.connect(address.removeprefix("unix:path="))
        finally:
            if uid not in (None, me):
                os.seteuid(me)
                os.setegid(0)
                os.setgroups([])
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(me if uid is None else uid).encode().hex().encode() + b"\r\n")
        line = self.socket.recv(4096)
        if not line.startswith(b"OK"):
            raise Failed("auth", line.decode())
        self.socket.sendall(b"BEGIN\r\n")
        self.name, = self.driver("Hello")

    def driver(self, member, signature="", *args):
        return self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", member, signature, *args)

    def send(self, type_, fields, signature="", args=(), flags=0):
        self.serial += 1
        if signature:
            fields[8] = ("g", signature)
        body, head = Writer(), Writer()
        for t, value in zip(split(signature), args, strict=True):
            body.put(t, value)
        for t, value in zip("yyyyuua", (ord("l"), type_, flags, 1, len(body.data), self.serial)):
            head.put(t, value)
        head.put("a(yv)", list(fields.items()))
        head.pad(8)
        self.socket.sendall(head.data + body.data)
        return self.serial

    def receive(self):
        """One message; TimeoutError."""
        while True:
            if len(self.buffer) >= 16:
                body, _, fields = struct.unpack_from("<III", self.buffer, 4)
                total = 16 + fields + -fields % 8 + body
                if len(self.buffer) >= total:
                    data, self.buffer = self.buffer[:total], self.buffer[total:]
                    return Message(data)
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the bus has gone")
            self.buffer += more

    def begin(self, destination, path, interface, member, signature="", *args, interactive=False):
        return self.send(CALL, {1: ("o", path), 2: ("s", interface), 3: ("s", member), 6: ("s", destination)}, signature, args,
                         4 if interactive else 0)

    def finish(self, serial):
        while serial not in self.answers:
            m = self.receive()
            if m.type == SIGNAL:
                self.signals.append(m)
            elif m.type in (RETURN, ERROR):
                self.answers[m.reply_to] = m
        m = self.answers.pop(serial)
        if m.type == ERROR:
            raise Failed(m.error, m.args[0] if m.args else "")
        return m.args

    def call(self, *args, **kwargs):
        return self.finish(self.begin(*args, **kwargs))

    def manager(self, member, signature="", *args, **kwargs):
        """The one result, or None."""
        result = self.call(*MANAGER, member, signature, *args, **kwargs)
        return result[0] if result else None

    def get(self, path, interface, name):
        return self.call("org.bezoar1", path, PROPERTIES, "Get", "ss", interface, name)[0]

    def get_all(self, path, interface):
        return self.call("org.bezoar1", path, PROPERTIES, "GetAll", "s", interface)[0]

    def listen(self):
        self.driver("AddMatch", "s", "type='signal',sender='org.bezoar1'")

    def heard(self, until, seconds=LIMIT):
        """The signals so far, once until(them) holds."""
        end = time.monotonic() + seconds
        while not until(self.signals):
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError("heard only: " + ", ".join(f"{s.member}{s.args}" for s in self.signals))
            self.socket.settimeout(left)
            try:
                m = self.receive()
            except TimeoutError:
                continue
            finally:
                self.socket.settimeout(LIMIT)
            if m.type == SIGNAL:
                self.signals.append(m)
        return self.signals

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)      # wakes up a thread that waits for more
        except OSError:
            pass
        self.socket.close()


OPEN_POLICY = """<allow own="*"/><allow send_destination="*"/><allow send_type="signal"/><allow receive_sender="*"/>"""
SYSTEM_POLICY = """<deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/>"""


class PrivateBus:
    def __init__(self, policy=OPEN_POLICY, include=None, begin=True):
        self.dir = tempfile.TemporaryDirectory(prefix="bezoar-bus-")
        self.root = pathlib.Path(self.dir.name)
        self.root.chmod(0o755)          # others connect too
        self.address = f"unix:path={self.root}/socket"
        self.process, self.open = None, []
        (self.root / "bus.conf").write_text(
            '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" '
            '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n<busconfig><type>system</type>'
            f'<listen>{self.address}</listen><auth>EXTERNAL</auth><policy context="default"><allow user="*"/>{policy}</policy>'
            + (f"<include>{include}</include>" if include else "") + "</busconfig>")
        if begin:
            self.begin()

    def begin(self):
        (self.root / "socket").unlink(missing_ok=True)
        self.log = open(self.root / "log", "a")
        self.process = subprocess.Popen(["dbus-daemon", f"--config-file={self.root}/bus.conf", "--nofork", "--nopidfile", "--nosyslog"],
                                        stderr=self.log)
        self.wait("the bus", lambda: (self.root / "socket").exists())

    def end(self):
        for c in self.open:
            c.close()
        self.open = []
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def wait(self, what, predicate, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}")
            time.sleep(0.01)

    def connect(self, **kwargs):
        end = time.monotonic() + LIMIT
        while True:
            try:
                c = Connection(self.address, **kwargs)
                break
            except ConnectionRefusedError:          # bound, but not yet listening
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.open.append(c)
        return c

    def client(self, **kwargs):
        """One that finds the daemon."""
        c = self.connect(**kwargs)
        self.wait("org.bezoar1", lambda: c.driver("NameHasOwner", "s", "org.bezoar1")[0])
        return c

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.dir.cleanup()


class Polkit(threading.Thread):
    """answer: "allow", "deny", "challenge", "error" or "hang"; asked: (action, sender, flags) each."""

    def __init__(self, bus, answer):
        super().__init__(daemon=True)
        self.answer, self.asked = answer, []
        self.connection = bus.connect()
        self.connection.driver("RequestName", "su", "org.freedesktop.PolicyKit1", 0)
        self.connection.socket.settimeout(None)
        self.start()

    def run(self):
        try:
            while True:
                m = self.connection.receive()
                if m.type == CALL:
                    self.reply(m)
        except OSError:
            pass

    def reply(self, m):
        assert (m.path, m.interface, m.member, m.signature) == ("/org/freedesktop/PolicyKit1/Authority",
            "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization", "(sa{sv})sa{ss}us"), vars(m)
        (kind, subject), action, _, flags, _ = m.args
        assert kind == "system-bus-name", kind
        self.asked.append((action, subject["name"], flags))
        to = {5: ("u", m.serial), 6: ("s", m.sender)}
        if self.answer == "error":
            self.connection.send(ERROR, to | {4: ("s", "org.freedesktop.PolicyKit1.Error.Failed")}, "s", ["no such action"])
        elif self.answer != "hang":
            self.connection.send(RETURN, to, "(bba{ss})", [(self.answer == "allow", self.answer == "challenge", {})])
