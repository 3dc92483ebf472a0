# SPDX-License-Identifier: MIT OR Apache-2.0
"""Quotes of a swtpm, made and judged by `veridian` and by tpm2-tools, each by the other too."""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
from swtpm import Swtpm  # noqa: E402
from tap import Skip  # noqa: E402

VERIDIAN = os.path.join(os.environ["VD_BUILD_ROOT"], "bin", "veridian")
NONCE = "00112233445566778899aabbccddeeff"
SHA256 = 0x000B
SHA384 = 0x000C
EV_NO_ACTION, EV_SEPARATOR, EV_EVENT_TAG, EV_IPL = 3, 4, 6, 13
PCRS = "0-7,8,9,11"
CASES = []


def case(function):
    CASES.append(function)
    return function


def run(*args, code=0, **kwargs):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, **kwargs)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}, expected {code}\n"
                             f"{done.stdout}{done.stderr}")
    return done


def sha256(data):
    return hashlib.sha256(data).digest()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def spec_event(algorithms=((SHA256, 32),)):
    """The log's first event: TCG_EfiSpecIDEvent with these algorithms and their sizes."""
    data = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(algorithms))
    data += b"".join(struct.pack("<HH", *a) for a in algorithms) + b"\0"
    return struct.pack("<II20sI", 0, EV_NO_ACTION, b"", len(data)) + data


def event(pcr, kind, data, digest=None):
    digest = sha256(data) if digest is None else digest
    return struct.pack("<IIIH32sI", pcr, kind, 1, SHA256, digest, len(data)) + data, pcr, digest


EVENTS = [
    event(0, EV_SEPARATOR, b"\0\0\0\0"),
    event(4, EV_IPL, b"somebody's text", sha256(b"something else")),
    event(11, EV_EVENT_TAG, struct.pack("<II", 0x56440001, 4) + b"head"),
    event(8, EV_IPL, b"veridian cmdline quiet"),
    event(9, EV_IPL, b"veridian initrd sha256 " + b"00" * 32),
]


class Tpm(Swtpm):
    """A fresh swtpm; its PCRs are extended by EVENTS."""

    def __init__(self, top):
        super().__init__(top, ("swtpm", "swtpm_ioctl", "tpm2_pcrextend"))
        self.env = dict(os.environ, TPM2TOOLS_TCTI=self.name, VERIDIAN_TPM=self.name)
        self.log = os.path.join(self.state, "log")
        write(self.log, spec_event() + b"".join(e[0] for e in EVENTS))
        try:
            for _, pcr, digest in EVENTS:
                self.extend(pcr, digest)
        except AssertionError:
            self.close()
            raise

    def extend(self, pcr, digest):
        self.tool("tpm2_pcrextend", f"{pcr}:sha256={digest.hex()}")

    def tool(self, *args, code=0):
        return run(*args, code=code, env=self.env)

    def quote(self, out, nonce=NONCE):
        self.tool(VERIDIAN, "attest", "quote", "--nonce", nonce, "--pcrs", PCRS, "--out", out,
                  "--event-log", self.log)


def replay():
    values = {pcr: b"\0" * 32 for pcr in range(17)}
    for _, pcr, digest in EVENTS:
        values[pcr] = sha256(values[pcr] + digest)
    return values


def expected(top, changes=(), events=None):
    """What `boot predict --json` prints, for PCRs 4, 8, 9, 11."""
    values = {str(p): replay()[p].hex() for p in (4, 8, 9, 11)}
    values.update(changes)
    names = {4: "kernel", 8: "command line", 9: "initrd", 11: "header"}
    listed = [{"pcr": p, "type": "x", "digest": d.hex(), "text": names.get(p, "firmware")}
              for _, p, d in EVENTS]
    path = os.path.join(tempfile.mkdtemp(dir=top), "expected.json")
    with open(path, "w") as f:
        json.dump({"pcrs": {"sha256": values}, "events": listed if events is None else events}, f)
    return path


class Evidence:
    def __init__(self, top):
        self.top = top
        self.tpm = Tpm(top)
        self.dir = os.path.join(top, "quote")
        self.tpm.quote(self.dir)
        self.ak = os.path.join(top, "ak.pem")
        shutil.copy(os.path.join(self.dir, "ak.pem"), self.ak)

    def copy(self):
        out = os.path.join(tempfile.mkdtemp(dir=self.top), "q")
        shutil.copytree(self.dir, out)
        return out

    def verify(self, directory, code, nonce=NONCE, ak=None, more=()):
        done = run(VERIDIAN, "attest", "verify", "--quote", directory, "--nonce", nonce,
                   "--ak", ak or self.ak, "--json", *more, code=code)
        return json.loads(done.stdout) if done.stdout else {"step": "input", "reason": done.stderr}

    def refused(self, directory, step, reason="", code=1, **kwargs):
        answer = self.verify(directory, code, **kwargs)
        assert answer["step"] == step, answer
        assert reason in answer["reason"], answer


