# SPDX-License-Identifier: MIT OR Apache-2.0
"""Indices, counters and PCRs of a software TPM, with tpm2-tools and somebody on the bus."""
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from swtpm import Bus, Swtpm  # noqa: E402

VERIDIAN = os.path.join(os.environ["VD_BUILD_ROOT"], "bin", "veridian")
INDEX, COUNTER = "0x01800001", "0x01800002"
NV_READ = 0x14E


class Place:
    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.tpm = Swtpm(self.dir.name)
        return self

    def __exit__(self, *exc):
        self.tpm.close()
        self.dir.cleanup()

    def run(self, *args, code=0, tpm=None):
        name = (tpm or self.tpm).name
        env = dict(os.environ, VERIDIAN_TPM=name, TPM2TOOLS_TCTI=name)
        done = subprocess.run(args, capture_output=True, timeout=60, env=env, cwd=self.dir.name)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{args}: exit {done.returncode}, expected {code}\n{done}")
        return done

    def veridian(self, *args, **kwargs):
        return self.run(VERIDIAN, "tpm", *args, **kwargs)

    def write(self, name, data):
        with open(os.path.join(self.dir.name, name), "wb") as f:
            f.write(data)


def case_an_index_keeps_bytes():
    with Place() as p:
        assert p.veridian("nv", "list").stdout == b""
        p.veridian("nv", "define", "--size", "1500", INDEX)
        done = p.veridian("nv", "define", "--size", "8", INDEX, code=2)
        assert b"already" in done.stderr, done
        done = p.veridian("nv", "read", INDEX, code=2)
        assert b"nothing was written" in done.stderr, done
        data = os.urandom(1500)
        p.write("data", data)
        p.veridian("nv", "write", "--in", "data", INDEX)
        assert p.veridian("nv", "read", INDEX).stdout == data
        assert p.run("tpm2_nvread", INDEX, "-C", "o").stdout == data
        p.veridian("nv", "read", "--out", "copy", INDEX)
        copy = os.path.join(p.dir.name, "copy")
        assert os.stat(copy).st_mode & 0o777 == 0o600 and os.path.getsize(copy) == 1500
        p.write("data", data + b"x")
        done = p.veridian("nv", "write", "--in", "data", INDEX, code=2)
        assert b"1500 bytes" in done.stderr, done
        listed = [json.loads(line) for line in p.veridian("nv", "list", "--json").stdout.splitlines()]
        assert listed == [{"index": 0x01800001, "type": "ordinary", "size": 1500,
                           "written": True}], listed
        p.veridian("nv", "undefine", INDEX)
        done = p.veridian("nv", "undefine", INDEX, code=2)
        assert b"no index 0x01800001" in done.stderr, done


def case_a_counter_only_rises():
    with Place() as p:
        p.veridian("nv", "define", "--counter", COUNTER)
        counts = [int(p.veridian("nv", "increment", COUNTER).stdout) for _ in range(3)]
        assert counts == [counts[0], counts[0] + 1, counts[0] + 2], counts
        assert int(p.veridian("nv", "read", COUNTER).stdout) == counts[2]
        p.write("data", bytes(8))
        p.veridian("nv", "write", "--in", "data", COUNTER, code=4)
        p.veridian("nv", "undefine", COUNTER)
        p.veridian("nv", "define", "--counter", COUNTER)
        assert int(p.veridian("nv", "increment", COUNTER).stdout) > counts[2], "it fell"
        p.veridian("nv", "define", "--size", "8", INDEX)
        done = p.veridian("nv", "increment", INDEX, code=2)
        assert b"not a counter" in done.stderr, done


def case_a_count_changed_on_the_bus_is_refused():
    with Place() as p, Bus(p.tpm) as bus:
        p.veridian("nv", "define", "--counter", COUNTER)
        count = p.veridian("nv", "increment", COUNTER).stdout
        assert p.veridian("nv", "read", COUNTER, tpm=bus).stdout == count
        codes = [int.from_bytes(c[6:10], "big") for c in bus.commands]
        number = codes.index(NV_READ)
        for byte in range(len(bus.responses[number])):
            bus.forget(flip=(number, byte))
            done = p.veridian("nv", "read", COUNTER, tpm=bus, code=None)
            assert done.returncode > 0 and done.stdout == b"", (byte, done)
            p.run("tpm2_flushcontext", "-l", code=None)
        # The control: without a session nothing tells that the count was changed.
        assert plain_count(bus) == int(count)
        bus.forget(flip=(0, 16 + 7))
        assert plain_count(bus) == int(count) ^ 1


def plain_count(bus):
    """NV_Read with the owner's empty password: no session, no HMAC."""
    body = bytes.fromhex("40000001 01800002 00000009 40000009 0000 00 0000 0008 0000")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(bus.path)
        sock.sendall(b"\x80\x02" + (10 + len(body)).to_bytes(4, "big") + NV_READ.to_bytes(4, "big") +
                     body)
        response = sock.recv(4096)
    assert response[6:10] == bytes(4), response
    return int.from_bytes(response[16:24], "big")


def case_a_file_extends_every_bank():
    with Place() as p:
        p.write("data", b"configuration")
        p.veridian("extend", "--in", "data", "16")
        for bank in ("sha256", "sha384"):
            size = hashlib.new(bank).digest_size
            digest = hashlib.new(bank, b"configuration").digest()
            value = hashlib.new(bank, bytes(size) + digest).hexdigest()
            out = p.veridian("pcr", "--pcrs", f"{bank}:16").stdout.decode()
            assert out == f"{bank}:16 {value}\n", out
        p.veridian("extend", "--digest", "11" * 32, "23")
        value = hashlib.sha256(bytes(32) + b"\x11" * 32).hexdigest()
        assert value in p.veridian("pcr", "--pcrs", "23").stdout.decode()


def case_wrong_calls_are_refused():
    with Place() as p:
        p.write("data", b"x")
        for call in (("extend", "--in", "data", "24"), ("extend", "--in", "data", "x"),
                     ("extend", "16"), ("extend", "--in", "data", "--digest", "00", "16"),
                     ("extend", "--digest", "00", "16"), ("extend", "--digest", "zz" * 32, "16"),
                     ("extend", "--digest", "00" * 32, "--bank", "md5", "16"),
                     ("nv", "define", INDEX), ("nv", "define", "--size", "0", INDEX),
                     ("nv", "define", "--size", "2049", INDEX),
                     ("nv", "define", "--size", "8", "--counter", INDEX),
                     ("nv", "define", "--size", "8", "0x81000001"), ("nv", "read", "-1"),
                     ("nv", "read", "0x02000000"), ("nv",)):
            p.veridian(*call, code=2)


if __name__ == "__main__":
    sys.exit(tap.run())
