# SPDX-License-Identifier: MIT OR Apache-2.0
"""The root key under each protection: opens, is refused, changes, and its counter."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from sealing import VERIDIAN, read, run, write  # noqa: E402
from swtpm import Bus, Swtpm  # noqa: E402
from tpm_probe import Probe  # noqa: E402

INDEX = "0x01800110"


class Machine:
    """A TPM, and a probe at a root key's file."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.tpm = Swtpm(self.dir.name)
        self.probe = Probe(self.tpm.name)
        self.path = self / "root.key"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            self.probe.__exit__(*exc)
        finally:
            self.tpm.close()
            self.dir.cleanup()

    def __truediv__(self, name):
        return os.path.join(self.dir.name, name)

    def root(self, verb, kind, *more, path=None):
        return self.probe.ask(verb, f"kind={kind}", f"path={path or self.path}", *more)

    def refused(self, verb, kind, *more, path=None, status=None):
        return self.probe.refused(verb, f"kind={kind}", f"path={path or self.path}", *more,
                                  status=status)

    def key(self):
        return self.probe.ask("key")

    def tool(self, *args):
        return run(*args, env=dict(os.environ, TPM2TOOLS_TCTI=self.tpm.name))

    def extend(self, pcr):
        self.tool("tpm2_pcrextend", f"{pcr}:sha256={'11' * 32}")


PASS = "passphrase=correct horse"


def case_a_passphrase_opens_and_another_does_not():
    with Machine() as m:
        m.root("create", "passphrase", PASS)
        key = m.key()
        assert len(key) == 64 and key != "0" * 64
        assert os.stat(m.path).st_mode & 0o777 == 0o600
        assert bytes.fromhex(key) not in read(m.path)
        m.root("open", "passphrase", PASS)
        assert m.key() == key
        assert "no counter" in m.probe.refused("read", status="E_UNSUPPORTED")
        assert "passphrase is wrong" in m.refused("open", "passphrase", "passphrase=wrong horse",
                                                  status="E_DENIED")
        m.refused("open", "passphrase", status="E_USAGE")
        m.refused("open", "passphrase", "passphrase=7 byte", status="E_USAGE")
        assert "of kind passphrase, not tpm" in m.refused("open", "tpm", status="E_USAGE")
        m.refused("create", "passphrase", PASS, status="E_EXISTS")
        m.refused("open", "passphrase", PASS, path=m / "none", status="E_NOT_FOUND")
        m.root("create", "passphrase", PASS, path=m / "second")
        assert m.key() != key, "each root key is its own"


def case_a_token_wraps_the_key():
    with Machine() as m:
        m.root("create", "hsm")
        key = m.key()
        m.root("open", "hsm")
        assert m.key() == key
        m.refused("open", "hsm", "absent=1", status="E_MISSING")
        m.refused("open", "hsm", "no-token=1", status="E_USAGE")
        m.refused("create", "hsm", "no-token=1", path=m / "other", status="E_USAGE")
        assert not os.path.exists(m / "other")


def case_every_changed_byte_of_the_file_is_refused():
    with Machine() as m:
        for kind, more in (("passphrase", [PASS]), ("hsm", []), ("tpm", [])):
            path = m / f"{kind}.key"
            m.root("create", kind, *more, path=path)
            good = read(path)
            for i in range(len(good)):
                bad = bytearray(good)
                bad[i] ^= 0x20
                m.refused("open", kind, *more, path=write(m / "bad", bad))
                if i >= len(good) - 8:
                    continue
                # And with a checksum that fits: whoever writes the file can make one.
                bad[-8:] = crc64(bad[:-8]).to_bytes(8, "little")
                m.refused("open", kind, *more, path=write(m / "bad", bad))
            for n in range(len(good)):
                answer = m.refused("open", kind, *more, path=write(m / "bad", good[:n]))
                assert not answer.startswith(("E_DENIED", "E_SIGNATURE")), answer
            m.root("open", kind, *more, path=path)


TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (0xC96C5795D7870F42 if n & 1 else 0)
    TABLE.append(n)


def crc64(data):
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFFFFFFFFFF


def case_the_tpm_gives_it_out_in_its_state_alone():
    with Machine() as m:
        m.root("create", "tpm", "pcrs=7,16")
        key = m.key()
        m.root("open", "tpm")
        assert m.key() == key
        m.extend(16)
        answer = m.refused("open", "tpm", status="E_DENIED")
        assert "PCR 16" in answer, answer
        m.tool("tpm2_pcrreset", "16")
        m.root("open", "tpm")
        with Swtpm(m.dir.name) as other, Probe(other.name) as probe:
            answer = probe.refused("open", "kind=tpm", f"path={m.path}", status="E_DENIED")
            assert "storage root key" in answer, answer
        m.root("create", "tpm", "pcrs=16", "pin=1234", path=m / "pin")
        assert "password" in m.refused("open", "tpm", path=m / "pin", status="E_DENIED")
        assert "wrong" in m.refused("open", "tpm", "pin=4321", path=m / "pin", status="E_DENIED")
        m.root("open", "tpm", "pin=1234", path=m / "pin")
        m.refused("create", "tpm", "pcrs=77", path=m / "no", status="E_USAGE")
        assert not os.path.exists(m / "no")