@case
def verifies(e):
    answer = e.verify(e.dir, 0)
    assert answer["verified"] and answer["step"] == "verified", answer
    assert answer["events"] == len(EVENTS)
    for pcr, value in answer["pcrs"]["sha256"].items():
        assert value == replay()[int(pcr)].hex()
    answer = e.verify(e.dir, 0, more=("--expected", expected(e.top)))
    assert answer["expected_compared"]
    text = run(VERIDIAN, "attest", "verify", "--quote", e.dir + "/quote.bin", "--nonce", NONCE,
               "--ak", e.ak)
    assert text.stdout.startswith("verified: ")


@case
def same_key_each_time(e):
    again = os.path.join(e.top, "again")
    for _ in range(5):  # without a resource manager a leaked key would fill the TPM's three slots
        e.tpm.quote(again, "01")
    assert read(again + "/ak.pem") == read(e.ak)
    e.refused(again, "nonce")


@case
def wrong_nonce(e):
    e.refused(e.dir, "nonce", "another nonce", nonce="00" * 16)
    e.refused(e.dir, "nonce", nonce=NONCE[:-2])
    e.refused(e.dir, "nonce", nonce=NONCE + "00")


@case
def another_key(e):
    other = Tpm(e.top)
    try:
        other.quote(os.path.join(e.top, "other"))
    finally:
        other.close()
    e.refused(e.dir, "signature", "not signed by this AK", ak=os.path.join(e.top, "other/ak.pem"))
    rsa = os.path.join(e.top, "rsa.pem")
    key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    subprocess.run(["openssl", "rsa", "-pubout", "-out", rsa], input=key, capture_output=True,
                   check=True)
    e.refused(e.dir, "signature", "another kind of key", ak=rsa)


