#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Wrong calls and bad inputs, from every verb and program: the exit code says whose
fault it is (2 the caller's, 3 the machine's, 4 the system's), and the message names
the place. Prints TAP."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.environ.get("VD_SOURCE_ROOT", "."))
BUILD = os.path.realpath(os.environ.get("VD_BUILD_ROOT", "build"))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import tap  # noqa: E402

VERIDIAN = os.path.join(BUILD, "bin", "veridian")
AUDITD = os.path.join(BUILD, "bin", "veridian-auditd")
SEED = os.path.join(ROOT, "policy", "example", "seed.te")
INIT = "system_u:system_r:init_t:s0 system_u:object_r:init_exec_t:s0"

# The words after `veridian` (of a row with @seed the shipped policy's source stands
# there), the exit code, what the message must hold.
POLICY = [
    ("policy compile", 2, "usage: veridian policy compile [-o OUT]"),
    ("policy compile missing.te", 2, "missing.te: error: cannot open: No such file"),
    ("policy compile dir", 2, "dir: error: cannot read: Is a directory"),
    ("policy compile junk", 2, "junk:1:1: error: "),
    ("policy compile seed.vpol", 2, "seed.vpol: error: this is a compiled policy, not a source"),
    ("policy compile bad.te", 2, "bad.te:2:9: error: unknown type or attribute 'b'"),
    ("policy compile -o nodir/x.vpol @seed", 2, "nodir/x.vpol: error: "),
    ("policy compile -o dir @seed", 2, "dir: error: "),
    ("policy compile -o /dev/full @seed", 4, "/dev/full: error: cannot write: No space left"),
    ("policy compile --mls perhaps bad.te", 2, "--mls: one of auto|yes|no is expected"),
    ("policy compile --format selinux --selinux-version 29 @seed", 2, "is 30 to 35, not 29"),
    ("policy compile --format selinux -o dir @seed", 2, "dir: error: "),
    ("policy compile --target xen @seed", 3, "--target selinux"),
    ("policy compile --selinux-version 33 @seed", 2, "goes with --format selinux"),
    ("policy compile --selinux-version 99999999999999999999 @seed", 2, "is more than 4294967295"),
    ("policy query", 2, "usage: veridian policy query"),
    ("policy query missing a b c", 2, "missing: error: cannot open"),
    ("policy query dir a b c", 2, "dir: error: "),
    ("policy query empty a b c", 2, "empty: error at byte 0: too short"),
    ("policy query junk a b c", 2, "junk: error at byte 0: not a compiled policy"),
    ("policy query bad.te a b c", 2, "bad.te: error at byte 0: not a compiled policy"),
    ("policy diff seed.vpol", 2, "usage: veridian policy diff"),
    ("policy diff seed.vpol missing.vpol", 2, "missing.vpol: error: cannot open"),
    ("policy diff junk seed.vpol", 2, "junk: error at byte 0: not a compiled policy"),
    ("policy diff seed.vpol empty", 2, "empty: error at byte 0: too short"),
    ("policy diff --only all seed.vpol seed.vpol", 2, 'no part "all"'),
    ("policy flow seed.vpol", 2, "usage: veridian policy flow"),
    ("policy flow missing.vpol a b", 2, "missing.vpol: error: cannot open"),
    ("policy flow junk a b", 2, "junk: error at byte 0: not a compiled policy"),
    ("policy flow seed.vpol nosuch_t init_t", 2, 'no type or attribute "nosuch_t"'),
    ("policy flow --map dir seed.vpol init_t init_t", 2, "dir: error: cannot read"),
    ("policy flow --map junk seed.vpol init_t init_t", 2, "junk:1: error: a line of more than"),
    ("policy search", 2, "usage: veridian policy search"),
    ("policy search missing.vpol", 2, "missing.vpol: error: cannot open"),
    ("policy search junk", 2, "junk: error at byte 0: not a compiled policy"),
    ("policy search empty", 2, "empty: error at byte 0: too short"),
    ("policy search -s nosuch_t seed.vpol", 2, 'no type or attribute "nosuch_t"'),
    ("policy query seed.vpol a b c", 2, "not a query"),
    (f"policy query seed.vpol {INIT} nosuch", 2, 'no class "nosuch"'),
    (f"policy query seed.vpol {INIT} fil", 2, 'hint: did you mean "file"?'),
    (f"policy query seed.vpol {INIT.replace(':s0', '')} file", 2, "expected ':' and a level or range"),
    ("policy server --socket missing", 3, "hint: start the security server"),
    (f"policy query seed.vpol --bool nosuch=1 {INIT} file", 2, 'no boolean "nosuch"'),
    (f"policy query seed.vpol --bool x {INIT} file", 2, "expected NAME=0 or NAME=1"),
    ("policy query seed.vpol --batch a b c", 2, "POLICY and --batch"),
]
BOOT = [
    ("boot keys", 2, "--out DIR is missing\nhint: usage: veridian boot keys --out DIR"),
    ("boot keys --out keys", 2, "keys/PK.key: error: the file exists already"),
    ("boot keys --out empty", 2, "empty: error: "),
    ("boot keys --out nodir/a/b", 2, "nodir/a/b: error: cannot make the directory"),
    ("boot build --keys keys --kernel missing --out o", 2, "missing: error: cannot open"),
    ("boot build --keys keys --kernel empty --out o", 2, "the kernel is an empty file"),
    ("boot build --keys dir --kernel junk --out o", 2, "dir/image.crt: error: "),
    ("boot build --keys keys --kernel junk --out o --security-version -1", 2, "a number is expected"),
    ("boot build --keys keys --kernel junk --out o --root-hash zz", 2, "--root-hash: error at byte 0"),
    ("boot build --keys keys --kernel junk --out o --policy junk", 2, "junk:1:1: error: "),
    ("boot enroll --keys keys --out v.fd --dbx nothere", 2, "nothere: error: cannot open"),
    ("boot enroll --keys keys --out v.fd --virt-fw-vars /nonexistent", 3, "package python3-virt-firmware"),
    ("boot enroll --keys keys --out v.fd --vars-template /nonexistent", 3, "package ovmf"),
    ("boot verify --root keys/root.crt missing", 2, "missing: error: cannot open"),
    ("boot verify --root keys/root.crt empty", 2, "empty: error at byte 0"),
    ("boot verify --root keys/root.crt dir", 2, "dir: error: "),
    ("boot verify --root keys/root.crt junk", 2, "junk: error at byte 0: not a VERIDIAN image"),
    ("boot verify --root junk junk", 2, "junk: error: this is not one certificate"),
    ("boot inspect /dev/zero", 2, "/dev/zero: error: larger than the"),
    ("boot predict dir", 2, "dir/veridian.img: error: cannot open"),
]
OTHER = [
    ("attest quote --nonce zz --pcrs 0 --out q", 2, "openssl rand -hex 32"),
    ("attest quote --nonce 00 --pcrs 99 --out q", 2, "expected PCR numbers 0 to 23"),
    ("attest quote --nonce 00 --pcrs 0 --out q --tpm bogus", 2, "names no TPM: expected device:PATH"),
    ("attest quote --nonce 00 --pcrs 0 --out q --tpm device:/dev/null", 4, "the TPM closed"),
    ("attest quote --nonce 00 --pcrs 0 --out q --tpm swtpm:path=/nonexistent", 3, "/nonexistent"),
    ("attest verify --quote missing --nonce 00 --ak missing", 2, "missing: error: cannot open"),
    ("attest verify --quote dir --nonce 00 --ak junk", 2, "dir/quote.bin: error: cannot open"),
    ("attest verify --quote junk --nonce 00 --ak keys/root.crt", 2, "quote.sig: error: "),
    ("tpm pcr --pcrs 5-2", 2, "expected PCR numbers"),
    ("tpm pcr --pcrs sha999:2", 2, "the bank is not"),
    ("tpm eventlog missing", 2, "missing: error: cannot open"),
    ("tpm eventlog empty", 2, "empty: error at byte 0"),
    ("tpm eventlog junk", 2, "junk: error at byte 0"),
    ("audit tail --log missing", 2, "missing: error: cannot open the log's directory"),
    ("audit tail --log junk", 2, "junk: error: "),
    ("audit tail --log dir", 2, "no audit log in dir"),
    ("audit search --log dir --verdict perhaps", 2, "allowed or denied"),
    ("audit search --log dir --type nosuch", 2, '"nosuch" is no type of event'),
    ("audit search --log dir --pid x", 2, "decimal number"),
    ("audit verify --log dir", 2, "no audit log in dir"),
    ("audit verify --log dir --expect-head zz", 2, "64 hexadecimal digits"),
    ("status --sysroot missing", 2, "missing: error: --sysroot needs a directory"),
    ("completion zsh", 2, 'no command "zsh"'),
]
DAEMON = [
    ("", 2, "--log DIR is missing\nhint: usage: veridian-auditd --log DIR"),
    ("--log dir", 3, "cannot open the ring: No such file or directory\nhint: "),
    ("--log dir --user x", 2, "expected UID:GID in numbers"),
    ("--log dir --ready-fd 5", 2, "--ready-fd needs --foreground"),
    ("--log dir --foreground --ready-fd 99", 2, "descriptor 99 is not open"),
    ("--log dir --foreground --ready-fd 4294967295", 2, "descriptor 4294967295 is not open"),
    ("--log dir --foreground --ring /dev/null", 2, "/dev/null: error: this is no pinned ring buffer"),
]
# Programs of the source tree: path, words.
SCRIPTS = [
    ("run", "now", 2, "only --json is known"),
    ("test", "now", 2, "no argument is expected"),
    ("image/run", "--build dir", 2, "nothing is built there"),
    ("image/boot-vm", "", 2, "--image"),
    ("image/boot-vm", "--image dir", 2, "no such file: dir/esp.img"),
    ("image/boot-vm", "--kernel junk --timeout -1", 2, "more than 0"),
    ("image/boot-vm", "--kernel junk --until (", 2, "--until: "),
    ("image/build-initrd", "", 2, "required: --build, --policy, --out"),
    ("image/build-initrd", "--build dir --policy junk --out o", 2, "build first"),
    ("scripts/setup", "--bogus", 2, "usage: scripts/setup"),
    ("scripts/check", "--only nosuch", 2, 'no check "nosuch"'),
    ("scripts/run-tests", "--build dir", 2, "no build directory"),
    ("scripts/run-tests", f"--build {BUILD} --suite nosuch", 2, 'no suite "nosuch"'),
    ("scripts/run-bench", "--build dir", 2, "no build directory"),
]
HELPS = ["run", "test", "image/run", "image/boot-vm", "image/build-initrd", "scripts/setup",
         "scripts/check", "scripts/run-tests", "scripts/run-bench", "scripts/run-fuzz"]
WORK = tempfile.TemporaryDirectory(prefix="veridian-wrong-")


def run(program, words, **options):
    command = [program, *(SEED if w == "@seed" else w for w in words.split(" ") if w)]
    env = {k: v for k, v in os.environ.items() if k not in ("VERIDIAN_TPM", "NOTIFY_SOCKET")}
    return subprocess.run(command, cwd=WORK.name, env=env, stdin=subprocess.DEVNULL, text=True,
                          errors="replace", timeout=60, check=False, stderr=subprocess.PIPE,
                          stdout=options.get("stdout", subprocess.PIPE))


def expect(program, words, code, text):
    done = run(program, words)
    shown = f"{os.path.basename(program)} {words}"
    assert done.returncode == code, f"{shown}: exit {done.returncode}, not {code}: {done.stderr}"
    assert text in done.stderr, f"{shown}: {done.stderr!r} lacks {text!r}"
    assert "Traceback" not in done.stderr, f"{shown}: {done.stderr}"


def prepare():
    def put(name, data):
        with open(os.path.join(WORK.name, name), "wb") as file:
            file.write(data)
    put("empty", b"")
    put("junk", b"-\x02\xfb\xa8k/^a\xe6\xf4" * 400)
    put("bad.te", b"type a;\nallow a b:file read;\n")
    os.mkdir(os.path.join(WORK.name, "dir"))
    for words in ("policy compile -o seed.vpol @seed", "boot keys --out keys"):
        done = run(VERIDIAN, words)
        assert done.returncode == 0, f"{words}: {done.stderr}"



def case_policy():
    for words, code, text in POLICY:
        expect(VERIDIAN, words, code, text)


def case_boot():
    for words, code, text in BOOT:
        expect(VERIDIAN, words, code, text)


def case_other_areas():
    for words, code, text in OTHER:
        expect(VERIDIAN, words, code, text)


def case_audit_daemon():
    for words, code, text in DAEMON:
        expect(AUDITD, words, code, text)


def case_programs_of_the_tree():
    for path, words, code, text in SCRIPTS:
        expect(os.path.join(ROOT, path), words, code, text)


def case_help_of_the_programs_of_the_tree():
    for path in HELPS:
        done = run(os.path.join(ROOT, path), "--help")
        assert done.returncode == 0 and done.stdout.lower().startswith("usage:"), (path, done)


def case_what_was_refused_left_nothing():
    left = sorted(os.listdir(WORK.name))
    known = ["bad.te", "dir", "empty", "junk", "keys", "seed.vpol"]
    assert left == known, f"left behind: {sorted(set(left) ^ set(known))}"
    assert not os.listdir(os.path.join(WORK.name, "dir"))


def case_a_full_or_closed_output_is_a_fault():
    rows = [(VERIDIAN, f"policy query seed.vpol {INIT} file"), (VERIDIAN, "boot --help"),
            (VERIDIAN, "status --json"), (AUDITD, "--help")]
    for program, words in rows:
        with open("/dev/full", "w", encoding="ascii") as full:
            done = run(program, words, stdout=full)
        assert done.returncode == 4 and "cannot write" in done.stderr, (words, done)
        command = ["sh", "-c", '"$@" >&-', "sh", program, *words.split()]
        done = subprocess.run(command, cwd=WORK.name, stderr=subprocess.PIPE, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode == 4 and "cannot write" in done.stderr, (words, done)


if __name__ == "__main__":
    prepare()
    sys.exit(tap.run())
