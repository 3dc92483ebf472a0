# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sealing on a software TPM: round trips, refusals, tpm2-tools, somebody on the bus."""
import os
import sys

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from sealing import SECRET, VERIDIAN, Place, read, run, write  # noqa: E402
from swtpm import Bus, Swtpm  # noqa: E402

START_AUTH_SESSION, LOAD, UNSEAL, FLUSH = 0x176, 0x157, 0x15E, 0x165


def case_a_secret_comes_back():
    with Place() as p:
        assert p.unseal()[1] == SECRET
        assert os.stat(p.sealed).st_mode & 0o777 == 0o600
        assert os.stat(p / "out").st_mode & 0o777 == 0o600
        for size in (1, 127, 128, 129, 5000, 1 << 20):
            data = os.urandom(size)
            write(p.secret, data)
            p.seal()
            assert p.unseal()[1] == data, size
            assert size < 16 or data[:16] not in read(p.sealed), "in clear in the file"
        for size, code in ((0, 2), ((1 << 20) + 1, 2)):
            write(p.secret, b"x" * size)
            run(VERIDIAN, "tpm", "seal", "--pcrs", "7", "--in", p.secret, "--out", p / "no",
                "--tpm", p.tpm.name, code=code)
            assert not os.path.exists(p / "no")


def case_nothing_stays_in_the_tpm():
    with Place() as p:
        p.unseal()
        for kind in ("handles-transient", "handles-loaded-session", "handles-saved-session"):
            assert p.tool("tpm2_getcap", kind).stdout.strip() == "", kind


def case_a_changed_pcr_is_refused_and_named():
    with Place() as p:
        p.extend(8, 1)
        assert p.unseal()[1] == SECRET, "a PCR it was not sealed to"
        p.extend(16, 1)
        done, out = p.unseal(code=1)
        assert out is None
        assert "PCR 16 (sha256): sealed to 00000000" in done.stderr, done.stderr
        assert "PCR 7" not in done.stderr, done.stderr
        p.tool("tpm2_pcrreset", "16")
        assert p.unseal()[1] == SECRET


def event(pcr, kind, digest):
    return (pcr.to_bytes(4, "little") + kind.to_bytes(4, "little") + (1).to_bytes(4, "little") +
            (11).to_bytes(2, "little") + digest + (1).to_bytes(4, "little") + b"x")


def case_the_event_that_differs_is_named():
    head = b"Spec ID Event03\0" + b"\0\0\0\0\0\2\0\2" + (1).to_bytes(4, "little") + \
        (11).to_bytes(2, "little") + (32).to_bytes(2, "little") + b"\0"
    start = (0).to_bytes(4, "little") + (3).to_bytes(4, "little") + bytes(20) + \
        len(head).to_bytes(4, "little") + head
    with Place() as p:
        was = write(p / "was", start + event(7, 4, b"\1" * 32) + event(16, 13, b"\2" * 32))
        now = write(p / "now", start + event(7, 4, b"\1" * 32) + event(16, 13, b"\3" * 32))
        p.seal("--event-log", was)
        p.extend(16, 3)
        done, _ = p.unseal("--event-log", now, code=1)
        assert f"event 1 of this PCR (EV_IPL): was {'02' * 32}, is {'03' * 32}" in done.stderr, \
            done.stderr
        write(now, start)
        done, _ = p.unseal("--event-log", now, code=1)
        assert "was " in done.stderr or "PCR 16" in done.stderr


def case_another_tpm_is_refused():
    with Place() as p, Swtpm(p.dir.name) as other:
        done, out = p.unseal(tpm=other.name, code=1)
        assert out is None and "storage root key" in done.stderr, done.stderr
        p.tool("tpm2_clear", "-c", "p")
        done, out = p.unseal(code=1)
        assert out is None and "storage root key" in done.stderr, done.stderr


