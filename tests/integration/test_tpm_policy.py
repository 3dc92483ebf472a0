# SPDX-License-Identifier: MIT OR Apache-2.0
"""Policies of sealed data: each condition holds, fails with its own words, and is tpm2-tools'."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from sealing import SECRET, VERIDIAN, Place, read, run, write  # noqa: E402
from swtpm import Bus  # noqa: E402

COUNTER = "0x01800010"
UNSEAL, POLICY_NV, POLICY_AUTHORIZE, VERIFY_SIGNATURE = 0x15E, 0x149, 0x16A, 0x177
LOAD_EXTERNAL, POLICY_OR, START_AUTH_SESSION = 0x167, 0x171, 0x176


class Policies(Place):
    """With a counter, a password, and a key that approves."""

    def __enter__(self):
        super().__enter__()
        try:
            self.nv("define", "--counter")
            self.nv("increment")
            self.pin = write(self / "pin", b"2468-correct\n")
            self.key, self.pub = self / "approve.pem", self / "approve.pub"
            run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
            run("openssl", "ec", "-in", self.key, "-pubout", "-out", self.pub)
        except BaseException:
            self.__exit__()
            raise
        return self

    def nv(self, verb, *more):
        return run(VERIDIAN, "tpm", "nv", verb, *more, "--tpm", self.tpm.name, COUNTER)

    def seal_to(self, text, *more, code=0):
        return self.seal(*more, policy=("--policy", text), code=code)

    def sign(self, policy, *more, key=None, code=0, tpm=True):
        where = ("--tpm", self.tpm.name) if tpm else ()
        out = self / "approval"
        return out, run(VERIDIAN, "tpm", "policy", "sign", "--key", key or self.key, "--policy",
                        policy, "--out", out, *where, *more, code=code)

    def refused(self, *more, **kwargs):
        done, out = self.unseal(*more, code=1, **kwargs)
        assert out is None
        return done.stderr


def case_a_counter_must_have_its_value():
    with Policies() as p:
        p.seal_to(f"nv({COUNTER} == now)")
        assert p.unseal()[1] == SECRET
        p.nv("increment")
        message = p.refused()
        assert f"counter {COUNTER} is " in message and "not exactly" in message, message
        p.seal_to(f"nv({COUNTER} >= 1) and nv({COUNTER} <= now) and pcr(16)")
        assert p.unseal()[1] == SECRET
        p.extend(16, 1)
        assert "PCR 16" in p.refused()
        p.tool("tpm2_pcrreset", "16")
        assert p.unseal()[1] == SECRET
        p.nv("increment")
        assert "not at most" in p.refused()
        p.seal_to(f"nv({COUNTER} >= 9999)")
        assert "not at least 9999" in p.refused()
        p.nv("undefine")
        assert f"no index {COUNTER}" in p.refused()
        run(VERIDIAN, "tpm", "nv", "define", "--size", "8", "--tpm", p.tpm.name, COUNTER)
        assert "is another one" in p.refused(), "an index of the caller's own making"


def case_a_password_must_be_right():
    with Policies() as p:
        p.seal_to("auth", "--auth-file", p.pin)
        assert p.unseal("--auth-file", p.pin)[1] == SECRET
        assert "none was given" in p.refused()
        wrong = write(p / "wrong", b"1357-wrong")
        assert "password is wrong" in p.refused("--auth-file", wrong)
        # More than the TPM takes as it is.
        write(p.pin, b"seven words of a long recovery passphrase")
        p.seal_to("auth and pcr(16)", "--auth-file", p.pin)
        assert p.unseal("--auth-file", p.pin)[1] == SECRET
        p.extend(16, 1)
        assert "PCR 16" in p.refused("--auth-file", p.pin)
        for bad, code in ((b"", 2), (b"x" * 1025, 2)):
            write(p.pin, bad)
            p.seal_to("auth", "--auth-file", p.pin, code=code)
        p.seal_to("auth", code=2)
        write(p.pin, b"fine")
        p.seal_to("pcr(7)", "--auth-file", p.pin, code=2)


def case_the_tpm_locks_itself_and_says_for_how_long():
    with Policies() as p:
        p.tool("tpm2_dictionarylockout", "--setup-parameters", "--max-tries", "2",
               "--recovery-time", "1234", "--lockout-recovery-time", "1")
        p.seal_to("auth or pcr(16)", "--auth-file", p.pin)
        p.extend(16, 1)
        wrong = write(p / "wrong", b"1357-wrong")
        for _ in range(2):
            assert "password is wrong" in p.refused("--auth-file", wrong)
        message = p.refused("--auth-file", p.pin)
        assert "locked after 2 wrong passwords (of 2)" in message, message
        assert "1234 seconds" in message, message
        info = json.loads(run(VERIDIAN, "tpm", "info", "--json", "--tpm", p.tpm.name).stdout)
        assert info["lockout"] == {"locked": True, "failed": 2, "allowed": 2,
                                   "interval_s": 1234}, info
        # The branch without a password is not locked.
        p.tool("tpm2_pcrreset", "16")
        assert p.unseal()[1] == SECRET
        assert p.unseal("--auth-file", p.pin)[1] == SECRET
        p.extend(16, 1)
        p.tool("tpm2_dictionarylockout", "--clear-lockout")
        assert p.unseal("--auth-file", p.pin)[1] == SECRET


def case_one_of_several_branches_is_enough():
    with Policies() as p:
        p.seal_to(f"pcr(16) or nv({COUNTER} == now) and pcr(7) or auth", "--auth-file", p.pin)
        assert p.unseal()[1] == SECRET
        p.extend(16, 1)
        assert p.unseal()[1] == SECRET, "the second branch"
        p.nv("increment")
        message = p.refused()
        for words in ("branch 1, pcr(sha256:16): ", "branch 2, nv(", "branch 3, auth: ",
                      "PCR 16 (sha256): sealed to 0000", "not exactly", "none was given",
                      "no branch of the policy holds"):
            assert words in message, (words, message)
        assert p.unseal("--auth-file", p.pin)[1] == SECRET, "the third branch"
        # The secret of a branch without the password is hidden on its way, too.
        p.tool("tpm2_pcrreset", "16")
        with Bus(p.tpm) as bus:
            assert p.unseal(tpm=bus.name)[1] == SECRET
            assert p.unseal("--auth-file", p.pin, tpm=bus.name)[1] == SECRET
            seen = b"".join(bus.commands + bus.responses)
        assert SECRET not in seen and b"2468-correct" not in seen
        for kind in ("handles-transient", "handles-loaded-session", "handles-saved-session"):
            assert p.tool("tpm2_getcap", kind).stdout.strip() == "", kind


def case_a_key_approves_states_in_advance():
    with Policies() as p:
        p.seal(policy=("--authorize", p.pub))
        assert "none was given" in p.refused()
        approval, _ = p.sign("pcr(16)")
        assert p.unseal("--approval", approval)[1] == SECRET
        # The next state, before it comes: PCR 16 after one event.
        p.extend(16, 5)
        message = p.refused("--approval", approval)
        assert "PCR 16 (sha256): sealed to 00" in message, message
        was = p.tool("tpm2_pcrread", "sha256:16").stdout.split("0x")[1].strip().lower()
        p.tool("tpm2_pcrreset", "16")
        next_state = write(p / "next.json", json.dumps(
            {"pcrs": {"sha256": {"16": was}}, "events": []}).encode())
        old = write(p / "old.approval", read(approval))
        approval, _ = p.sign("pcr(16)", "--predict", next_state, tpm=False)
        p.refused("--approval", approval)
        assert p.unseal("--approval", approval, "--approval", old)[1] == SECRET
        p.extend(16, 5)
        assert p.unseal("--approval", old, "--approval", approval)[1] == SECRET
        assert was in run(VERIDIAN, "tpm", "policy", "show", "--json", approval).stdout
        p.sign("pcr(3)", "--predict", next_state, tpm=False, code=2)
        p.sign("pcr(16) or pcr(7)", code=2)
        p.sign("auth", code=2)
        p.sign("pcr(16)", key=p.pub, code=2)


def case_a_raised_counter_takes_approvals_back():
    with Policies() as p:
        p.seal(policy=("--authorize", p.pub))
        now = int(p.nv("read").stdout)
        state = write(p / "state.json", json.dumps(
            {"pcrs": {"sha256": {"16": "00" * 32}}, "events": []}).encode())
        text = f"pcr(16) and nv({COUNTER} <= {now})"
        here = write(p / "here", read(p.sign(text)[0]))
        # Without the TPM it is the same approval, but for the signature.
        approval, _ = p.sign(text, "--predict", state, tpm=False)
        assert read(approval)[:-72] == read(here)[:-72]
        assert p.unseal("--approval", approval)[1] == SECRET
        p.nv("increment")
        message = p.refused("--approval", approval)
        assert f"counter {COUNTER} is {now + 1}, not at most {now}" in message, message
        p.sign(f"pcr(16) and nv({COUNTER} <= now)", "--predict", state, tpm=False, code=2)


def case_an_approval_that_was_not_signed_is_refused():
    with Policies() as p:
        p.seal_to(f"authorize({p.pub}, boot) and nv({COUNTER} >= 1)")
        approval, _ = p.sign("pcr(16)", "--reference", "boot")
        assert p.unseal("--approval", approval)[1] == SECRET
        good = read(approval)
        other = p / "other.pem"
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other)
        for more, key in ((("--reference", "boot"), other), ((), None),
                          (("--reference", "root"), None)):
            forged, _ = p.sign("pcr(16)", *more, key=key)
            assert "another key or for another purpose" in p.refused("--approval", forged)
        # The same key, reference and conditions, a signature of another state.
        p.extend(16, 9)
        theirs, _ = p.sign("pcr(16)", "--reference", "boot")
        mixed = good[:-72] + read(theirs)[-72:-8]
        theirs = write(p / "mixed", mixed + crc64(mixed).to_bytes(8, "little"))
        p.tool("tpm2_pcrreset", "16")
        message = p.refused("--approval", theirs)
        assert "signature does not hold" in message, message
        for i in range(len(good)):
            bad = bytearray(good)
            bad[i] ^= 1
            done, out = p.unseal("--approval", write(p / "bad", bad), code=2)
            assert out is None and done.stderr, i
        for n in range(0, len(good), 5):
            p.unseal("--approval", write(p / "bad", good[:n]), code=2)


def crc64(data):
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC96C5795D7870F42 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFFFFFFFFFF


def case_wrong_policies_are_refused_with_their_place():
    with Policies() as p:
        for text, words in (
                ("", "character 1"), ("pcr", "\"(\""), ("pcr(7", "\")\""), ("pcr()", "between"),
                ("pcr(7) pcr(8)", "\"and\""), ("pcr(24)", "24"), ("pcr(7) and", "expected pcr"),
                ("nv(0x01800010 > 5)", "OP"), ("nv(5 == x)", "no index"),
                (f"nv({COUNTER} == x)", "a number"), ("nv(0x81000001 == 1)", "an index"),
                ("nv(0x01800099 == 1)", "no index"), ("pcr(7) and authorize(k)", "k"),
                (f"pcr(7) and authorize({p.pub})", "first"), ("pcr(7=00)", ""),
                ("authorize(/dev/null)", "P-256"), ("AUTH", "expected"),
                (f"authorize({p.pub}, {'x' * 33})", "32 bytes"),
                (" or ".join(["pcr(7)"] * 9), "8 branches"),
                (" and ".join(["pcr(7)"] * 5), "4 conditions")):
            done = p.seal_to(text, code=2)
            assert words in done.stderr, (text, done.stderr)
        p.seal(policy=("--pcrs", "7", "--policy", "pcr(7)"), code=2)
        p.unseal("--pcrs", "7", code=2)


def theirs(p, *steps, auth=()):
    """An object of tpm2_create under the policy of these tool calls."""
    p.tool("tpm2_startauthsession", "-S", "trial")
    for step in steps:
        p.tool(*step)
    p.tool("tpm2_flushcontext", "trial")
    p.tool("tpm2_create", "-C", "0x81000001", "-L", "policy", "-i", p.secret, "-u", "t.pub",
           "-r", "t.priv", *auth)
    p.tool("tpm2_flushcontext", "-t")
    return ["--public", p / "t.pub", "--private", p / "t.priv", "--out", p / "o", "--tpm",
            p.tpm.name]


def ours(p, policy, *more):
    p.seal_to(policy, "--public", p / "pub", "--private", p / "priv", *more)
    p.tool("tpm2_load", "-C", "0x81000001", "-u", "pub", "-r", "priv", "-c", "object")
    p.tool("tpm2_startauthsession", "--policy-session", "-S", "session")


def opened_by_tools(p, auth="session:session"):
    done = p.tool("tpm2_unseal", "-c", "object", "-p", auth)
    assert done.stdout == SECRET.decode(), done
    p.tool("tpm2_flushcontext", "session")
    p.tool("tpm2_flushcontext", "-t")


def case_counters_and_tpm2_tools():
    with Policies() as p:
        now = int(p.nv("read").stdout)
        operand = write(p / "operand", now.to_bytes(8, "big"))
        step = ("tpm2_policynv", "-C", "o", "-i", operand, COUNTER, "uge", "-L", "policy")
        ours(p, f"nv({COUNTER} >= now)")
        p.tool(*step, "-S", "session")
        opened_by_tools(p)
        made = theirs(p, step + ("-S", "trial"))
        run(VERIDIAN, "tpm", "unseal", "--policy", f"nv({COUNTER} >= {now})", *made)
        assert read(p / "o") == SECRET
        run(VERIDIAN, "tpm", "unseal", "--policy", f"nv({COUNTER} == {now})", *made, code=1)


def case_passwords_and_tpm2_tools():
    with Policies() as p:
        ours(p, "auth", "--auth-file", p.pin)
        p.tool("tpm2_policyauthvalue", "-S", "session")
        opened_by_tools(p, "session:session+2468-correct")
        made = theirs(p, ("tpm2_policyauthvalue", "-S", "trial", "-L", "policy"),
                      auth=("-p", "2468-correct"))
        run(VERIDIAN, "tpm", "unseal", "--policy", "auth", "--auth-file", p.pin, *made)
        assert read(p / "o") == SECRET


def case_branches_and_tpm2_tools():
    with Policies() as p:
        one = ("tpm2_policypcr", "-l", "sha256:16", "-L", "one")
        two = ("tpm2_policypcr", "-l", "sha256:7", "-L", "two")
        for session in ((one, "a"), (two, "b")):
            p.tool("tpm2_startauthsession", "-S", session[1])
            p.tool(*session[0], "-S", session[1])
            p.tool("tpm2_flushcontext", session[1])
        either = ("tpm2_policyor", "-L", "policy", "sha256:one,two")
        p.extend(16, 1)
        zero = "0" * 64
        ours(p, f"pcr(16={zero}) or pcr(7)")
        p.tool(*two, "-S", "session")
        p.tool(*either, "-S", "session")
        opened_by_tools(p)
        made = theirs(p, either + ("-S", "trial"))
        run(VERIDIAN, "tpm", "unseal", "--policy", f"pcr(16={zero}) or pcr(7)", *made)
        assert read(p / "o") == SECRET
        run(VERIDIAN, "tpm", "unseal", "--policy", "pcr(16) or pcr(7)", *made, code=1)


def case_approvals_and_tpm2_tools():
    with Policies() as p:
        p.tool("tpm2_loadexternal", "-C", "o", "-G", "ecc", "-u", "approve.pub", "-c", "key",
               "-n", "key.name")
        p.tool("tpm2_flushcontext", "-t")
        # Ours, opened by them: our approval's digest, signed again by openssl.
        ours(p, f"authorize({p.pub}, boot)")
        p.sign("pcr(16)", "--reference", "boot", "--digest", p / "approved")
        write(p / "ref", b"boot")
        write(p / "message", read(p / "approved") + b"boot")
        run("openssl", "dgst", "-sha256", "-sign", p.key, "-out", p / "sig", p / "message")
        p.tool("tpm2_verifysignature", "-c", "key", "-g", "sha256", "-m", "message", "-s", "sig",
               "-f", "ecdsa", "-t", "ticket")
        p.tool("tpm2_policypcr", "-S", "session", "-l", "sha256:16")
        p.tool("tpm2_policyauthorize", "-S", "session", "-i", "approved", "-q", "ref", "-n",
               "key.name", "-t", "ticket")
        opened_by_tools(p)
        # Theirs, opened by ours.
        made = theirs(p, ("tpm2_policyauthorize", "-S", "trial", "-L", "policy", "-q", "ref", "-n",
                          "key.name"))
        approval, _ = p.sign("pcr(16)", "--reference", "boot")
        run(VERIDIAN, "tpm", "unseal", "--policy", f"authorize({p.pub}, boot)", "--approval",
            approval, *made)
        assert read(p / "o") == SECRET


def case_flipped_bytes_of_the_policy_commands_give_nothing_wrong():
    with Policies() as p, Bus(p.tpm) as bus:
        p.seal_to(f"authorize({p.pub}) and nv({COUNTER} >= 1) or auth", "--auth-file", p.pin)
        approval, _ = p.sign("pcr(16)")
        p.unseal("--approval", approval, tpm=bus.name)
        codes = [int.from_bytes(c[6:10], "big") for c in bus.commands]
        responses = list(bus.responses)
        for code in (UNSEAL, POLICY_NV, POLICY_AUTHORIZE, VERIFY_SIGNATURE, LOAD_EXTERNAL,
                     POLICY_OR):
            assert codes.count(code) == 1, (hex(code), codes)
        assert codes.count(START_AUTH_SESSION) == 2, "the policy's, and the one that hides"
        for number, code in enumerate(codes):
            step = 1 if code == UNSEAL else 7
            for byte in range(0, len(responses[number]), step):
                bus.forget(flip=(number, byte))
                done, out = p.unseal("--approval", approval, tpm=bus.name, code=None)
                where = f"response {number} (command {code:#x}), byte {byte}: {done}"
                assert done.returncode in (0, 1, 2, 3, 4), where
                assert out is None or out == SECRET, where
                assert (done.returncode == 0) == (out is not None), where
                if code == UNSEAL and byte > 9:
                    assert passes_unseen(responses[number], byte) or out is None, where
                p.tool("tpm2_flushcontext", "-t", code=None)
                p.tool("tpm2_flushcontext", "-l", code=None)


def passes_unseen(response, byte):
    """The nonce and attributes of the session without a key mean nothing to anybody."""
    parameters = 14 + int.from_bytes(response[10:14], "big")
    return parameters + 2 <= byte < parameters + 2 + 32 + 1


if __name__ == "__main__":
    sys.exit(tap.run())
