# SPDX-License-Identifier: MIT OR Apache-2.0
"""The virtual machine of test_selinux_kernel: collects policies, questions and the steps of
its script before it starts, and what the guest said afterwards (tests/system/selinux)."""
import os
import re
import shutil
import subprocess

import bootimage

ROOT = os.environ.get("VD_SOURCE_ROOT") or os.path.join(os.path.dirname(__file__), "../..")
BUILD = os.environ.get("VD_BUILD_ROOT", "build")
BOOT_VM = os.path.join(ROOT, "image", "boot-vm")
OPTIONS = "console=ttyS0 quiet panic=-1 security=selinux selinux=1 enforcing=0 " \
          "audit_backlog_limit=0 log_buf_len=4M"
MISSING_BY = re.compile(" missing-by=[TCRB]*$") # which the kernel does not tell
DIRECTORY, PROGRAM, PLAIN = 0o040755, 0o100755, 0o100644


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False,
                          timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


class Said:
    """The guest's lines: "@ WORD REST" each, in their order."""

    def __init__(self, lines):
        self.lines = lines
        self.rows = [line[2:].split(" ", 1) for line in lines if line.startswith("@ ")]

    def all(self, word, first):
        """What follows "@ word first " on each such line."""
        prefix = f"{first} "
        return [rest[len(prefix):].strip() for row_word, *more in self.rows
                for rest in more if row_word == word and rest.startswith(prefix)]

    def one(self, word, first):
        found = self.all(word, first)
        return found[0] if len(found) == 1 else f"{len(found)} lines \"@ {word} {first}\""

    def after(self, mark, count):
        """The `count` lines that come right after a mark."""
        rows = [" ".join(row).strip() for row in self.rows]
        place = rows.index(f"mark {mark}") + 1 if f"mark {mark}" in rows else len(rows)
        return rows[place:place + count]

    def dumped(self, name):
        """The bytes of the policy that the guest read back under this name."""
        data = bytes.fromhex("".join(self.all("bytes", name)))
        if self.one("dumped", name) != str(len(data)):
            raise ValueError(f"{len(data)} bytes came of {self.one('dumped', name)}")
        return data

    def whole(self):
        words = [row[0] for row in self.rows]
        return words.count("end") == 1 and "wrong" not in words

    def last(self):
        return "\n".join(self.lines[-15:])


class Machine:
    def __init__(self, work):
        self.work = work
        self.veridian = os.path.join(BUILD, "bin", "veridian")
        self.guest = os.path.join(BUILD, "tests", "system", "selinux_guest")
        self.files = {}
        self.script = []
        self.answers = [] # all that the engine said, to see that every kind came up
        self.names = 0

    def missing(self, kernels):
        """What this machine lacks for the test."""
        paths = [self.veridian, self.guest, *(os.path.join(k, "vmlinuz") for k in kernels)]
        return [p for p in paths if not os.path.exists(p)] + [
            t for t in ("qemu-system-x86_64",) if not shutil.which(t)]

    def step(self, *words):
        self.script.append(" ".join(words))

    def name(self):
        """A new name for a policy or a set of questions."""
        self.names += 1
        return f"n{self.names}"

    def source(self, text):
        path = os.path.join(self.work, self.name() + ".te")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def compile(self, source, *options):
        """Veridian's own format; the path."""
        run([self.veridian, "policy", "compile", *options, "-o", source + ".vpol", source])
        return source + ".vpol"

    def selinux(self, source, *options):
        """SELinux's format; the bytes."""
        out = source + ".bin"
        run([self.veridian, "policy", "compile", *options, "--format", "selinux", "-o", out, source])
        return bootimage.read(out)

    def load(self, data):
        """The kernel loads these bytes; the name under which it says how that went."""
        name = self.name()
        self.files[f"p/{name}.bin"] = data
        self.step("load", name)
        return name

    def dump(self):
        """The guest reads the policy back from the kernel; the name of the bytes."""
        name = self.name()
        self.step("dump", name)
        return name

    def set_bools(self, bools):
        for name, value in bools.items():
            self.step("bool", name, str(value))
        self.step("commit")

    def engine(self, policy, questions, bools=None):
        options = [f"--bool={name}={value}" for name, value in (bools or {}).items()]
        lines = run([self.veridian, "policy", "query", *options, policy, "--batch"],
                    "\n".join(questions) + "\n").splitlines()
        if len(lines) != len(questions):
            raise RuntimeError(f"{len(questions)} questions, {len(lines)} answers")
        self.answers += lines
        return [MISSING_BY.sub("", line) for line in lines]

    def compare(self, questions, answers):
        """The kernel is asked; the name under which it says how much differs."""
        name = self.name()
        self.files[f"p/{name}.ask"] = "".join(
            f"{q}\t{a}\n" for q, a in zip(questions, answers)).encode()
        self.step("compare", name)
        return name

    def initrd(self):
        entries = [(name, DIRECTORY, b"", 0, 0) for name in ("dev", "proc", "sys", "tmp", "p")]
        entries += [("dev/console", 0o020600, b"", 5, 1),
                    ("init", PROGRAM, bootimage.read(self.guest), 0, 0),
                    ("script", PLAIN, ("\n".join(self.script) + "\n").encode(), 0, 0)]
        entries += [(name, PLAIN, data, 0, 0) for name, data in self.files.items()]
        return bootimage.cpio(entries)

    def boot(self, kernel, timeout=150):
        log = os.path.join(self.work, "log")
        archive = bootimage.write(os.path.join(self.work, "initrd"), self.initrd())
        subprocess.run([BOOT_VM, "--kernel", os.path.join(kernel, "vmlinuz"), "--initrd", archive,
                        "--log", log, "--tpm-interface", "none", "--append", OPTIONS, "--until",
                        "^@ end", "--timeout", str(timeout)], stdout=subprocess.DEVNULL, check=False)
        return Said([line.strip() for line in
                     bootimage.read(log).decode("utf-8", "replace").splitlines()])


def same(name, count):
    """Judges a comparison: nothing differs. What is wrong, "" if nothing."""
    def judge(said):
        told = said.one("compare", name)
        differences = [line for line in said.lines if line.startswith(f"@ differ {name}|")]
        return "" if told == f"{count} 0" else "\n".join([f"compare: {told}", *differences])
    return judge


def differs(name, count, least=1):
    """Judges a comparison that has to fail, all of whose questions were asked."""
    def judge(said):
        told = said.one("compare", name)
        asked, _, different = told.partition(" ")
        good = asked == str(count) and different.isdigit() and int(different) >= least
        return "" if good else f"compare: {told}"
    return judge


def loaded(*names):
    def judge(said):
        errors = {name: said.one("load", name) for name in names}
        return "" if set(errors.values()) == {"0"} else f"load: {errors}"
    return judge


def if_version(number, judge):
    """Judges only a kernel that reads this version of the format."""
    return lambda said: judge(said) if int(said.one("show", "policyvers")) >= number else ""
