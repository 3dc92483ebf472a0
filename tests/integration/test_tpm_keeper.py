# SPDX-License-Identifier: MIT OR Apache-2.0
"""A long-lived user of a TPM: what it survives, and what it says where it cannot."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from sealing import SECRET, VERIDIAN, Place, run, write  # noqa: E402
from swtpm import Bus, Swtpm  # noqa: E402
from tpm_probe import Probe  # noqa: E402

COUNTER = "0x01800010"
TEXT = SECRET.decode()
LOAD, START_AUTH_SESSION, UNSEAL, POLICY_PCR = 0x157, 0x176, 0x15E, 0x17F
FLUSH, INCREMENT, SELF_TEST, CONTEXT_SAVE, CONTEXT_LOAD = 0x165, 0x134, 0x143, 0x162, 0x161
RETRY, YIELDED, TESTING, NEEDS_TEST, CONTEXT_GAP = 0x922, 0x908, 0x90A, 0x153, 0x901


def response(code):
    return (0x8001).to_bytes(2, "big") + (10).to_bytes(4, "big") + code.to_bytes(4, "big")


class Watched(Place):
    """A secret, a counter, and a bus that sees what the probe does."""

    def __enter__(self):
        super().__enter__()
        try:
            for verb in (("define", "--counter"), ("increment",)):
                run(VERIDIAN, "tpm", "nv", *verb, "--tpm", self.tpm.name, COUNTER)
            self.bus = Bus(self.tpm)
        except BaseException:
            super().__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.bus.__exit__()
        super().__exit__(*exc)

    def codes(self):
        return [int.from_bytes(c[6:10], "big") for c in self.bus.commands]

    def probe(self):
        probe = Probe(self.bus.name)
        try:
            probe.ask("lock", self.sealed)
        except BaseException:
            probe.__exit__(True)
            raise
        return probe


def talk(tpm, *commands):
    """Commands by hand on a connection of their own; the responses."""
    responses = []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(tpm.path)
        for command in commands:
            sock.sendall(command)
            responses.append(Bus._message(sock))
    return responses


def command(code, body, tag=0x8001):
    return tag.to_bytes(2, "big") + (10 + len(body)).to_bytes(4, "big") + \
        code.to_bytes(4, "big") + body


def flush_all(bus, first):
    """Drops what has one of three handles, by either of a session's two; how many there were."""
    return sum(bus.say(command(FLUSH, (first + i).to_bytes(4, "big")))[6:] == bytes(4)
               for i in range(3))


def start_session(kind=0):
    """A session without salt, for an HMAC or (1) a policy."""
    null = (0x40000007).to_bytes(4, "big")
    return command(START_AUTH_SESSION, null + null + (16).to_bytes(2, "big") + bytes(16) + b"\0\0" +
                   bytes([kind]) + (0x10).to_bytes(2, "big") + (0x0B).to_bytes(2, "big"))


def case_what_is_kept_is_used_again():
    with Watched() as p, p.probe() as probe:
        assert probe.ask("unseal") == TEXT
        p.bus.forget()
        assert probe.ask("unseal") == TEXT
        assert p.codes() == [POLICY_PCR, UNSEAL], p.codes()
        assert probe.ask("connections") == "1"
        probe.ask("rest")
        assert probe.ask("unseal") == TEXT
        assert probe.ask("connections") == "2"


def case_five_commands_suffice():
    with Watched() as p:
        p.bus.forget()
        assert p.unseal(tpm=p.bus.name)[1] == SECRET
        assert len(p.bus.commands) == 5, [hex(c) for c in p.codes()]


def case_the_tpm_may_be_reset_and_come_back():
    with Watched() as p, p.probe() as probe:
        value = int(probe.ask("counter", COUNTER))
        for _ in range(2):
            assert probe.ask("unseal") == TEXT
            p.tpm.reset()
            assert probe.ask("unseal") == TEXT
            p.tpm.reset()
            value += 1
            assert probe.ask("increment", COUNTER) == str(value)
        assert probe.ask("connections") == "1", "the connection stayed"
        p.tpm.stop()
        refusal = probe.refused("unseal")
        assert "TPM" in refusal, refusal
        assert "TPM" in probe.refused("increment", COUNTER), "gone"
        assert "TPM" in probe.refused("counter", COUNTER)
        p.tpm.start()
        assert probe.ask("unseal") == TEXT
        assert probe.ask("counter", COUNTER) == str(value)


def case_another_tpm_in_its_place_is_refused():
    with Watched() as p, p.probe() as probe:
        assert probe.ask("unseal") == TEXT
        probe.ask("counter", COUNTER)
        mine = p.tpm.path
        with Swtpm(p.dir.name) as other:
            p.tpm.path = other.path
            probe.ask("rest")
            assert "storage root key" in probe.refused("unseal", status="E_DENIED")
            probe.refused("counter", COUNTER)
        p.tpm.path = mine
        assert probe.ask("unseal") == TEXT


