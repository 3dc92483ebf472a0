# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian audit` over logs written here by the format's description. Prints TAP."""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

VERIDIAN = os.path.join(os.environ["VD_BUILD_ROOT"], "bin", "veridian")
CASES = []


def case(function):
    CASES.append(function)
    return function


def audit(*args, code=0):
    done = subprocess.run([VERIDIAN, "audit", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (args, done)
    return done


def field(tag, value):
    return struct.pack("<HH", tag, len(value)) + value


def record(number):
    """Written by the format's description, not by the program's code."""
    return (struct.pack("<HH", 1, 2) + field(1, struct.pack("<Q", 1700000000 * 10**9 + number)) +
            field(3, struct.pack("<Q", number)) + field(4, struct.pack("<I", 100 + number % 3)) +
            field(6, struct.pack("<I", 1000)) + field(8, b"cat\x1b[2J") +
            field(10, b"user_u:user_r:user_t") + field(12, "/etc/schätze".encode()) +
            field(16, b"system_u:object_r:shadow_t") + field(17, struct.pack("<H", 1)) +
            field(20, b"file") + field(22, b"read open") + field(24, b"read") +
            field(25, bytes([number % 2])) + field(27, struct.pack("<i", -13)) +
            field(64, b"\4note" + b"free"))


def header(number, first, previous=0, size=0, last=bytes(32)):
    content = b"VDAUDIT\n" + struct.pack("<HHIQQ16sQQ32s32x", 1, 160, previous, number, first,
                                         b"b" * 16, 7, size, last)
    assert len(content) == 128
    return content + hashlib.sha256(content).digest()


def frame(before, kind, number, payload):
    body = struct.pack("<IIQ", len(payload), kind, number) + payload
    return body + hashlib.sha256(before[-32:] + body).digest()


def write_log(top, records=20, second=True):
    directory = os.path.join(tempfile.mkdtemp(dir=top), "log")
    os.mkdir(directory)
    data = header(1, 0)
    for i in range(records):
        data += frame(data, 1, i, record(i))
    data += frame(data, 2, records, struct.pack("<QQ", 9, records))
    write(directory, 1, data)
    if second:
        data2 = header(2, records + 1, 1, len(data), data[-32:])
        data2 += frame(data2, 1, records + 1, record(records + 1))
        write(directory, 2, data2)
    return directory


def path_of(directory, number):
    return f"{directory}/segment-{number:010d}.vlog"


def write(directory, number, data):
    with open(path_of(directory, number), "wb") as f:
        f.write(data)


def read(directory, number):
    with open(path_of(directory, number), "rb") as f:
        return f.read()


@case
def verify_says_where_the_log_stands(top):
    log = write_log(top)
    out = json.loads(audit("verify", "--log", log, "--json").stdout)
    assert out["verified"] and out["segments"] == 2 and out["records"] == 21, out
    assert out["newest"] == "open" and out["head"] == read(log, 2)[-32:].hex(), out
    text = audit("verify", "--log", log).stdout
    assert text.startswith("verified: 2 segments, 21 records, newest segment open\nhead: "), text


@case
def verify_finds_a_changed_byte(top):
    log = write_log(top)
    data = bytearray(read(log, 1))
    at = 160 + 3 * len(frame(b"0" * 32, 1, 0, record(0))) + 30
    data[at] ^= 1
    write(log, 1, data)
    done = audit("verify", "--log", log, code=1)
    start = 160 + 3 * len(frame(b"0" * 32, 1, 0, record(0)))
    assert done.stdout == f"does not verify: segment 1, record 3, offset {start}\n", done
    assert "segment-0000000001.vlog" in done.stderr and "was changed" in done.stderr, done
    out = json.loads(audit("verify", "--log", log, "--json", code=1).stdout)
    assert (out["verified"], out["segment"], out["record"], out["offset"]) == (False, 1, 3, start)


@case
def expected_head(top):
    log = write_log(top)
    old, new = read(log, 1)[-32:].hex(), read(log, 2)[-32:].hex()
    audit("verify", "--log", log, "--expect-head", old)
    audit("verify", "--log", log, "--expect-head", new)
    os.unlink(path_of(log, 2))
    audit("verify", "--log", log)  # a cut end shows only against a kept head
    done = audit("verify", "--log", log, "--expect-head", new, code=1)
    assert "does not contain the expected head" in done.stderr
    audit("verify", "--log", log, "--expect-head", "12", code=2)


@case
def what_is_no_log(top):
    empty = tempfile.mkdtemp(dir=top)
    audit("verify", "--log", empty, code=2)
    audit("tail", "--log", empty + "/none", code=2)
    write(empty, 1, b"#!/bin/sh\n" * 100)
    audit("verify", "--log", empty, code=2)
    audit("search", "--log", empty, code=2)


@case
def tail_prints_the_newest(top):
    log = write_log(top)
    lines = audit("tail", "--log", log, "-n", "3", "--json").stdout.splitlines()
    assert [json.loads(x)["id"] for x in lines] == [18, 19, 21]
    one = json.loads(lines[-1])
    assert one["subject"] == {"pid": 100, "uid": 1000, "comm": "cat\x1b[2J",
                              "context": "user_u:user_r:user_t"}, one
    assert one["object"] == {"path": "/etc/schätze", "context": "system_u:object_r:shadow_t"}
    assert one["action"] == {"class": "file", "hook": "file-open", "requested": ["read", "open"],
                             "denied": ["read"]}, one
    assert one["result"] == {"error": -13, "verdict": "allowed"} and one["type"] == "file-access"
    assert one["timestamp"] == "2023-11-14T22:13:20.000000021Z" and one["fields"] == {"note": "free"}
    assert len(audit("tail", "--log", log, "-n", "100").stdout.splitlines()) == 21
    text = audit("tail", "--log", log, "-n", "1").stdout
    assert "\x1b" not in text and "\\x1b[2J" in text, text


@case
def search_filters(top):
    log = write_log(top)

    def count(*args, code=0):
        return len(audit("search", "--log", log, "--json", *args, code=code).stdout.splitlines())

    assert count("--verdict", "denied") == 10 and count("--verdict", "allowed") == 11
    assert count("--pid", "100", "--verdict", "denied") == 4
    assert count("--path", "etc", "--subject", "user_t", "--object", "shadow", "--class", "file") == 21
    assert count("--type", "file-access", "--uid", "1000") == 21
    assert count("--uid", "1", code=1) == 0 and count("--comm", "cat", code=1) == 0
    for bad in (("--type", "x"), ("--verdict", "x"), ("--pid", "x"), ("--uid", "-1")):
        audit("search", "--log", log, *bad, code=2)


@case
def tail_follows(top):
    log = write_log(top, second=False)
    process = subprocess.Popen([VERIDIAN, "audit", "tail", "--log", log, "-n", "1", "-f", "--json"],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stdout.readline())["id"] == 19
        data = read(log, 1)
        data2 = header(2, 21, 1, len(data), data[-32:])
        new = os.path.join(log, "segment.new")
        with open(new, "wb") as f:
            f.write(data2)
        os.rename(new, path_of(log, 2))
        for i in range(21, 25):
            more = frame(data2, 1, i, record(i))
            data2 += more
            with open(path_of(log, 2), "ab") as f:
                f.write(more)
            line = json.loads(process.stdout.readline())
            assert (line["id"], line["segment"]) == (i, 2), line
    finally:
        process.kill()
        process.wait()


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-audit-") as top:
        for number, function in enumerate(CASES, 1):
            try:
                function(top)
                print(f"ok {number} - {function.__name__}", flush=True)
            except Exception as error:  # a case's failure is its line, the others still run
                failed = 1
                for line in f"{type(error).__name__}: {error}".splitlines():
                    print(f"# {line}")
                print(f"not ok {number} - {function.__name__}", flush=True)
    print(f"1..{len(CASES)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