@case
def every_byte_of_quote_and_signature(e):
    for name in ("quote.bin", "quote.sig"):
        copy = e.copy()
        data = read(f"{copy}/{name}")
        for at in range(len(data)):
            write(f"{copy}/{name}", data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
            answer = e.verify(copy, None)
            assert not answer.get("verified", False), (name, at)


def loose_bytes():
    """Where a change leaves every promised digest alone: types, foreign text, and what marks
    an event as ours."""
    at = len(spec_event())
    loose = set(range(at))
    for data, pcr, _ in EVENTS:
        start = at + 50
        loose.update(range(at + 4, at + 8))
        if pcr == 4:
            loose.update(range(start, at + len(data)))
        elif pcr == 11:
            loose.update(range(start + 2, start + 4))
        elif pcr in (8, 9):
            loose.update(range(start, start + len("veridian ")))
        at += len(data)
    return loose


@case
def every_byte_of_the_log(e):
    copy = e.copy()
    data = read(copy + "/eventlog.bin")
    for at in range(len(data)):
        write(copy + "/eventlog.bin", data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        done = run(VERIDIAN, "attest", "verify", "--quote", copy, "--nonce", NONCE, "--ak", e.ak,
                   code=None)
        assert done.returncode in (0, 1, 2), done
        assert done.returncode != 0 or at in loose_bytes(), at


@case
def changed_log_names_the_event(e):
    copy = e.copy()
    data = read(copy + "/eventlog.bin").replace(b"cmdline quiet", b"cmdline noisy")
    write(copy + "/eventlog.bin", data)
    e.refused(copy, "event-log", "event 4 (PCR 8): its data does not fit its digest")


@case
def missing_event_names_the_pcr(e):
    copy = e.copy()
    log = spec_event() + b"".join(x[0] for x in EVENTS[:-1])
    write(copy + "/eventlog.bin", log)
    e.refused(copy, "digest", "PCR 9 differs")
    os.unlink(copy + "/pcrs.json")
    e.refused(copy, "digest", "which one cannot be told")
    write(copy + "/pcrs.json", b'{"pcrs": {"sha256": {"0": "00"}}}')
    e.refused(copy, "digest", "which one cannot be told")


@case
def another_boot_differs_from_the_expected(e):
    events = [{"pcr": p, "type": "x", "digest": d.hex(), "text": "step"} for _, p, d in EVENTS]
    events[3]["digest"], events[3]["text"] = "11" * 32, "command line"
    wrong = expected(e.top, {"8": "11" * 32}, events)
    e.refused(e.dir, "expected", "PCR 8: event 4 (EV_IPL) differs from the expected \"command line\"",
              more=("--expected", wrong))
    wrong = expected(e.top, {"8": "11" * 32}, events[:3])
    e.refused(e.dir, "expected", "one more than expected", more=("--expected", wrong))
    wrong = expected(e.top, {"12": "11" * 32})
    e.refused(e.dir, "expected", "PCR 12 is expected but not in the quote", more=("--expected", wrong))
    write(wrong, b'{"pcrs": {"sha256": {"8": "zz"}}}')
    e.refused(e.dir, "expected", "not a digest", code=2, more=("--expected", wrong))
    write(wrong, b'{"pcrs": {"sha384": {"8": "' + b"00" * 48 + b'"}}}')
    e.refused(e.dir, "expected", "no expected value", more=("--expected", wrong))
    for pcrs, reason in (('{"md5": {"8": "00"}}', "no bank known"), ('{"sha256": {"24": "00"}}', "not 0 to 23")):
        write(wrong, ('{"pcrs": %s}' % pcrs).encode())
        e.refused(e.dir, "expected", reason, code=2, more=("--expected", wrong))


@case
def cut_files(e):
    for name in ("quote.bin", "quote.sig", "eventlog.bin"):
        copy = e.copy()
        data = read(f"{copy}/{name}")
        for size in sorted({0, 1, 4, 5, 10, len(data) // 2, len(data) - 33, len(data) - 1}):
            write(f"{copy}/{name}", data[:size])
            done = run(VERIDIAN, "attest", "verify", "--quote", copy, "--nonce", NONCE, "--ak", e.ak,
                       code=None)
            assert done.returncode in (1, 2) and "error" in done.stderr, (name, size, done)
        write(f"{copy}/{name}", data + b"\0")
        done = run(VERIDIAN, "attest", "verify", "--quote", copy, "--nonce", NONCE, "--ak", e.ak,
                   code=None)
        assert done.returncode in (1, 2), (name, done)
        os.unlink(f"{copy}/{name}")
        run(VERIDIAN, "attest", "verify", "--quote", copy, "--nonce", NONCE, "--ak", e.ak, code=2)


@case
def bad_calls(e):
    base = (VERIDIAN, "attest", "verify", "--quote", e.dir, "--ak", e.ak)
    for nonce in ("", "0", "zz", "00" * 65):
        run(*base, "--nonce", nonce, code=2)
    run(VERIDIAN, "attest", "verify", "--quote", e.dir, "--nonce", NONCE, "--ak",
        e.dir + "/quote.bin", code=2)
    for pcrs in ("", "24", "1-", "3-1", "a", "md5:1", "1,", "0-24"):
        run(VERIDIAN, "attest", "quote", "--nonce", NONCE, "--pcrs", pcrs, "--out", e.top + "/x",
            code=2, env=e.tpm.env)
    run(VERIDIAN, "attest", "quote", "--nonce", NONCE, "--pcrs", "0", "--out", e.top + "/no/dir", code=2,
        env=e.tpm.env)
    run(VERIDIAN, "tpm", "info", "--tpm", "swtpm:path=/nonexistent", code=3)
    run(VERIDIAN, "tpm", "info", "--tpm", "/dev/nonexistent", code=3)
    run(VERIDIAN, "tpm", "info", "--tpm", "something", code=2)
    run(VERIDIAN, "tpm", "info", "--tpm", "swtpm:host=localhost,port=1", code=2)


@case
def tpm2_checkquote_agrees(e):
    if shutil.which("tpm2_checkquote") is None:
        raise Skip("tpm2_checkquote is not installed")
    args = ("tpm2_checkquote", "-u", e.ak, "-m", e.dir + "/quote.bin", "-s", e.dir + "/quote.sig")
    run(*args, "-q", NONCE)
    run(*args, "-q", "ff" * 16, code=1)
    run(*args[:1], "-u", e.dir + "/ak.pub", *args[3:], "-q", NONCE)


def tpm2_quote(e, kind, scheme):
    out = tempfile.mkdtemp(dir=e.top)
    t = e.tpm.tool
    t("tpm2_createek", "-G", kind, "-c", f"{out}/ek.ctx", "-u", f"{out}/ek.pub")
    t("tpm2_flushcontext", "-t")
    t("tpm2_createak", "-C", f"{out}/ek.ctx", "-G", kind, "-g", "sha256", "-s", scheme,
      "-c", f"{out}/ak.ctx", "-f", "pem", "-u", f"{out}/ak.pem")
    t("tpm2_flushcontext", "-t")
    t("tpm2_flushcontext", "-l")
    t("tpm2_quote", "-c", f"{out}/ak.ctx", "-l", "sha256:0,4,8,9,11", "-q", NONCE,
      "-m", f"{out}/quote.bin", "-s", f"{out}/quote.sig", "-g", "sha256", "--scheme", scheme)
    t("tpm2_flushcontext", "-t")
    shutil.copy(e.tpm.log, f"{out}/eventlog.bin")
    return out


@case
def quotes_of_tpm2_tools_verify(e):
    for kind, scheme in (("ecc", "ecdsa"), ("rsa", "rsassa"), ("rsa", "rsapss")):
        out = tpm2_quote(e, kind, scheme)
        e.verify(out, 0, ak=f"{out}/ak.pem", more=("--expected", expected(e.top)))
        e.refused(out, "signature")
        e.refused(out, "nonce", nonce="00", ak=f"{out}/ak.pem")


@case
def expected_pcrs_of_a_bank_are_not_covered_by_another_bank(e):
    """A machine chooses what it quotes: what was expected of SHA-256 must be answered in SHA-256."""
    out = tempfile.mkdtemp(dir=e.top)
    t = e.tpm.tool
    t("tpm2_createek", "-G", "ecc", "-c", f"{out}/ek.ctx", "-u", f"{out}/ek.pub")
    t("tpm2_flushcontext", "-t")
    t("tpm2_createak", "-C", f"{out}/ek.ctx", "-G", "ecc", "-g", "sha256", "-s", "ecdsa",
      "-c", f"{out}/ak.ctx", "-f", "pem", "-u", f"{out}/ak.pem")
    t("tpm2_flushcontext", "-t")
    t("tpm2_flushcontext", "-l")
    # Nothing was extended in these PCRs, so that an empty log explains them.
    t("tpm2_quote", "-c", f"{out}/ak.ctx", "-l", "sha256:15+sha384:4,8,9,11", "-q", NONCE,
      "-m", f"{out}/quote.bin", "-s", f"{out}/quote.sig", "-g", "sha256", "--scheme", "ecdsa")
    t("tpm2_flushcontext", "-t")
    write(f"{out}/eventlog.bin", spec_event(((SHA256, 32), (SHA384, 48))))
    e.refused(out, "expected", "no expected value", ak=f"{out}/ak.pem", more=("--expected", expected(e.top)))
    # Nor if one PCR fits.
    e.refused(out, "expected", "PCR 4 is expected but not in the quote", ak=f"{out}/ak.pem",
              more=("--expected", expected(e.top, {"15": "00" * 32})))


@case
def pcrs_agree_with_tpm2_tools(e):
    ours = json.loads(e.tpm.tool(VERIDIAN, "tpm", "pcr", "--json").stdout)["pcrs"]["sha256"]
    theirs = e.tpm.tool("tpm2_pcrread", "sha256:all").stdout.lower()
    assert len(ours) == 24
    for value in ours.values():
        assert value in theirs, value
    info = json.loads(e.tpm.tool(VERIDIAN, "tpm", "info", "--json").stdout)
    assert info["family"] == "2.0" and "sha256" in info["pcr_banks"] and "ecdsa" in info["algorithms"]
    lines = run(VERIDIAN, "tpm", "eventlog", "--json", e.tpm.log).stdout.splitlines()
    assert [json.loads(x)["pcr"] for x in lines] == [x[1] for x in EVENTS]


@case
def changed_pcr(e):
    """Last: it changes the TPM."""
    e.tpm.extend(8, b"\1" * 32)
    out = os.path.join(e.top, "changed")
    e.tpm.quote(out)
    e.refused(out, "digest", "PCR 8 differs")
    done = run(VERIDIAN, "attest", "verify", "--quote", out, "--nonce", NONCE, "--ak", e.ak, code=1)
    assert done.stdout == "not verified: digest\n"


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="veridian-attest-") as top:
        try:
            e = Evidence(top)
        except Skip as reason:
            print(f"1..0 # SKIP {reason}")
            return 0
        try:
            for number, function in enumerate(CASES, 1):
                try:
                    function(e)
                    print(f"ok {number} - {function.__name__}", flush=True)
                except Skip as reason:
                    print(f"ok {number} - {function.__name__} # SKIP {reason}")
                except Exception as error:  # a case's failure is its line, the others still run
                    failed = 1
                    for line in f"{type(error).__name__}: {error}".splitlines():
                        print(f"# {line}")
                    print(f"not ok {number} - {function.__name__}", flush=True)
        finally:
            e.tpm.close()
    print(f"1..{len(CASES)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