def case_a_connection_lost_at_each_command_is_made_again():
    with Watched() as p, p.probe() as probe:
        for how in ("cut-before", "cut-after"):
            for job, warm in ((("unseal",), 2), (("counter", COUNTER), 2)):
                expected = probe.ask(*job)
                for at in range(warm):
                    seen = []

                    def cut(code, _, at=at, seen=seen, how=how):
                        seen.append(code)
                        return how if len(seen) == at + 1 else None
                    p.bus.meddle = cut
                    assert probe.ask(*job) == expected, (how, job, at)
                    assert len(seen) > at
                    p.bus.meddle = None
        assert flush_all(p.bus, 0x80000000) <= 1 and flush_all(p.bus, 0x02000000) <= 2, \
            "nothing is left behind"


def case_an_increment_whose_answer_is_lost_counts_once():
    with Watched() as p, p.probe() as probe:
        value = int(probe.ask("counter", COUNTER))
        for how in ("cut-before", "cut-after"):
            done = []

            def cut(code, _, done=done, how=how):
                if code == INCREMENT and not done:
                    done.append(code)
                    return how
                return None
            p.bus.meddle = cut
            value += 1
            assert probe.ask("increment", COUNTER) == str(value), how
            assert done
            p.bus.meddle = None
            assert probe.ask("counter", COUNTER) == str(value), how
        # A success that the TPM did not have is noticed.
        p.bus.meddle = lambda code, _: None if code != INCREMENT else \
            (0x8002).to_bytes(2, "big") + (19).to_bytes(4, "big") + bytes(4) + bytes(4) + b"\0" * 5
        assert "did not rise" in probe.refused("increment", COUNTER, status="E_DIFFERS")


def case_another_index_in_place_of_the_counter_is_refused():
    with Watched() as p, p.probe() as probe:
        probe.ask("counter", COUNTER)
        probe.ask("rest")
        run(VERIDIAN, "tpm", "nv", "undefine", "--tpm", p.tpm.name, COUNTER)
        assert "no index" in probe.refused("counter", COUNTER, status="E_DIFFERS")
        probe.ask("rest")
        run(VERIDIAN, "tpm", "nv", "define", "--size", "8", "--tpm", p.tpm.name, COUNTER)
        write(p / "value", bytes(8))
        run(VERIDIAN, "tpm", "nv", "write", "--in", p / "value", "--tpm", p.tpm.name, COUNTER)
        for verb in ("counter", "increment"):
            assert "no longer the counter" in probe.refused(verb, COUNTER, status="E_DIFFERS")


def case_sessions_that_others_flush_are_made_again():
    with Watched() as p, p.probe() as probe:
        assert probe.ask("unseal") == TEXT
        value = probe.ask("counter", COUNTER)

        def flush(first):
            return flush_all(p.bus, first)
        for first, held in ((0x80000000, 1), (0x03000000, 2), (0x02000000, 2)):
            assert flush(first) == held, hex(first)
            assert probe.ask("unseal") == TEXT, hex(first)
            assert probe.ask("counter", COUNTER) == value
        # Flushed and replaced: other sessions have the same handles.
        assert flush(0x02000000) == 2
        for kind in (0, 1, 0):
            assert p.bus.say(start_session(kind))[6:10] == bytes(4)
        assert probe.ask("unseal") == TEXT
        assert probe.ask("counter", COUNTER) == value


def case_slots_that_others_left_full_are_borrowed():
    with Watched() as p, p.probe() as probe:
        for _ in range(3):
            p.tool("tpm2_createprimary", "-Q", "-C", "o", "-c", "theirs")
        full = p.tool("tpm2_getcap", "handles-transient").stdout
        assert full.count("0x8") == 3, full
        assert p.unseal(code=None)[0].returncode == 4, "the control: no slot is free"
        assert probe.ask("unseal") == TEXT
        assert {CONTEXT_SAVE, CONTEXT_LOAD} <= set(p.codes())
        probe.ask("rest")
        assert p.tool("tpm2_getcap", "handles-transient").stdout == full, "theirs again"
        # And sessions.
        talk(p.tpm, *[start_session()] * 3)
        full = p.tool("tpm2_getcap", "handles-loaded-session").stdout
        assert full.count("0x2") == 3, full
        assert probe.ask("unseal") == TEXT
        probe.ask("rest")
        assert p.tool("tpm2_getcap", "handles-loaded-session").stdout == full, "theirs again"
        assert p.tool("tpm2_getcap", "handles-transient").stdout.count("0x8") == 3