def case_an_approved_state_opens_it():
    with Machine() as m:
        private, public = m / "approve.pem", m / "approve.pub"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private)
        run("openssl", "ec", "-in", private, "-pubout", "-out", public)
        m.root("create", "tpm", f"authority={public}")
        key = m.key()
        m.refused("open", "tpm", status="E_DENIED")

        def approve(reference="veridian-root"):
            run(VERIDIAN, "tpm", "policy", "sign", "--key", private, "--policy", "pcr(16)",
                "--reference", reference, "--out", m / "approval", "--tpm", m.tpm.name)
            return f"approval={m / 'approval'}"
        m.root("open", "tpm", approve())
        assert m.key() == key
        m.extend(16)
        assert "PCR 16" in m.refused("open", "tpm", f"approval={m / 'approval'}",
                                     status="E_DENIED")
        m.root("open", "tpm", approve())
        assert m.key() == key
        assert "purpose" in m.refused("open", "tpm", approve("something else"), status="E_DENIED")
        write(m / "approval", b"VDAPPROV")
        m.refused("open", "tpm", f"approval={m / 'approval'}", status="E_VERSION")


def case_the_protection_changes_and_the_key_stays():
    with Machine() as m:
        m.root("create", "passphrase", PASS)
        key = m.key()
        m.root("change", "tpm", "pcrs=16", "counter=" + INDEX)
        first = int(m.probe.ask("read"))
        m.root("open", "tpm")
        assert m.key() == key
        m.refused("open", "passphrase", PASS, status="E_USAGE")
        # What fails changes nothing.
        m.root("open", "tpm")
        before = read(m.path)
        m.refused("change", "tpm", "pcrs=99", status="E_USAGE")
        m.refused("change", "passphrase", "passphrase=short", status="E_USAGE")
        assert read(m.path) == before
        m.extend(16)
        m.refused("open", "tpm", status="E_DENIED")
        m.tool("tpm2_pcrreset", "16")
        m.root("open", "tpm")
        m.root("change", "hsm")
        m.root("open", "hsm")
        assert m.key() == key
        assert int(m.probe.ask("read")) == first, "the counter stays"
        m.root("change", "passphrase", PASS, "counter=none")
        m.root("open", "passphrase", PASS)
        assert m.key() == key
        m.probe.refused("read", status="E_UNSUPPORTED")


def case_the_counter_rises_by_one_and_is_no_other():
    with Machine() as m:
        m.root("create", "tpm")
        value = int(m.probe.ask("read"))
        for _ in range(3):
            value += 1
            assert int(m.probe.ask("raise")) == value
        m.root("open", "tpm")
        assert int(m.probe.ask("read")) == value
        # Gone and made again it starts above all that it ever was.
        run(VERIDIAN, "tpm", "nv", "undefine", "--tpm", m.tpm.name, INDEX)
        assert "no index" in m.probe.refused("read", status="E_DIFFERS")
        run(VERIDIAN, "tpm", "nv", "define", "--counter", "--tpm", m.tpm.name, INDEX)
        m.probe.refused("read", status="E_DIFFERS")
        run(VERIDIAN, "tpm", "nv", "increment", "--tpm", m.tpm.name, INDEX)
        assert int(m.probe.ask("read")) > value
        # An ordinary index that says what its maker likes.
        run(VERIDIAN, "tpm", "nv", "undefine", "--tpm", m.tpm.name, INDEX)
        run(VERIDIAN, "tpm", "nv", "define", "--size", "8", "--tpm", m.tpm.name, INDEX)
        run(VERIDIAN, "tpm", "nv", "write", "--in", write(m / "value", value.to_bytes(8, "big")),
            "--tpm", m.tpm.name, INDEX)
        for verb in ("read", "raise"):
            assert "no longer" in m.probe.refused(verb, status="E_DIFFERS")
        m.refused("create", "tpm", path=m / "second", status="E_EXISTS")
        assert not os.path.exists(m / "second")


def case_a_tpm_that_goes_away_comes_back():
    with Machine() as m:
        m.root("create", "tpm", "pcrs=7")
        value = int(m.probe.ask("read"))
        m.tpm.reset()
        assert int(m.probe.ask("raise")) == value + 1
        m.tpm.stop()
        for verb in ("read", "raise"):
            assert "TPM" in m.probe.refused(verb, status="E_MISSING")
        m.tpm.start()
        assert int(m.probe.ask("read")) == value + 1
        assert int(m.probe.ask("raise")) == value + 2
        m.tpm.stop()
        assert "TPM" in m.refused("open", "tpm", status="E_MISSING")
        m.tpm.start()
        m.root("open", "tpm")


def case_the_key_is_never_in_clear_on_the_bus():
    with tempfile.TemporaryDirectory() as top, Swtpm(top) as tpm, Bus(tpm) as bus, \
            Probe(bus.name) as probe:
        path = os.path.join(top, "root.key")
        probe.ask("create", "kind=tpm", f"path={path}", "pin=24681357")
        probe.ask("open", "kind=tpm", f"path={path}", "pin=24681357")
        key = bytes.fromhex(probe.ask("key"))
        seen = b"".join(bus.commands + bus.responses)
        assert key not in seen and b"24681357" not in seen
        # Nobody there changes the counter's value unseen.
        good = int(probe.ask("read"))
        bus.forget()
        probe.ask("read")
        for number, response in enumerate(list(bus.responses)):
            for byte in range(0, len(response), 5):
                bus.forget(flip=(number, byte))
                probe.send("read")
                answer = probe.answer()
                assert not answer.startswith("ok") or int(answer[3:]) == good, (number, byte)


if __name__ == "__main__":
    sys.exit(tap.run())
