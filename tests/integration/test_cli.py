#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command `veridian` from outside: exit codes, suggestions, help, completion,
and `status` on prepared trees. Prints TAP."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402

VERIDIAN = os.path.join(os.environ.get("VD_BUILD_ROOT", "build"), "bin", "veridian")
EFI = "sys/firmware/efi/efivars/{}-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def veridian(*words, **options):
    return subprocess.run([VERIDIAN, *words], stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=60,
                          check=False, **options)


def expect(words, code, stdout="", stderr=""):
    """Runs and compares the exit code; the two texts must occur."""
    done = veridian(*words)
    assert done.returncode == code, f"{words}: exit {done.returncode}, {done.stderr}"
    assert re.search(stdout, done.stdout), f"{words}: printed {done.stdout!r}"
    assert re.search(stderr, done.stderr), f"{words}: said {done.stderr!r}"
    return done


def case_wrong_calls_give_2_and_say_what_is_meant():
    expect([], 2, stderr="^Usage: veridian AREA VERB")
    expect(["stauts"], 2, stderr='has no command "stauts"\nhint: did you mean "status"')
    expect(["zzzzzz"], 2, stderr="hint: --help lists the commands")
    expect(["status", "--jsno"], 2, stderr='hint: did you mean "--json"')
    expect(["status", "extra"], 2, stderr="one operand too many")
    expect(["status", "--sysroot"], 2, stderr="--sysroot: DIR is expected after it")
    expect(["completion"], 2, stderr="^Usage: veridian completion")
    expect(["help", "nothing"], 2, stderr='has no command "nothing"')
    expect(["\x1b[31m"], 2, stderr=r"\\x1b\[31m")


def case_results_and_messages_are_apart():
    for words in (["stauts"], ["status", "extra"]):
        assert veridian(*words).stdout == ""
    for words in (["--help"], ["status", "--help"], ["help", "status"], ["--version"], ["status"]):
        assert veridian(*words).stderr == "", words


def case_help_is_the_same_by_both_ways():
    for path in ([], ["status"], ["completion"], ["completion", "bash"]):
        assert veridian("help", *path).stdout == veridian(*path, "--help").stdout
        assert veridian(*path, "-h").stdout == veridian(*path, "--help").stdout


def case_version_on_every_level():
    for path in ([], ["completion"], ["status"]):
        expect([*path, "--version"], 0, stdout=r"^veridian \d+\.\d+\.\d+\n$")


def case_lost_output_is_a_fault():
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in (["status"], ["--help"], ["completion", "bash"], ["status", "--json"]):
            done = veridian(*words, stdout=full)
            assert done.returncode == 4, f"{words}: exit {done.returncode}"
            assert "cannot write" in done.stderr


def case_no_colours_but_on_a_terminal():
    assert "\x1b" not in veridian("stauts", env={"TERM": "xterm"}).stderr