def case_every_changed_byte_of_the_file_is_refused():
    with Place() as p:
        good = read(p.sealed)
        for i in range(len(good)):
            bad = bytearray(good)
            bad[i] ^= 0x40
            done, out = p.unseal(sealed=write(p / "bad", bad), code=None)
            assert done.returncode == 2 and out is None, (i, done)
        for n in range(0, len(good), 7):
            done, out = p.unseal(sealed=write(p / "bad", good[:n]), code=2)
            assert out is None


def case_tpm2_tools_open_ours_and_we_open_theirs():
    with Place() as p:
        p.seal("--public", p / "pub", "--private", p / "priv")
        p.tool("tpm2_load", "-C", "0x81000001", "-u", "pub", "-r", "priv", "-c", "ctx")
        done = p.tool("tpm2_unseal", "-c", "ctx", "-p", "pcr:sha256:7,16")
        assert done.stdout == SECRET.decode(), done
        p.tool("tpm2_flushcontext", "-t")
        p.tool("tpm2_startauthsession", "-S", "session")
        p.tool("tpm2_policypcr", "-S", "session", "-l", "sha256:7,16", "-L", "policy")
        p.tool("tpm2_flushcontext", "session")
        p.tool("tpm2_create", "-C", "0x81000001", "-L", "policy", "-i", p.secret, "-u", "theirs.pub",
               "-r", "theirs.priv")
        p.tool("tpm2_flushcontext", "-t")
        theirs = ["--public", p / "theirs.pub", "--private", p / "theirs.priv", "--out", p / "o",
                  "--tpm", p.tpm.name]
        run(VERIDIAN, "tpm", "unseal", "--pcrs", "7,16", *theirs)
        assert read(p / "o") == SECRET
        run(VERIDIAN, "tpm", "unseal", "--pcrs", "7", *theirs, code=1)
        run(VERIDIAN, "tpm", "unseal", *theirs, code=2)


def case_the_secret_is_never_in_clear_on_the_bus():
    with Place() as p, Bus(p.tpm) as bus:
        run(VERIDIAN, "tpm", "seal", "--pcrs", "7", "--in", p.secret, "--out", p.sealed,
            "--public", p / "pub", "--private", p / "priv", "--tpm", bus.name)
        assert p.unseal(tpm=bus.name)[1] == SECRET
        assert SECRET not in b"".join(bus.commands + bus.responses)
        # The control: a session without a salt and encryption shows it.
        bus.forget()
        p.tool("tpm2_load", "-C", "0x81000001", "-u", "pub", "-r", "priv", "-c", "ctx")
        env = dict(os.environ, TPM2TOOLS_TCTI=bus.name)
        run("tpm2_unseal", "-c", p / "ctx", "-p", "pcr:sha256:7", env=env)
        assert SECRET in b"".join(bus.responses)


def case_every_flipped_byte_of_a_response_is_caught():
    with Place() as p, Bus(p.tpm) as bus:
        p.unseal(tpm=bus.name)
        codes = [int.from_bytes(c[6:10], "big") for c in bus.commands]
        responses = list(bus.responses)
        assert codes.count(UNSEAL) == 1 and codes.count(START_AUTH_SESSION) == 1, codes
        for number, code in enumerate(codes):
            step = 1 if code in (UNSEAL, START_AUTH_SESSION, LOAD) else 5
            for byte in range(0, len(responses[number]), step):
                bus.forget(flip=(number, byte))
                done, out = p.unseal(tpm=bus.name, code=None)
                where = f"response {number} (command {code:#x}), byte {byte}: {done}"
                # What has no effect may pass; what was unsealed is right or is not given out.
                assert done.returncode in (0, 1, 2, 3, 4), where
                assert out is None or out == SECRET, where
                assert (done.returncode == 0) == (out is not None), where
                if code == UNSEAL:
                    assert done.returncode != 0, where
                p.tool("tpm2_flushcontext", "-t", code=None)
                p.tool("tpm2_flushcontext", "-l", code=None)


if __name__ == "__main__":
    sys.exit(tap.run())