def case_retries_are_retried():
    with Watched() as p, p.probe() as probe:
        for code in (RETRY, YIELDED, TESTING, NEEDS_TEST):
            left = {UNSEAL: 3, POLICY_PCR: 2, LOAD: 1, START_AUTH_SESSION: 1}

            def busy(command_code, _, left=left, code=code):
                if left.get(command_code, 0) > 0:
                    left[command_code] -= 1
                    return response(code)
                return None
            probe.ask("rest")
            p.bus.forget()
            p.bus.meddle = busy
            assert probe.ask("unseal") == TEXT, hex(code)
            assert not any(left.values()), left
            assert (SELF_TEST in p.codes()) == (code == NEEDS_TEST)
            p.bus.meddle = None


def case_a_gap_of_contexts_is_reported_and_a_kept_session_goes_on():
    with Watched() as p, p.probe() as probe:
        assert probe.ask("unseal") == TEXT
        p.bus.meddle = lambda code, _: response(CONTEXT_GAP) \
            if code == START_AUTH_SESSION else None
        assert probe.ask("unseal") == TEXT, "it wants no new session"
        probe.ask("rest")
        talk(p.tpm, start_session())
        answer = probe.refused("unseal", status="E_BUSY")
        assert "oldest saved session" in answer, answer
        assert "1 loaded and 0 saved sessions" in answer, answer
        p.bus.meddle = None
        assert probe.ask("unseal") == TEXT


def open_the_gap(tpm):
    """An old saved session, and others until the TPM makes no more."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(tpm.path)

        def say(code, body):
            sock.sendall(command(code, body))
            return Bus._message(sock)
        for _ in range(2):
            sock.sendall(start_session())
            assert Bus._message(sock)[6:10] == bytes(4)
        say(CONTEXT_SAVE, (0x02000000).to_bytes(4, "big"))
        while (saved := say(CONTEXT_SAVE, (0x02000001).to_bytes(4, "big")))[6:10] == bytes(4):
            say(CONTEXT_LOAD, saved[10:])
        assert int.from_bytes(saved[6:10], "big") == CONTEXT_GAP, saved
        for code in (0, CONTEXT_GAP):
            sock.sendall(start_session())
            assert int.from_bytes(Bus._message(sock)[6:10], "big") == code


def case_a_real_gap_leaves_no_room_until_the_old_session_goes():
    with Watched() as p, p.probe() as probe:
        open_the_gap(p.tpm)
        for _ in range(2):
            answer = probe.refused("unseal", status="E_BUSY")
            assert "oldest saved session" in answer, answer
            assert "2 loaded and 1 saved sessions" in answer, answer
        probe.ask("rest")
        p.tool("tpm2_flushcontext", "-s")
        assert probe.ask("unseal") == TEXT
        probe.ask("rest")
        assert p.tool("tpm2_getcap", "handles-loaded-session").stdout.count("0x2") == 2


def case_a_wrong_password_counts_once():
    with Watched() as p, p.probe() as probe:
        p.tool("tpm2_dictionarylockout", "--setup-parameters", "--max-tries", "9",
               "--recovery-time", "1000", "--lockout-recovery-time", "1")
        p.seal("--auth-file", write(p / "pin", b"right"), policy=("--policy", "auth"))
        probe.ask("lock", p.sealed)
        assert probe.ask("unseal", "right") == TEXT
        for n in (1, 2):
            assert "password is wrong" in probe.refused("unseal", "wrong", status="E_DENIED")
            probe.ask("rest")
            out = p.tool("tpm2_getcap", "properties-variable").stdout
            assert f"TPM2_PT_LOCKOUT_COUNTER: 0x{n:X}\n" in out, out
        assert "none was given" in probe.refused("unseal", status="E_DENIED")
        assert probe.ask("unseal", "right") == TEXT


def case_every_flipped_byte_is_survived_or_refused():
    with Watched() as p, p.probe() as probe:
        value = probe.ask("counter", COUNTER)
        for job, expected in ((("unseal",), TEXT), (("counter", COUNTER), value)):
            probe.ask(*job)
            p.bus.forget()
            probe.ask(*job)
            responses = list(p.bus.responses)
            for number, good in enumerate(responses):
                for byte in range(0, len(good), 3):
                    p.bus.forget(flip=(number, byte))
                    probe.send(*job)
                    answer = probe.answer()
                    assert not answer.startswith("ok") or answer[3:] == expected, \
                        (job, number, byte, answer)
                    p.bus.forget()
                    # A handle that came back wrong is held by nobody.
                    flush_all(p.bus, 0x02000000)
                    flush_all(p.bus, 0x80000000)
                    assert probe.ask(*job) == expected, (job, number, byte)


if __name__ == "__main__":
    sys.exit(tap.run())