def complete(line):
    """What bash offers for the line."""
    script = """
        eval "$("$1" completion bash)"
        COMP_WORDS=($2); [ "${2: -1}" = " " ] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _veridian; printf '%s\\n' "${COMPREPLY[@]}"
    """
    return subprocess.run(["bash", "-c", script, "-", VERIDIAN, line], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def case_bash_completes():
    assert "status" in complete("veridian "), complete("veridian ")
    assert complete("veridian stat") == ["status"]
    assert complete("veridian completion ") == ["bash", "--help", "--version"]
    assert "ml-dsa-65" in complete("veridian key create x --type ")
    assert complete("veridian key sign x --mechanism edd") == ["eddsa"]
    assert complete("veridian key cert issue ca --profile s") == ["server"]
    assert complete("veridian key cert verify c --purpose ") == ["server", "client", "code"]
    assert "keyCompromise" in complete("veridian key cert revoke ca 1 --reason ")
    assert "--version" in complete("veridian key destroy x --v")
    assert complete("veridian policy booleans s") == ["set"]
    assert complete("veridian status --js") == ["--json"]
    assert complete("veridian status --json --lo") == ["--log-dir"]
    assert complete("veridian status --log-dir ") == []  # a file name: bash's own


class Tree:
    """A directory that stands for /."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        for name, content in self.files.items():
            path = os.path.join(self.dir.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content)
        return self

    def __exit__(self, *args):
        self.dir.cleanup()

    def status(self):
        done = veridian("status", "--json", "--sysroot", self.dir.name)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


GOOD = {
    EFI.format("SecureBoot"): b"\x06\0\0\0\x01",
    EFI.format("SetupMode"): b"\x06\0\0\0\x00",
    "sys/class/tpm/tpm0/tpm_version_major": b"2\n",
    "sys/kernel/security/lsm": b"lockdown,capability,landlock,bpf",
    "sys/kernel/security/lockdown": b"none [integrity] confidentiality\n",
    "sys/fs/bpf/veridian/link_file_open": b"",
    "sys/fs/bpf/veridian/events": b"",
}

# what is changed in the good tree (None: taken away), the fact, its state, part of its text
CHANGED = [
    ({EFI.format("SecureBoot"): b"\x06\0\0\0\x00"}, "secure_boot", "no", "off"),
    ({EFI.format("SecureBoot"): b"\x06\0\0\0\x02"}, "secure_boot", "no", "off"),
    ({EFI.format("SecureBoot"): b"\x06\0\0\0\x00", EFI.format("SetupMode"): b"\x06\0\0\0\x01"},
     "secure_boot", "no", "setup mode"),
    ({EFI.format("SecureBoot"): b"\x06\0\0\0"}, "secure_boot", "unknown", "not readable"),
    ({EFI.format("SecureBoot"): None}, "secure_boot", "unknown", "not readable"),
    ({EFI.format("SecureBoot"): None, EFI.format("SetupMode"): None, "sys/firmware/acpi/x": b""},
     "firmware", "no", "not started by UEFI"),
    ({EFI.format("SecureBoot"): None, EFI.format("SetupMode"): None}, "firmware", "unknown",
     "not mounted"),
    ({"sys/class/tpm/tpm0/tpm_version_major": b"1\n"}, "tpm", "no", "version 2.0"),
    ({"sys/class/tpm/tpm0/tpm_version_major": None, "sys/class/x": b""}, "tpm", "no", "none"),
    ({"sys/kernel/security/lsm": b"lockdown,bpfx,xbpf\n"}, "bpf_lsm", "no",
     "lsm=lockdown,bpfx,xbpf,bpf"),
    ({"sys/kernel/security/lsm": b"bpf\n"}, "bpf_lsm", "yes", "active"),
    ({"sys/kernel/security/lsm": None}, "bpf_lsm", "unknown", "securityfs"),
    ({"sys/kernel/security/lockdown": b"[none] integrity confidentiality\n"}, "lockdown", "no", ""),
    ({"sys/kernel/security/lockdown": None}, "lockdown", "unknown", "securityfs"),
    ({"sys/fs/bpf/veridian/link_file_open": None}, "mac", "no", "no hook"),
    ({"sys/fs/bpf/veridian/link_file_open": None, "sys/fs/bpf/veridian/events": None,
      "sys/fs/bpf/x": b""}, "mac", "no", "no policy"),
    ({"var/log/veridian/segment-0000000001.vlog": b""}, "audit_log", "no", "nothing writes"),
]


def case_status_of_a_good_machine():
    with Tree(GOOD) as tree:
        page = tree.status()
        states = {name: fact["state"] for name, fact in page["facts"].items()}
        assert states.pop("audit_log") == states.pop("security_server") == "no"
        assert states.pop("mac") == "unknown"  # plain files, no maps
        assert set(states.values()) == {"yes"}, page
        assert [m["fact"] for m in page["not_enforced"]] == [
            "mac", "security_server", "audit_log"], page


def case_status_of_changed_machines():
    for change, name, state, text in CHANGED:
        files = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
        with Tree(files) as tree:
            page = tree.status()
            fact = page["facts"][name]
            assert fact["state"] == state and text in fact["text"], (change, fact)
            if state != "yes":
                assert name in [m["fact"] for m in page["not_enforced"]]


def case_status_sees_the_writer_of_the_log():
    with Tree({**GOOD, "var/log/veridian/segment-0000000001.vlog": b""}) as tree:
        log = os.path.join(tree.dir.name, "var/log/veridian")
        with subprocess.Popen(["flock", "-x", log, "-c", "echo; read x"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            fact = tree.status()["facts"]["audit_log"]
            writer.stdin.close()
        assert fact["state"] == "yes" and "1 segment in" in fact["text"], fact


ENFORCING, PERMISSIVE = bytes.fromhex("01e05c1e"), bytes.fromhex("0110a100")
MAC = [
    (ENFORCING, 8, "yes", "enforcing on 1 hooks, policy version 7"),
    (PERMISSIVE, 8, "no", "permissive"),
    (bytes(4), 8, "yes", "enforcing"),  # any other value enforces
    (ENFORCING, 12, "unknown", "cannot be read"),
]
PIN_MAPS = """
    set -e
    mkdir -p "$1/sys/fs/bpf"; mount -t bpf bpf "$1/sys/fs/bpf" || exit 77
    cd "$1/sys/fs/bpf"; mkdir veridian; cd veridian
    make() { bpftool map create "$PWD/$1" type array key 4 value "$2" entries 1 name "$1" || exit 77; }
    make link_file_open 4; make config "$2"
    bpftool map update pinned "$PWD/config" key 0 0 0 0 value hex $3
    exec "$4" status --json --sysroot "$1"
"""


def case_status_reads_the_mode_from_the_kernel():
    """Maps of the right shape, pinned in a BPF file system of a mount namespace of its own."""
    for mode, size, state, text in MAC:
        value = (mode + (7).to_bytes(4, "little") + bytes(4))[:size]
        with Tree(GOOD | {"sys/fs/bpf/veridian/x": b""}) as tree:
            done = subprocess.run(["unshare", "-m", "sh", "-c", PIN_MAPS, "-", tree.dir.name, str(size),
                                   value.hex(" "), VERIDIAN], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode in (77, 127) or done.stderr.startswith("unshare: "):
                raise tap.Skip("needs root, a BPF file system and bpftool")
            assert done.returncode == 0, done.stderr
            fact = json.loads(done.stdout[done.stdout.index("{"):])["facts"]["mac"]
            assert fact["state"] == state and text in fact["text"], fact


if __name__ == "__main__":
    sys.exit(tap.run())
