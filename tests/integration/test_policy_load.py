#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian policy load`, `rollback` and `booleans` against a running
veridian-securityd, whose decisions are asked with frames made here, by the
documents, and recorded by veridian-auditd. Prints TAP."""
import atexit
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(os.environ.get("VD_SOURCE_ROOT", "."))
BIN = Path(os.environ.get("VD_BUILD_ROOT", "build")).resolve() / "bin"
sys.path.insert(0, str(ROOT / "tests" / "support"))
import tap  # noqa: E402

ADMIN, USER = "system_u:system_r:admin_t", "user_u:user_r:user_t"
SECRET = "system_u:object_r:secret_t"
BASE = """class security
class file
sid kernel
sid security
class security {{ load_policy setbool }}
class file {{ read write open }}
type admin_t; type user_t; type secret_t;
role system_r; role user_r;
role system_r types admin_t; role user_r types user_t;
bool leak false; bool other true;
{more}
user system_u roles system_r;
user user_u roles user_r;
sid kernel system_u:system_r:admin_t
sid security system_u:object_r:secret_t
"""
FIRST = """allow admin_t secret_t:file { read write };
dontaudit user_t secret_t:file open; auditallow admin_t secret_t:file write;
if (leak) { allow user_t secret_t:file read; }"""
SECOND = "allow user_t secret_t:file write;"

SECURITY = 1
HELLO, REGISTER, CLASS, CHECK = 1, 2, 5, 6


def veridian(*words, code=0):
    done = subprocess.run([BIN / "veridian", *words], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stdout + done.stderr


class Daemon:
    """A daemon in the foreground, ready. Those that a failed case leaves are ended at the end."""

    running = []

    def __init__(self, name, *words):
        read, write = os.pipe()
        os.set_inheritable(write, True)
        self.process = subprocess.Popen([BIN / name, "--foreground", "--ready-fd", str(write),
                                         *map(str, words)], pass_fds=[write])
        os.close(write)
        Daemon.running.append(self.process)
        with os.fdopen(read) as ready:
            assert ready.readline() == "ready\n", f"{name} does not start"

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        assert how != signal.SIGTERM or code == 0, code


def text(word):
    return struct.pack("<H", len(word)) + word.encode()


class Client:
    """The protocol of docs/formats/security.md, by hand."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.number = 0

    def ask(self, verb, payload):
        self.number += 1
        self.socket.send(b"VDIP" + struct.pack("<HHHHIII", 1, SECURITY, verb, 0, self.number, 0,
                                               len(payload)) + payload)
        packet, control, *_ = self.socket.recvmsg(65536, 1024)
        for _, _, data in control:
            for fd in struct.unpack("i" * (len(data) // 4), data):
                os.close(fd)
        version, service, back, flags, number, status, size = struct.unpack("<HHHHIII", packet[4:24])
        assert packet[:4] == b"VDIP" and (version, service, back) == (1, SECURITY, verb)
        assert flags & 1 and number == self.number and size == len(packet) - 24
        assert status == 0, packet[24:]
        return packet[24:]

    def register(self, kind, context):
        return struct.unpack("<I", self.ask(REGISTER, bytes([kind]) + text(context)))[0]

    def file(self):
        payload = text("file") + bytes([3]) + text("read") + text("write") + text("open")
        return struct.unpack("<I", self.ask(CLASS, payload))[0]

    def allowed(self, subject, target, requested):
        """(allowed, all that is permitted, sequence)."""
        ids = self.register(1, subject), self.register(2, target), self.file()
        answer = struct.unpack("<Q11I", self.ask(CHECK, struct.pack("<4I", *ids, requested)))
        return answer[2] == 1, answer[4], answer[1]


def compile_policy(directory, name, more):
    source = directory / f"{name}.te"
    source.write_text(BASE.format(more=more), encoding="ascii")
    veridian("policy", "compile", "-o", str(directory / name), str(source))
    return directory / name


class House:
    """A directory with two policies and what runs there."""

    def __init__(self, *words, audit=False):
        self.temporary = tempfile.TemporaryDirectory()
        self.path = Path(self.temporary.name)
        os.chmod(self.path, 0o755)
        self.first = compile_policy(self.path, "first", FIRST)
        self.second = compile_policy(self.path, "second", SECOND)
        self.socket = self.path / "security.sock"
        self.log, self.audit_socket = self.path / "log", self.path / "audit.sock"
        self.auditd = self.start_auditd() if audit else None
        words += ("--audit", self.audit_socket) if audit else ()
        self.server = Daemon("veridian-securityd", "--store", self.path / "store", "--socket",
                             self.socket, "--policy", self.first, *words)

    def start_auditd(self):
        return Daemon("veridian-auditd", "--log", self.log, "--ring", "none", "--socket",
                      self.audit_socket)

    def policy(self, *words, code=0):
        return veridian("policy", *map(str, words), "--socket", str(self.socket), code=code)

    def records(self, *words):
        done = subprocess.run([BIN / "veridian", "audit", "search", "--log", str(self.log), "--json",
                               *words], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def end(self):
        self.server.end()
        if self.auditd:
            self.auditd.end()
        self.temporary.cleanup()


def case_load_and_rollback():
    house = House()
    client = Client(house.socket)
    assert client.allowed(ADMIN, SECRET, 1) == (True, 3, 1)
    assert "policy 2 in force" in house.policy("load", house.second)
    assert client.allowed(ADMIN, SECRET, 1) == (False, 0, 2)
    assert client.allowed(USER, SECRET, 2) == (True, 2, 2)
    told = json.loads(house.policy("rollback", "--json"))
    assert told["sequence"] == 3 and len(told["checksum"]) == 16 and not told["staged"], told
    assert client.allowed(ADMIN, SECRET, 1) == (True, 3, 3)
    assert "no policy before" in house.policy("rollback", code=2)
    house.end()


def case_decisions_are_those_of_policy_query():
    house = House()
    client = Client(house.socket)
    contexts = [ADMIN, USER, SECRET]
    for policy in (house.first, house.second):
        for source in contexts:
            for target in contexts:
                done = subprocess.run([BIN / "veridian", "policy", "query", policy, source, target,
                                       "file"], stdout=subprocess.PIPE, text=True, check=False)
                allowed = done.stdout.split("allowed={")[1].split("}")[0].split(",")
                mask = sum(1 << i for i, p in enumerate(("read", "write", "open")) if p in allowed)
                assert client.allowed(source, target, 1)[1] == mask, (source, target, done.stdout)
        house.policy("load", house.second)
    house.end()


def case_stage_commit_confirm():
    house = House()
    client = Client(house.socket)
    assert "staged" in house.policy("load", house.second, "--stage")
    assert client.allowed(ADMIN, SECRET, 1)[0]
    house.policy("load", "--commit", "--confirm-within", "600")
    assert not client.allowed(ADMIN, SECRET, 1)[0]
    message = house.policy("load", house.first, code=4)
    assert "confirm" in message and "hint:" in message, message
    house.policy("load", "--confirm")
    assert "no policy waits" in house.policy("load", "--confirm", code=2)
    assert "no policy is staged" in house.policy("load", "--commit", code=2)
    house.end()


def case_wrong_calls_and_files():
    house = House()
    for words in ([], [house.first, "--commit"], ["--commit", "--confirm"],
                  ["--commit", "--stage"], [house.first, "--stage", "--confirm-within", "5"],
                  ["--confirm", "--confirm-within", "5"], [house.first, "--confirm-within", "86401"],
                  [house.path / "nothing"]):
        house.policy("load", *words, code=2)
    message = house.policy("load", house.path / "first.te", code=2)
    assert "first.te: error at byte" in message, message
    damaged = bytearray(house.second.read_bytes())
    damaged[900] ^= 4
    (house.path / "damaged").write_bytes(damaged)
    message = house.policy("load", house.path / "damaged", code=2)
    assert "damaged: error" in message, message
    assert Client(house.socket).allowed(ADMIN, SECRET, 1) == (True, 3, 1)
    for words in (["set"], ["set", "leak"], ["set", "leak=2"], ["set", "=1"], ["put"],
                  ["get", "--persist"], ["get", "nonsense"], ["set", "nonsense=1"]):
        house.policy("booleans", *words, code=2)
    assert 'is "leak" meant?' in house.policy("booleans", "get", "leek", code=2)
    for words in (["load", house.first], ["rollback"], ["booleans"]):
        veridian("policy", *map(str, words), "--socket", "/nonexistent/socket", code=3)
    house.end()


def case_booleans():
    house = House()
    client = Client(house.socket)
    assert house.policy("booleans") == "leak=0\nother=1\n"
    house.policy("booleans", "set", "leak=1", "other=0", "--persist")
    assert client.allowed(USER, SECRET, 1)[0]
    assert house.policy("booleans", "get", "leak") == "leak=1 (persistent)\n"
    house.server.end(signal.SIGKILL)
    house.server = Daemon("veridian-securityd", "--store", house.path / "store", "--socket",
                          house.socket)
    assert json.loads(house.policy("booleans", "get", "--json")) == [
        {"name": "leak", "value": True, "persistent": True},
        {"name": "other", "value": False, "persistent": True}]
    assert Client(house.socket).allowed(USER, SECRET, 1)[0]
    house.end()


def case_counts():
    house = House()
    client = Client(house.socket)
    before = json.loads(house.policy("server", "--json"))
    for _ in range(5):
        client.allowed(ADMIN, SECRET, 1)
    client.allowed(USER, SECRET, 4)
    after = json.loads(house.policy("server", "--json"))
    grown = {k: after[k] - before[k] for k in after if k != "checksum"}
    assert grown["checks"] == 6 and grown["denials"] == 1, grown
    assert grown["avc_hits"] == 4 and grown["avc_misses"] == 2, grown
    assert grown["subjects"] == grown["objects"] == 6 and grown["contexts"] == 3, grown
    assert after["sequence"] == 1 and len(after["checksum"]) == 16, after
    assert "policy sequence                     1\n" in house.policy("server")
    house.end()
    veridian("policy", "server", "--socket", "/nonexistent/socket", code=3)


def case_the_shared_library():
    house = House()
    example = BIN.parent / "tests" / "integration" / "secclient_example"
    for words, code in (((ADMIN, SECRET, "file", "read"), 0), ((USER, SECRET, "file", "read"), 1),
                        ((ADMIN, SECRET, "file", "fly"), 1), ((ADMIN, SECRET, "fly", "read"), 1),
                        (("nobody", SECRET, "file", "read"), 2)):
        done = subprocess.run([example, house.socket, *words], stderr=subprocess.PIPE, timeout=60,
                              check=False)
        assert done.returncode == code, (words, done)
    house.end()
    library = BIN.parent / "lib" / "libveridian-security.so"
    names = subprocess.run(["nm", "-D", "--defined-only", library], stdout=subprocess.PIPE,
                           text=True, check=True).stdout.split()[2::3]
    header = (ROOT / "lib/secclient/secclient.h").read_text(encoding="utf-8")
    declared = set(re.findall(r"^\w[\w \*]*?\b(vd_secclient_\w+)\(", header, re.M))
    given = {n.split("@")[0] for n in names if n.startswith("vd_")}
    assert given == declared | {"vd_status_name", "vd_status_text"}, given ^ declared


def case_the_daemon_becomes_another_user():
    if os.geteuid() != 0:
        raise tap.Skip("needs root, to become another user")
    house = House("--user", "65534:65534")
    status = Path(f"/proc/{house.server.process.pid}/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["65534"] * 4 and fields["Groups"].strip() == "", fields
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0, fields
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2", fields
    house.policy("load", house.second)
    house.policy("rollback")
    house.policy("booleans", "set", "leak=1", "--persist")
    assert Client(house.socket).allowed(USER, SECRET, 1)[0]
    assert (house.path / "store" / "state").stat().st_uid == 65534
    house.end()


def case_status_shows_it():
    house = House()
    root = house.path / "root"
    (root / "run/veridian").mkdir(parents=True)
    (root / "run/veridian/security.sock").symlink_to(house.socket)
    state = {}
    for step in ("running", "stopped", "killed"):
        if step == "stopped":
            os.kill(house.server.process.pid, signal.SIGSTOP)
        if step == "killed":
            house.server.end(signal.SIGKILL)
        page = json.loads(veridian("status", "--json", "--sysroot", str(root)))
        state[step] = page["facts"]["security_server"]
    assert state["running"]["state"] == "yes" and "policy 1 in force" in state["running"]["text"]
    assert "0 clients" in state["running"]["text"], state
    assert state["stopped"]["state"] == "no" and "answer" in state["stopped"]["text"], state
    assert state["killed"]["state"] == "no" and "nobody" in state["killed"]["text"], state
    house.temporary.cleanup()


def case_decisions_and_changes_are_recorded():
    house = House(audit=True)
    client = Client(house.socket)
    client.allowed(USER, SECRET, 2)   # denied
    client.allowed(USER, SECRET, 4)   # denied, not to be recorded
    client.allowed(ADMIN, SECRET, 1)  # allowed, not to be recorded
    client.allowed(ADMIN, SECRET, 2)  # allowed, to be recorded
    house.policy("load", house.second)
    house.policy("booleans", "set", "leak=1")
    house.server.end()
    house.auditd.end()
    house.auditd = None
    veridian("audit", "verify", "--log", str(house.log))
    checks = house.records("--type", "authorisation")
    assert [(r["result"]["verdict"], r["action"]["requested"]) for r in checks] == [
        ("denied", ["write"]), ("allowed", ["write"])], checks
    first = checks[0]
    assert first["subject"]["context"] == USER and first["object"]["context"] == SECRET, first
    assert first["action"]["class"] == "file" and first["action"]["denied"] == ["write"], first
    assert first["subject"]["pid"] == os.getpid() and first["mac"]["policy_seqno"] == 1, first
    changes = house.records("--type", "configuration-change")
    assert [r["fields"]["change"] for r in changes] == ["load", "set-booleans"], changes
    assert changes[1]["fields"]["booleans"] == "leak=1", changes
    assert changes[0]["subject"]["uid"] == os.getuid(), changes
    house.temporary.cleanup()


def case_a_change_that_cannot_be_recorded_is_refused():
    house = House(audit=True)
    client = Client(house.socket)
    house.auditd.end(signal.SIGKILL)
    house.policy("load", house.second, code=3)
    assert client.allowed(ADMIN, SECRET, 1) == (True, 3, 1)
    client.allowed(USER, SECRET, 2)
    house.auditd = house.start_auditd()
    house.policy("load", house.second)
    house.end()


def case_only_root_and_producers_send_records():
    if os.geteuid() != 0:
        raise tap.Skip("needs root, to become another user")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory)
        outcomes = []
        for words in ((), ("--producer", "65534")):
            auditd = Daemon("veridian-auditd", "--log", path / "log", "--ring", "none", "--socket",
                            path / "socket", *words)
            child = os.fork()
            if child == 0:
                os.setresuid(65534, 65534, 65534)
                os._exit(send_record(path / "socket"))
            outcomes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            auditd.end()
        assert outcomes == [1, 0], outcomes


def send_record(path):
    """0: taken; 1: sent away; 2: refused."""
    payload = struct.pack("<HHHH", 1, 6, 34, 5) + b"hello"
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sender.settimeout(30)
    try:
        sender.connect(str(path))
        sender.send(b"VDIP" + struct.pack("<HHHHIII", 1, 2, 1, 0, 9, 0, len(payload)) + payload)
        packet = sender.recv(65536)
    except (BrokenPipeError, ConnectionResetError):
        return 1
    if not packet:
        return 1
    return 0 if struct.unpack("<I", packet[16:20])[0] == 0 else 2


def case_records_that_are_the_daemons_own_are_refused():
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        auditd = Daemon("veridian-auditd", "--log", path / "log", "--ring", "none", "--socket",
                        path / "socket")
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sender.settimeout(30)
        sender.connect(str(path / "socket"))
        message = struct.pack("<HH", 34, 1) + b"x"
        for payload, good in (
                (struct.pack("<HH", 1, 6) + message, True),
                (struct.pack("<HH", 1, 9) + message, False),    # events-lost
                (struct.pack("<HH", 1, 10) + message, False),   # log
                (struct.pack("<HHHHQ", 1, 6, 1, 8, 5) + message, False),  # a time
                (struct.pack("<HHHHQ", 1, 6, 3, 8, 5) + message, False),  # a number of the ring
                (b"nonsense", False), (b"", False)):
            sender.send(b"VDIP" + struct.pack("<HHHHIII", 1, 2, 1, 0, 9, 0, len(payload)) + payload)
            status = struct.unpack("<I", sender.recv(65536)[16:20])[0]
            assert (status == 0) == good, (payload, status)
        auditd.end()
        veridian("audit", "verify", "--log", str(path / "log"))


def end_all():
    for process in Daemon.running:
        if process.poll() is None:
            process.kill()
            process.wait()


if __name__ == "__main__":
    atexit.register(end_all)
    sys.exit(tap.run())
