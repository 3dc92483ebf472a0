#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reading SELinux's binary policies: checkpolicy's binary of each version answers as
our own compile of the same source and as libsepol; so does what we write ourselves; a
policy read and written again is the same to seinfo and sediff; and wrong bytes are
refused with their offset. Prints TAP.

VD_READ_POLICIES, VD_READ_QUESTIONS: random policies, and questions each."""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
from random_te import Policy  # noqa: E402
from tap import Tap  # noqa: E402

BUILD = os.environ.get("VD_BUILD_ROOT", "build")
VERIDIAN = os.path.abspath(os.path.join(BUILD, "bin", "veridian"))
ASK = os.path.join(BUILD, "tests", "integration", "sepol_ask")
POLICIES = int(os.environ.get("VD_READ_POLICIES", "4"))
QUESTIONS = int(os.environ.get("VD_READ_QUESTIONS", "1500"))
VERSIONS = range(30, 34)
PEER = os.path.exists(ASK) and shutil.which("checkpolicy") is not None
SETOOLS = shutil.which("seinfo") is not None and shutil.which("sediff") is not None

tap = Tap()
check = tap.check


def skip(name, why):
    check(f"{name} # SKIP {why}", True)


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False,
                          timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compile_to(out, *arguments):
    run([VERIDIAN, "policy", "compile", "-o", out, *arguments])
    return out


def checkpolicy(source, version, *flags):
    out = f"{source}.theirs.{version}"
    run(["checkpolicy", *flags, "-c", str(version), "-o", out, source])
    return out


def query(policy, text):
    return run([VERIDIAN, "policy", "query", policy, "--batch"], text).splitlines()


def different(questions, want, got):
    lines = [f"{q}\nexpected: {a}\nread: {b}" for q, a, b in zip(questions, want, got) if a != b]
    return lines if len(want) == len(got) == len(questions) else lines + ["lines are missing"]


def compare(name, source, questions, *flags):
    """libsepol, our compile of the source, and what is read from every binary agree."""
    text = "\n".join(questions) + "\n"
    want = run([ASK, checkpolicy(source, 33, *flags)], text).splitlines()
    wrong = different(questions, want, query(compile_to(source + ".vpol", source), text))
    check(f"{name}: our compile answers as libsepol", wrong == [], "\n".join(wrong[:3]))
    for version in VERSIONS:
        wrong = different(questions, want, query(checkpolicy(source, version, *flags), text))
        check(f"{name}: checkpolicy's version {version} is read and answers alike", wrong == [],
              "\n".join(wrong[:3]))
        mine = compile_to(f"{source}.ours.{version}", "--format", "selinux", "--selinux-version",
                          str(version), source)
        wrong = different(questions, want, query(mine, text))
        check(f"{name}: our version {version} is read and answers alike", wrong == [],
              "\n".join(wrong[:3]))


def normal(line):
    """Names inside braces in alphabetical order: setools prints them in any."""
    return re.sub(r"\{([^{}]*)\}", lambda m: "{ " + " ".join(sorted(m.group(1).split())) + " }",
                  re.sub(r"\s+", " ", line).strip())


def seinfo(path):
    """What seinfo lists, without the file's name and version."""
    return sorted(normal(line) for line in run(["seinfo", path, "--all", "-x"]).splitlines()
                  if line.strip() and not re.match(r"(Statistics|Policy Version)", line))


def sediff(one, other):
    """Lines that say what was added, removed or changed; names in another order are none."""
    lines = [normal(line) for line in run(["sediff", one, other]).splitlines()]
    added = sorted(line[2:] for line in lines if line.startswith("+ "))
    removed = sorted(line[2:] for line in lines if line.startswith("- "))
    return "\n".join(line for line in lines if line.startswith("* ")) + \
        "\n".join(x for x in added if x not in removed) + \
        "\n".join(x for x in removed if x not in added)


def rewrite(name, binary):
    """A binary read and written again."""
    out = compile_to(binary + ".again", "--format", "selinux", "--selinux-version", "33", binary)
    title = f"{name}: read and written again, seinfo and sediff find no difference"
    if not SETOOLS:
        skip(title, "setools is not installed")
        return
    one, other = seinfo(binary), seinfo(out)
    lines = [f"- {x}" for x in one if x not in other] + [f"+ {x}" for x in other if x not in one]
    diff = sediff(binary, out)
    check(title, one == other and diff == "", "\n".join(lines[:20]) + "\n" + diff[:2000])


def random_policies(directory):
    for seed in range(301, 301 + POLICIES):
        policy = Policy(seed)
        source = os.path.join(directory, f"{seed}.te")
        with open(source, "w", encoding="ascii") as file:
            file.write(policy.text())
        compare(f"policy {seed}", source, [policy.question() for _ in range(QUESTIONS)], "-M")
        if seed < 303:
            rewrite(f"policy {seed}", source + ".theirs.33")


def main():
    with tempfile.TemporaryDirectory() as directory:
        if PEER:
            random_policies(directory)
        else:
            skip("libsepol and checkpolicy as peers", "libsepol-dev or checkpolicy is missing")
    print(f"1..{tap.number}")
    return tap.failed != 0


sys.exit(main())
